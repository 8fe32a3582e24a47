//! Where images come from when a registry mirror is configured.

use std::borrow::Cow;

use crate::cluster::RegistryMirrorConfiguration;

/// Registries that the release takes images from: mirrored when the spec names no namespaces.
const DEFAULT_REGISTRY: &str = "public.ecr.aws";

/// The registry of curated packages; its namespace does not apply to the images of the release.
const PACKAGES_REGISTRY: &str = "783794618700.dkr.ecr.us-west-2.amazonaws.com";

/// Rewrites image references. Without a mirror it changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirror {
    /// Registry to its place in the mirror, `host:port[/namespace]`.
    places: Vec<(String, String)>,
}

impl Mirror {
    /// The mirror of a spec.
    pub fn new(configuration: &RegistryMirrorConfiguration) -> Self {
        let host = configuration.endpoint.as_str();
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let port = if configuration.port.is_empty() { "443" } else { &configuration.port };
        let root = format!("{host}:{port}");
        let places = if configuration.oci_namespaces.is_empty() {
            vec![(DEFAULT_REGISTRY.to_owned(), root)]
        } else {
            let place = |namespace: &str| {
                let namespace = namespace.trim_matches('/');
                if namespace.is_empty() { root.clone() } else { format!("{root}/{namespace}") }
            };
            configuration
                .oci_namespaces
                .iter()
                .filter(|n| n.registry != PACKAGES_REGISTRY)
                .map(|n| (n.registry.trim_end_matches('/').to_owned(), place(&n.namespace)))
                .collect()
        };
        Self { places }
    }

    /// An image as the nodes pull it.
    pub fn rewrite(&self, image: &str) -> String {
        let found = self.places.iter().find_map(|(registry, place)| {
            let rest = image.strip_prefix(registry.as_str())?;
            rest.starts_with('/').then(|| format!("{place}{rest}"))
        });
        found.unwrap_or_else(|| image.to_owned())
    }

    /// A manifest with its images as the nodes pull them, wherever they stand in it: in fields, in arguments, in values
    /// of variables.
    pub fn rewrite_manifest<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for (registry, place) in &self.places {
            let mut out = String::new();
            let mut rest = text.as_ref();
            while let Some(at) = rest.find(registry.as_str()) {
                let (before, found) = rest.split_at(at);
                let (name, after) = found.split_at(registry.len());
                // The end of another name, and a part of an address, are no images of that registry.
                let begins =
                    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '@'));
                out.push_str(before);
                out.push_str(if begins && after.starts_with('/') { place } else { name });
                rest = after;
            }
            if !out.is_empty() {
                out.push_str(rest);
                text = Cow::Owned(out);
            }
        }
        text
    }

    /// Whether there is one.
    pub fn is_none(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::OciNamespace;

    #[test]
    fn images_move_to_the_mirror() {
        let image = "public.ecr.aws/eks-distro/kubernetes/pause:v1";
        assert_eq!(Mirror::default().rewrite(image), image);
        let mut configuration =
            RegistryMirrorConfiguration { endpoint: "10.0.0.1".into(), port: "5000".into(), ..Default::default() };
        let mirror = Mirror::new(&configuration);
        assert_eq!(mirror.rewrite(image), "10.0.0.1:5000/eks-distro/kubernetes/pause:v1");
        assert_eq!(mirror.rewrite("docker.io/x/y:1"), "docker.io/x/y:1");
        configuration.oci_namespaces =
            vec![OciNamespace { registry: "public.ecr.aws".into(), namespace: "eks".into() }];
        assert_eq!(Mirror::new(&configuration).rewrite(image), "10.0.0.1:5000/eks/eks-distro/kubernetes/pause:v1");
        assert_eq!(Mirror::new(&configuration).rewrite("public.ecr.awsome/x"), "public.ecr.awsome/x");
    }

    #[test]
    fn images_in_manifests_move_wherever_they_stand() {
        let configuration = RegistryMirrorConfiguration {
            endpoint: "m.example".into(),
            port: "5000".into(),
            oci_namespaces: vec![
                OciNamespace { registry: "public.ecr.aws".into(), namespace: "eks".into() },
                OciNamespace { registry: "quay.io".into(), namespace: "quay".into() },
            ],
            ..Default::default()
        };
        let manifest = "image: public.ecr.aws/a/b:1\n\
                        args: [--solver=quay.io/jetstack/solver:v1, \"--x=quay.io/y\"]\n\
                        see: https://quay.io/page\nother: my-quay.io/z:1\nmore: quay.io.example/w\n";
        assert_eq!(
            Mirror::new(&configuration).rewrite_manifest(manifest),
            "image: m.example:5000/eks/a/b:1\n\
             args: [--solver=m.example:5000/quay/jetstack/solver:v1, \"--x=m.example:5000/quay/y\"]\n\
             see: https://quay.io/page\nother: my-quay.io/z:1\nmore: quay.io.example/w\n"
        );
        assert!(matches!(Mirror::default().rewrite_manifest(manifest), Cow::Borrowed(_)));
    }
}
