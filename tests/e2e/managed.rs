//! Clusters that another cluster manages: made in it, looked at, deleted; the lab survives all of it.

use std::io::{BufRead, BufReader};

use crate::harness::{Ran, Sandbox, ServedLab, lab_status, spec};

const MANAGEMENT: &str = "docker.yaml";
const WORKLOAD: &str = "w01.yaml";

/// What a create in a management cluster prints after the provider's checks.
const AFTER_VALIDATION: &str = "\
✅ Docker Provider setup is valid
✅ Connected to management cluster
✅ Validate cluster name
✅ Validate management cluster has eksa crds
✅ Validate management cluster name is valid
✅ Validate eksa release components exist on management cluster
Creating workload cluster
Installing GitOps Toolkit on workload cluster
GitOps field not specified, bootstrap flux skipped
Writing cluster config file
🎉 Cluster created!
";

/// A lab with a management cluster `mgmt` in it, and the spec of a cluster `w01` that it is to manage.
struct Stage {
    sandbox: Sandbox,
    lab: ServedLab,
}

/// The spec of the cluster `name`, managed by `mgmt`.
fn managed(name: &str) -> String {
    let text = spec(MANAGEMENT).replace("name: mgmt", &format!("name: {name}"));
    let manager = format!("managementCluster:\n    name: {name}");
    assert!(text.contains(&manager), "{text}");
    text.replace(&manager, "managementCluster:\n    name: mgmt")
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let management = sandbox.spec(MANAGEMENT);
        let workload = sandbox.file(WORKLOAD, managed("w01"));
        let lab = ServedLab::start(&sandbox, &management, &["-f", workload.to_str().unwrap()]);
        sandbox.run(["create", "cluster", "-f", MANAGEMENT, &lab.flag()]).expect(0);
        Self { sandbox, lab }
    }

    fn args(&self) -> [String; 5] {
        ["create".into(), "cluster".into(), "-f".into(), WORKLOAD.into(), self.lab.flag()]
    }

    fn create(&self) -> Ran {
        self.sandbox.run(self.args())
    }

    fn delete(&self, name: &str) -> Ran {
        self.sandbox.run(["delete", "cluster", name, &self.lab.flag()])
    }

    fn describe(&self, name: &str) -> serde_json::Value {
        let ran = self.sandbox.run(["describe", "cluster", name, "-o", "json"]).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// The clusters that the lab runs, as `role name`.
    fn running(&self) -> Vec<String> {
        let status = lab_status(&self.lab.connection);
        let clusters = status["clusters"].as_array().unwrap();
        let word = |c: &serde_json::Value, key: &str| c[key].as_str().unwrap().to_owned();
        clusters.iter().map(|c| format!("{} {}", word(c, "role"), word(c, "name"))).collect()
    }
}

fn machines(node: &serde_json::Value) -> usize {
    let children = node["children"].as_array().unwrap();
    usize::from(node["kind"] == "Machine") + children.iter().map(machines).sum::<usize>()
}

