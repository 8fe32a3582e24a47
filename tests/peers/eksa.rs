//! What a create leaves for the EKS Anywhere controller, against the definitions of EKS Anywhere itself on a real API server.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::apiserver::ApiServer;
use crate::{Created, peer, skipped, succeeds};

/// The version whose definitions count.
const MODULE: &str = "github.com/aws/eks-anywhere@v0.26.1";
/// What comes from a create: kinds as kubectl names them, and where they are.
const LEFT: [(&str, &str); 4] = [
    ("clusters.anywhere.eks.amazonaws.com", "default"),
    ("vspheredatacenterconfigs.anywhere.eks.amazonaws.com,vspheremachineconfigs.anywhere.eks.amazonaws.com", "default"),
    ("bundles.anywhere.eks.amazonaws.com", "eksa-system"),
    ("eksareleases.anywhere.eks.amazonaws.com", "eksa-system"),
];

/// The folder of the definitions in the module's sources.
fn definitions() -> Result<PathBuf, String> {
    let said = Command::new("go").args(["mod", "download", "-json", MODULE]).output();
    let said = said.map_err(|e| format!("go can't be run: {e}"))?;
    let said: Value = serde_json::from_slice(&said.stdout).map_err(|e| format!("{MODULE} can't be had: {e}"))?;
    let folder = said["Dir"].as_str().ok_or_else(|| format!("{MODULE} can't be had: {}", said["Error"]))?;
    Ok(PathBuf::from(folder).join("config/crd/bases"))
}

#[test]
fn the_controller_s_objects_fit_its_own_definitions() {
    let (definitions, server) = match (definitions(), ApiServer::start("eksa")) {
        (Ok(definitions), Ok(server)) => (definitions, server),
        (Err(why), _) | (_, Err(why)) => return skipped("the_controller_s_objects_fit_its_own_definitions", &why),
    };
    let made = Created::new("vsphere-ubuntu-stacked.yaml", "my-cluster-name");
    let kubeconfig = server.kubeconfig("harness");
    let real = |args: &[&str]| {
        let mut kubectl = peer("kubectl", &made.sandbox);
        kubectl.arg("--kubeconfig").arg(&kubeconfig).args(args);
        succeeds(&mut kubectl)
    };
    real(&["apply", "--server-side", "-f", definitions.to_str().unwrap()]);
    real(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    real(&["create", "namespace", "eksa-system"]);
    let mut seen = 0;
    for (kinds, namespace) in LEFT {
        let list = succeeds(&mut made.kubectl(&format!("-n {namespace} get {kinds} -o json")));
        let list: Value = serde_json::from_str(&list).unwrap();
        for mut object in list["items"].as_array().unwrap().clone() {
            object.as_object_mut().unwrap().remove("status");
            let kind = object["kind"].as_str().unwrap().to_owned();
            let metadata = object["metadata"].as_object_mut().unwrap();
            for own in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "ownerReferences"]
            {
                metadata.remove(own);
            }
            let name = format!("{}-{}", kind, metadata["name"].as_str().unwrap());
            let file = made.sandbox.file(&format!("{name}.json"), object.to_string());
            let file = file.to_str().unwrap();
            let said = real(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", file]);
            assert!(said.contains("serverside-applied (server dry run)"), "{said}");
            seen += 1;
        }
    }
    assert!(seen >= 5, "a Cluster, its datacenter, a machine, the bundles and the release; only {seen} were there");
}
