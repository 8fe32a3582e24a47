//! A management cluster as its API shows it: definitions with their labels, and the inventory. Without controllers, and so
//! without their webhooks: what moves stands still, as moving clusters do.

use std::path::PathBuf;
use std::time::Duration;

use kedge_spec::Source;
use serde_json::{Value, json};

use crate::apiserver::{ApiServer, Client, found};

/// Label of its manifest, file, type in the inventory, namespace.
pub(crate) const PROVIDERS: [(&str, &str, &str, &str); 4] = [
    ("cluster-api", "core-components.yaml", "CoreProvider", "capi-system"),
    ("bootstrap-kubeadm", "bootstrap-components.yaml", "BootstrapProvider", "capi-kubeadm-bootstrap-system"),
    (
        "control-plane-kubeadm",
        "control-plane-components.yaml",
        "ControlPlaneProvider",
        "capi-kubeadm-control-plane-system",
    ),
    ("infrastructure-docker", "infrastructure-components.yaml", "InfrastructureProvider", "capd-system"),
];
pub(crate) const CLUSTER_API: &str = "v1.14.2";
pub(crate) const CERT_MANAGER: &str = "v1.21.2";

/// The folder that `tests/peers/manifests` writes.
pub(crate) fn manifests() -> Result<PathBuf, String> {
    let folder = found("../manifests")?;
    Ok(folder.canonicalize().expect("it is there"))
}

pub(crate) fn manifest(label: &str, version: &str, file: &str) -> Result<String, String> {
    let path = manifests()?.join(label).join(version).join(file);
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Two management clusters whose controllers do not run.
pub(crate) fn pair() -> Result<(ApiServer, ApiServer), String> {
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(|| at_rest("target"));
        (at_rest("source"), other.join().expect("it starts"))
    });
    Ok((one?, two?))
}

/// One.
pub(crate) fn at_rest(name: &str) -> Result<ApiServer, String> {
    manifests()?;
    let server = ApiServer::start(name)?;
    let client = server.client("harness");
    let inventory = inventory_definition();
    apply_definition(&client, &inventory);
    let mut names = vec!["providers.clusterctl.cluster.x-k8s.io".to_owned()];
    for (label, file, _, _) in PROVIDERS {
        let text = manifest(label, CLUSTER_API, file)?;
        for mut crd in documents(&text).into_iter().filter(|d| d["kind"] == "CustomResourceDefinition") {
            crd["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"] = json!("");
            crd["metadata"]["labels"]["cluster.x-k8s.io/provider"] = json!(label);
            crd["metadata"]["annotations"] = json!({});
            crd["spec"]["conversion"] = json!({"strategy": "None"});
            names.push(crd["metadata"]["name"].as_str().expect("a name").to_owned());
            apply_definition(&client, &crd);
        }
    }
    client.until("definitions are served", Duration::from_secs(60), |c| {
        let served = c.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
        let established = |o: &Value| {
            let conditions = o["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Established" && c["status"] == "True"))
        };
        served.iter().filter(|o| established(o)).count() >= names.len()
    });
    for (label, _, kind, namespace) in PROVIDERS {
        client.apply(
            &format!("/api/v1/namespaces/{namespace}"),
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        );
        let name = label.rsplit_once('-').map_or(label, |(_, last)| last);
        let name = if label == "cluster-api" { label } else { name };
        let entry = json!({
            "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3", "kind": "Provider",
            "metadata": {"name": label, "namespace": namespace, "labels": {
                "clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": label, "clusterctl.cluster.x-k8s.io/core": "inventory",
            }},
            "providerName": name, "type": kind, "version": CLUSTER_API,
        });
        let path = format!("/apis/clusterctl.cluster.x-k8s.io/v1alpha3/namespaces/{namespace}/providers/{label}");
        // The kind is established, and served a moment later.
        client.until("the inventory is served", Duration::from_secs(30), |c| {
            let list = path.rsplit_once('/').expect("a path").0;
            c.try_get(list).is_ok()
        });
        client.apply(&path, &entry);
        // Installed, and scaled to nothing.
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "controller", "namespace": namespace, "labels": {"cluster.x-k8s.io/provider": label}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "manager", "image": "none"}]}}},
        });
        client.apply(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/controller"), &deployment);
    }
    for kind in KINDS {
        let path = kind.list();
        client.until(&path, Duration::from_secs(30), |c| c.try_get(&path).is_ok());
    }
    Ok(server)
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    let source = Source::new("manifest".to_owned(), text.to_owned());
    let documents = kedge_spec::yaml_documents(&source).expect("YAML");
    documents.into_iter().filter(|d| !d.is_null()).collect()
}

