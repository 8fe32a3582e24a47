//! GitOps in a whole create: a real git and its repository, and a flux that writes down what it was told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use kedge_bootstrap::service::Service;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::{ObjectId, TypeRef, kinds};
use kedge_lab::{Lab, LabOptions};
use kedge_workflow::{Event, Options, Reporter, commands};
use serde_json::{Value, json};

use common::Wanted::Small;
use common::{spec, spec_text, words};

const URL: &str = "https://github.com/acme/clusters.git";

/// Does on the cluster what flux would do there, as soon as flux was called.
struct Flux {
    home: PathBuf,
    kubeconfig: PathBuf,
    lines: Mutex<Vec<String>>,
}

impl Reporter for Flux {
    fn event(&self, event: Event) {
        if let Some(line) = event.document_line() {
            self.lines.lock().unwrap().push(line);
        }
        if matches!(&event, Event::StepStarted { id, .. } if id == "gitops") {
            let (said, kubeconfig) = (self.home.join("flux.said"), self.kubeconfig.clone());
            tokio::spawn(async move {
                for _ in 0..600 {
                    if said.exists() {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                installed(&kubeconfig).await;
                std::fs::write(said.with_extension("done"), "").unwrap();
            });
        }
    }
}

/// The two objects that say what Flux follows, and their kinds.
async fn installed(kubeconfig: &Path) {
    let api = Api::from_kubeconfig(&std::fs::read_to_string(kubeconfig).unwrap()).await.unwrap();
    let put = async |object: Value| {
        api.apply_one(&object, "flux", Apply { force: true, dry_run: false }).await.unwrap();
    };
    put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}})).await;
    for (group, kind, plural) in [
        ("source.toolkit.fluxcd.io", "GitRepository", "gitrepositories"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations"),
    ] {
        put(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
            },
        }))
        .await;
        for _ in 0..200 {
            if api.serves(&TypeRef::new(format!("{group}/v1"), kind)).await.unwrap() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let named = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "flux-system", "namespace": "flux-system"}, "spec": spec});
    put(named("source.toolkit.fluxcd.io/v1", "GitRepository", json!({"ref": {"branch": "gitops"}}))).await;
    put(named("kustomize.toolkit.fluxcd.io/v1", "Kustomization", json!({"path": "./fleet/one"}))).await;
}

fn program(home: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = home.join("bin").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn git() -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    std::env::split_paths(&path).map(|f| f.join("git")).find(|f| f.is_file()).unwrap_or_else(|| panic!("git is needed"))
}

