//! A file on a node, as the bootstrap data has it.

use kedge_spec::provider::NodeFile;
use serde_json::{Map, Value, json};

use super::context::put;

/// Where a file's content stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Here.
    Text(String),
    /// Under a key of a Secret in the cluster's namespace: what must not stand in a template.
    Secret {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
    },
}

/// A file that root owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    owner: String,
    /// Octal; empty for the bootstrap provider's own choice, `0644`.
    permissions: String,
    content: Content,
}

impl File {
    /// A file that everybody may read.
    pub(super) fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            owner: "root:root".to_owned(),
            permissions: String::new(),
            content: Content::Text(content.into()),
        }
    }

    /// A file whose content is a secret.
    pub(super) fn secret(path: impl Into<String>, name: impl Into<String>, key: impl Into<String>) -> Self {
        let content = Content::Secret { name: name.into(), key: key.into() };
        Self { content, ..Self::new(path, "") }.mode("0640")
    }

    /// The same with permissions, octal.
    pub(super) fn mode(mut self, permissions: &str) -> Self {
        permissions.clone_into(&mut self.permissions);
        self
    }

    /// As kubeadm's and etcdadm's bootstrap providers have it.
    pub(super) fn to_value(&self) -> Value {
        let mut object = Map::new();
        put(&mut object, "path", self.path.clone());
        put(&mut object, "owner", self.owner.clone());
        put(&mut object, "permissions", self.permissions.clone());
        match &self.content {
            Content::Text(text) => put(&mut object, "content", text.clone()),
            Content::Secret { name, key } => {
                put(&mut object, "contentFrom", json!({"secret": {"name": name, "key": key}}));
            }
        }
        Value::Object(object)
    }
}

impl From<&NodeFile> for File {
    fn from(file: &NodeFile) -> Self {
        Self {
            path: file.path.clone(),
            owner: file.owner.clone(),
            permissions: file.permissions.clone(),
            content: Content::Text(file.content.clone()),
        }
    }
}

/// A path that two files are written to.
pub(super) fn twice(files: &[File]) -> Option<&str> {
    let mut seen = std::collections::BTreeSet::new();
    files.iter().map(|f| f.path.as_str()).find(|path| !seen.insert(*path))
}
