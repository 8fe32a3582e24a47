//! The cloud provider and the storage class.
//!
//! The cloud provider goes through a ClusterResourceSet: nodes stay tainted until it runs, so it has to be there before
//! anything else works on the workload cluster.

use std::fmt::Write as _;

use kedge_sdk::prelude::*;

use crate::describe::{CP_PASSWORD, CP_USERNAME};
use crate::spec::{Datacenter, Spec};

const RESOURCE_SET: &str = "addons.cluster.x-k8s.io/resource-set";
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

pub(crate) fn addons(input: &Input) -> Result<Vec<Placed>, Failure> {
    let spec = Spec::of(input)?;
    let name = &input.cluster_name;
    let account = format!("{name}-cloud-controller-manager");
    let credentials = format!("{name}-cloud-provider-vsphere-credentials");
    let manifests = format!("{name}-cpi-manifests");
    let image = input.release.image("vSphere.manager")?;

    let resources = [("Secret", &account), ("Secret", &credentials), ("ConfigMap", &manifests)]
        .map(|(kind, name)| json!({"kind": kind, "name": name}));
    let set = Manifest::new("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet", &format!("{name}-cpi"))
        .label(CLUSTER_NAME, name)
        .spec(json!({
            "strategy": "Reconcile",
            "clusterSelector": {"matchLabels": {CLUSTER_NAME: name}},
            "resources": resources,
        }));
    let account = Manifest::secret(&account, RESOURCE_SET, [("data", service_account())]);
    let credentials = Manifest::secret(&credentials, RESOURCE_SET, [("data", nested_credentials(&spec.datacenter))]);
    let manifests = Manifest::new("v1", "ConfigMap", &manifests)
        .set("data", json!({"data": cloud_provider(&spec.datacenter, &image, &tolerations(input)?)}));

    let mut addons: Vec<Placed> = [account, credentials, manifests, set]
        .into_iter()
        .map(|manifest| manifest.namespace(&input.namespace).place(Placement::WithCluster))
        .collect();
    addons.push(storage_class(&spec).place(Placement::WorkloadCluster));
    Ok(addons)
}

fn service_account() -> String {
    "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: cloud-controller-manager\n  namespace: kube-system\n"
        .into()
}

/// A Secret inside of a Secret, which holds its values in base64.
fn nested_credentials(datacenter: &Datacenter) -> String {
    let server = &datacenter.server;
    let username = secret::reference(CP_USERNAME, &Encoding::Base64);
    let password = secret::reference(CP_PASSWORD, &Encoding::Base64);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: cloud-provider-vsphere-credentials\n  namespace: kube-system\n\
         data:\n  {}: {password}\n  {}: {username}\ntype: Opaque\n",
        quoted(&format!("{server}.password")),
        quoted(&format!("{server}.username")),
    )
}

fn cloud_provider(datacenter: &Datacenter, image: &str, tolerations: &str) -> String {
    include_str!("cloud-provider.yaml")
        .replace("@THUMBPRINT@", &quoted(&datacenter.thumbprint))
        .replace("@INSECURE@", if datacenter.insecure { "true" } else { "false" })
        .replace("@SERVER@", &quoted(&datacenter.server))
        .replace("@DATACENTER@", &quoted(&datacenter.datacenter))
        .replace("@IMAGE@", image)
        .replace("@TOLERATIONS@", tolerations)
}

/// The taints of the spec's control plane as tolerations, one a line: JSON is YAML.
fn tolerations(input: &Input) -> Result<String, Failure> {
    let taints = input.cluster()?.at("spec.controlPlaneConfiguration.taints").and_then(Value::as_array);
    let mut lines = String::new();
    for taint in taints.into_iter().flatten() {
        let part = |name: &str| taint.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let parts = ["key", "value", "effect"].iter().filter_map(|name| Some(((*name).to_owned(), json!(part(name)?))));
        let toleration = Value::Object(parts.collect());
        let _ = writeln!(lines, "      - {toleration}");
    }
    Ok(lines)
}

