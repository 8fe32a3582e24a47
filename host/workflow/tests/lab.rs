//! A whole create and delete on the lab.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use kedge_bootstrap::service::Service;
use kedge_bootstrap::{Driver, Identity};
use kedge_lab::{Lab, LabOptions};
use kedge_workflow::{
    EndpointOverride, Event, Interrupt, Interrupter, Options, Reporter, SpecInput, WorkflowError, commands,
};

use common::Wanted::{External, Small, Stacked};
use common::{Wanted, spec, spec_text, words};

/// The lines of the cluster creation workflow document, with the provider's checks left out.
const TRANSCRIPT: &str = include_str!("transcript.txt");

#[derive(Default)]
struct Heard {
    events: Mutex<Vec<Event>>,
    /// Asks the run to stop when this step begins, or an object of this kind is awaited.
    stop_at: Mutex<Option<(&'static str, Interrupter)>>,
    /// After so many events the run is dropped where it stands, as a kill would do.
    dies_after: Mutex<Option<usize>>,
    dead: tokio::sync::Notify,
}

impl Reporter for Heard {
    fn event(&self, event: Event) {
        if let Some(left) = &mut *self.dies_after.lock().unwrap() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.dead.notify_one();
            }
        }
        if let Some((place, interrupter)) = &*self.stop_at.lock().unwrap() {
            match &event {
                Event::StepStarted { id, .. } if id == place => interrupter.interrupt(),
                Event::Waiting { object, .. } if object.starts_with(place) => interrupter.interrupt(),
                _ => {}
            }
        }
        if std::env::var_os("KEDGE_TEST_VERBOSE").is_some() {
            eprintln!("{event:?}");
        }
        self.events.lock().unwrap().push(event);
    }
}

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.events.lock().unwrap().iter().filter_map(Event::document_line).collect()
    }

    fn worked(&self) -> Vec<String> {
        let done = |e: &Event| match e {
            Event::StepDone { id, already: false, .. } => Some(id.clone()),
            _ => None,
        };
        self.events.lock().unwrap().iter().filter_map(done).collect()
    }
}

async fn lab(spec: &str) -> Lab {
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", spec_text(spec))).unwrap();
    Lab::start(LabOptions { documents, speed: f64::INFINITY, ..LabOptions::default() }).await.unwrap()
}

fn options(home: &Path, spec: &str, lab: &Lab) -> Options {
    let connection = lab.connection().clone();
    let mut options = common::options(home, spec, &spec_text(spec));
    options.endpoints = connection
        .endpoints
        .iter()
        .map(|(server, at)| (server.clone(), EndpointOverride { address: at.address, ca_pem: at.ca_pem.clone() }))
        .collect();
    options.bootstrap = Some(Arc::new(driver(lab)));
    options.timeouts.pivot = std::time::Duration::from_mins(1);
    let credentials = connection.credentials;
    options.environment = Arc::new(move |name| credentials.get(name).cloned());
    options
}

fn driver(lab: &Lab) -> Service {
    let connection = lab.connection();
    Service::new(&connection.url, connection.token.clone(), &connection.ca_pem).unwrap()
}

fn identity(cluster: &str) -> Identity {
    Identity { cluster: cluster.to_owned(), owner: "the test".to_owned(), folder: cluster.to_owned() }
}

fn cluster(spec: &str) -> String {
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", spec_text(spec))).unwrap();
    let cluster = documents.iter().find(|d| d["kind"] == "Cluster").unwrap();
    cluster["metadata"]["name"].as_str().unwrap().to_owned()
}

async fn create(options: &Options, heard: &Arc<Heard>) -> kedge_workflow::outcome::CreateOutcome {
    commands::create(options, heard.clone()).await.unwrap_or_else(|e| panic!("{}\n{}", words(&e), found(&e)))
}

