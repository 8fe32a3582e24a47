//! The bootstrap cluster alone, with kind and kubectl as referees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kedge_bootstrap::docker::Docker;
use kedge_bootstrap::{BootstrapError, Driver, Identity, NodeImage, Progress, Silent, Wanted};

use super::{Engine, Sweep, containers, docker, unique};
use crate::harness::Sandbox;
use crate::{fails, peer, skipped, succeeds};

fn driver(sandbox: &Sandbox, runtime: Option<&'static str>) -> Docker {
    let home = sandbox.path().display().to_string();
    Docker::new(
        Arc::new(move |name| match name {
            "KEDGE_BOOTSTRAP_RUNTIME" => runtime.map(str::to_owned),
            "HOME" => Some(home.clone()),
            "DOCKER_HOST" | "DOCKER_CONTEXT" => std::env::var(name).ok(),
            _ => None,
        }),
        None,
    )
}

fn identity(cluster: &str, owner: &str) -> Identity {
    Identity { cluster: cluster.to_owned(), owner: owner.to_owned(), folder: "/the/test".to_owned() }
}

fn wanted(engine: &Engine) -> Wanted {
    Wanted { image: Some(NodeImage { reference: engine.image.clone(), digest: None }), ..Wanted::default() }
}

fn sweep(cluster: &str) -> Sweep {
    Sweep(vec![format!("io.x-k8s.kind.cluster={cluster}-eks-a-cluster")])
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: proof}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - name: proof\n    image: kedge.test/busybox:1\n    imagePullPolicy: Never\n    command: [sh, -c, 'nslookup kubernetes.default.svc.cluster.local && sleep 3600']\n";

struct Noted(std::sync::Mutex<Vec<String>>);

impl Progress for Noted {
    fn waiting(&self, object: &str, sentence: &str) {
        println!("  {object}: {sentence}");
    }

    fn note(&self, sentence: &str) {
        println!("  {sentence}");
        self.0.lock().unwrap().push(sentence.to_owned());
    }
}

