//! The Docker driver against an engine that does what it is told to, faults included.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod engine;

use std::sync::{Arc, Mutex};

use engine::Engine;
use kedge_bootstrap::docker::{Docker, Trouble};
use kedge_bootstrap::{BootstrapError, Driver, Identity, NodeImage, Outcome, Progress, Silent, Wanted};
use serde_json::json;

const NODE: &str = "prod-eks-a-cluster-control-plane";

fn driver(engine: &Engine) -> Docker {
    let (socket, home) = (engine.socket().display().to_string(), engine.home().display().to_string());
    Docker::new(
        Arc::new(move |name| match name {
            "DOCKER_HOST" => Some(format!("unix://{socket}")),
            "HOME" => Some(home.clone()),
            _ => None,
        }),
        None,
    )
}

fn identity(owner: &str) -> Identity {
    Identity { cluster: "prod".into(), owner: owner.into(), folder: "/home/me/prod".into() }
}

fn wanted(image: &str, digest: Option<&str>) -> Wanted {
    let image = NodeImage { reference: image.into(), digest: digest.map(str::to_owned) };
    Wanted { image: Some(image), ..Wanted::default() }
}

/// Creates, and stops where kubeadm would begin: no fake makes a control plane.
async fn create(engine: &Engine) -> BootstrapError {
    engine.with(|s| s.programs.push(("kubeadm init", 1, "the end of the test")));
    driver(engine).create(&identity("me"), &wanted("node:1", None), &Silent).await.unwrap_err()
}

fn trouble(error: &BootstrapError) -> Trouble {
    match error {
        BootstrapError::Engine { trouble, .. }
        | BootstrapError::Image { trouble, .. }
        | BootstrapError::Node { trouble, .. } => *trouble,
        other => panic!("no trouble in {other}"),
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn waiting(&self, object: &str, sentence: &str) {
        self.0.lock().unwrap().push(format!("{object}: {sentence}"));
    }

    fn note(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.to_owned());
    }
}

#[tokio::test]
async fn a_node_is_started_and_given_its_configuration() {
    let engine = Engine::start();
    let heard = Heard::default();
    engine.with(|s| s.programs.push(("kubeadm init", 1, "[ERROR] no")));
    let error = driver(&engine).create(&identity("me"), &wanted("node:1", None), &heard).await.unwrap_err();
    assert!(error.to_string().contains("kubeadm init") && error.to_string().contains("[ERROR] no"), "{error}");
    assert_eq!(engine.asked("POST /networks/create"), 1);
    assert_eq!(engine.asked("POST /images/create"), 0, "an image that is there is not pulled");
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.iter().any(|l| l.contains("kubeadm") && l.contains("v1.34.1")), "{heard:?}");
    let body = engine.state.lock().unwrap().containers[NODE].0.clone();
    assert_eq!(body["HostConfig"]["Privileged"], true);
    assert_eq!(body["Labels"]["io.x-k8s.kind.cluster"], "prod-eks-a-cluster");
    let inputs = engine.state.lock().unwrap().inputs.clone();
    assert!(
        inputs.iter().any(|text| text.contains("ClusterConfiguration") && text.contains("172.18.0.2")),
        "{inputs:?}"
    );
}

