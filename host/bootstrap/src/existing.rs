//! A cluster that is there already, by its kubeconfig. It is the user's: it is used, and never made or deleted.

use std::path::Path;

use async_trait::async_trait;
use kube::config::Kubeconfig;

use crate::{Bootstrap, BootstrapError, Driver, Identity, Progress, Wanted};

/// An existing cluster as bootstrap cluster.
#[derive(Debug, Clone)]
pub struct Existing {
    bootstrap: Bootstrap,
    server: String,
}

impl Existing {
    /// From the text of a kubeconfig. `origin` says in messages where it came from.
    pub fn new(origin: &str, kubeconfig: &str) -> Result<Self, BootstrapError> {
        let server = check(origin, kubeconfig)?;
        Ok(Self { bootstrap: Bootstrap { kubeconfig: kubeconfig.to_owned() }, server })
    }

    /// The address of its API server, as its kubeconfig has it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// From a kubeconfig file.
    pub fn from_file(path: &Path) -> Result<Self, BootstrapError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| BootstrapError::Unreadable { path: path.to_owned(), source })?;
        Self::new(&format!("`{}`", path.display()), &text)
    }
}

#[async_trait]
impl Driver for Existing {
    fn name(&self) -> &'static str {
        "existing cluster"
    }

    fn temporary(&self) -> bool {
        false
    }

    async fn find(&self, _cluster: &Identity) -> Result<Option<Bootstrap>, BootstrapError> {
        Ok(Some(self.bootstrap.clone()))
    }

    async fn create(
        &self,
        _cluster: &Identity,
        _wanted: &Wanted,
        _progress: &dyn Progress,
    ) -> Result<Bootstrap, BootstrapError> {
        Ok(self.bootstrap.clone())
    }

    async fn delete(&self, _cluster: &Identity) -> Result<(), BootstrapError> {
        Ok(())
    }
}

/// Finds out now what would otherwise be found out in the middle of a create. Gives the address of the server.
pub(crate) fn check(origin: &str, text: &str) -> Result<String, BootstrapError> {
    let wrong = |reason: String| BootstrapError::Kubeconfig { origin: origin.to_owned(), reason };
    let config = Kubeconfig::from_yaml(text).map_err(|source| wrong(source.to_string()))?;
    let current = config.current_context.as_deref().unwrap_or_default();
    let context = config.contexts.iter().find(|c| c.name == current);
    let Some(context) = context.and_then(|c| c.context.as_ref()) else {
        return Err(wrong(match current {
            "" => "it has no current context".into(),
            name => format!("its current context `{name}` is not among its contexts"),
        }));
    };
    let cluster = config.clusters.iter().find(|c| c.name == context.cluster);
    let server = cluster.and_then(|c| c.cluster.as_ref()).and_then(|c| c.server.as_deref()).unwrap_or_default();
    if server.is_empty() {
        return Err(wrong(format!("the cluster `{}` of its current context has no server", context.cluster)));
    }
    Ok(server.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\nclusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:6443'}\nusers:\n- name: u\n  user: {token: t}\n";

    #[tokio::test]
    async fn is_found_made_and_left_alone() {
        let driver = Existing::new("the test", GOOD).unwrap();
        let prod = Identity { cluster: "prod".into(), owner: "o".into(), folder: "prod".into() };
        assert!(!driver.temporary());
        assert_eq!(driver.find(&prod).await.unwrap().unwrap().kubeconfig, GOOD);
        assert_eq!(driver.create(&prod, &Wanted::default(), &crate::Silent).await.unwrap().kubeconfig, GOOD);
        driver.delete(&prod).await.unwrap();
        assert!(driver.find(&prod).await.unwrap().is_some(), "a cluster that was there before is there after");
    }

    #[test]
    fn says_what_is_wrong_with_a_kubeconfig() {
        for (text, expected) in [
            ("", "no current context"),
            ("current-context: b\ncontexts: []\n", "`b` is not among its contexts"),
            (
                "current-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\n",
                "the cluster `c` of its current context has no server",
            ),
            ("a: [", ""),
        ] {
            let error = Existing::new("`x.yaml`", text).unwrap_err().to_string();
            assert!(error.starts_with("`x.yaml` is not a kubeconfig") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Existing::from_file(Path::new("/nonexistent/kubeconfig")).unwrap_err();
        assert_eq!(error.to_string(), "the kubeconfig `/nonexistent/kubeconfig` can't be read");
        assert!(error.remedy().contains("/nonexistent/kubeconfig"));
    }
}
