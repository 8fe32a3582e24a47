//! Every rendered object passes a server-side dry run against the kinds that the embedded release installs.

use kedge_cluster_api::api::Api;
use kedge_lab::kube::{ClusterConfig, KubeCluster};
use kedge_lab::release;
use kedge_spec::Source;
use kedge_spec::provider::Placement;
use serde_json::{Value, json};

use super::{prepared, specs};

/// The kinds of the release's components.
fn kinds() -> Vec<Value> {
    let mut kinds = Vec::new();
    for (path, text) in release::embedded().files() {
        if !path.ends_with(".yaml") || !text.contains("kind: CustomResourceDefinition") {
            continue;
        }
        for document in kedge_spec::yaml_documents(&Source::new(path, text)).unwrap() {
            if document["kind"] == "CustomResourceDefinition" {
                kinds.push(document);
            }
        }
    }
    assert!(kinds.len() > 20, "the release has {} kinds", kinds.len());
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_passes_a_dry_run() {
    let cluster = KubeCluster::start(ClusterConfig::new("dry-run", "v1.34.1")).await.unwrap();
    let api = Api::from_kubeconfig(&cluster.kubeconfig("dry-run")).await.unwrap();
    api.apply(&kinds(), "test").await.unwrap();
    api.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eksa-system"}}), false)
        .await
        .unwrap();
    let mut passed = 0;
    for (name, text) in specs() {
        let manifests = prepared(&name, &text).await.render(&Value::Null).await.unwrap();
        for rendered in &manifests.objects {
            if rendered.object["kind"] == "Namespace" {
                continue;
            }
            let answer = api.create(&rendered.object, true).await;
            let kept = answer.unwrap_or_else(|e| panic!("{name}: {}: {e:?}", rendered.object["kind"]));
            // What the kind has no field for would be dropped in silence.
            let lost = lost(&rendered.object, &kept, "");
            assert!(lost.is_empty(), "{name}: {} loses {lost:?}", rendered.object["kind"]);
            passed += 1;
        }
        assert!(manifests.objects.iter().any(|r| r.placement == Placement::WithCluster), "{name}");
    }
    assert!(passed > 500, "{passed}");
    cluster.stop().await;
}

/// Fields that were sent and did not come back.
fn lost(sent: &Value, kept: &Value, at: &str) -> Vec<String> {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => sent
            .iter()
            .flat_map(|(key, value)| match kept.get(key) {
                Some(there) => lost(value, there, &format!("{at}/{key}")),
                // The API server turns these into `data`.
                None if at.is_empty() && key == "stringData" => Vec::new(),
                None => vec![format!("{at}/{key}")],
            })
            .collect(),
        (Value::Array(sent), Value::Array(kept)) if sent.len() == kept.len() => {
            let pairs = sent.iter().zip(kept).enumerate();
            pairs.flat_map(|(index, (a, b))| lost(a, b, &format!("{at}/{index}"))).collect()
        }
        (Value::Array(_), _) | (Value::Object(_), _) => vec![at.to_owned()],
        _ => Vec::new(),
    }
}