#[test]
fn made_described_and_deleted_in_its_management_cluster() {
    let stage = Stage::new();
    let ran = stage.create().expect(0);
    let (_, rest) = ran.stdout.split_at(ran.stdout.find("✅ Docker Provider setup is valid").expect("its line"));
    assert_eq!(rest, AFTER_VALIDATION);
    assert_eq!(stage.running(), ["workload mgmt", "workload w01"], "no bootstrap cluster was made");

    let described = stage.describe("w01");
    assert_eq!(described["managedBy"], "management cluster `mgmt`");
    assert_eq!(machines(&described["tree"]), 3, "etcd, control plane, worker: {described}");
    let nodes = described["nodes"].as_array().unwrap();
    assert!(nodes.len() == 2 && nodes.iter().all(|n| n["ready"] == true), "{nodes:?}");
    let management = stage.describe("mgmt");
    assert_eq!(management["managedBy"], "itself");
    assert_eq!(machines(&management["tree"]), 3, "the other cluster's machines are not its own");

    assert!(stage.create().expect(0).stderr.contains("nothing to do"));

    // Whoever manages others goes last.
    let refused = stage.delete("mgmt").expect(4);
    assert!(refused.stderr.contains("`mgmt` manages other clusters: `w01`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("nothing was touched"), "{}", refused.stderr);

    let deleted = stage.delete("w01").expect(0);
    assert_eq!(
        deleted.stdout, "Performing setup and validations\nDeleting workload cluster\n🎉 Cluster deleted!\n",
        "{}",
        deleted.stderr
    );
    assert_eq!(stage.running(), ["workload mgmt"]);
    assert!(!stage.sandbox.path().join("w01").exists());
    // All of it is gone from the management cluster, so that the name is free again.
    stage.create().expect(0);
    stage.delete("w01").expect(0);
    stage.delete("mgmt").expect(0);
    assert_eq!(stage.running(), Vec::<String>::new());
}

#[test]
fn killed_at_each_line_it_goes_on() {
    let stage = Stage::new();
    let lines = stage.create().expect(0).stdout.lines().count();
    stage.delete("w01").expect(0);
    for line in 1..lines {
        let mut child = stage.sandbox.command(stage.args()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = reader.by_ref().take(line).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, line, "the create ended before line {line}");
        stage.create().expect(0);
        let described = stage.describe("w01");
        assert_eq!(machines(&described["tree"]), 3, "killed after line {line}: {described}");
        // A delete that is killed goes on, too.
        let mut child = stage.sandbox.command(["delete", "cluster", "w01", &stage.lab.flag()]).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(reader.by_ref().take(1 + line % 2).count(), 1 + line % 2);
        child.kill().unwrap();
        child.wait().unwrap();
        if stage.sandbox.path().join("w01").exists() {
            stage.delete("w01").expect(0);
        }
        assert_eq!(stage.running(), ["workload mgmt"], "killed after line {line}");
    }
}

#[test]
fn its_management_cluster_has_to_be_there_and_the_right_one() {
    let stage = Stage::new();
    // Nowhere to be found.
    let alone = Sandbox::new();
    alone.file(WORKLOAD, managed("w01"));
    let ran = alone.run(["create", "cluster", "-f", WORKLOAD, &stage.lab.flag()]).expect(3);
    assert!(
        ran.stderr.contains("the kubeconfig of the management cluster `mgmt` is not to be found"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("w01.yaml:24:"), "it points at the field: {}", ran.stderr);
    assert!(ran.stderr.contains("--kubeconfig FILE"), "{}", ran.stderr);
    assert_eq!(alone.left_behind(&[WORKLOAD, "home"]), Vec::<String>::new());

    // In the environment, or named.
    let kubeconfig = stage.sandbox.path().join("mgmt/mgmt-eks-a-cluster.kubeconfig");
    let plan = ["create", "cluster", "-f", WORKLOAD, "--dry-run"].map(str::to_owned);
    let flag = [stage.lab.flag(), "--kubeconfig".into(), kubeconfig.display().to_string()];
    alone.run(plan.iter().chain(&flag)).expect(0);
    let alone = alone.env("KUBECONFIG", kubeconfig.to_str().unwrap());
    alone.run(plan.iter().chain(&flag[..1])).expect(0);

    // A real cluster is not touched in a rehearsal.
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let server = text.lines().find_map(|l| l.trim().strip_prefix("server: ")).unwrap();
    let real = alone.file("real.kubeconfig", text.replace(server, "https://192.0.2.1:6443"));
    let flag = [stage.lab.flag(), "--kubeconfig".into(), real.display().to_string()];
    let ran = alone.run(plan.iter().chain(&flag)).expect(3);
    assert!(ran.stderr.contains("a rehearsal touches no other"), "{}", ran.stderr);

    // Another cluster's kubeconfig.
    stage.create().expect(0);
    let other = stage.sandbox.path().join("w01/w01-eks-a-cluster.kubeconfig");
    alone.file("w02.yaml", managed("w02"));
    let flag = [stage.lab.flag(), "--kubeconfig".into(), other.display().to_string()];
    let ran = alone.run(["create", "cluster", "-f", "w02.yaml"].map(str::to_owned).iter().chain(&flag)).expect(4);
    assert!(ran.stderr.contains("does not know `Cluster"), "it has no providers: {}", ran.stderr);

    // A name that is taken, in a folder that did not make it.
    let ran = alone.run(["create", "cluster", "-f", WORKLOAD, &stage.lab.flag()]).expect(4);
    assert!(ran.stderr.contains("a cluster `w01` already exists on `mgmt`"), "{}", ran.stderr);
    assert_eq!(alone.left_behind(&[WORKLOAD, "w02.yaml", "real.kubeconfig", "home"]), Vec::<String>::new());

    // A spec that manages itself wants none.
    let ran = alone.run(["create", "cluster", "-f", "m.yaml", "--kubeconfig", "x", "--lab"].map(str::to_owned));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    alone.spec(MANAGEMENT);
    let ran = alone.run(["create", "cluster", "-f", MANAGEMENT, "--kubeconfig", "x", "--lab"]).expect(3);
    assert!(ran.stderr.contains("`mgmt` manages itself"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--bootstrap-kubeconfig"), "{}", ran.stderr);
}
