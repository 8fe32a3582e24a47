//! The HTTP proxy of nodes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::RenderInput;
use super::context::put;
use super::file::File;
use crate::object::text;

const DROP_IN: &str = "/etc/systemd/system/containerd.service.d/http-proxy.conf";

/// What is reached directly, whatever the spec says.
const ALWAYS_DIRECT: [&str; 3] = ["localhost", "127.0.0.1", ".svc"];

/// The proxy with everything that goes around it.
pub(super) struct Proxy {
    http: String,
    https: String,
    direct: Vec<String>,
}

impl Proxy {
    pub(super) fn new(input: &RenderInput<'_>) -> Option<Self> {
        let spec = &input.spec.cluster().spec;
        let proxy = spec.proxy_configuration.as_ref()?;
        let network = &spec.cluster_network;
        let servers = input.provider.endpoints.iter().flat_map(|endpoint| {
            input.spec.documents().iter().filter(|d| d.kind == endpoint.kind).filter_map(|d| {
                let pointer = format!("/{}", kedge_spec::path::segments(&endpoint.server_field).join("/"));
                text(&d.body, &pointer).map(str::to_owned)
            })
        });
        let mut seen = BTreeSet::new();
        let direct = network
            .pods
            .cidr_blocks
            .iter()
            .chain(&network.services.cidr_blocks)
            .chain(&proxy.no_proxy)
            .cloned()
            .chain(ALWAYS_DIRECT.map(str::to_owned))
            .chain(servers)
            .chain(spec.control_plane_configuration.endpoint_host().map(str::to_owned))
            .filter(|entry| !entry.is_empty() && seen.insert(entry.clone()))
            .collect();
        Some(Self { http: proxy.http_proxy.clone(), https: proxy.https_proxy.clone(), direct })
    }

    /// The drop-in of containerd.
    pub(super) fn file(&self) -> File {
        let content = format!(
            "[Service]\nEnvironment=\"HTTP_PROXY={}\"\nEnvironment=\"HTTPS_PROXY={}\"\nEnvironment=\"NO_PROXY={}\"\n",
            self.http,
            self.https,
            self.direct.join(",")
        );
        File::new(DROP_IN, content)
    }

    /// As Bottlerocket takes it.
    pub(super) fn bottlerocket(&self) -> Value {
        json!({"httpsProxy": self.https, "noProxy": self.direct})
    }

    /// As etcdadm takes it.
    pub(super) fn etcdadm(&self) -> Value {
        let mut proxy = Map::new();
        put(&mut proxy, "httpProxy", self.http.clone());
        put(&mut proxy, "httpsProxy", self.https.clone());
        put(&mut proxy, "noProxy", self.direct.clone());
        Value::Object(proxy)
    }
}
