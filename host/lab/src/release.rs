//! The small release that the lab carries: a `Bundles` manifest in the real schema and all files that it names.
//!
//! A URI in it is `embedded:PATH`, where PATH is a file below `host/lab/release/`. The release says in its name that what it installs is simulated:
//! its images exist nowhere, and its digests are placeholders.

/// A release that is part of the program.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedRelease {
    /// The `Bundles` manifest.
    pub bundles_yaml: &'static str,
    /// `metadata.name` of the manifest.
    pub name: &'static str,
}

/// What every URI of the embedded release starts with.
pub const SCHEME: &str = "embedded:";

/// The embedded release.
#[must_use]
pub const fn embedded() -> EmbeddedRelease {
    EmbeddedRelease { bundles_yaml: include_str!("../release/bundles.yaml"), name: "bundles-embedded-simulated" }
}

impl EmbeddedRelease {
    /// The text behind a URI (`embedded:PATH`) of this release; `None` for what is not embedded (images and archives never are).
    #[must_use]
    pub fn file(&self, uri: &str) -> Option<&'static str> {
        let path = uri.strip_prefix(SCHEME)?;
        FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
    }

    /// All files, by their URI's path.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().copied()
    }
}

macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../release/", $path)))),*] };
}

const FILES: &[(&str, &str)] = files![
    "bootstrap-kubeadm.yaml",
    "bundles.yaml",
    "cert-manager.yaml",
    "cilium.yaml",
    "cluster-api-core.yaml",
    "cluster-template-docker.yaml",
    "cluster-template-vsphere.yaml",
    "control-plane-kubeadm.yaml",
    "eksa-components.yaml",
    "eksd-components.yaml",
    "eksd/kubernetes-1-29-eks-60.yaml",
    "eksd/kubernetes-1-30-eks-56.yaml",
    "eksd/kubernetes-1-31-eks-45.yaml",
    "eksd/kubernetes-1-32-eks-38.yaml",
    "eksd/kubernetes-1-33-eks-28.yaml",
    "eksd/kubernetes-1-34-eks-19.yaml",
    "eksd/kubernetes-1-35-eks-10.yaml",
    "eksd/kubernetes-1-36-eks-4.yaml",
    "etcdadm-bootstrap.yaml",
    "etcdadm-controller.yaml",
    "infrastructure-docker.yaml",
    "infrastructure-vsphere.yaml",
    "kindnetd.yaml",
    "metadata/bootstrap-kubeadm.yaml",
    "metadata/cluster-api.yaml",
    "metadata/control-plane-kubeadm.yaml",
    "metadata/etcdadm-bootstrap.yaml",
    "metadata/etcdadm-controller.yaml",
    "metadata/infrastructure-docker.yaml",
    "metadata/infrastructure-vsphere.yaml",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// URIs that a client may fetch as text: manifests. Archives and disk images are named in a release and never embedded.
    fn manifest_uris() -> Vec<&'static str> {
        let words = embedded().bundles_yaml.split([' ', '{', '}', ',', '\'', '\n']);
        let mut uris: Vec<&str> =
            words.filter(|word| word.starts_with(SCHEME) && word.rsplit('.').next() == Some("yaml")).collect();
        uris.sort_unstable();
        uris.dedup();
        uris
    }

    #[test]
    fn every_manifest_that_the_release_names_is_there() {
        let uris = manifest_uris();
        assert!(uris.len() >= 28, "only {} URIs found", uris.len());
        for uri in uris {
            let text = embedded().file(uri);
            assert!(text.is_some_and(|text| text.contains("kind:")), "{uri} is named and not embedded");
        }
    }

    #[test]
    fn it_says_that_it_is_simulated() {
        let release = embedded();
        assert!(release.bundles_yaml.contains(&format!("name: {}", release.name)));
        assert!(release.name.contains("simulated"));
        assert_eq!(release.file("embedded:etcd/etcd.tar.gz"), None);
        assert_eq!(release.file("bundles.yaml"), None);
    }

    #[test]
    fn every_file_is_named_by_the_release_or_is_the_release() {
        let named = manifest_uris();
        for (path, _) in embedded().files() {
            assert!(
                path == "bundles.yaml" || named.contains(&format!("{SCHEME}{path}").as_str()),
                "{path} is embedded for nothing"
            );
        }
    }
}
