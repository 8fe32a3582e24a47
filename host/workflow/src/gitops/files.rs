//! The cluster's files in the repository: where EKS Anywhere puts them, so that its tools and habits go on working.
//!
//! ```text
//! PATH/CLUSTER/eksa-system/eksa-cluster.yaml    the spec
//! PATH/CLUSTER/eksa-system/kustomization.yaml
//! PATH/NAMESPACE/kustomization.yaml             Flux, with the images of the release
//! PATH/NAMESPACE/gotk-sync.yaml                 empty until flux fills it
//! ```

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Config;
use crate::load::Prepared;

/// Flux's controllers: name of the deployment, and its image's place in the release.
const CONTROLLERS: [(&str, &str); 4] = [
    ("helm-controller", "flux.helmController"),
    ("kustomize-controller", "flux.kustomizeController"),
    ("notification-controller", "flux.notificationController"),
    ("source-controller", "flux.sourceController"),
];

/// The files, by their path in the repository.
pub(crate) fn all(config: &Config, prepared: &Prepared) -> Vec<(String, String)> {
    let cluster = format!("{}/{}/eksa-system", config.path, prepared.name());
    let mut files = vec![
        (format!("{cluster}/eksa-cluster.yaml"), prepared.spec.to_yaml()),
        (format!("{cluster}/kustomization.yaml"), kustomization(None, &["eksa-cluster.yaml"], Vec::new())),
    ];
    if prepared.cluster().is_self_managed() {
        let flux = format!("{}/{}", config.path, config.namespace);
        let patches = CONTROLLERS.iter().filter_map(|(name, place)| {
            Some(patch(&config.namespace, name, prepared.view.management_image(place)?.as_str()))
        });
        let resources = ["gotk-components.yaml", "gotk-sync.yaml"];
        let text = kustomization(Some(&config.namespace), &resources, patches.collect());
        files.push((format!("{flux}/kustomization.yaml"), text));
        files.push((format!("{flux}/gotk-sync.yaml"), String::new()));
    }
    files
}

fn kustomization(namespace: Option<&str>, resources: &[&str], patches: Vec<String>) -> String {
    let mut text = String::from("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
    if let Some(namespace) = namespace {
        let _ = writeln!(text, "namespace: {namespace}");
    }
    text.push_str("resources:\n");
    for resource in resources {
        let _ = writeln!(text, "- {resource}");
    }
    if !patches.is_empty() {
        text.push_str("patches:\n");
        for patch in patches {
            text.push_str("- patch: |-\n");
            for line in patch.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    text
}

/// A deployment with the image of the release.
fn patch(namespace: &str, name: &str, image: &str) -> String {
    let object: Value = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [{"image": image, "name": "manager"}]}}},
    });
    kedge_spec::yaml_document(&object).trim_start_matches("---\n").to_owned()
}
