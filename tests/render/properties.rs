//! What holds for every spec that is accepted.

use std::collections::BTreeSet;

use kedge_workflow::explain;
use serde_json::Value;

use super::{prepared, specs};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_spec_gives_the_same_bytes() {
    for (name, text) in specs() {
        let one = prepared(&name, &text).await.render(&Value::Null).await.unwrap().to_yaml();
        let two = prepared(&name, &text).await.render(&Value::Null).await.unwrap().to_yaml();
        assert!(one == two, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_with_its_defaults_written_out_gives_the_same_manifests() {
    for (name, text) in specs() {
        let first = prepared(&name, &text).await;
        let again = prepared(&name, &first.spec.to_yaml()).await;
        let [one, two] = [&first, &again].map(|p| p.render(&Value::Null));
        let (one, two) = (one.await.unwrap().to_yaml(), two.await.unwrap().to_yaml());
        assert!(one == two, "{name}:\n{}", difference(&one, &two));
    }
}

fn difference(one: &str, two: &str) -> String {
    let lines = one.lines().zip(two.lines()).filter(|(a, b)| a != b);
    lines.take(5).map(|(a, b)| format!("{a}\n{b}\n")).collect()
}

/// Fields that must not change the manifests, and why.
const SILENT: &[(&str, &str)] = &[
    ("Cluster spec.managementCluster.name", "says who manages the cluster, and nothing about it"),
    ("Cluster spec.eksaVersion", "follows the release"),
    ("Cluster spec.kubernetesVersion", "comes through the release"),
    ("Cluster spec.workerNodeGroupConfigurations[].kubernetesVersion", "comes through the release"),
    ("Cluster spec.datacenterRef.kind", "finds the document"),
    ("Cluster spec.datacenterRef.name", "finds the document"),
    ("Cluster spec.controlPlaneConfiguration.machineGroupRef.kind", "finds the document"),
    ("Cluster spec.controlPlaneConfiguration.machineGroupRef.name", "finds the document"),
    ("Cluster spec.externalEtcdConfiguration.machineGroupRef.kind", "finds the document"),
    ("Cluster spec.externalEtcdConfiguration.machineGroupRef.name", "finds the document"),
    ("Cluster spec.workerNodeGroupConfigurations[].machineGroupRef.kind", "finds the document"),
    ("Cluster spec.workerNodeGroupConfigurations[].machineGroupRef.name", "finds the document"),
    ("Cluster spec.identityProviderRefs[].kind", "finds the document"),
    ("Cluster spec.identityProviderRefs[].name", "finds the document"),
    ("Cluster spec.clusterNetwork.cniConfig.*", "goes to the CNI, not to Cluster API"),
    ("Cluster spec.controlPlaneConfiguration.skipLoadBalancerDeployment", "these providers deploy none"),
    ("Cluster spec.controlPlaneConfiguration.upgradeRolloutStrategy.type", "there is one strategy"),
    ("Cluster spec.workerNodeGroupConfigurations[].upgradeRolloutStrategy.type", "there is one strategy"),
    ("Cluster spec.workerNodeGroupConfigurations[].count", "where the autoscaler counts"),
    ("Cluster spec.packages.*", "goes to the curated packages"),
    ("Cluster spec.controlPlaneConfiguration.kubeletConfiguration.kind", "is no setting"),
    ("Cluster spec.workerNodeGroupConfigurations[].kubeletConfiguration.kind", "is no setting"),
    ("Cluster spec.machineHealthCheck.*", "where every group has its own"),
    ("Cluster spec.bundlesRef.*", "is not used, as with EKS Anywhere"),
    ("Cluster spec.licenseToken", "is for the check of the release"),
    ("Cluster spec.gitOpsRef.*", "finds the document"),
    ("FluxConfig *", "goes to Flux"),
    ("GitOpsConfig *", "goes to Flux"),
    ("Cluster metadata.labels.*", "stay with the document"),
    ("Cluster metadata.annotations.*", "stay with the document"),
    ("OIDCConfig metadata.name", "finds the document"),
    ("AWSIamConfig metadata.name", "finds the document"),
    ("VSphereMachineConfig metadata.name", "finds the document"),
    ("* metadata.name", "finds the document"),
    ("DockerDatacenterConfig spec", "has no fields"),
    ("Cluster spec.controlPlaneConfiguration.taints", "an empty list, which no other value of a test fits"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_field_is_without_effect() {
    let mut silent = BTreeSet::new();
    let mut loud = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (name, text) in specs() {
        let prepared = prepared(&name, &text).await;
        let base = prepared.render(&Value::Null).await.unwrap().to_yaml();
        for (document, pointer, value) in explain::fields(&prepared.spec) {
            let field = format!("{} {}", document.kind, pattern(&pointer));
            let listed = SILENT.iter().position(|(known, _)| fits(known, &field));
            if loud.contains(&field) || listed.is_some() {
                used.extend(listed);
                continue;
            }
            let mut rendered = false;
            for other in explain::others(&value) {
                let Some(spec) = prepared.spec.with_value(&document, &pointer, other) else { continue };
                let Ok(manifests) = prepared.render_other(&spec, &Value::Null).await else { continue };
                rendered = true;
                if manifests.to_yaml() != base {
                    loud.insert(field.clone());
                    break;
                }
            }
            if !loud.contains(&field) {
                silent.insert(format!("{field} ({name}{})", if rendered { "" } else { ", could not be changed" }));
            }
        }
    }
    silent.retain(|entry| !loud.iter().any(|field| entry.starts_with(&format!("{field} ("))));
    assert!(silent.is_empty(), "fields that change nothing:\n{}", Vec::from_iter(silent).join("\n"));
    let idle: Vec<&str> =
        SILENT.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, (known, _))| *known).collect();
    assert!(loud.len() > 100, "only {} fields were seen to change something", loud.len());
    println!("{} fields change the manifests; listed and not seen in any spec: {idle:?}", loud.len());
}

/// A pointer as a field, with every item of a list alike.
fn pattern(pointer: &str) -> String {
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        if part.parse::<usize>().is_ok() {
            text.push_str("[]");
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    text
}

fn fits(known: &str, field: &str) -> bool {
    let (kind, path) = known.split_once(' ').unwrap();
    let (own_kind, own_path) = field.split_once(' ').unwrap();
    let same_kind = if kind == "*" { own_kind != "Cluster" } else { kind == own_kind };
    let same_path =
        path == "*" || path.strip_suffix(".*").map_or(path == own_path, |start| own_path.starts_with(start));
    same_kind && same_path
}
