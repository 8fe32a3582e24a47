//! Commands that touch nothing, on the specs of the repository.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod common;

use std::sync::Mutex;

use kedge_workflow::{Event, Reporter, Silent, WorkflowError, commands};

use common::Wanted::{Small, Stacked};
use common::{ALL, options, spec, spec_text};

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Reporter for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test]
async fn each_spec_validates_and_renders_to_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    for wanted in ALL {
        let spec = &spec(wanted);
        let options = options(home.path(), spec, &spec_text(spec));
        let valid =
            commands::validate(&options, &Silent).await.unwrap_or_else(|e| panic!("{spec}: {}", common::words(&e)));
        assert!(valid.kubernetes_version.starts_with("v1."), "{}", valid.kubernetes_version);
        let first =
            commands::render(&options, &Silent).await.unwrap_or_else(|e| panic!("{spec}: {}", common::words(&e)));
        let second = commands::render(&options, &Silent).await.unwrap();
        assert_eq!(first, second);
        assert!(first.yaml.contains("kind: KubeadmControlPlane"), "{spec}");
        assert!(!first.files.is_empty());
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing is written");
}

#[tokio::test]
async fn all_findings_come_at_once() {
    let home = tempfile::tempdir().unwrap();
    let spec = spec_text(&spec(Small)).replace("192.168.0.0/16", "nonsense").replace("10.96.0.0/12", "10.96.0.0/99");
    let error = commands::validate(&options(home.path(), "spec.yaml", &spec), &Silent).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let errors: Vec<_> = error.diagnostics().iter().filter(|d| d.is_error()).collect();
    assert!(errors.len() >= 2, "{}", common::words(&error));
    assert!(errors.iter().all(|d| d.line > 1), "each points into the file");
}

#[tokio::test]
async fn a_datacenter_that_no_plugin_claims() {
    let home = tempfile::tempdir().unwrap();
    let spec = spec_text(&spec(Small)).replace("DatacenterConfig", "MarsConfig");
    let error = commands::validate(&options(home.path(), "x.yaml", &spec), &Silent).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let text = common::words(&error);
    assert!(text.contains("MarsConfig") && text.contains("no plugin"), "{text}");
}

#[tokio::test]
async fn a_create_without_credentials_touches_nothing() {
    let home = tempfile::tempdir().unwrap();
    let spec = spec(Stacked);
    let mut options = options(home.path(), &spec, &spec_text(&spec));
    options.bootstrap = Some(common::existing());
    let heard = std::sync::Arc::new(Heard::default());
    let error = commands::create(&options, heard.clone()).await.unwrap_err();
    assert!(matches!(error, WorkflowError::Credentials { .. }), "{}", common::words(&error));
    assert_eq!(error.exit_code(), 4);
    assert!(heard.0.lock().unwrap().iter().all(|e| e.document_line().is_none()));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_release_without_a_network_is_refused_before_anything_is_touched() {
    let home = tempfile::tempdir().unwrap();
    let mut options = options(home.path(), "spec.yaml", &spec_text(&spec(Small)));
    options.bootstrap = Some(common::existing());
    let bundles = options.embedded.get_mut(&options.release).unwrap();
    *bundles = bundles.replace("embedded:cilium.yaml", "");
    let error = commands::create(&options, std::sync::Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("neither a chart nor manifests of `cilium`"), "{}", common::words(&error));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_bootstrap_cluster_nothing_can_be_created() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path(), "spec.yaml", &spec_text(&spec(Small)));
    let error = commands::create(&options, std::sync::Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.help_text().unwrap().contains("--bootstrap-kubeconfig"));
}

#[tokio::test]
async fn what_is_generated_is_a_spec() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path(), "spec.yaml", &spec_text(&spec(Small)));
    let provider = &commands::validate(&options, &Silent).await.unwrap().provider.name;
    let spec = commands::generate(&options, provider, "prod", None).await.unwrap().yaml;
    let valid = commands::validate(&common::options(home.path(), "prod.yaml", &spec), &Silent).await;
    assert_eq!(valid.unwrap_or_else(|e| panic!("{}", common::words(&e))).cluster, "prod");
    let error = commands::generate(&options, "mars", "prod", None).await.unwrap_err();
    assert!(error.help_text().unwrap().contains(&format!("`{provider}`")));
    for name in ["", "Prod", "-a", "a-", "0a", &"a".repeat(36)] {
        assert_eq!(commands::generate(&options, provider, name, None).await.unwrap_err().exit_code(), 3, "{name}");
    }
}

/// The release of upstream parts, as it is in the repository.
#[tokio::test]
async fn the_upstream_release_renders_kubernetes_itself() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../releases/upstream");
    let home = tempfile::tempdir().unwrap();
    let name = &spec(Stacked);
    let text = spec_text(name);
    let version = text.lines().find(|line| line.trim_start().starts_with("kubernetesVersion:")).unwrap().trim();
    let mut options = options(home.path(), name, &text.replace(version, "kubernetesVersion: \"1.34\""));
    options.release = folder.join("bundles.yaml").display().to_string();
    let rendered = commands::render(&options, &Silent).await;
    let yaml = rendered.unwrap_or_else(|e| panic!("{}", common::words(&e))).yaml;
    assert!(yaml.contains("version: v1.34.8\n") && yaml.contains("imageRepository: registry.k8s.io"), "{yaml}");
    assert!(!yaml.contains("-eks-") && !yaml.contains("managedExternalEtcdRef"), "{yaml}");
}