fn apply_definition(client: &Client, crd: &Value) {
    let name = crd["metadata"]["name"].as_str().expect("a name");
    client.apply(&format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"), crd);
}

fn inventory_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "providers.clusterctl.cluster.x-k8s.io", "labels": {"clusterctl.cluster.x-k8s.io": "", "clusterctl.cluster.x-k8s.io/core": "inventory"}},
        "spec": {
            "group": "clusterctl.cluster.x-k8s.io", "scope": "Namespaced",
            "names": {"kind": "Provider", "listKind": "ProviderList", "plural": "providers", "singular": "provider"},
            "versions": [{"name": "v1alpha3", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

/// A kind of which clusters are made.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

impl Kind {
    pub(crate) fn list(&self) -> String {
        self.list_in(NAMESPACE)
    }

    pub(crate) fn list_in(&self, namespace: &str) -> String {
        let root = if self.api_version == "v1" { "api" } else { "apis" };
        format!("/{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural)
    }
}

pub(crate) const NAMESPACE: &str = "default";

const CORE: &str = "cluster.x-k8s.io/v1beta2";
const INFRA: &str = "infrastructure.cluster.x-k8s.io/v1beta2";
const BOOTSTRAP: &str = "bootstrap.cluster.x-k8s.io/v1beta2";

pub(crate) const CLUSTER: Kind = Kind { api_version: CORE, kind: "Cluster", plural: "clusters" };
pub(crate) const MACHINE: Kind = Kind { api_version: CORE, kind: "Machine", plural: "machines" };
pub(crate) const MACHINE_SET: Kind = Kind { api_version: CORE, kind: "MachineSet", plural: "machinesets" };
pub(crate) const MACHINE_DEPLOYMENT: Kind =
    Kind { api_version: CORE, kind: "MachineDeployment", plural: "machinedeployments" };
pub(crate) const CONTROL_PLANE: Kind = Kind {
    api_version: "controlplane.cluster.x-k8s.io/v1beta2",
    kind: "KubeadmControlPlane",
    plural: "kubeadmcontrolplanes",
};
pub(crate) const CONFIG: Kind = Kind { api_version: BOOTSTRAP, kind: "KubeadmConfig", plural: "kubeadmconfigs" };
pub(crate) const CONFIG_TEMPLATE: Kind =
    Kind { api_version: BOOTSTRAP, kind: "KubeadmConfigTemplate", plural: "kubeadmconfigtemplates" };
pub(crate) const INFRA_CLUSTER: Kind = Kind { api_version: INFRA, kind: "DevCluster", plural: "devclusters" };
pub(crate) const INFRA_MACHINE: Kind = Kind { api_version: INFRA, kind: "DevMachine", plural: "devmachines" };
pub(crate) const INFRA_TEMPLATE: Kind =
    Kind { api_version: INFRA, kind: "DevMachineTemplate", plural: "devmachinetemplates" };
pub(crate) const SECRET: Kind = Kind { api_version: "v1", kind: "Secret", plural: "secrets" };

/// All of them.
pub(crate) const KINDS: [Kind; 11] = [
    CLUSTER,
    MACHINE,
    MACHINE_SET,
    MACHINE_DEPLOYMENT,
    CONTROL_PLANE,
    CONFIG,
    CONFIG_TEMPLATE,
    INFRA_CLUSTER,
    INFRA_MACHINE,
    INFRA_TEMPLATE,
    SECRET,
];
