//! Cilium's values for each field of the spec, and a Helm that writes down what it was told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kedge_bootstrap::{Bootstrap, BootstrapError, Identity, ToolRun, Wanted};
use kedge_spec::cluster::{Cluster, RegistryMirrorConfiguration};
use serde_json::json;

use super::helm::{Chart, Helm};
use super::{policies, set_pod_subnet, settings, values};
use crate::interrupt::Interrupt;
use crate::options::Options;

fn cluster(cilium: &serde_json::Value) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.spec.cluster_network.cni_config = Some(serde_json::from_value(json!({"cilium": cilium})).unwrap());
    cluster.spec.control_plane_configuration.count = 3;
    cluster
}

fn values_of(cilium: &serde_json::Value) -> serde_json::Value {
    values::cilium(&cluster(cilium), &|name: &str| match name {
        "cilium.cilium" => Some("m.example:5000/eks/cilium:v1.18.4-0".to_owned()),
        "cilium.operator" => Some("m.example:5000/eks/operator-generic:v1.18.4-0".to_owned()),
        _ => None,
    })
}

#[test]
fn the_values_are_eks_anywhere_s() {
    let values = values_of(&json!({}));
    assert_eq!(
        values,
        json!({
            "cni": {"chainingMode": "portmap"},
            "ipam": {"mode": "kubernetes"},
            "identityAllocationMode": "crd",
            "prometheus": {"enabled": true},
            "rollOutCiliumPods": true,
            "routingMode": "tunnel",
            "tunnelProtocol": "geneve",
            "image": {"repository": "m.example:5000/eks/cilium", "tag": "v1.18.4-0"},
            "operator": {
                "image": {"repository": "m.example:5000/eks/operator", "tag": "v1.18.4-0"},
                "prometheus": {"enabled": true},
                "tolerations": [
                    {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"},
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists"},
                    {"key": "node.cilium.io/agent-not-ready", "operator": "Exists"},
                ],
                "replicas": null,
            },
            "envoy": {"enabled": false},
        })
        .without_nulls()
    );
}

/// Lets an expected value say that a key is not there.
trait WithoutNulls {
    fn without_nulls(self) -> Self;
}

impl WithoutNulls for serde_json::Value {
    fn without_nulls(mut self) -> Self {
        if let Some(map) = self.as_object_mut() {
            map.retain(|_, value| !value.is_null());
            for value in map.values_mut() {
                *value = value.take().without_nulls();
            }
        }
        self
    }
}

#[test]
fn every_field_reaches_the_chart() {
    let at = |cilium: serde_json::Value, pointer: &str| values_of(&cilium).pointer(pointer).cloned();
    assert_eq!(at(json!({"policyEnforcementMode": "always"}), "/policyEnforcementMode"), Some(json!("always")));
    assert_eq!(at(json!({"egressMasqueradeInterfaces": "eth0"}), "/egressMasqueradeInterfaces"), Some(json!("eth0")));
    assert_eq!(at(json!({"cniExclusive": false}), "/cni/exclusive"), Some(json!(false)));
    let direct =
        json!({"routingMode": "direct", "ipv4NativeRoutingCIDR": "10.0.0.0/8", "ipv6NativeRoutingCIDR": "fd00::/8"});
    let values = values_of(&direct);
    assert_eq!(values["routingMode"], "native");
    assert_eq!(values["autoDirectNodeRoutes"], "true");
    assert_eq!(values["ipv4NativeRoutingCIDR"], "10.0.0.0/8");
    assert_eq!(values["ipv6NativeRoutingCIDR"], "fd00::/8");
    assert_eq!(values.get("tunnelProtocol"), None);
    let overlay = values_of(&json!({"routingMode": "overlay", "ipv4NativeRoutingCIDR": "10.0.0.0/8"}));
    assert_eq!((overlay.get("ipv4NativeRoutingCIDR"), &overlay["routingMode"]), (None, &json!("tunnel")));
    let own = json!({"hubble": {"enabled": true}});
    assert_eq!(values_of(&json!({"policyEnforcementMode": "always", "helmValues": own})), own);
    let mut single = cluster(&json!({}));
    single.spec.control_plane_configuration.count = 1;
    assert_eq!(values::cilium(&single, &|_: &str| None)["operator"]["replicas"], 1);
}

#[test]
fn the_strictest_mode_brings_policies_for_what_the_cluster_runs() {
    let refuses = |cilium: serde_json::Value| values::refuses_all(&cluster(&cilium));
    assert!(refuses(json!({"policyEnforcementMode": "always"})));
    assert!(!refuses(json!({"policyEnforcementMode": "default"})) && !refuses(json!({})));
    assert!(refuses(json!({"helmValues": {"policyEnforcementMode": "always"}})));
    assert!(!refuses(json!({"policyEnforcementMode": "always", "helmValues": {}})));
    let objects = policies::allow_all(&["eksa-system".to_owned(), "capi-system".to_owned()]);
    let names: Vec<_> = objects.iter().map(|o| format!("{}/{}", o["kind"], o["metadata"]["name"])).collect();
    assert_eq!(
        names.join(" ").replace('"', ""),
        "NetworkPolicy/allow-all-kube-system Namespace/eksa-system NetworkPolicy/allow-all-eksa-system \
         Namespace/capi-system NetworkPolicy/allow-all-capi-system"
    );
}

#[test]
fn finished_manifests_take_what_they_can_hold() {
    let config =
        |cilium: serde_json::Value| cluster(&cilium).spec.cluster_network.cni_config.and_then(|c| c.cilium).unwrap();
    let direct = config(json!({
        "policyEnforcementMode": "never", "egressMasqueradeInterfaces": "eth1", "cniExclusive": false,
        "routingMode": "direct", "ipv4NativeRoutingCIDR": "10.0.0.0/8",
    }));
    let mut objects = vec![
        json!({"kind": "ConfigMap", "metadata": {"name": "other"}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"},
            "data": {"tunnel-protocol": "geneve", "enable-policy": "default", "ipam": "kubernetes"}}),
    ];
    assert!(settings::any(&direct) && settings::apply(&mut objects, &direct));
    assert_eq!(
        objects[1]["data"],
        json!({"enable-policy": "never", "ipam": "kubernetes", "egress-masquerade-interfaces": "eth1",
            "cni-exclusive": "false", "routing-mode": "native", "auto-direct-node-routes": "true",
            "ipv4-native-routing-cidr": "10.0.0.0/8"})
    );
    assert!(!settings::any(&config(json!({}))) && !settings::any(&config(json!({"skipUpgrade": true}))));
    assert!(!settings::apply(&mut objects[..1], &direct), "there is no such ConfigMap");
}

#[test]
fn kindnetd_learns_the_addresses_of_pods() {
    let mut object = json!({"spec": {"template": {"spec": {"containers": [
        {"env": [{"name": "POD_SUBNET", "value": "10.244.0.0/16"}, {"name": "X", "value": "y"}]}]}}}});
    set_pod_subnet(&mut object, "192.168.0.0/16");
    let env = &object["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env, &json!([{"name": "POD_SUBNET", "value": "192.168.0.0/16"}, {"name": "X", "value": "y"}]));
}

/// Programs that the tests write themselves, and where they write down what they were told.
struct Bed {
    home: tempfile::TempDir,
}

impl Bed {
    fn new(script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let said = home.path().join("said").display().to_string();
        let file = home.path().join("helm");
        std::fs::write(&file, format!("#!/bin/sh\nsaid={said}\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    fn said(&self, suffix: &str) -> String {
        std::fs::read_to_string(self.home.path().join(format!("said{suffix}"))).unwrap()
    }

    fn options(&self, more: &[(&str, &str)]) -> Options {
        let mut variables: std::collections::BTreeMap<String, String> =
            more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        variables.insert("PATH".to_owned(), self.home.path().display().to_string());
        let mut options = Options::new(self.home.path(), "none");
        options.environment = Arc::new(move |name| variables.get(name).cloned());
        options
    }
}

const RECORD: &str = "printf '%s\\n' \"$@\" >$said; cat >$said.in; env >$said.env; cp \"${HELM_REGISTRY_CONFIG:-/dev/null}\" $said.registry
while [ $# -gt 0 ]; do [ \"$1\" = --ca-file ] && cp \"$2\" $said.ca; shift; done; echo 'kind: ConfigMap'";

fn chart() -> Chart {
    Chart {
        reference: "r.example/eks/cilium:1.18.4-0".into(),
        kubernetes: "1.34".into(),
        values: json!({"a": {"b": 1}}),
    }
}

#[tokio::test]
async fn helm_is_told_chart_version_and_values() {
    let bed = Bed::new(RECORD);
    let helm = Helm::find(&cluster(&json!({})), &bed.options(&[]), None).unwrap();
    let text = helm.template(&chart(), &Interrupt::never()).await.unwrap();
    assert_eq!(text, "kind: ConfigMap\n");
    assert_eq!(
        bed.said("").replace('\n', " "),
        "template cilium oci://r.example/eks/cilium --version 1.18.4-0 --namespace kube-system --include-crds \
         --kube-version 1.34 --values - "
    );
    assert_eq!(bed.said(".in").trim_start_matches("---\n"), "a:\n  b: 1\n");
    for (reference, expected) in [
        ("/charts/cilium", "cilium /charts/cilium --namespace"),
        ("https://c.example/cilium-1.tgz", "cilium https://c.example/cilium-1.tgz --namespace"),
        ("oci://r.example:5000/cilium:1.2", "cilium oci://r.example:5000/cilium --version 1.2 --namespace"),
    ] {
        helm.template(&Chart { reference: reference.into(), ..chart() }, &Interrupt::never()).await.unwrap();
        let said = bed.said("").replace('\n', " ");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn mirror_and_proxy_reach_helm_and_leave_nothing_behind() {
    let bed = Bed::new(RECORD);
    let mut cluster = cluster(&json!({}));
    cluster.spec.registry_mirror_configuration = Some(RegistryMirrorConfiguration {
        endpoint: "m.example".into(),
        port: "5000".into(),
        ca_cert_content: Some("AUTHORITY".into()),
        authenticate: Some(true),
        insecure_skip_verify: Some(true),
        ..RegistryMirrorConfiguration::default()
    });
    cluster.spec.proxy_configuration =
        Some(serde_json::from_value(json!({"httpProxy": "p:1", "httpsProxy": "p:2", "noProxy": ["a", "b"]})).unwrap());
    let error = Helm::find(&cluster, &bed.options(&[]), None).unwrap_err().to_string();
    assert!(error.contains("`REGISTRY_USERNAME`"), "{error}");
    let helm = Helm::find(&cluster, &bed.options(&[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "secret")]), None)
        .unwrap();
    helm.template(&chart(), &Interrupt::never()).await.unwrap();
    let arguments = bed.said("");
    assert!(arguments.contains("--insecure-skip-tls-verify\n") && !arguments.contains("secret"), "{arguments}");
    assert_eq!(bed.said(".ca"), "AUTHORITY");
    // `u:secret` in base64.
    assert_eq!(bed.said(".registry"), r#"{"auths":{"m.example:5000":{"auth":"dTpzZWNyZXQ="}}}"#);
    let environment = bed.said(".env");
    for expected in ["HTTP_PROXY=p:1\n", "https_proxy=p:2\n", "NO_PROXY=a,b\n"] {
        assert!(environment.contains(expected), "{expected} in {environment}");
    }
    let kept: PathBuf = environment.lines().find_map(|l| l.strip_prefix("HELM_REGISTRY_CONFIG=")).unwrap().into();
    assert!(kept.exists());
    drop(helm);
    assert!(!kept.exists() && !kept.parent().is_some_and(Path::exists));
}

#[tokio::test]
async fn helm_is_tried_again_and_what_it_says_is_told() {
    let bed = Bed::new(
        "echo x >>$said.count; [ $(wc -l <$said.count) -ge 3 ] && exec echo 'kind: A'; echo timeout >&2; exit 1",
    );
    let mut helm = Helm::find(&cluster(&json!({})), &bed.options(&[]), None).unwrap();
    helm.hurry();
    assert_eq!(helm.template(&chart(), &Interrupt::never()).await.unwrap(), "kind: A\n");
    let bed = Bed::new("echo 'chart  not found' >&2; exit 1");
    let mut helm = Helm::find(&cluster(&json!({})), &bed.options(&[]), None).unwrap();
    helm.hurry();
    let error = helm.template(&chart(), &Interrupt::never()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`helm template r.example/eks/cilium:1.18.4-0` failed (exit status: 1): chart not found"
    );
    std::fs::remove_file(bed.home.path().join("helm")).unwrap();
    let error = Helm::find(&cluster(&json!({})), &bed.options(&[]), None).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("`helm` is needed and not in PATH"), "{error}");
}

/// A container engine that writes down what it is asked to run.
struct Engine(std::sync::Mutex<Vec<String>>);

#[async_trait::async_trait]
impl kedge_bootstrap::Driver for Engine {
    fn name(&self) -> &'static str {
        "test"
    }

    fn temporary(&self) -> bool {
        true
    }

    fn runs_images(&self) -> bool {
        true
    }

    async fn run(&self, run: &ToolRun<'_>) -> Result<Option<String>, BootstrapError> {
        let files: Vec<&str> = run.files.iter().map(|(path, _)| path.as_str()).collect();
        let said = format!("{} | {} | {} | {}", run.image, run.command.join(" "), files.join(" "), run.input);
        self.0.lock().unwrap().push(said);
        Ok(Some("kind: A\n".to_owned()))
    }

    async fn find(&self, _cluster: &Identity) -> Result<Option<Bootstrap>, BootstrapError> {
        Ok(None)
    }

    async fn create(
        &self,
        _cluster: &Identity,
        _wanted: &Wanted,
        _progress: &dyn kedge_bootstrap::Progress,
    ) -> Result<Bootstrap, BootstrapError> {
        unreachable!("nothing is made here")
    }

    async fn delete(&self, _cluster: &Identity) -> Result<(), BootstrapError> {
        Ok(())
    }
}

#[tokio::test]
async fn without_helm_in_path_the_tools_image_has_one() {
    let bed = Bed::new("exit 1");
    std::fs::remove_file(bed.home.path().join("helm")).unwrap();
    let engine = Arc::new(Engine(std::sync::Mutex::default()));
    let mut options = bed.options(&[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "secret")]);
    options.bootstrap = Some(engine.clone());
    let mut cluster = cluster(&json!({}));
    cluster.spec.registry_mirror_configuration = Some(RegistryMirrorConfiguration {
        endpoint: "m.example".into(),
        ca_cert_content: Some("AUTHORITY".into()),
        authenticate: Some(true),
        ..RegistryMirrorConfiguration::default()
    });
    assert!(Helm::find(&cluster, &options, None).is_err(), "a release without tools image");
    let helm = Helm::find(&cluster, &options, Some("r.example/tools:1".into())).unwrap();
    assert_eq!(helm.template(&chart(), &Interrupt::never()).await.unwrap(), "kind: A\n");
    let said = engine.0.lock().unwrap().join("\n");
    let expected = "r.example/tools:1 | helm template cilium oci://r.example/eks/cilium --version 1.18.4-0";
    assert!(said.starts_with(expected) && !said.contains("secret"), "{said}");
    assert!(
        said.contains("--ca-file /tmp/kedge/ca.crt") && said.contains("| /tmp/kedge/ca.crt /tmp/kedge/registry.json |"),
        "{said}"
    );
}