/// A YAML text in double quotes, which JSON's are.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn storage_class(spec: &Spec) -> Manifest {
    let policy = spec.machines.iter().map(|machine| machine.storage_policy.as_str()).find(|policy| !policy.is_empty());
    Manifest::new("storage.k8s.io/v1", "StorageClass", "standard")
        .set("metadata.annotations[storageclass.kubernetes.io/is-default-class]", json!("true"))
        .set("provisioner", json!("csi.vsphere.vmware.com"))
        .set_some("parameters", policy.map(|policy| json!({"storagepolicyname": policy})))
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::yaml;

    use super::*;
    use crate::testing::{edit, input_of, spec};

    fn addons_of(text: &str) -> Vec<Placed> {
        addons(&input_of(text)).unwrap()
    }

    #[test]
    fn the_set_names_objects_that_are_there() {
        let addons = addons_of(spec());
        let set = addons.iter().find(|addon| addon.object["kind"] == "ClusterResourceSet").unwrap();
        for resource in set.object["spec"]["resources"].as_array().unwrap() {
            let there = addons.iter().any(|addon| {
                addon.object["kind"] == resource["kind"] && addon.object["metadata"]["name"] == resource["name"]
            });
            assert!(there, "{resource}");
        }
        assert!(addons.iter().filter(|a| a.object["kind"] == "Secret").all(|a| a.object["type"] == RESOURCE_SET));
    }

    #[test]
    fn the_cloud_provider_knows_its_vcenter() {
        let addons = addons_of(&edit(spec(), &[("server: vcenter.example.com", "server: 10.0.0.1:8989")]));
        let text = addons[2].object["data"]["data"].as_str().unwrap();
        assert!(!text.contains('@'), "{text}");
        let documents = yaml(text);
        let kinds: Vec<&Value> = documents.iter().map(|document| &document["kind"]).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "RoleBinding", "ConfigMap", "Service", "DaemonSet"]);
        let config = yaml(documents[3]["data"]["vsphere.conf"].as_str().unwrap()).remove(0);
        assert_eq!(config["vcenter"]["10.0.0.1:8989"]["datacenters"], json!(["SDDC-Datacenter"]));
        assert_eq!(config["global"]["insecureFlag"], false);
        assert_eq!(
            documents[5]["spec"]["template"]["spec"]["containers"][0]["image"],
            "example.com/cpi/manager:v1.34.0"
        );
    }

    #[test]
    fn the_cloud_provider_runs_on_nodes_with_the_taints_of_the_spec() {
        let taint = "    taints:\n    - {key: team, value: infra, effect: NoExecute}\n    endpoint:\n";
        let addons = addons_of(&edit(spec(), &[("    endpoint:\n", taint)]));
        let documents = yaml(addons[2].object["data"]["data"].as_str().unwrap());
        let tolerations = documents[5]["spec"]["template"]["spec"]["tolerations"].as_array().unwrap();
        assert!(tolerations.contains(&json!({"key": "team", "value": "infra", "effect": "NoExecute"})));
    }

    #[test]
    fn nested_credentials_are_yaml_whatever_the_password_is() {
        let addons = addons_of(spec());
        let text = addons[1].object["stringData"]["data"].as_str().unwrap();
        let filled = text
            .replace("${kedge.secret/cp-password|base64}", "YSJiOiAjXA==")
            .replace("${kedge.secret/cp-username|base64}", "YWRtaW4=");
        let secret = yaml(&filled).remove(0);
        assert_eq!(secret["data"]["vcenter.example.com.password"], "YSJiOiAjXA==");
        assert_eq!(secret["data"]["vcenter.example.com.username"], "YWRtaW4=");
    }

    #[test]
    fn the_storage_class_is_the_default() {
        let class = addons_of(spec()).pop().unwrap();
        assert_eq!(class.placement, Placement::WorkloadCluster);
        assert_eq!(class.object["provisioner"], "csi.vsphere.vmware.com");
        assert_eq!(class.object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"], "true");
    }
}
