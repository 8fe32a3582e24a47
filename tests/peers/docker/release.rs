//! A release whose images and manifests are those of the tier: the one that the program carries, with the places changed
//! that name what only a registry has.

use std::path::Path;
use std::process::Command;

use kedge_spec::Source;
use serde_json::{Value, json};

use crate::harness::Sandbox;

/// The Kubernetes minor version of the node image.
pub(crate) const KUBERNETES: &str = "1.34";
const PODS: &str = "192.168.0.0/16";

fn embedded(name: &str) -> &'static str {
    kedge_lab::release::embedded().file(&format!("{}{name}", kedge_lab::release::SCHEME)).expect("it is embedded")
}

fn documents(name: &str, text: &str) -> Vec<Value> {
    kedge_spec::yaml_documents(&Source::new(name, text)).expect("YAML")
}

/// The folder that `tests/peers/manifests` prints.
fn manifests() -> Result<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/manifests");
    let output = Command::new(script).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The release of Kubernetes that the node image holds: its version, and the images that its kubeadm asks for.
fn kubernetes(image: &str) -> Result<Value, String> {
    let run = |command: &str| super::docker(&["run", "--rm", "--entrypoint", "sh", image, "-c", command]);
    let version = run("cat /kind/version")?;
    let images = run("kubeadm config images list --kubernetes-version $(cat /kind/version) 2>/dev/null")?;
    let name = format!("eksd/kubernetes-{}-", KUBERNETES.replace('.', "-"));
    let all = kedge_lab::release::embedded();
    let bundles = documents("bundles", embedded("bundles.yaml")).remove(0);
    let bundles = bundles["spec"]["versionsBundles"].as_array().expect("bundles").clone();
    let url = bundles.iter().filter_map(|b| b["eksD"]["manifestUrl"].as_str()).find(|url| url.contains(&name));
    let mut release =
        documents("eksd", all.file(url.expect("the version is there")).expect("it is embedded")).remove(0);
    // Kubernetes itself: its machines are of no EKS Distro release.
    release["spec"]["number"] = json!(0);
    for component in release["status"]["components"].as_array_mut().expect("components") {
        if component["name"] == "kubernetes" {
            component["gitTag"] = json!(version);
        }
        for asset in component["assets"].as_array_mut().expect("assets") {
            let program = asset["name"].as_str().unwrap_or_default().trim_end_matches("-image").to_owned();
            let its = |image: &&str| image.rsplit('/').next().and_then(|i| i.split(':').next()) == Some(&program);
            if let Some(image) = images.lines().find(its) {
                asset["image"]["uri"] = json!(image);
            }
        }
    }
    Ok(release)
}

/// Writes the release into a sandbox, for `--bundles-override`.
pub(crate) fn write(sandbox: &Sandbox, image: &str) -> Result<String, String> {
    let repository = manifests()?;
    let mut bundles = documents("bundles", embedded("bundles.yaml")).remove(0);
    let all = bundles["spec"]["versionsBundles"].as_array().expect("bundles").clone();
    let mut bundle = all.into_iter().find(|b| b["kubeVersion"] == KUBERNETES).expect("the version is there");
    bundle["eksD"]["manifestUrl"] = json!(sandbox.file("eksd.yaml", kubernetes(image)?.to_string()));
    bundle["eksD"]["kindNode"] = json!({"name": "kind-node", "uri": image});
    bundle["haproxy"]["image"] = json!({"name": "haproxy", "uri": "kedge.test/haproxy:1"});
    for (key, folder, file, field) in [
        ("certManager", "cert-manager", "cert-manager.yaml", "manifest"),
        ("clusterAPI", "cluster-api", "core-components.yaml", "components"),
        ("bootstrap", "bootstrap-kubeadm", "bootstrap-components.yaml", "components"),
        ("controlPlane", "control-plane-kubeadm", "control-plane-components.yaml", "components"),
        ("docker", "infrastructure-docker", "infrastructure-components.yaml", "components"),
    ] {
        let place = Path::new(&repository).join(folder);
        let version = std::fs::read_dir(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        let version = version.flatten().next().ok_or("no version")?.file_name().to_string_lossy().into_owned();
        let place = place.join(&version);
        let text = std::fs::read_to_string(place.join(file)).map_err(|e| format!("{}: {e}", place.display()))?;
        // Development manifests ask a registry each time; released ones do not.
        let text = text.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent");
        bundle[key]["version"] = json!(version);
        bundle[key][field] = json!({"uri": sandbox.file(&format!("{folder}.yaml"), text)});
        if place.join("metadata.yaml").exists() {
            bundle[key]["metadata"] = json!({"uri": place.join("metadata.yaml")});
        }
    }
    let cni = super::docker(&["run", "--rm", "--entrypoint", "cat", image, "/kind/manifests/default-cni.yaml"])?;
    let cni = cni.replace("{{ .PodSubnet }}", PODS).replace("{{.PodSubnet}}", PODS);
    bundle["kindnetd"]["manifest"] = json!({"uri": sandbox.file("kindnetd.yaml", cni)});
    // The kinds alone: the controller's image is in a registry.
    let kinds: Vec<String> = documents("eksa", embedded("eksa-components.yaml"))
        .into_iter()
        .filter(|d| d["kind"] == "CustomResourceDefinition" || d["kind"] == "Namespace")
        .map(|d| d.to_string())
        .collect();
    bundle["eksa"]["components"] = json!({"uri": sandbox.file("eksa.yaml", kinds.join("\n---\n"))});
    bundles["spec"]["versionsBundles"] = json!([bundle]);
    Ok(sandbox.file("bundles.yaml", bundles.to_string()).display().to_string())
}

/// A spec of one control plane machine and one worker.
pub(crate) fn spec(sandbox: &Sandbox, name: &str) -> String {
    let text = format!(
        "apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Cluster
metadata:
  name: {name}
spec:
  kubernetesVersion: \"{KUBERNETES}\"
  controlPlaneConfiguration:
    count: 1
  workerNodeGroupConfigurations:
  - name: md-0
    count: 1
  clusterNetwork:
    cniConfig:
      kindnetd: {{}}
    pods:
      cidrBlocks: [{PODS}]
    services:
      cidrBlocks: [10.96.0.0/12]
  datacenterRef:
    kind: DockerDatacenterConfig
    name: {name}
  managementCluster:
    name: {name}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: DockerDatacenterConfig
metadata:
  name: {name}
spec: {{}}
"
    );
    sandbox.file("docker.yaml", text);
    "docker.yaml".to_owned()
}
