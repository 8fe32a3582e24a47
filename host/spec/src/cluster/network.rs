//! The typed network fields of `Cluster.spec`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `spec.clusterNetwork`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNetwork {
    /// Addresses of pods.
    pub pods: CidrBlocks,
    /// Addresses of services.
    pub services: CidrBlocks,
    /// How the pods' addresses are split over nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Nodes>,
    /// DNS of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// The CNI by name, the old form. Gone after defaults: it becomes `cniConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni: Option<String>,
    /// The CNI and its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni_config: Option<CniConfig>,
}

impl ClusterNetwork {
    /// How many bits of an address a node has in common with the pods on it; 24 when the spec says nothing.
    pub fn node_cidr_mask_size(&self) -> i64 {
        self.nodes.as_ref().and_then(|n| n.cidr_mask_size).unwrap_or(24)
    }

    /// The name of the CNI after defaults.
    pub fn cni_name(&self) -> Option<&str> {
        let config = self.cni_config.as_ref()?;
        if config.cilium.is_some() {
            Some("cilium")
        } else if config.kindnetd.is_some() {
            Some("kindnetd")
        } else {
            None
        }
    }
}

/// Address ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CidrBlocks {
    /// In CIDR notation; exactly one.
    pub cidr_blocks: Vec<String>,
}

/// `clusterNetwork.nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nodes {
    /// In bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr_mask_size: Option<i64>,
}

/// `clusterNetwork.dns`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dns {
    /// The resolver configuration of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolv_conf: Option<ResolvConf>,
}

/// `clusterNetwork.dns.resolvConf`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResolvConf {
    /// A path on the node.
    pub path: String,
}

/// `clusterNetwork.cniConfig`: exactly one is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CniConfig {
    /// Cilium.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cilium: Option<CiliumConfig>,
    /// kindnetd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kindnetd: Option<KindnetdConfig>,
}

/// Settings of Cilium.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CiliumConfig {
    /// `default`, `always` or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_enforcement_mode: Option<String>,
    /// Interfaces whose traffic is masqueraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_masquerade_interfaces: Option<String>,
    /// Leaves Cilium to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_upgrade: Option<bool>,
    /// `overlay` or `direct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_mode: Option<String>,
    /// For direct routing.
    #[serde(rename = "ipv4NativeRoutingCIDR", skip_serializing_if = "Option::is_none")]
    pub ipv4_native_routing_cidr: Option<String>,
    /// For direct routing.
    #[serde(rename = "ipv6NativeRoutingCIDR", skip_serializing_if = "Option::is_none")]
    pub ipv6_native_routing_cidr: Option<String>,
    /// Whether Cilium removes other CNI configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni_exclusive: Option<bool>,
    /// Values of the Helm chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm_values: Option<Map<String, Value>>,
}

/// Settings of kindnetd: none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KindnetdConfig {}

/// `spec.proxyConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyConfiguration {
    /// For HTTP, `host:port` or a URL.
    pub http_proxy: String,
    /// For HTTPS, `host:port` or a URL.
    pub https_proxy: String,
    /// Names, addresses and ranges reached directly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_proxy: Vec<String>,
}

/// `spec.registryMirrorConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryMirrorConfiguration {
    /// Host name or address.
    pub endpoint: String,
    /// `443` when the spec says nothing.
    pub port: String,
    /// Which registries are mirrored where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub oci_namespaces: Vec<OciNamespace>,
    /// The PEM certificate that signed the mirror's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert_content: Option<String>,
    /// Whether the mirror asks for credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticate: Option<bool>,
    /// Whether its certificate goes unchecked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
}

/// One of `registryMirrorConfiguration.ociNamespaces`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OciNamespace {
    /// The registry that is mirrored.
    pub registry: String,
    /// Where in the mirror.
    pub namespace: String,
}