async fn creates(wanted: Wanted) {
    let spec = &spec(wanted);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let options = options(home.path(), spec, &lab);
    let heard = Arc::new(Heard::default());
    let outcome = create(&options, &heard).await;
    assert!(!outcome.already && outcome.kubeconfig.exists());
    let lines = heard.lines();
    let checks: Vec<_> = lines.iter().skip(1).take_while(|l| l.starts_with('✅')).cloned().collect();
    let without: Vec<_> = lines.iter().filter(|l| !checks.contains(l)).cloned().collect();
    assert_eq!(without, TRANSCRIPT.lines().collect::<Vec<_>>());
    assert!(checks.last().unwrap().ends_with(" Provider setup is valid"), "{checks:?}");
    assert!(driver(&lab).find(&identity(&name)).await.unwrap().is_none(), "the bootstrap cluster is gone");
    let folder = home.path().join(&name);
    assert!(folder.join(format!("{name}-eks-a-cluster.yaml")).exists());
    assert_no_secrets(&folder, &lab);

    let described = commands::describe(&options, &name, heard.as_ref()).await.unwrap();
    assert_eq!(described.managed_by.as_deref(), Some("itself"), "{:?}", described.gaps);
    assert!(!described.nodes.is_empty() && described.nodes.iter().all(|n| n.ready), "{:?}", described.nodes);
    assert!(!described.tree.unwrap().children.is_empty());

    let again = create(&options, &Arc::new(Heard::default())).await;
    assert!(again.already && again.steps.is_empty(), "{:?}", again.steps);
    lab.stop().await;
}

