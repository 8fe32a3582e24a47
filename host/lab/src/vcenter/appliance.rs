//! Machine configs that name no template: a create would import the release's appliance for Bottlerocket. Nothing is
//! fetched here, so the template that it would make is there already.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::behaviour::yaml;
use crate::release;

/// The documents, with the template of the embedded release where one is left out.
pub(crate) fn filled_in(documents: &[Value]) -> Vec<Value> {
    let mut filled = documents.to_vec();
    let wanted = |document: &Value| {
        let text = |at: &str| document.pointer(at).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let system = text("/spec/osFamily");
        text("/kind") == "VSphereMachineConfig"
            && text("/spec/template").is_empty()
            && (system.is_empty() || system == "bottlerocket")
    };
    if !filled.iter().any(wanted) {
        return filled;
    }
    let version = documents.iter().find_map(|document| document.pointer("/spec/kubernetesVersion")?.as_str());
    let Some(name) = version.and_then(|version| names().remove(version)) else { return filled };
    for document in filled.iter_mut().filter(|document| wanted(document)) {
        if let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("template".to_owned(), json!(format!("Templates/{name}")));
        }
    }
    filled
}

/// The names that EKS Anywhere gives such templates, by Kubernetes version.
fn names() -> BTreeMap<String, String> {
    let bundles = yaml::documents(release::embedded().bundles_yaml).unwrap_or_default();
    let versions = bundles.iter().filter_map(|one| one.pointer("/spec/versionsBundles")?.as_array()).flatten();
    versions
        .filter_map(|version| {
            let text = |at: &str| version.pointer(at).and_then(Value::as_str);
            let arch = version.pointer("/eksD/ova/bottlerocket/arch")?.as_array()?;
            let arch: Vec<&str> = arch.iter().filter_map(Value::as_str).collect();
            let sum: String = text("/eksD/ova/bottlerocket/sha256")?.chars().take(7).collect();
            let (kubernetes, release) = (text("/eksD/kubeVersion")?, text("/eksD/name")?);
            Some((
                text("/kubeVersion")?.to_owned(),
                format!("bottlerocket-{kubernetes}-{release}-{}-{sum}", arch.join("-")),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_is_left_out_is_the_releases() {
        let cluster = json!({"kind": "Cluster", "spec": {"kubernetesVersion": "1.34"}});
        let machine = |spec: Value| json!({"kind": "VSphereMachineConfig", "spec": spec});
        let documents =
            [cluster, machine(json!({})), machine(json!({"osFamily": "ubuntu"})), machine(json!({"template": "t"}))];
        let filled = filled_in(&documents);
        let name = filled[1]["spec"]["template"].as_str().unwrap();
        assert!(name.starts_with("Templates/bottlerocket-v1.34.") && name.ends_with("-amd64-0000000"), "{name}");
        assert_eq!(filled[2..], documents[2..]);
    }
}