#[tokio::test]
async fn without_privileges_a_node_gets_its_rights_one_by_one() {
    let engine = Engine::start();
    engine.fault(
        "POST /containers/prod-eks-a-cluster-control-plane/start",
        500,
        "OCI runtime create failed: runc create failed: unable to apply caps: operation not permitted: unknown",
    );
    create(&engine).await;
    let body = engine.state.lock().unwrap().containers[NODE].0.clone();
    assert_eq!(body["HostConfig"]["Privileged"], false);
    assert_eq!(body["HostConfig"]["CapDrop"], json!(["SYS_RESOURCE"]));
    let entrypoint = body["Entrypoint"].as_array().unwrap();
    assert_eq!(entrypoint[entrypoint.len() - 2..], [json!("/entry"), json!("init")]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_replaced_and_then_said() {
    let engine = Engine::start();
    let start = "POST /containers/prod-eks-a-cluster-control-plane/start";
    engine.fault(start, 500, "Bind for 127.0.0.1:6443 failed: port is already allocated");
    create(&engine).await;
    assert_eq!(engine.asked(start), 2, "another port is tried");
    let engine = Engine::start();
    for _ in 0..9 {
        engine.fault(start, 500, "Bind for 127.0.0.1:6443 failed: port is already allocated");
    }
    let error = create(&engine).await;
    assert_eq!(trouble(&error), Trouble::PortTaken);
    assert!(error.remedy().contains("ss -ltnp"), "{}", error.remedy());
    assert!(engine.state.lock().unwrap().containers.is_empty(), "nothing is left of a container that did not start");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_with_its_remedy() {
    let driver = Docker::new(Arc::new(|n| (n == "DOCKER_HOST").then(|| "unix:///nonexistent/d.sock".into())), None);
    let error = driver.find(&identity("me")).await.unwrap_err();
    assert_eq!(trouble(&error), Trouble::Absent);
    assert!(error.to_string().contains("/nonexistent/d.sock"), "{error}");
    assert!(error.remedy().contains("systemctl start docker"), "{}", error.remedy());
    let checks = driver.check(&identity("me"), &Wanted::default()).await;
    assert!(matches!(&checks[..], [check] if matches!(check.outcome, Outcome::Failed(_))), "{checks:?}");
}

#[tokio::test]
async fn a_full_disk_and_a_lack_of_memory_are_told_apart() {
    for (status, message, expected) in [
        (500, "mkdir /var/lib/docker/overlay2/x: no space left on device", Trouble::DiskFull),
        (500, "fork/exec /usr/bin/containerd-shim: cannot allocate memory", Trouble::Memory),
        (500, "something that nobody knows", Trouble::Other),
    ] {
        let engine = Engine::start();
        engine.fault("POST /containers/create", status, message);
        let error = create(&engine).await;
        assert_eq!(trouble(&error), expected, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn an_image_that_can_not_be_had_is_said() {
    for (message, expected) in [
        ("manifest for node:9 not found: manifest unknown: manifest unknown", Trouble::ImageMissing),
        (
            "pull access denied for node, repository does not exist: denied: requested access to the resource is denied",
            Trouble::ImageForbidden,
        ),
    ] {
        let engine = Engine::start();
        engine.fault("POST /images/create", 404, message);
        let error = driver(&engine).create(&identity("me"), &wanted("node:9", None), &Silent).await.unwrap_err();
        assert!(matches!(&error, BootstrapError::Image { image, .. } if image == "node:9"), "{error}");
        assert_eq!(trouble(&error), expected);
        assert_eq!(engine.asked("POST /images/create"), 1, "an answer is an answer");
        assert_eq!(engine.asked("POST /containers/create"), 0);
    }
    let engine = Engine::start();
    for _ in 0..3 {
        engine.fault("POST /images/create", 500, "Get \"https://r/v2/\": dial tcp: i/o timeout");
    }
    let error = driver(&engine).create(&identity("me"), &wanted("node:9", None), &Silent).await.unwrap_err();
    assert_eq!((trouble(&error), engine.asked("POST /images/create")), (Trouble::RegistryUnreachable, 3));
}

#[tokio::test]
async fn an_image_is_pulled_with_progress_and_its_digest_compared() {
    let engine = Engine::start();
    let heard = Heard::default();
    let wanted = wanted("node:2", Some("sha256:bb"));
    let error = driver(&engine).create(&identity("me"), &wanted, &heard).await.unwrap_err();
    assert!(matches!(&error, BootstrapError::Digest { .. }), "{error}");
    assert!(error.remedy().contains("docker rmi node:2"), "{}", error.remedy());
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.iter().any(|l| l.starts_with("image node:2: downloading, 50 %")), "{heard:?}");
    assert_eq!(engine.asked("POST /containers/create"), 0, "nothing is made of another image");
}

#[tokio::test]
async fn the_clusters_of_others_are_left_alone() {
    let engine = Engine::start();
    create(&engine).await;
    let driver = driver(&engine);
    let other = identity("somebody else");
    let error = driver.create(&other, &wanted("node:1", None), &Silent).await.unwrap_err();
    assert!(matches!(&error, BootstrapError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains(NODE) && error.to_string().contains("/home/me/prod"), "{error}");
    assert!(!driver.remains(&other).await.unwrap());
    assert!(driver.find(&other).await.unwrap().is_none());
    driver.delete(&other).await.unwrap();
    let checks = driver.check(&other, &Wanted::default()).await;
    let taken = checks.iter().find(|c| c.id == "bootstrap-name").unwrap();
    assert!(matches!(&taken.outcome, Outcome::Failed(found) if found[0].code == "bootstrap-name-taken"), "{taken:?}");
    assert!(engine.state.lock().unwrap().containers.contains_key(NODE), "it is still there");
}

#[tokio::test]
async fn what_an_earlier_try_left_is_replaced_or_gone_on_with() {
    let engine = Engine::start();
    create(&engine).await;
    // Nothing is done on the node yet.
    engine.with(|s| s.programs = vec![("test -e", 1, ""), ("kubeadm init", 1, "again")]);
    let heard = Heard::default();
    driver(&engine).create(&identity("me"), &wanted("node:1", None), &heard).await.unwrap_err();
    assert_eq!(engine.asked("POST /containers/create"), 2);
    assert!(heard.0.into_inner().unwrap().iter().any(|l| l.starts_with("replacing `prod-")));
    // kubeadm is through.
    engine.with(|s| {
        s.programs = vec![("kedge-done", 1, ""), ("cat /etc/kubernetes/admin.conf", 1, "")];
        s.commands.clear();
    });
    let heard = Heard::default();
    let error = driver(&engine).create(&identity("me"), &wanted("node:1", None), &heard).await.unwrap_err();
    assert!(error.to_string().contains("kubeconfig"), "{error}");
    assert_eq!(engine.asked("POST /containers/create"), 2, "it is not made again");
    assert!(heard.0.into_inner().unwrap().iter().any(|l| l.starts_with("going on with `prod-")));
    assert!(!engine.state.lock().unwrap().commands.iter().any(|c| c.contains("kubeadm init")));
}

#[tokio::test]
async fn what_the_kernel_lacks_is_found_in_the_log_of_the_kubelet() {
    let engine = Engine::start();
    engine.with(|s| {
        s.programs.push(("journalctl", 0, "E0101 kubelet.go] failed to create fsnotify watcher: too many open files"));
        s.programs.push(("kubeadm init", 1, "timed out waiting for the condition"));
    });
    let error = driver(&engine).create(&identity("me"), &wanted("node:1", None), &Silent).await.unwrap_err();
    assert_eq!(trouble(&error), Trouble::Files);
    assert!(error.remedy().contains("fs.inotify.max_user_instances"), "{}", error.remedy());
}

#[tokio::test]
async fn a_delete_takes_container_and_volumes_and_may_be_repeated() {
    let engine = Engine::start();
    create(&engine).await;
    let (driver, me) = (driver(&engine), identity("me"));
    assert!(driver.remains(&me).await.unwrap(), "also what is half-made");
    driver.delete(&me).await.unwrap();
    assert!(!driver.remains(&me).await.unwrap());
    driver.delete(&me).await.unwrap();
    assert_eq!(engine.asked("DELETE /containers"), 1);
}

#[tokio::test]
async fn an_engine_that_can_not_run_nodes_is_found_out_before() {
    let engine = Engine::start();
    let failed = |checks: Vec<kedge_bootstrap::Check>| -> Vec<&'static str> {
        let found = checks.into_iter().filter_map(|c| match c.outcome {
            Outcome::Failed(found) => Some(found),
            _ => None,
        });
        found.flatten().map(|f| f.code).collect()
    };
    let me = identity("me");
    assert!(failed(driver(&engine).check(&me, &Wanted::default()).await).is_empty());
    engine.info("SecurityOptions", json!(["name=rootless"]));
    engine.info("MemoryLimit", json!(false));
    assert_eq!(failed(driver(&engine).check(&me, &Wanted::default()).await), ["engine-rootless-limits"]);
    engine.info("CgroupVersion", json!("1"));
    assert_eq!(failed(driver(&engine).check(&me, &Wanted::default()).await), ["engine-rootless-cgroup"]);
    engine.info("SecurityOptions", json!([]));
    engine.info("MemTotal", json!(500_000_000));
    assert_eq!(failed(driver(&engine).check(&me, &Wanted::default()).await), ["engine-memory"]);
    engine.info("OSType", json!("windows"));
    assert_eq!(failed(driver(&engine).check(&me, &Wanted::default()).await), ["engine-system", "engine-memory"]);
}

#[tokio::test]
async fn a_program_of_an_image_runs_in_a_container_that_is_gone_afterwards() {
    let engine = Engine::start();
    let command = ["helm".to_owned(), "template".to_owned()];
    let environment = std::collections::BTreeMap::from([("HTTPS_PROXY".to_owned(), "p:1".to_owned())]);
    let files = [("/tmp/kedge/ca.crt".to_owned(), "AUTHORITY".to_owned())];
    let run = kedge_bootstrap::ToolRun {
        image: "node:1",
        command: &command,
        environment: &environment,
        files: &files,
        input: "values",
        bound: std::time::Duration::from_secs(30),
    };
    let driver = driver(&engine);
    assert!(driver.runs_images());
    assert!(driver.run(&run).await.unwrap().is_some());
    let commands = engine.state.lock().unwrap().commands.join("\n");
    assert!(commands.contains("/tmp/kedge/ca.crt") && commands.contains("helm template"), "{commands}");
    assert!(!commands.contains("AUTHORITY") && !commands.contains("values"), "{commands}");
    assert!(engine.state.lock().unwrap().containers.is_empty());
    engine.with(|s| s.programs.push(("helm template", 1, "no such chart")));
    let error = driver.run(&run).await.unwrap_err();
    assert!(error.to_string().contains("no such chart"), "{error}");
    assert!(engine.state.lock().unwrap().containers.is_empty());
}