fn noted() -> Noted {
    Noted(std::sync::Mutex::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_ready_runs_a_pod_and_is_kinds_to_list_and_delete() {
    let engine = match Engine::find("") {
        Ok(engine) => engine,
        Err(why) => return skipped("bootstrap cluster beside kind", &why),
    };
    let (sandbox, cluster) = (Sandbox::new(), unique("kedge-boot"));
    let _sweep = sweep(&cluster);
    let (driver, me, wanted) = (driver(&sandbox, None), identity(&cluster, "me"), wanted(&engine));
    assert!(driver.find(&me).await.unwrap().is_none());
    let begun = Instant::now();
    let made = driver.create(&me, &wanted, &noted()).await.unwrap_or_else(|e| panic!("{e}\n{}", e.remedy()));
    println!("bootstrap cluster ready after {:.1} s", begun.elapsed().as_secs_f64());
    let kubeconfig = sandbox.file("kubeconfig", &made.kubeconfig);
    let kubectl = |args: &str| {
        let mut command = peer("kubectl", &sandbox);
        command.arg("--kubeconfig").arg(&kubeconfig).args(args.split_whitespace());
        command
    };
    let nodes = succeeds(&mut kubectl("get nodes"));
    assert!(nodes.contains(" Ready ") && nodes.lines().count() == 2, "{nodes}");
    // A pod that resolves a Service runs: network, kube-proxy and DNS are there.
    sandbox.file("pod.yaml", POD);
    succeeds(&mut kubectl("wait --for=create serviceaccount/default --timeout=60s"));
    succeeds(&mut kubectl("-n kube-system rollout status deployment/coredns --timeout=120s"));
    succeeds(&mut kubectl("apply -f pod.yaml"));
    succeeds(&mut kubectl("wait --for=condition=Ready pod/proof --timeout=120s"));

    // Made again, it is the same one; another driver finds it.
    assert_eq!(driver.create(&me, &wanted, &Silent).await.unwrap().kubeconfig, made.kubeconfig);
    assert!(driver.find(&me).await.unwrap().is_some());
    // Somebody else's is not touched.
    let error = driver.create(&identity(&cluster, "other"), &wanted, &Silent).await.unwrap_err();
    assert!(matches!(error, BootstrapError::Foreign { .. }), "{error}");

    // Stopped and started again, as after the machine was.
    let node = format!("{cluster}-eks-a-cluster-control-plane");
    docker(&["stop", "-t", "5", &node]).unwrap();
    assert!(driver.find(&me).await.unwrap().is_some(), "it is started again");
    answers(|| kubectl("get --raw /readyz"));

    // kind takes it for its own.
    let kind = |args: &[&str]| {
        let mut command = peer("kind", &sandbox);
        command.env("HOME", sandbox.path()).env("PATH", std::env::var("PATH").unwrap_or_default()).args(args);
        command
    };
    let name = format!("{cluster}-eks-a-cluster");
    assert!(succeeds(&mut kind(&["get", "clusters"])).lines().any(|l| l == name));
    assert_eq!(succeeds(&mut kind(&["get", "nodes", "--name", &name])).trim(), node);
    let exported = sandbox.path().join("exported");
    succeeds(kind(&["export", "kubeconfig", "--name", &name, "--kubeconfig"]).arg(&exported));
    let mut command = peer("kubectl", &sandbox);
    succeeds(command.arg("--kubeconfig").arg(&exported).args([
        "--context",
        &format!("kind-{name}"),
        "get",
        "namespaces",
    ]));
    succeeds(&mut kind(&["delete", "cluster", "--name", &name]));
    assert!(!driver.remains(&me).await.unwrap());
    assert!(containers(&format!("io.x-k8s.kind.cluster={name}")).is_empty());
    fails(&mut kubectl("get --raw /readyz --request-timeout=2s"));
}

/// Polls with a bound: an API server comes up again in its own time.
fn answers(mut command: impl FnMut() -> std::process::Command) {
    let begun = Instant::now();
    while !command().output().unwrap().status.success() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the API server does not come up again");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_half_made_is_finished_and_deleted_with_its_volumes() {
    let engine = match Engine::find("") {
        Ok(engine) => engine,
        Err(why) => return skipped("bootstrap cluster left half-made", &why),
    };
    let (sandbox, cluster) = (Sandbox::new(), unique("kedge-half"));
    let _sweep = sweep(&cluster);
    let (me, wanted) = (identity(&cluster, "me"), wanted(&engine));
    let label = format!("io.x-k8s.kind.cluster={cluster}-eks-a-cluster");
    // Stopped as soon as there is a container, and again later.
    for patience in [0, 12] {
        let (driver, me, wanted) = (driver(&sandbox, None), me.clone(), wanted.clone());
        let task = tokio::spawn(async move { driver.create(&me, &wanted, &noted()).await.map(drop) });
        let begun = Instant::now();
        while containers(&label).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no container appears");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(patience)).await;
        task.abort();
        drop(task.await);
    }
    let driver = driver(&sandbox, None);
    assert!(driver.remains(&me).await.unwrap());
    let volume = docker(&["inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", &containers(&label)[0]]).unwrap();
    let notes = noted();
    driver.create(&me, &wanted, &notes).await.unwrap_or_else(|e| panic!("{e}\n{}", e.remedy()));
    let notes = notes.0.into_inner().unwrap();
    assert!(notes.iter().any(|n| n.contains("an earlier try left half-made")), "{notes:?}");
    assert_eq!(containers(&label).len(), 1);
    driver.delete(&me).await.unwrap();
    assert!(containers(&label).is_empty());
    assert!(docker(&["volume", "inspect", &volume]).is_err(), "the volume `{volume}` is gone too");
}

/// Where an engine has a runtime that gives no container all privileges, kedge names each right. On machines that lack
/// nothing, runc gives them all, and there is nothing to see.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_privileges_gets_a_node_too() {
    let engine = match Engine::find("") {
        Ok(engine) => engine,
        Err(why) => return skipped("node without privileges", &why),
    };
    if docker(&["run", "--rm", "--runtime", "runc", "--privileged", "--entrypoint", "/bin/true", &engine.image]).is_ok()
    {
        return skipped("node without privileges", "this machine refuses none");
    }
    let (sandbox, cluster) = (Sandbox::new(), unique("kedge-bare"));
    let _sweep = sweep(&cluster);
    let (driver, me) = (driver(&sandbox, Some("runc")), identity(&cluster, "me"));
    let notes = noted();
    let made = driver.create(&me, &wanted(&engine), &notes).await.unwrap_or_else(|e| panic!("{e}\n{}", e.remedy()));
    assert!(notes.0.into_inner().unwrap().iter().any(|n| n.contains("privileged")));
    let kubeconfig = sandbox.file("kubeconfig", &made.kubeconfig);
    let mut command = peer("kubectl", &sandbox);
    let nodes = succeeds(command.arg("--kubeconfig").arg(&kubeconfig).args(["get", "nodes"]));
    assert!(nodes.contains(" Ready "), "{nodes}");
    driver.delete(&me).await.unwrap();
    assert!(!driver.remains(&me).await.unwrap());
}

/// Turn by turn in the same run, so that what else the machine does falls on both. Ready means Ready for both.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_no_later_than_kinds() {
    const ROUNDS: usize = 3;
    let engine = match Engine::find("") {
        Ok(engine) if std::env::var_os("KEDGE_PEERS_LONG").is_some() => engine,
        Ok(_) => return skipped("speed beside kind", "it takes minutes, and KEDGE_PEERS_LONG is not set"),
        Err(why) => return skipped("speed beside kind", &why),
    };
    let (sandbox, cluster) = (Sandbox::new(), unique("kedge-race"));
    let theirs_name = format!("{cluster}-kind");
    let _sweep = Sweep(vec![
        format!("io.x-k8s.kind.cluster={cluster}-eks-a-cluster"),
        format!("io.x-k8s.kind.cluster={theirs_name}"),
    ]);
    let (driver, me, wanted) = (driver(&sandbox, None), identity(&cluster, "me"), wanted(&engine));
    let kind = |args: &[&str]| {
        let mut command = peer("kind", &sandbox);
        command.env("HOME", sandbox.path()).env("PATH", std::env::var("PATH").unwrap_or_default()).args(args);
        command
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        driver.create(&me, &wanted, &Silent).await.unwrap_or_else(|e| panic!("{e}\n{}", e.remedy()));
        ours.push(begun.elapsed());
        driver.delete(&me).await.unwrap();
        let begun = Instant::now();
        succeeds(&mut kind(&["create", "cluster", "--name", &theirs_name, "--image", &engine.image, "--wait", "300s"]));
        theirs.push(begun.elapsed());
        succeeds(&mut kind(&["delete", "cluster", "--name", &theirs_name]));
    }
    println!("kedge {ours:.1?}, kind {theirs:.1?}");
    let best = |times: &[Duration]| times.iter().min().copied().expect("there are some").as_secs_f64();
    let ratio = best(&ours) / best(&theirs);
    println!("best of {ROUNDS}: kedge takes {ratio:.2} of kind's time");
    assert!(ratio <= 1.05, "kedge takes {ratio:.2} of kind's time");
}
