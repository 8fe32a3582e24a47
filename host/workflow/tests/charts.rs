//! Cilium from a chart in a whole create, with a helm that writes down what it was told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod common;

use std::path::Path;
use std::sync::Arc;

use kedge_bootstrap::service::Service;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::{ObjectId, TypeRef, kinds};
use kedge_lab::{Lab, LabOptions, release};
use kedge_workflow::{Options, Silent, commands};

use common::Wanted::Small;
use common::{spec, spec_text, words};

/// The carried release with a chart of Cilium in place of its manifests, and mirrored images.
fn with_chart(options: &mut Options) {
    let bundles = format!("{}bundles.yaml", release::SCHEME);
    let text = &options.embedded[&bundles];
    let chart = "helmChart: {name: cilium-chart, uri: 'public.ecr.aws/eks/cilium/charts:1.18.4-0'}";
    let changed = text.replace("manifest: {uri: 'embedded:cilium.yaml'}", chart);
    assert_ne!(&changed, text, "the release has manifests of Cilium");
    options.embedded.insert(bundles, changed);
}

fn helm(home: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = home.join("bin/helm");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_becomes_the_cluster_s_network() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let text = spec_text(&spec(Small));
    assert!(text.contains("cilium: {}") || text.contains("policyEnforcementMode"), "{text}");
    let text = text.replace("cilium: {}", "cilium: {policyEnforcementMode: always, egressMasqueradeInterfaces: eth7}");
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", text.as_str())).unwrap();
    let name =
        documents.iter().find(|d| d["kind"] == "Cluster").unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let lab = Lab::start(LabOptions { documents, speed: f64::INFINITY, ..LabOptions::default() }).await.unwrap();
    let connection = lab.connection().clone();
    let mut options = common::options(home, "spec.yaml", &text);
    with_chart(&mut options);
    options.bootstrap =
        Some(Arc::new(Service::new(&connection.url, connection.token.clone(), &connection.ca_pem).unwrap()));
    let (credentials, path) = (connection.credentials, home.join("bin").display().to_string());
    options.environment = Arc::new(move |name| match name {
        "PATH" => Some(path.clone()),
        other => credentials.get(other).cloned(),
    });

    // What is missing or does not work is told before anything is touched.
    let error = commands::create(&options, Arc::new(Silent)).await.unwrap_err();
    assert!(words(&error).contains("`helm` is needed and not in PATH"), "{}", words(&error));
    assert_eq!(error.exit_code(), 4);
    helm(home, "echo 'Error: no such chart' >&2; exit 1");
    let error = commands::create(&options, Arc::new(Silent)).await.unwrap_err();
    assert!(words(&error).contains("no such chart"), "{}", words(&error));
    assert_eq!(error.exit_code(), 4);
    assert!(!home.join(&name).exists(), "nothing stays");

    let carried = release::embedded();
    let manifests = carried.file("embedded:cilium.yaml").unwrap();
    std::fs::write(home.join("cilium.yaml"), manifests).unwrap();
    helm(home, &format!("printf '%s\\n' \"$@\" >{0}/said; cat >{0}/values; cat {0}/cilium.yaml", home.display()));
    commands::create(&options, Arc::new(Silent)).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    let said = std::fs::read_to_string(home.join("said")).unwrap();
    assert!(said.contains("\noci://public.ecr.aws/eks/cilium/charts\n--version\n1.18.4-0\n"), "{said}");
    let values = std::fs::read_to_string(home.join("values")).unwrap();
    assert!(
        values.contains("policyEnforcementMode: always") && values.contains("egressMasqueradeInterfaces: eth7"),
        "{values}"
    );
    assert!(values.contains("repository: public.ecr.aws/"), "{values}");

    let kubeconfig = home.join(&name).join(format!("{name}-eks-a-cluster.kubeconfig"));
    let api = Api::from_kubeconfig(&std::fs::read_to_string(kubeconfig).unwrap()).await.unwrap();
    let config = ObjectId::namespaced(kinds::CONFIG_MAP, "kube-system", "cilium-config");
    assert!(api.get(&config).await.unwrap().is_some());
    for namespace in ["kube-system", "eksa-system", "capi-system", "cert-manager"] {
        let policy = TypeRef::new("networking.k8s.io/v1", "NetworkPolicy");
        let policy = ObjectId::namespaced(policy, namespace, &format!("allow-all-{namespace}"));
        assert!(api.get(&policy).await.unwrap().is_some(), "there is no {policy}");
    }
    lab.stop().await;
}
