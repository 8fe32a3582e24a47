//! The registry mirror of nodes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kedge_spec::cluster::{Cluster, RegistryMirrorConfiguration};
use serde_json::{Map, Value, json};

use super::context::{Context, put};
use super::file::File;

const CERTS: &str = "/etc/containerd/certs.d";
const APPENDED: &str = "/etc/containerd/config_append.toml";

/// The registry that the release's images come from, when the spec names none.
const DEFAULT_REGISTRY: &str = "public.ecr.aws";

/// The Secret that Bottlerocket's and etcdadm's bootstrap providers read.
const CREDENTIALS: &str = "registry-credentials";
/// The names of the credentials in references to secrets.
pub const USERNAME: &str = "registry-username";
/// As [`USERNAME`].
pub const PASSWORD: &str = "registry-password";

/// Objects with this label go along when the cluster moves.
const MOVE: &str = "clusterctl.cluster.x-k8s.io/move";

/// A mirror, and which registries it stands for.
pub(super) struct Mirrored {
    /// `host:port`.
    host: String,
    /// Registry and its place in the mirror's API, `host:port/v2[/namespace]`.
    registries: BTreeMap<String, String>,
    ca: Option<String>,
    unchecked: bool,
    authenticated: bool,
}

impl Mirrored {
    pub(super) fn new(cluster: &Cluster) -> Option<Self> {
        let RegistryMirrorConfiguration {
            endpoint,
            port,
            oci_namespaces,
            ca_cert_content,
            insecure_skip_verify,
            authenticate,
            ..
        } = cluster.spec.registry_mirror_configuration.as_ref()?;
        let bare = if endpoint.contains(':') && !endpoint.starts_with('[') {
            format!("[{endpoint}]")
        } else {
            endpoint.clone()
        };
        let port = if port.is_empty() { "443" } else { port };
        let host = format!("{bare}:{port}");
        let place = |namespace: &str| match namespace.trim_matches('/') {
            "" => format!("{host}/v2"),
            namespace => format!("{host}/v2/{namespace}"),
        };
        let registries = if oci_namespaces.is_empty() {
            BTreeMap::from([(DEFAULT_REGISTRY.to_owned(), place(""))])
        } else {
            oci_namespaces.iter().map(|n| (n.registry.clone(), place(&n.namespace))).collect()
        };
        Some(Self {
            host,
            registries,
            ca: ca_cert_content.clone().filter(|ca| !ca.is_empty()),
            unchecked: insecure_skip_verify.unwrap_or(false),
            authenticated: authenticate.unwrap_or(false),
        })
    }

    /// What containerd asks in a registry's place: the registries, and the mirror itself, by which images of the release
    /// are named.
    fn hosts(&self) -> BTreeMap<&str, String> {
        let mut hosts: BTreeMap<&str, String> =
            self.registries.iter().map(|(registry, place)| (registry.as_str(), place.clone())).collect();
        hosts.entry(self.host.as_str()).or_insert_with(|| format!("{}/v2", self.host));
        hosts
    }

    /// The files that tell containerd about the mirror. Those with credentials come from a Secret, so that no template holds
    /// them.
    pub(super) fn files(&self, context: &Context<'_>) -> Vec<File> {
        let mut files = Vec::new();
        if let Some(ca) = &self.ca {
            files.push(File::new(self.authority(), ca.clone()));
        }
        files.push(File::new(
            APPENDED,
            format!("[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"{CERTS}\"\n"),
        ));
        for (registry, place) in self.hosts() {
            let path = format!("{CERTS}/{registry}/hosts.toml");
            files.push(if self.authenticated {
                File::secret(path, hosts_secret(context), key(registry))
            } else {
                File::new(path, self.hosts_file(registry, &place))
            });
        }
        files
    }

    fn authority(&self) -> String {
        format!("{CERTS}/{}/ca.crt", self.host)
    }

    fn hosts_file(&self, registry: &str, place: &str) -> String {
        let mut content = format!(
            "server = \"https://{registry}\"\n\n[host.\"https://{place}\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"
        );
        if self.ca.is_some() {
            let _ = writeln!(content, "  ca = \"{}\"", self.authority());
        }
        if self.unchecked {
            content.push_str("  skip_verify = true\n");
        }
        if self.authenticated {
            let _ = writeln!(
                content,
                "  [host.\"https://{place}\".header]\n    authorization = \"Basic ${{kedge.secret/{USERNAME}|basic:{PASSWORD}}}\""
            );
        }
        content
    }

    /// What makes containerd read them.
    pub(super) fn command() -> String {
        format!("cat {APPENDED} >> /etc/containerd/config.toml")
    }

    /// The Secrets that the bootstrap data is made from.
    pub(super) fn objects(&self, context: &Context<'_>) -> Vec<Value> {
        if !self.authenticated {
            return Vec::new();
        }
        let reference = |name: &str| format!("${{kedge.secret/{name}}}");
        let credentials = json!({"username": reference(USERNAME), "password": reference(PASSWORD)});
        let hosts: Map<String, Value> = self
            .hosts()
            .into_iter()
            .map(|(registry, place)| (key(registry), Value::from(self.hosts_file(registry, &place))))
            .collect();
        vec![secret(CREDENTIALS, &credentials), secret(&hosts_secret(context), &Value::Object(hosts))]
    }

    /// As Bottlerocket takes it.
    pub(super) fn settings(&self) -> Value {
        let mut settings = Map::new();
        match self.registries.get(DEFAULT_REGISTRY) {
            Some(only) if self.registries.len() == 1 => put(&mut settings, "endpoint", only.clone()),
            _ => put(
                &mut settings,
                "mirrors",
                self.registries
                    .iter()
                    .map(|(registry, at)| json!({"registry": registry, "endpoints": [at]}))
                    .collect::<Vec<_>>(),
            ),
        }
        put(&mut settings, "caCert", self.ca.clone().unwrap_or_default());
        Value::Object(settings)
    }

    /// As etcdadm takes it.
    pub(super) fn etcdadm(&self) -> Value {
        let mut settings = Map::new();
        put(&mut settings, "endpoint", self.registries.get(DEFAULT_REGISTRY).cloned().unwrap_or_default());
        put(&mut settings, "caCert", self.ca.clone().unwrap_or_default());
        Value::Object(settings)
    }
}

fn hosts_secret(context: &Context<'_>) -> String {
    format!("{}-registry-hosts", context.name())
}

/// A key of a Secret: letters, digits, `-`, `_` and `.`.
fn key(registry: &str) -> String {
    let name: String =
        registry.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect();
    format!("{name}.toml")
}

fn secret(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": crate::NAMESPACE, "labels": {MOVE: "true"}},
        "type": "Opaque",
        "stringData": data,
    })
}
