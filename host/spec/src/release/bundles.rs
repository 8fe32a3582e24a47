//! The `Bundles` manifest, as far as it has to be understood.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Release, ReleaseError};
use crate::source::Source;
use crate::version::KubernetesVersion;

/// One of `versionsBundles`.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) version: KubernetesVersion,
    pub(super) eksd_url: String,
    pub(super) value: Value,
}

/// The document of a kind in a manifest.
pub(super) fn read_one(text: &str, name: &str, kind: &'static str) -> Result<Value, ReleaseError> {
    let documents = crate::yaml_documents(&Source::new(name, text))
        .map_err(|source| ReleaseError::Unreadable { name: name.to_owned(), source: Box::new(source) })?;
    documents
        .into_iter()
        .find(|d| d.get("kind").and_then(Value::as_str) == Some(kind))
        .ok_or_else(|| ReleaseError::WrongKind { name: name.to_owned(), kind })
}

/// A `Bundles` manifest whose EKS-D manifests are not read yet: a [`Release`] to be.
#[derive(Debug)]
pub struct Bundles {
    name: String,
    /// Of all manifests so far.
    digest: Sha256,
    head: Value,
    bundles: Vec<Bundle>,
}

impl Bundles {
    /// Reads the manifest.
    ///
    /// # Errors
    /// It is not YAML, not of its kind, or has no bundles.
    pub fn parse(text: &str, name: &str) -> Result<Self, ReleaseError> {
        let mut head = read_one(text, name, "Bundles")?;
        let listed = head.pointer_mut("/spec/versionsBundles").map(Value::take);
        let Some(Value::Array(entries)) = listed else {
            return Err(ReleaseError::Empty { name: name.to_owned() });
        };
        let bundles: Vec<Bundle> = entries
            .into_iter()
            .enumerate()
            .map(|(index, value)| bundle(value, index, name))
            .collect::<Result<_, _>>()?;
        if bundles.is_empty() {
            return Err(ReleaseError::Empty { name: name.to_owned() });
        }
        let digest = Sha256::new_with_prefix(text);
        Ok(Self { name: name.to_owned(), digest, head, bundles })
    }

    /// The newest Kubernetes version of a manifest. As long as the manifest is written in the usual way, one key to a
    /// line, it is not read whole: it has thousands of lines, and each of its bundles says its version in one.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn newest_version(text: &str, name: &str) -> Result<KubernetesVersion, ReleaseError> {
        let said = text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("kubeVersion:"));
        let said = said.map(|value| value.trim().trim_matches(['"', '\'']).parse::<KubernetesVersion>().ok());
        if let Some(Some(newest)) = said.collect::<Option<Vec<_>>>().map(|versions| versions.into_iter().max()) {
            return Ok(newest);
        }
        let bundles = Self::parse(text, name)?.bundles;
        Ok(bundles.iter().map(|bundle| bundle.version).max().unwrap_or_default())
    }

    /// Which EKS-D manifest each Kubernetes version needs, in the order of the bundles. A URL may be relative to the
    /// bundles' own.
    pub fn eksd_urls(&self) -> impl Iterator<Item = (KubernetesVersion, &str)> {
        self.bundles.iter().map(|b| (b.version, b.eksd_url.as_str()))
    }

    /// The release. `eksd` maps a `manifestUrl` of the bundles to that manifest's text; versions without one are known,
    /// but can't be viewed.
    ///
    /// # Errors
    /// An EKS-D manifest is not YAML or not of its kind.
    pub fn with_eksd(self, eksd: BTreeMap<String, String>) -> Result<Release, ReleaseError> {
        let Self { name, mut digest, head, bundles } = self;
        let mut releases = BTreeMap::new();
        for (url, text) in eksd {
            digest.update(&url);
            digest.update(&text);
            let value = read_one(&text, &url, "Release")?;
            releases.insert(url, value);
        }
        let own_name = head.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        Ok(Release {
            name: own_name.unwrap_or(name),
            number: head.pointer("/spec/number").and_then(Value::as_u64).unwrap_or_default(),
            digest: hex::encode(digest.finalize()),
            head,
            listed: None,
            bundles,
            eksd: releases,
        })
    }
}

fn bundle(value: Value, index: usize, name: &str) -> Result<Bundle, ReleaseError> {
    let wrong = |field: &str| ReleaseError::Field {
        name: name.to_owned(),
        field: format!("spec.versionsBundles[{index}].{field}"),
    };
    let version = match value.get("kubeVersion") {
        Some(Value::String(text)) => text.parse().map_err(|_| wrong("kubeVersion"))?,
        _ => return Err(wrong("kubeVersion")),
    };
    let eksd_url =
        value.pointer("/eksD/manifestUrl").and_then(Value::as_str).ok_or_else(|| wrong("eksD.manifestUrl"))?;
    Ok(Bundle { version, eksd_url: eksd_url.to_owned(), value })
}
