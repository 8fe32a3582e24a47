//! A whole cluster of containers: created by the program alone, managing itself, deleted again.
//!
//! Minutes each, so that these run only where `KEDGE_PEERS_LONG` is set.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Engine, Sweep, containers, release, unique};
use crate::harness::Sandbox;
use crate::{peer, skipped, succeeds};

struct Scene {
    sandbox: Sandbox,
    cluster: String,
    bundles: String,
    spec: String,
    _engine: Engine,
    _sweep: Sweep,
}

impl Scene {
    fn new(word: &str) -> Result<Self, String> {
        if std::env::var_os("KEDGE_PEERS_LONG").is_none() {
            return Err("it takes minutes, and KEDGE_PEERS_LONG is not set".into());
        }
        let engine = Engine::find("-managed")?;
        let (sandbox, cluster) = (Sandbox::new(), unique(word));
        let bundles = release::write(&sandbox, &engine.image)?;
        let spec = release::spec(&sandbox, &cluster);
        let sweep = Sweep(vec![
            format!("io.x-k8s.kind.cluster={cluster}-eks-a-cluster"),
            format!("io.x-k8s.kind.cluster={cluster}"),
        ]);
        Ok(Self { sandbox, cluster, bundles, spec, _engine: engine, _sweep: sweep })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(args.iter().copied());
        command.args(["--bundles-override", &self.bundles]);
        command
    }

    fn create(&self) -> Command {
        self.command(&["create", "cluster", "-f", &self.spec])
    }

    fn bootstrap(&self) -> Vec<String> {
        containers(&format!("io.x-k8s.kind.cluster={}-eks-a-cluster", self.cluster))
    }

    fn machines(&self) -> Vec<String> {
        containers(&format!("io.x-k8s.kind.cluster={}", self.cluster))
    }

    fn kubectl(&self, args: &str) -> Command {
        let kubeconfig = format!("{0}/{0}-eks-a-cluster.kubeconfig", self.cluster);
        let mut command = peer("kubectl", &self.sandbox);
        command.arg("--kubeconfig").arg(self.sandbox.path().join(kubeconfig)).args(args.split_whitespace());
        command
    }

    /// The cluster manages itself, and nothing of the bootstrap cluster is left.
    fn assert_whole(&self) {
        assert!(self.bootstrap().is_empty(), "the bootstrap cluster is gone");
        assert_eq!(self.machines().len(), 3, "load balancer, control plane, worker: {:?}", self.machines());
        let nodes = succeeds(&mut self.kubectl("get nodes"));
        assert_eq!(nodes.matches(" Ready ").count(), 2, "{nodes}");
        let available = format!(
            "wait --for=condition=Available clusters.cluster.x-k8s.io/{} -n eksa-system --timeout=120s",
            self.cluster
        );
        succeeds(&mut self.kubectl(&available));
        let machines = succeeds(&mut self.kubectl("get machines -n eksa-system -o name"));
        assert_eq!(machines.lines().count(), 2, "{machines}");
    }

    fn delete(&self) {
        let ran = output(self.command(&["delete", "cluster", &self.cluster]));
        assert!(ran.0, "{}", ran.1);
        assert!(
            self.machines().is_empty() && self.bootstrap().is_empty(),
            "{:?} {:?}",
            self.machines(),
            self.bootstrap()
        );
        assert!(!self.sandbox.path().join(&self.cluster).exists(), "the folder is gone too");
    }
}

/// Runs to the end and says what was said.
fn output(mut command: Command) -> (bool, String) {
    let begun = Instant::now();
    let output = command.output().expect("the binary starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    println!("{text}--- {:.1} s", begun.elapsed().as_secs_f64());
    (output.status.success(), text)
}

#[test]
fn a_cluster_of_containers_is_created_manages_itself_and_is_deleted() {
    let scene = match Scene::new("kedge-whole") {
        Ok(scene) => scene,
        Err(why) => return skipped("a whole cluster of containers", &why),
    };
    let (ok, said) = output(scene.create());
    assert!(ok, "{said}");
    for line in [
        "Performing setup and validations",
        "Creating new bootstrap cluster",
        "Installing cluster-api providers on bootstrap cluster",
        "Creating new workload cluster",
        "Installing networking on workload cluster",
        "Installing cluster-api providers on workload cluster",
        "Moving cluster management from bootstrap to workload cluster",
        "Deleting bootstrap cluster",
        "🎉 Cluster created!",
    ] {
        assert!(said.lines().any(|l| l == line), "no line `{line}` in\n{said}");
    }
    scene.assert_whole();
    // Again is done already.
    let (ok, again) = output(scene.create());
    assert!(ok && again.contains("nothing to do"), "{again}");
    scene.delete();
}

/// Kills the program when something is there, as `kill -9` does: nothing of it is asked.
fn kill_when(child: &mut Child, bound: Duration, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(child.try_wait().expect("it can be waited for").is_none(), "it ended before");
        assert!(begun.elapsed() < bound, "what was waited for does not come");
        std::thread::sleep(Duration::from_millis(200));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
}

#[test]
fn a_create_that_was_killed_goes_on_and_is_deleted_half_made() {
    let scene = match Scene::new("kedge-kill") {
        Ok(scene) => scene,
        Err(why) => return skipped("a create that was killed", &why),
    };
    let start = || {
        let mut command = scene.create();
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
    };
    let minutes = |n: u64| Duration::from_secs(60 * n);
    // In the middle of the bootstrap cluster, and in the middle of the machines.
    kill_when(&mut start(), minutes(2), || !scene.bootstrap().is_empty());
    kill_when(&mut start(), minutes(10), || scene.machines().len() >= 2);
    let (ok, said) = output(scene.create());
    assert!(ok, "{said}");
    scene.assert_whole();
    scene.delete();

    // What was begun and never finished is deleted whole.
    kill_when(&mut start(), minutes(10), || !scene.machines().is_empty());
    scene.delete();
}
