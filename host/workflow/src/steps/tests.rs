//! The steps against the workflow document.

use super::*;

/// The lines of the cluster creation workflow document that steps begin with, in its order.
const DOCUMENT: [&str; 14] = [
    "Performing setup and validations",
    "Creating new bootstrap cluster",
    "Installing cluster-api providers on bootstrap cluster",
    "Provider specific setup",
    "Creating new workload cluster",
    "Installing networking on workload cluster",
    "Installing storage class on workload cluster",
    "Installing cluster-api providers on workload cluster",
    "Moving cluster management from bootstrap to workload cluster",
    "Installing EKS-A custom components (CRD and controller) on workload cluster",
    "Creating EKS-A CRDs instances on workload cluster",
    "Installing AddonManager and GitOps Toolkit on workload cluster",
    "Writing cluster config file",
    "Deleting bootstrap cluster",
];

#[test]
fn steps_are_the_document_s_in_its_order() {
    let lines: Vec<_> = create(true, false).iter().filter_map(|s| s.line()).collect();
    assert_eq!(lines, DOCUMENT);
}

#[test]
fn an_existing_bootstrap_cluster_is_neither_made_nor_deleted() {
    let lines: Vec<_> = create(false, false).iter().filter_map(|s| s.line()).collect();
    let without: Vec<_> = DOCUMENT
        .into_iter()
        .filter(|l| !l.starts_with("Creating new bootstrap") && !l.starts_with("Deleting bootstrap"))
        .collect();
    assert_eq!(lines, without);
    assert_eq!(create(false, false).len(), create(true, false).len());
}

#[test]
fn ids_are_stable_and_each_its_own() {
    let ids: Vec<_> = create(true, false).iter().map(|s| s.id()).collect();
    let expected = [
        "setup-validate",
        "bootstrap-cluster",
        "cluster-api-bootstrap",
        "provider-setup",
        "workload-cluster",
        "networking",
        "storage-class",
        "cluster-api-workload",
        "move",
        "eksa-components",
        "eksa-instances",
        "gitops",
        "cluster-config",
        "delete-bootstrap",
    ];
    assert_eq!(ids, expected);
    let kept: Vec<_> = create(true, false).iter().filter(|s| !s.droppable()).map(|s| s.id()).collect();
    assert_eq!(kept, [id::MOVE], "only the move is seen through when the run is asked to stop");
}

#[test]
fn a_delete_has_its_own_steps() {
    let lines: Vec<_> = crate::teardown::delete(true).iter().filter_map(|s| s.line()).collect();
    assert_eq!(
        lines,
        [
            "Creating new bootstrap cluster",
            "Installing cluster-api providers on bootstrap cluster",
            "Moving cluster management from workload cluster to bootstrap",
            "Deleting workload cluster",
            "Deleting bootstrap cluster",
        ]
    );
}
