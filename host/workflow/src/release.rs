//! The chain of a release: the list of releases, the `Bundles` manifest, the EKS-D manifest of each Kubernetes version.

use std::collections::BTreeMap;

use kedge_spec::release::{Bundles, ListedRelease, NotAKey, PublicKey, Release, ReleaseList, Signers, Terms};
use kedge_spec::{DefaultedSpec, Document, Finding, KubernetesVersion, Spec};
use serde_json::Value;

use crate::error::WorkflowError;
use crate::fetch::Fetcher;
use crate::options::Options;

/// A `Bundles` manifest as it was found.
pub(crate) struct Found {
    /// Where: relative addresses in it are looked for beside that.
    pub(crate) address: String,
    /// Its text.
    pub(crate) text: String,
    listed: Option<ListedRelease>,
}

/// Fetches the `Bundles` manifest. A list of releases (`kind: Release`) leads to that of the version that is asked for,
/// or of its latest one.
pub(crate) async fn bundles(
    fetcher: &Fetcher,
    address: &str,
    version: Option<&str>,
    fresh: bool,
) -> Result<Found, WorkflowError> {
    let text = fetcher.text(address, None, fresh).await?;
    if !ReleaseList::is_one(&text) {
        return Ok(Found { address: address.to_owned(), text, listed: None });
    }
    let listed = ReleaseList::parse(&text, address)?.find(version)?.clone();
    let text = fetcher.text(&listed.bundles_url, Some(address), false).await?;
    let address = fetcher.place(&listed.bundles_url, Some(address));
    Ok(Found { address, text, listed: Some(listed) })
}

/// Fetches a release: the bundles, and the EKS-D manifests of the versions that are needed. Says where it came from too.
pub(crate) async fn fetch(
    fetcher: &Fetcher,
    address: &str,
    spec: &Spec,
    needed: &[KubernetesVersion],
) -> Result<(Release, String), WorkflowError> {
    let found = bundles(fetcher, address, asked_version(spec), true).await?;
    let bundles = Bundles::parse(&found.text, &found.address)?;
    let mut eksd = BTreeMap::new();
    for (version, url) in bundles.eksd_urls() {
        if needed.contains(&version) && !eksd.contains_key(url) {
            let text = fetcher.text(url, Some(&found.address), false).await?;
            eksd.insert(url.to_owned(), text);
        }
    }
    Ok((bundles.with_eksd(eksd)?.listed_as(found.listed), found.address))
}

/// What there is to say about the release for a spec.
pub(crate) fn findings(
    release: &Release,
    spec: &DefaultedSpec,
    asked_version: Option<&str>,
    options: &Options,
) -> Result<Vec<Finding>, WorkflowError> {
    let unreadable = |NotAKey| wrong_key("the built-in key of releases", NotAKey);
    let signers = match &options.release_key {
        None => Signers::published().map_err(unreadable)?,
        Some(path) => Signers::own(&key(path)?),
    };
    let license_key = options.license_key.as_deref().map(key).transpose()?;
    let now = options.clock.now().to_string();
    let terms = Terms {
        signers: &signers,
        require_signature: options.require_signed_release,
        license_key: license_key.as_ref(),
        today: now.get(..10).unwrap_or_default(),
        asked_version,
    };
    Ok(release.check(spec, &terms))
}

fn key(path: &std::path::Path) -> Result<PublicKey, WorkflowError> {
    let text = std::fs::read_to_string(path).map_err(|error| WorkflowError::Input {
        message: format!("the key `{}` can't be read: {error}", path.display()),
        help: "name a file with a public key".into(),
    })?;
    PublicKey::parse(&text).map_err(|error| wrong_key(&format!("`{}`", path.display()), error))
}

fn wrong_key(name: &str, error: NotAKey) -> WorkflowError {
    WorkflowError::Input {
        message: format!("{name} can't be used: {error}"),
        help: "make one with `openssl ec -in PRIVATE -pubout`, of a private key on the curve prime256v1".into(),
    }
}

/// `spec.eksaVersion` as the file has it.
pub(crate) fn asked_version(spec: &Spec) -> Option<&str> {
    let cluster: &Document = spec.documents().iter().find(|d| d.kind == "Cluster")?;
    cluster.body.pointer("/spec/eksaVersion").and_then(Value::as_str).filter(|v| !v.is_empty())
}
