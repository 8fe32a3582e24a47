//! The registry mirror of nodes.

use std::fmt::Write as _;

use kedge_spec::cluster::{Cluster, RegistryMirrorConfiguration};
use kedge_spec::provider::NodeFile;
use serde_json::{Map, Value, json};

use super::context::put;

const CERTS: &str = "/etc/containerd/certs.d";
const APPENDED: &str = "/etc/containerd/config_append.toml";

/// The registry that the release's images come from, when the spec names none.
const DEFAULT_REGISTRY: &str = "public.ecr.aws";

/// A mirror, and which registries it stands for.
pub(super) struct Mirrored {
    /// `host:port`.
    host: String,
    /// Registry and its place in the mirror, which may be empty.
    registries: Vec<(String, String)>,
    ca: Option<String>,
    unchecked: bool,
}

impl Mirrored {
    pub(super) fn new(cluster: &Cluster) -> Option<Self> {
        let RegistryMirrorConfiguration {
            endpoint, port, oci_namespaces, ca_cert_content, insecure_skip_verify, ..
        } = cluster.spec.registry_mirror_configuration.as_ref()?;
        let bare = if endpoint.contains(':') && !endpoint.starts_with('[') {
            format!("[{endpoint}]")
        } else {
            endpoint.clone()
        };
        let port = if port.is_empty() { "443" } else { port };
        let registries = if oci_namespaces.is_empty() {
            vec![(DEFAULT_REGISTRY.to_owned(), String::new())]
        } else {
            oci_namespaces.iter().map(|n| (n.registry.clone(), n.namespace.trim_matches('/').to_owned())).collect()
        };
        Some(Self {
            host: format!("{bare}:{port}"),
            registries,
            ca: ca_cert_content.clone().filter(|ca| !ca.is_empty()),
            unchecked: insecure_skip_verify.unwrap_or(false),
        })
    }

    /// The files that tell containerd about the mirror.
    pub(super) fn files(&self) -> Vec<NodeFile> {
        let file = |path: String, content: String| NodeFile {
            path,
            owner: "root:root".to_owned(),
            permissions: "0640".to_owned(),
            content,
        };
        let authority = format!("{CERTS}/{}/ca.crt", self.host);
        let mut files = Vec::new();
        if let Some(ca) = &self.ca {
            files.push(file(authority.clone(), ca.clone()));
        }
        let hosts = |server: &str, place: &str| {
            let url = if place.is_empty() {
                format!("https://{}", self.host)
            } else {
                format!("https://{}/v2/{place}", self.host)
            };
            let mut content = format!(
                "server = \"https://{server}\"\n\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
            );
            if self.ca.is_some() {
                let _ = writeln!(content, "  ca = \"{authority}\"");
            }
            if self.unchecked {
                content.push_str("  skip_verify = true\n");
            }
            if !place.is_empty() {
                content.push_str("  override_path = true\n");
            }
            file(format!("{CERTS}/{server}/hosts.toml"), content)
        };
        for (registry, place) in &self.registries {
            files.push(hosts(registry, place));
        }
        // Images that the release names by the mirror itself.
        if !self.registries.iter().any(|(registry, _)| *registry == self.host) {
            files.push(hosts(&self.host, ""));
        }
        files.push(file(
            APPENDED.to_owned(),
            format!("[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"{CERTS}\"\n"),
        ));
        files
    }

    /// What makes containerd read them.
    pub(super) fn command() -> String {
        format!("cat {APPENDED} >> /etc/containerd/config.toml")
    }

    /// As Bottlerocket and etcdadm take it.
    pub(super) fn settings(&self) -> Value {
        let mut settings = Map::new();
        let place = |place: &str| if place.is_empty() { self.host.clone() } else { format!("{}/{place}", self.host) };
        match self.registries.as_slice() {
            [(registry, only)] if registry == DEFAULT_REGISTRY => put(&mut settings, "endpoint", place(only)),
            several => put(
                &mut settings,
                "mirrors",
                several
                    .iter()
                    .map(|(registry, at)| json!({"registry": registry, "endpoints": [place(at)]}))
                    .collect::<Vec<_>>(),
            ),
        }
        put(&mut settings, "caCert", self.ca.clone().unwrap_or_default());
        Value::Object(settings)
    }
}