/// Passwords are in no file below the folder.
fn assert_no_secrets(folder: &Path, lab: &Lab) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_secrets(&path, lab);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (name, value) in &lab.connection().credentials {
            assert!(!name.contains("PASSWORD") || !text.contains(value.as_str()), "{name} is in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_stacked_etcd() {
    creates(Stacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_external_etcd() {
    creates(External).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_cluster() {
    creates(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_at_each_step_the_same_command_goes_on() {
    let spec = &spec(Small);
    let home = tempfile::tempdir().unwrap();
    let lab = lab(spec).await;
    let ids = [
        "bootstrap-cluster",
        "cluster-api-bootstrap",
        "provider-setup",
        "workload-cluster",
        "networking",
        "cluster-api-workload",
        "eksa-components",
        "delete-bootstrap",
    ];
    let mut worked: Vec<String> = Vec::new();
    for id in ids {
        let heard = Arc::new(Heard::default());
        let mut options = options(home.path(), spec, &lab);
        let (interrupter, interrupt) = Interrupt::new();
        options.interrupt = interrupt;
        *heard.stop_at.lock().unwrap() = Some((id, interrupter));
        let error = commands::create(&options, heard.clone()).await.unwrap_err();
        assert!(matches!(error, WorkflowError::Interrupted { .. }), "{id}: {}", words(&error));
        assert_eq!(error.exit_code(), 130);
        worked.extend(heard.worked());
    }
    let heard = Arc::new(Heard::default());
    create(&options(home.path(), spec, &lab), &heard).await;
    worked.extend(heard.worked());
    worked.retain(|id| id != "setup-validate");
    let mut once = worked.clone();
    once.dedup();
    assert_eq!(worked, once, "no step is done twice");
    assert_eq!(worked.last().map(String::as_str), Some("delete-bootstrap"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_spec_is_refused_in_the_middle() {
    let spec = &spec(Small);
    let home = tempfile::tempdir().unwrap();
    let lab = lab(spec).await;
    let mut stopped = options(home.path(), spec, &lab);
    let (interrupter, interrupt) = Interrupt::new();
    stopped.interrupt = interrupt;
    let heard = Arc::new(Heard::default());
    *heard.stop_at.lock().unwrap() = Some(("workload-cluster", interrupter));
    commands::create(&stopped, heard).await.unwrap_err();

    let mut changed = options(home.path(), spec, &lab);
    let text = spec_text(spec).replace("192.168.0.0/16", "192.168.0.0/17");
    changed.spec = Some(kedge_workflow::SpecInput::Text { name: spec.clone(), text });
    let error = commands::create(&changed, Arc::new(Heard::default())).await.unwrap_err();
    assert!(matches!(&error, WorkflowError::Changed { what, .. } if what == "the spec"), "{}", words(&error));
    assert_eq!(error.exit_code(), 3);
    assert!(error.help_text().unwrap().contains("kedge delete cluster"));
    create(&options(home.path(), spec, &lab), &Arc::new(Heard::default())).await;
    lab.stop().await;
}

async fn deletes(wanted: Wanted, stop_create_at: Option<&'static str>) {
    let spec = &spec(wanted);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let mut creating = options(home.path(), spec, &lab);
    let heard = Arc::new(Heard::default());
    match stop_create_at {
        None => drop(create(&creating, &heard).await),
        Some(step) => {
            let (interrupter, interrupt) = Interrupt::new();
            creating.interrupt = interrupt;
            *heard.stop_at.lock().unwrap() = Some((step, interrupter));
            commands::create(&creating, heard).await.unwrap_err();
        }
    }
    let heard = Arc::new(Heard::default());
    let mut deleting = options(home.path(), spec, &lab);
    deleting.timeouts.deletion = std::time::Duration::from_mins(1);
    let outcome = commands::delete(&deleting, Some(&name), heard.clone()).await;
    let outcome = outcome.unwrap_or_else(|e| panic!("{stop_create_at:?}: {}\n{}", words(&e), found(&e)));
    assert_eq!(heard.lines().last().unwrap(), "🎉 Cluster deleted!", "{outcome:?}");
    assert!(!home.path().join(&name).exists(), "nothing stays");
    assert!(driver(&lab).find(&identity(&name)).await.unwrap().is_none());
    let error = commands::delete(&deleting, Some(&name), Arc::new(Heard::default())).await.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{}", words(&error));
    lab.stop().await;
}

/// What the diagnosis of a failed step found.
fn found(error: &WorkflowError) -> String {
    let WorkflowError::Step { diagnosis: Some(path), .. } = error else { return String::new() };
    std::fs::read_to_string(path.join("bootstrap-conditions.txt")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_cluster_is_deleted() {
    deletes(Small, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_made_clusters_are_deleted() {
    for step in ["bootstrap-cluster", "provider-setup", "EtcdadmCluster", "networking", "move", "eksa-components"] {
        deletes(Small, Some(step)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_nothing() {
    let spec = &spec(Stacked);
    let home = tempfile::tempdir().unwrap();
    let lab = lab(spec).await;
    let mut options = options(home.path(), spec, &lab);
    options.dry_run = true;
    let heard = Arc::new(Heard::default());
    let outcome = create(&options, &heard).await;
    assert!(outcome.dry_run && outcome.steps.len() == 13);
    assert!(
        outcome.steps.iter().any(|s| s.touches.iter().any(|t| t.contains("KubeadmControlPlane"))),
        "{:?}",
        outcome.steps
    );
    assert!(heard.lines().last().unwrap().ends_with(" Provider setup is valid"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(driver(&lab).find(&identity(&cluster(spec))).await.unwrap().is_none());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_preflight_leaves_nothing() {
    let spec = &spec(Stacked);
    let home = tempfile::tempdir().unwrap();
    let lab = lab(spec).await;
    let mut wrong = options(home.path(), spec, &lab);
    wrong.environment = Arc::new(|name| Some(format!("wrong {name}")));
    let heard = Arc::new(Heard::default());
    let error = commands::create(&wrong, heard.clone()).await.unwrap_err();
    assert!(matches!(error, WorkflowError::Preflight { .. }), "{}", words(&error));
    assert_eq!(error.exit_code(), 4);
    let lines = heard.lines();
    assert_eq!(lines.first().unwrap(), "Performing setup and validations");
    assert!(!lines.iter().any(|l| l.ends_with("setup is valid")), "{lines:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(driver(&lab).find(&identity(&cluster(spec))).await.unwrap().is_none());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_that_is_over_is_begun_anew() {
    let (home, spec) = (tempfile::tempdir().unwrap(), &spec(Small));
    for _ in 0..2 {
        let lab = lab(spec).await;
        let mut options = options(home.path(), spec, &lab);
        options.ephemeral = true;
        assert!(!create(&options, &Arc::new(Heard::default())).await.already);
        lab.stop().await;
    }
    let lab = lab(spec).await;
    let deleting = options(home.path(), spec, &lab);
    commands::delete(&deleting, Some(&cluster(spec)), Arc::new(Heard::default()))
        .await
        .unwrap_or_else(|e| panic!("{}", words(&e)));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_ends_in_the_same_cluster() {
    let spec = &spec(External);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let options = options(home.path(), spec, &lab);
    let mut kills = 0;
    // Each run gets a little further than the one before; the odd steps keep the moments from falling on one place.
    for patience in (1..).map(|n| 3 + n * 7 % 40 + n) {
        let heard = Arc::new(Heard::default());
        *heard.dies_after.lock().unwrap() = Some(patience);
        let done = tokio::select! {
            biased;
            () = heard.dead.notified() => None,
            outcome = commands::create(&options, heard.clone()) => Some(outcome),
        };
        match done {
            None => kills += 1,
            Some(Ok(_)) => break,
            Some(Err(e)) => panic!("after {kills} kills: {}\n{}", words(&e), found(&e)),
        }
        assert!(kills < 200, "it never gets to the end");
    }
    assert!(kills > 5, "only {kills} kills: the test tests nothing");
    let described = commands::describe(&options, &name, &Heard::default()).await.unwrap();
    assert_eq!(described.nodes.len(), 4, "{:?}", described.nodes);
    let mut machines = 0;
    let mut nodes = vec![described.tree.unwrap()];
    while let Some(node) = nodes.pop() {
        machines += usize::from(node.kind == "Machine");
        nodes.extend(node.children);
    }
    assert_eq!(machines, 7, "every machine once");
    assert!(driver(&lab).find(&identity(&name)).await.unwrap().is_none());
    assert!(create(&options, &Arc::new(Heard::default())).await.already);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_bootstrap_cluster_is_used_and_left_as_it_is() {
    let spec = &spec(External);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let kubeconfig = driver(&lab)
        .create(&identity("shared"), &kedge_bootstrap::Wanted::default(), &kedge_bootstrap::Silent)
        .await
        .unwrap()
        .kubeconfig;
    let mut options = options(home.path(), spec, &lab);
    options.bootstrap = Some(Arc::new(kedge_bootstrap::existing::Existing::new("shared", &kubeconfig).unwrap()));
    let heard = Arc::new(Heard::default());
    create(&options, &heard).await;
    let lines = heard.lines();
    let expected =
        TRANSCRIPT.lines().filter(|l| !["Creating new bootstrap cluster", "Deleting bootstrap cluster"].contains(l));
    assert_eq!(lines.iter().filter(|l| !l.starts_with('✅')).collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    let shared = kedge_cluster_api::api::Api::from_kubeconfig(&kubeconfig).await.unwrap();
    let kind = kedge_cluster_api::kinds::CLUSTER;
    let clusters = || shared.list(&kind, None, None);
    assert!(clusters().await.unwrap().is_empty(), "the objects live on the new cluster alone");
    let deleted = commands::delete(&options, Some(&name), Arc::new(Heard::default())).await;
    deleted.unwrap_or_else(|e| panic!("{}\n{}", words(&e), found(&e)));
    assert!(clusters().await.unwrap().is_empty());
    let secrets =
        shared.list(&kedge_cluster_api::kinds::SECRET, Some(kedge_cluster_api::NAMESPACE), None).await.unwrap();
    assert!(secrets.is_empty(), "{:?}", secrets.iter().map(|s| &s["metadata"]["name"]).collect::<Vec<_>>());
    assert!(!home.path().join(&name).exists());
    lab.stop().await;
}

/// Lets users of AWS IAM in, beside what the spec asks for otherwise.
fn with_aws_iam(options: &mut Options, spec: &str) {
    let text = spec_text(spec);
    let cluster = text.split("\n---").find(|part| part.contains("kind: Cluster\n")).unwrap();
    let reference = "spec:\n  identityProviderRefs: [{kind: AWSIamConfig, name: aws}]\n";
    let text = text.replace(cluster, &cluster.replacen("spec:\n", reference, 1));
    let document = "apiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: AWSIamConfig\nmetadata: {name: aws}\nspec: {awsRegion: eu-west-1, backendMode: [CRD]}\n";
    options.spec = Some(SpecInput::Text { name: spec.to_owned(), text: format!("{text}\n---\n{document}") });
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_aws_iam_get_a_kubeconfig_with_an_identity_that_stays() {
    use kedge_cluster_api::{NAMESPACE, ObjectId, api::Api, kinds};
    let spec = &spec(Small);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let kubeconfig = driver(&lab)
        .create(&identity("shared"), &kedge_bootstrap::Wanted::default(), &kedge_bootstrap::Silent)
        .await
        .unwrap()
        .kubeconfig;
    let mut options = options(home.path(), spec, &lab);
    options.bootstrap = Some(Arc::new(kedge_bootstrap::existing::Existing::new("shared", &kubeconfig).unwrap()));
    with_aws_iam(&mut options, spec);
    let heard = Arc::new(Heard::default());
    let outcome = create(&options, &heard).await;
    assert!(heard.lines().contains(&"Generating the aws iam kubeconfig file".to_owned()));

    let api = Api::from_kubeconfig(&std::fs::read_to_string(&outcome.kubeconfig).unwrap()).await.unwrap();
    let secret = async |name: String| api.get(&ObjectId::namespaced(kinds::SECRET, NAMESPACE, &name)).await.unwrap();
    let certificate = secret(format!("{name}-aws-iam-authenticator-ca")).await.expect("it moved along");
    assert!(certificate["data"]["cert.pem"].is_string() && certificate["data"]["key.pem"].is_string());
    assert!(secret(format!("{name}-aws-iam-kubeconfig")).await.is_some());
    let daemon = kedge_cluster_api::TypeRef::of("apps/v1", "DaemonSet");
    let daemon = api.get(&ObjectId::namespaced(daemon, "kube-system", "aws-iam-authenticator")).await.unwrap().unwrap();
    let container = &daemon["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["value"], "eu-west-1");

    let file = home.path().join(&name).join(format!("{name}-aws.kubeconfig"));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("command: aws-iam-authenticator"), "{written}");
    std::fs::remove_file(&file).unwrap();
    let again = create(&options, &Arc::new(Heard::default())).await;
    assert!(!again.already, "the kubeconfig is gone, and is written again");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written, "with the same identity");
    assert_eq!(secret(format!("{name}-aws-iam-authenticator-ca")).await.unwrap()["data"], certificate["data"]);
    assert!(create(&options, &Arc::new(Heard::default())).await.already);

    let deleted = commands::delete(&options, Some(&name), Arc::new(Heard::default())).await;
    deleted.unwrap_or_else(|e| panic!("{}\n{}", words(&e), found(&e)));
    let shared = Api::from_kubeconfig(&kubeconfig).await.unwrap();
    assert!(shared.list(&kinds::SECRET, Some(NAMESPACE), None).await.unwrap().is_empty());
    assert!(!home.path().join(&name).exists());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_says_itself_what_a_spec_would_change() {
    let spec = &spec(Stacked);
    let home = tempfile::tempdir().unwrap();
    let (lab, name) = (lab(spec).await, cluster(spec));
    let mut options = options(home.path(), spec, &lab);
    create(&options, &Arc::new(Heard::default())).await;

    let live = async |options: &Options| {
        let silent = Heard::default();
        let outcome = Box::pin(commands::diff(options, commands::Against::Live(None), &silent)).await;
        outcome.unwrap_or_else(|e| panic!("{}", words(&e)))
    };
    let same = live(&options).await;
    assert!(same.difference.is_empty() && same.refused.is_empty(), "{:#?}", same.difference);
    assert!(same.with.contains("https://"), "{}", same.with);

    // What somebody else changed is seen, other than in the folder's spec.
    let folder = home.path().join(&name);
    let kubeconfig = std::fs::read_to_string(folder.join(format!("{name}-eks-a-cluster.kubeconfig"))).unwrap();
    let api = kedge_cluster_api::api::Api::from_kubeconfig(&kubeconfig).await.unwrap();
    let deployments = kedge_cluster_api::kinds::MACHINE_DEPLOYMENT;
    let group = &api.list(&deployments, None, None).await.unwrap()[0];
    let group = group["metadata"]["name"].as_str().unwrap();
    let id = kedge_cluster_api::ObjectId::namespaced(deployments, kedge_cluster_api::NAMESPACE, group);
    api.patch(&id, &serde_json::json!({"metadata": {"annotations": {"example.com/theirs": "1"}}})).await.unwrap();
    api.patch(&id, &serde_json::json!({"spec": {"replicas": 7}})).await.unwrap();
    let drifted = live(&options).await.difference;
    let fields: Vec<_> = drifted.changed.iter().flat_map(|c| c.fields.iter().map(|f| f.path.as_str())).collect();
    assert_eq!(fields, ["spec.replicas"], "a field that nobody here sets is its setter's: {drifted:#?}");

    let text = spec_text(spec).replace("numCPUs: 2", "numCPUs: 4");
    assert_ne!(text, spec_text(spec));
    options.spec = Some(SpecInput::Text { name: spec.clone(), text });
    let bigger = live(&options).await.difference;
    assert_eq!(bigger.rolled.len(), 2, "{bigger:#?}");
    assert!(bigger.rolled[0].because[0].ends_with("numCPUs"), "{bigger:#?}");
    assert!(bigger.created.is_empty() && bigger.removed.is_empty(), "{bigger:#?}");
    lab.stop().await;
}
