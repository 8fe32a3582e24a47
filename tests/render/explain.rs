//! Where the manifests come from.

use kedge_workflow::explain::Origin;
use kedge_workflow::{Silent, commands};

use super::{options, spec};

#[tokio::test(flavor = "multi_thread")]
async fn each_field_is_traced_to_its_line() {
    let name = "vsphere-ubuntu-stacked";
    let home = tempfile::tempdir().unwrap();
    let text = spec(name);
    let outcome = commands::explain(&options(home.path(), name, &text), &Silent).await.unwrap();
    let origins = |object: &str, path: &str| {
        let object = outcome.objects.iter().find(|o| o.object.starts_with(object)).unwrap();
        let fits = |field: &str| path == field || path.starts_with(&format!("{field}.")) || field.is_empty();
        let field = object.fields.iter().filter(|f| fits(&f.path)).max_by_key(|f| f.path.len());
        field.unwrap_or_else(|| panic!("{object:#?} has no {path}")).origins.clone()
    };
    let line = |needle: &str| 1 + text.lines().position(|line| line.contains(needle)).unwrap();
    let spec_of = |needle: &str, document: &str, field: &str| Origin::Spec {
        place: format!("{name}.yaml:{}", line(needle)),
        document: document.to_owned(),
        field: field.to_owned(),
    };

    let replicas = origins("KubeadmControlPlane", "spec.replicas");
    assert!(
        replicas.contains(&spec_of("count: 3", "Cluster my-cluster-name", "spec.controlPlaneConfiguration.count")),
        "{replicas:?}"
    );
    let cpus = origins("VSphereMachineTemplate eksa-system/my-cluster-name-md-0", "spec.template.spec.numCPUs");
    let wanted = spec_of("numCPUs", "VSphereMachineConfig my-cluster-machines", "spec.numCPUs");
    assert!(cpus.contains(&wanted), "{cpus:?}");
    let version = origins("KubeadmControlPlane", "spec.version");
    assert!(version.contains(&Origin::Release { part: "kubernetesVersion".into() }), "{version:?}");
    let startup = origins("MachineHealthCheck", "spec.checks.nodeStartupTimeoutSeconds");
    assert!(startup.iter().all(|origin| matches!(origin, Origin::Kedge | Origin::Default { .. })), "{startup:?}");
    // What no document and no release says, and the plugin gives.
    let zone = origins("VSphereCluster", "spec.controlPlaneEndpoint.port");
    assert_eq!(zone, [Origin::Plugin { name: "vsphere".into() }]);
}
