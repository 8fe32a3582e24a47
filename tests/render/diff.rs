//! What another spec would change.

use kedge_cluster_api::render::Difference;
use kedge_spec::provider::Role;
use kedge_workflow::commands::{self, Against};
use kedge_workflow::{Silent, SpecInput};

use super::{options, spec};

async fn diff(from: &str, to: &str) -> (Difference, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let against = Against::Spec(SpecInput::Text { name: "old.yaml".into(), text: from.to_owned() });
    let outcome = commands::diff(&options(home.path(), "new", to), against, &Silent).await.unwrap();
    let refused = outcome.refused.iter().map(|refused| format!("{} {}", refused.document, refused.path)).collect();
    (outcome.difference, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_rolls_exactly_the_machines_that_it_has_to() {
    let base = spec("vsphere-many-groups");
    let roles = |difference: &Difference| difference.rolled.iter().map(|r| r.role.clone()).collect::<Vec<_>>();
    let worker = |name: &str| Role::Worker(name.to_owned());

    let (same, refused) = diff(&base, &format!("# a comment\n{base}")).await;
    assert!(same.is_empty() && refused.is_empty(), "{same:#?}");

    let (counted, _) = diff(&base, &base.replace("    count: 5\n", "    count: 6\n")).await;
    assert_eq!(counted.changed.len(), 1, "{counted:#?}");
    assert!(roles(&counted).is_empty());

    let (bigger, _) = diff(&base, &base.replace("numCPUs: 8", "numCPUs: 16")).await;
    assert_eq!(roles(&bigger), [worker("a"), worker("c")], "{bigger:#?}");
    assert!(bigger.rolled[0].because[0].ends_with("spec.template.spec.numCPUs"), "{bigger:#?}");
    assert!(bigger.created.is_empty() && bigger.removed.is_empty(), "{bigger:#?}");

    let (sans, _) =
        diff(&base, &base.replace("    count: 3\n", "    count: 3\n    certSans: [api.example.com]\n")).await;
    assert_eq!(roles(&sans), [Role::ControlPlane], "{sans:#?}");

    let group =
        "  - name: d\n    count: 1\n    machineGroupRef: {kind: VSphereMachineConfig, name: groups-a}\n  datacenterRef";
    let (more, _) = diff(&base, &base.replace("  datacenterRef", group)).await;
    assert_eq!(more.created.len(), 4, "{more:#?}");
    assert!(more.changed.is_empty() && roles(&more).is_empty());
    let (fewer, _) = diff(&base.replace("  datacenterRef", group), &base).await;
    assert_eq!(fewer.removed.len(), 4, "{fewer:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_can_not_change_is_said() {
    let base = spec("vsphere-ubuntu-whole");
    let (_, refused) = diff(&base, &base.replace("server: vcenter.example.com", "server: other.example.com")).await;
    assert_eq!(refused, ["VSphereDatacenterConfig plain spec.server"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_a_folder_is_not_compared() {
    let home = tempfile::tempdir().unwrap();
    let text = spec("vsphere-ubuntu-whole");
    let error = commands::diff(&options(home.path(), "new", &text), Against::Itself, &Silent).await.unwrap_err();
    assert!(error.to_string().contains("there is no cluster `plain`"), "{error}");
}
