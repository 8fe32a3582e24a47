//! Every rendered object, in a server-side dry run on a real API server with the definitions of Cluster API (EKS Anywhere's
//! build of it), of its vSphere and Docker providers and of the etcd controllers. Fields that a kind lacks are errors.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::apiserver::ApiServer;
use crate::harness::Sandbox;
use crate::{peer, skipped, succeeds};

const NAME: &str = "every_rendered_object_passes_a_dry_run_on_a_real_api_server";

/// Modules, and where their definitions are.
const DEFINITIONS: [(&str, &[&str]); 5] = [
    (
        "github.com/snarkychef/cluster-api@v0.1.0",
        &["config/crd/bases", "bootstrap/kubeadm/config/crd/bases", "controlplane/kubeadm/config/crd/bases"],
    ),
    ("sigs.k8s.io/cluster-api-provider-vsphere@v1.14.0", &["config/default/crd/bases"]),
    ("sigs.k8s.io/cluster-api/test@v1.11.1", &["infrastructure/docker/config/crd/bases"]),
    ("github.com/aws/etcdadm-controller@v1.0.25", &["config/crd/bases"]),
    ("github.com/aws/etcdadm-bootstrap-provider@v1.0.17", &["config/crd/bases"]),
];

fn folders() -> Result<Vec<PathBuf>, String> {
    let mut folders = Vec::new();
    for (module, below) in DEFINITIONS {
        let said = Command::new("go").args(["mod", "download", "-json", module]).output();
        let said = said.map_err(|e| format!("go can't be run: {e}"))?;
        let said: Value = serde_json::from_slice(&said.stdout).map_err(|e| format!("{module} can't be had: {e}"))?;
        let folder = said["Dir"].as_str().ok_or_else(|| format!("{module} can't be had: {}", said["Error"]))?;
        folders.extend(below.iter().map(|below| PathBuf::from(folder).join(below)));
    }
    Ok(folders)
}

#[test]
fn every_rendered_object_passes_a_dry_run_on_a_real_api_server() {
    let (folders, server) = match (folders(), ApiServer::start("rendered")) {
        (Ok(folders), Ok(server)) => (folders, server),
        (Err(why), _) | (_, Err(why)) => return skipped(NAME, &why),
    };
    let sandbox = Sandbox::new();
    let kubeconfig = server.kubeconfig("harness");
    let kubectl = |args: &[&str]| {
        let mut kubectl = peer("kubectl", &sandbox);
        kubectl.arg("--kubeconfig").arg(&kubeconfig).args(args);
        kubectl
    };
    for folder in &folders {
        succeeds(&mut kubectl(&["create", "-f", folder.to_str().unwrap()]));
    }
    succeeds(&mut kubectl(&["wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"]));
    succeeds(&mut kubectl(&["create", "namespace", "eksa-system"]));
    let specs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs/render");
    let mut passed = 0;
    for entry in std::fs::read_dir(specs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let spec = path.to_str().unwrap();
        let manifests = sandbox.run(["render", "-f", spec]).expect(0).stdout;
        let file = sandbox.file("manifests.yaml", manifests);
        let said = succeeds(&mut kubectl(&[
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            file.to_str().unwrap(),
        ]));
        passed += said.lines().filter(|line| line.ends_with("serverside-applied (server dry run)")).count();
    }
    assert!(passed > 500, "{passed} objects");
}