fn shown(home: &Path, file: &str) -> String {
    let shown = std::process::Command::new(git())
        .args(["--git-dir", "clusters.git", "show", &format!("gitops:{file}")])
        .current_dir(home)
        .output()
        .unwrap();
    assert!(shown.status.success(), "{file}: {}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap()
}

/// The files of the branch.
fn listed(home: &Path) -> String {
    let listed = std::process::Command::new(git())
        .args(["--git-dir", "clusters.git", "ls-tree", "-r", "--name-only", "gitops"])
        .current_dir(home)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_ends_with_flux_and_the_cluster_s_files_in_git() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let text = spec_text(&spec(Small)).replacen(
        "  kubernetesVersion:",
        "  gitOpsRef: {kind: FluxConfig, name: fleet}\n  kubernetesVersion:",
        1,
    );
    let text = format!(
        "{text}\n---\napiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: FluxConfig\nmetadata: {{name: fleet}}\nspec:\n  \
         branch: gitops\n  clusterConfigPath: fleet/one\n  github: {{owner: acme, repository: clusters, personal: true}}\n"
    );
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", text.as_str())).unwrap();
    let name =
        documents.iter().find(|d| d["kind"] == "Cluster").unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let lab = Lab::start(LabOptions { documents, speed: f64::INFINITY, ..LabOptions::default() }).await.unwrap();
    let connection = lab.connection().clone();
    let mut options = common::options(home, "spec.yaml", &text);
    options.bootstrap =
        Some(Arc::new(Service::new(&connection.url, connection.token.clone(), &connection.ca_pem).unwrap()));
    let with = |options: &mut Options, token: Option<&'static str>| {
        let (credentials, path) = (connection.credentials.clone(), home.join("bin").display().to_string());
        options.environment = Arc::new(move |name| match name {
            "PATH" => Some(path.clone()),
            "EKSA_GITHUB_TOKEN" => token.map(str::to_owned),
            other => credentials.get(other).cloned(),
        });
    };
    let kubeconfig = home.join(&name).join(format!("{name}-eks-a-cluster.kubeconfig"));
    let flux = Arc::new(Flux { home: home.to_owned(), kubeconfig, lines: Mutex::default() });

    // What is missing is told before anything is touched.
    with(&mut options, None);
    let refused = async |options: &Options, expected: &str| {
        let error = commands::create(options, flux.clone()).await.unwrap_err();
        assert!(words(&error).contains(expected), "{}", words(&error));
        assert_eq!(error.exit_code(), 4);
        assert!(!home.join(&name).exists(), "nothing stays");
    };
    refused(&options, "`EKSA_GITHUB_TOKEN` is not set").await;
    with(&mut options, Some("ghp_secret"));
    refused(&options, "`flux` is needed and not in PATH").await;
    let said = home.join("flux.said").display().to_string();
    program(
        home,
        "flux",
        &format!(
            "printf '%s\\n' \"$@\" >{said}; while [ ! -e {home}/flux.done ]; do sleep 0.1; done",
            home = home.display()
        ),
    );
    refused(&options, "`git` is needed and not in PATH").await;

    let bare = home.join("clusters.git");
    program(home, "git", &format!("exec {} -c url.{}.insteadOf={URL} \"$@\"", git().display(), bare.display()));
    let made = std::process::Command::new(git()).args(["init", "--quiet", "--bare"]).arg(&bare).status().unwrap();
    assert!(made.success());
    commands::create(&options, flux.clone()).await.unwrap_or_else(|e| panic!("{}", words(&e)));

    let told = std::fs::read_to_string(home.join("flux.said")).unwrap();
    assert!(told.starts_with("bootstrap\ngithub\n--owner\nacme\n") && !told.contains("ghp_secret"), "{told}");
    let spec = shown(home, &format!("fleet/one/{name}/eksa-system/eksa-cluster.yaml"));
    assert!(spec.contains("kind: FluxConfig") && spec.contains("gitOpsRef"), "{spec}");
    let kustomization = shown(home, &format!("fleet/one/{name}/eksa-system/kustomization.yaml"));
    assert!(kustomization.contains("- eksa-cluster.yaml\n"));
    let patched = shown(home, "fleet/one/flux-system/kustomization.yaml");
    assert!(patched.contains("- gotk-components.yaml\n") && patched.contains("name: source-controller"), "{patched}");
    assert!(patched.contains("image: public.ecr.aws/"), "{patched}");
    assert_eq!(shown(home, "fleet/one/flux-system/gotk-sync.yaml"), "");

    // The EKS-A controller has what it needs, and is in charge.
    let api = Api::from_kubeconfig(&std::fs::read_to_string(&flux.kubeconfig).unwrap()).await.unwrap();
    let get = async |version: &str, kind: &str, namespace: &str, name: &str| {
        let id = ObjectId::namespaced(TypeRef::new(version, kind), namespace, name);
        api.get(&id).await.unwrap().unwrap_or_else(|| panic!("there is no {id}"))
    };
    let group = "anywhere.eks.amazonaws.com/v1alpha1";
    let cluster = get(group, "Cluster", "default", &name).await;
    let annotations = &cluster["metadata"]["annotations"];
    let version = cluster["spec"]["eksaVersion"].as_str().unwrap();
    assert_eq!(annotations["anywhere.eks.amazonaws.com/management-components-version"], version);
    assert_eq!(annotations.get("anywhere.eks.amazonaws.com/paused"), None);
    assert_eq!(annotations.get("anywhere.eks.amazonaws.com/managed-by-cli"), None);
    get(group, "FluxConfig", "default", "fleet").await;
    let release = get(group, "EKSARelease", "eksa-system", &format!("eksa-{}", version.replace('.', "-"))).await;
    let bundles = get(group, "Bundles", "eksa-system", release["spec"]["bundlesRef"]["name"].as_str().unwrap()).await;
    for bundle in bundles["spec"]["versionsBundles"].as_array().unwrap() {
        get("distro.eks.amazonaws.com/v1alpha1", "Release", "eksa-system", bundle["eksD"]["name"].as_str().unwrap())
            .await;
    }
    let images = ObjectId::namespaced(kinds::CONFIG_MAP, "eksa-system", "in-place-upgrade");
    assert!(api.get(&images).await.unwrap().unwrap()["data"].is_object());

    let again = commands::create(&options, flux.clone()).await.unwrap();
    assert!(again.already, "{:?}", again.steps);

    // A cluster that it manages has its files beside, and needs no Flux of its own.
    std::fs::remove_file(home.join("flux.said")).unwrap();
    let managed = text
        .replace(&format!("name: {name}"), "name: w01")
        .replace("managementCluster:\n    name: w01", &format!("managementCluster:\n    name: {name}"))
        .replace("name: fleet", "name: fleet-w01");
    let mut workload = options.clone();
    workload.spec = Some(kedge_workflow::SpecInput::Text { name: "w01.yaml".into(), text: managed });
    commands::create(&workload, flux.clone()).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    assert!(shown(home, "fleet/one/w01/eksa-system/eksa-cluster.yaml").contains("name: w01"));
    assert!(!home.join("flux.said").exists(), "flux was not called");
    assert!(commands::create(&workload, flux.clone()).await.unwrap().already);
    let cluster = get(group, "Cluster", "default", "w01").await;
    assert_eq!(cluster["spec"]["managementCluster"]["name"], name);
    flux.lines.lock().unwrap().clear();
    commands::delete(&workload, Some("w01"), flux.clone()).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    let lines = flux.lines.lock().unwrap().clone();
    let expected =
        ["Performing setup and validations", "Deleting workload cluster", "Clean up Git Repo", "🎉 Cluster deleted!"];
    assert_eq!(lines, expected);
    assert!(!listed(home).contains("w01"), "{}", listed(home));
    assert!(listed(home).contains(&format!("fleet/one/{name}/")), "{}", listed(home));
    let id = ObjectId::namespaced(TypeRef::new(group, "Cluster"), "default", "w01");
    assert!(api.get(&id).await.unwrap().is_none(), "nothing of it is left on its management cluster");

    // A rehearsal leaves the repository alone.
    let mut rehearsal = options.clone();
    rehearsal.rehearsal = true;
    with(&mut rehearsal, None);
    assert!(commands::create(&rehearsal, flux.clone()).await.unwrap().already);

    commands::delete(&options, Some(&name), flux.clone()).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    assert_eq!(listed(home), "", "the repository is as it was");
    lab.stop().await;
}
