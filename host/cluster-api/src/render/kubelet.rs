//! The kubelet of a role: arguments, or a configuration where the spec has one.

use kedge_spec::cluster::Cluster;
use kedge_spec::provider::{Argument, NodeContribution};
use serde_json::{Map, Value, json};

use super::args::Args;
use super::features::CIPHERS;
use super::file::File;
use super::node::Family;

/// Where kubeadm takes patches from, and the name by which it knows that this one is for the kubelet's configuration.
const PATCHES: &str = "/etc/kubernetes/patches";
const PATCH: &str = "kubeletconfiguration0+strategic.yaml";

/// What a role's kubelet is told.
pub(super) struct Kubelet {
    pub(super) args: Args,
    /// The configuration as a file, and the folder that kubeadm has to look into.
    pub(super) patch: Option<File>,
    /// The configuration as settings of the operating system.
    pub(super) settings: Option<Map<String, Value>>,
}

impl Kubelet {
    /// `own` is the `kubeletConfiguration` of the group.
    pub(super) fn new<'a>(
        cluster: &Cluster,
        node: &NodeContribution,
        family: Family,
        labels: impl IntoIterator<Item = (&'a String, &'a String)>,
        own: Option<&Map<String, Value>>,
    ) -> Self {
        let resolv_conf = cluster.spec.cluster_network.dns.as_ref().and_then(|d| d.resolv_conf.as_ref());
        let resolv_conf = resolv_conf.map(|r| r.path.as_str()).filter(|path| !path.is_empty());
        let mut labels: Vec<String> = labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        labels.sort();
        let mut kubelet = match own {
            Some(own) if family != Family::Bottlerocket => configured(own, node, resolv_conf),
            own => Self { settings: own.map(settings), ..by_arguments(node, family, resolv_conf) },
        };
        if !labels.is_empty() {
            kubelet.args.set("node-labels", labels.join(","));
        }
        kubelet
    }

    /// `patches` of kubeadm's configurations.
    pub(super) fn patches(&self) -> Value {
        if self.patch.is_some() { json!({"directory": PATCHES}) } else { Value::Null }
    }
}

fn by_arguments(node: &NodeContribution, family: Family, resolv_conf: Option<&str>) -> Kubelet {
    let mut args = Args::default();
    if family != Family::Container {
        args.set("anonymous-auth", "false");
        args.set("read-only-port", "0");
    }
    args.set("tls-cipher-suites", CIPHERS);
    if let Some(path) = resolv_conf {
        args.set("resolv-conf", path);
    }
    args.take("kubelet", &node.arguments);
    Kubelet { args, patch: None, settings: None }
}

/// An argument wins over the same field of a configuration. So what a configuration has a field for goes there, and what
/// the user says wins.
fn configured(own: &Map<String, Value>, node: &NodeContribution, resolv_conf: Option<&str>) -> Kubelet {
    let mut config = own.clone();
    let mut args = Args::default();
    let mut set = |field: &str, value: Value| {
        config.entry(field).or_insert(value);
    };
    set("tlsCipherSuites", json!([CIPHERS]));
    if let Some(path) = resolv_conf {
        set("resolvConf", json!(path));
    }
    for argument in node.arguments.iter().filter(|a| a.component == "kubelet") {
        match field(argument) {
            Some((name, value)) => set(name, value),
            None => args.set(&argument.name, argument.value.clone()),
        }
    }
    let content = kedge_spec::yaml_document(&Value::Object(config));
    let patch = File::new(format!("{PATCHES}/{PATCH}"), content).mode("0644");
    Kubelet { args, patch: Some(patch), settings: None }
}

/// The field of a KubeletConfiguration for an argument.
fn field(argument: &Argument) -> Option<(&'static str, Value)> {
    match argument.name.as_str() {
        "cgroup-driver" => Some(("cgroupDriver", json!(argument.value))),
        "fail-cgroupv1" => Some(("failCgroupV1", json!(argument.value == "true"))),
        "eviction-hard" => {
            let limits = argument.value.split(',').filter_map(|limit| limit.split_once('<'));
            let limits: Map<String, Value> = limits.map(|(what, least)| (what.to_owned(), json!(least))).collect();
            Some(("evictionHard", Value::Object(limits)))
        }
        _ => None,
    }
}

/// The configuration as Bottlerocket's settings have it: the same names, without the head of the document.
fn settings(own: &Map<String, Value>) -> Map<String, Value> {
    own.iter()
        .filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeContribution {
        let argument =
            |name: &str, value: &str| Argument { component: "kubelet".into(), name: name.into(), value: value.into() };
        serde_json::from_value::<NodeContribution>(json!({
            "osFamily": "container", "files": [], "preCommands": [], "postCommands": [], "mounts": [], "users": [],
            "ntpServers": [], "certificates": [], "certSans": [], "nodeName": null,
            "arguments": [
                argument("cloud-provider", "external"),
                argument("eviction-hard", "nodefs.available<0%,imagefs.available<0%"),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_configuration_takes_over_what_it_has_a_field_for() {
        let own = json!({"maxPods": 50, "tlsCipherSuites": ["A"]});
        let labels = std::collections::BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let kubelet = Kubelet::new(&Cluster::default(), &node(), Family::Container, &labels, own.as_object());
        let names: Vec<Value> = kubelet.args.list().into_iter().map(|a| a["name"].clone()).collect();
        assert_eq!(names, ["cloud-provider", "node-labels"]);
        let text = kubelet.patch.as_ref().unwrap().to_value()["content"].as_str().unwrap().to_owned();
        let source = kedge_spec::Source::new("patch", text);
        let config = kedge_spec::yaml_documents(&source).unwrap().remove(0);
        assert_eq!(
            config,
            json!({"maxPods": 50, "tlsCipherSuites": ["A"],
                "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"}})
        );
        assert_eq!(kubelet.patches(), json!({"directory": "/etc/kubernetes/patches"}));
    }

    #[test]
    fn bottlerocket_has_settings_and_keeps_its_arguments() {
        let own = json!({"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "maxPods": 50});
        let none = std::collections::BTreeMap::new();
        let kubelet = Kubelet::new(&Cluster::default(), &node(), Family::Bottlerocket, &none, own.as_object());
        assert_eq!(kubelet.settings.map(Value::Object), Some(json!({"maxPods": 50})));
        assert!(kubelet.patch.is_none());
        assert!(kubelet.args.list().iter().any(|a| a["name"] == "read-only-port"));
    }
}
