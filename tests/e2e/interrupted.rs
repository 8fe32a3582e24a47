//! Creates that are stopped on the way, and go on. The lab is a process of its own that survives.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::harness::{Ran, Sandbox, ServedLab};

const SPEC: &str = "docker.yaml";

/// A folder, a lab, and creates in it.
struct Attempt {
    sandbox: Sandbox,
    lab: ServedLab,
    name: String,
}

impl Attempt {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let spec = sandbox.spec(SPEC);
        let lab = ServedLab::start(&sandbox, &spec, &[]);
        let text = std::fs::read_to_string(&spec).unwrap();
        let name = text.lines().find_map(|l| l.trim().strip_prefix("name: ")).unwrap().trim_matches('"').to_owned();
        Self { sandbox, lab, name }
    }

    fn args(&self) -> [String; 5] {
        ["create".into(), "cluster".into(), "-f".into(), SPEC.into(), self.lab.flag()]
    }

    fn create(&self) -> Ran {
        self.sandbox.run(self.args())
    }

    /// Runs a create and kills it once it has printed so many lines, or says that it ended before.
    fn killed_after_lines(&self, lines: usize) -> bool {
        self.command_killed_after_lines(&self.args(), lines)
    }

    fn delete_args(&self) -> [String; 4] {
        ["delete".into(), "cluster".into(), self.name.clone(), self.lab.flag()]
    }

    fn command_killed_after_lines(&self, args: &[String], lines: usize) -> bool {
        let mut child = self.sandbox.command(args).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = reader.by_ref().take(lines).count();
        child.kill().unwrap();
        child.wait().unwrap();
        seen == lines
    }

    /// Runs a create and kills it after a time.
    fn killed_after(&self, time: Duration) {
        let mut child = self.sandbox.command(self.args()).spawn().unwrap();
        let end = Instant::now() + time;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// What the cluster is made of, without the names that chance gives.
    fn shape(&self) -> BTreeMap<String, usize> {
        let described = self.sandbox.run(["describe", "cluster", &self.name, "-o", "json"]).expect(0);
        let cluster: serde_json::Value = serde_json::from_str(&described.stdout).unwrap();
        let mut shape = BTreeMap::new();
        count(&cluster["tree"], &mut shape);
        let nodes = cluster["nodes"].as_array().unwrap();
        assert!(nodes.iter().all(|n| n["ready"] == true), "{}", described.stdout);
        shape.insert("Node".to_owned(), nodes.len());
        shape.insert(format!("managed by {}", cluster["managedBy"]), 1);
        shape
    }

    /// Whether only the workload cluster is left in the lab.
    fn bootstrap_is_gone(&self) -> bool {
        let folder = self.lab.connection.parent().map(PathBuf::from).unwrap();
        // The lab's own file of kubeconfigs is of no use here: it has to be asked.
        let status = crate::harness::lab_status(&folder.join("lab.json"));
        let clusters = status["clusters"].as_array().unwrap();
        clusters.iter().all(|c| c["role"] != "bootstrap")
    }
}

fn count(node: &serde_json::Value, shape: &mut BTreeMap<String, usize>) {
    *shape.entry(node["kind"].as_str().unwrap().to_owned()).or_default() += 1;
    for child in node["children"].as_array().unwrap() {
        count(child, shape);
    }
}

/// The shape of a cluster that nothing disturbed.
fn undisturbed() -> (BTreeMap<String, usize>, usize, Duration) {
    let attempt = Attempt::new();
    let started = Instant::now();
    let ran = attempt.create().expect(0);
    (attempt.shape(), ran.stdout.lines().count(), started.elapsed())
}

#[test]
fn killed_at_each_line_a_create_goes_on() {
    let (shape, lines, _) = undisturbed();
    for line in 1..lines {
        let attempt = Attempt::new();
        assert!(attempt.killed_after_lines(line), "the create ended before line {line}");
        let ran = attempt.create().expect(0);
        // After its last step but one a create can be through before the signal reaches it.
        let through = line + 1 == lines && ran.stderr.contains("was created before");
        let goes_on = ran.stdout.ends_with("🎉 Cluster created!\n");
        assert!(through || goes_on, "after line {line}:\n{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(attempt.shape(), shape, "killed after line {line}");
        assert!(attempt.bootstrap_is_gone(), "killed after line {line}");
    }
}

/// The long sweep has a command of its own: `KEDGE_SWEEP=50 cargo test -p kedge --test e2e random -- --ignored`.
#[test]
#[ignore = "the long sweep, outside CI"]
fn killed_at_random_moments_a_create_goes_on() {
    let (shape, _, whole) = undisturbed();
    let moments: u32 = std::env::var("KEDGE_SWEEP").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut random = std::process::id().wrapping_mul(2_654_435_761) | 1;
    for _ in 0..moments {
        let attempt = Attempt::new();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let time = whole.mul_f64(f64::from(random % 1000) / 1000.0);
        attempt.killed_after(time);
        attempt.create().expect(0);
        assert_eq!(attempt.shape(), shape, "killed after {time:?}");
        assert!(attempt.bootstrap_is_gone(), "killed after {time:?}");
    }
}

/// A cluster that manages itself is first moved out to a new bootstrap cluster: killed anywhere on that way, nothing stays.
#[test]
fn killed_at_each_line_a_delete_goes_on() {
    let attempt = Attempt::new();
    attempt.create().expect(0);
    let whole = attempt.sandbox.run(attempt.delete_args()).expect(0);
    let lines: Vec<&str> = whole.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "Performing setup and validations",
            "Creating new bootstrap cluster",
            "Installing cluster-api providers on bootstrap cluster",
            "Moving cluster management from workload cluster to bootstrap",
            "Deleting workload cluster",
            "Deleting bootstrap cluster",
            "🎉 Cluster deleted!",
        ]
    );
    for line in 1..lines.len() {
        attempt.create().expect(0);
        assert!(attempt.command_killed_after_lines(&attempt.delete_args(), line), "it ended before line {line}");
        if attempt.sandbox.path().join(&attempt.name).join(".kedge/journal.jsonl").exists() {
            let ran = attempt.sandbox.run(attempt.delete_args()).expect(0);
            assert!(ran.stdout.ends_with("🎉 Cluster deleted!\n"), "after line {line}: {}", ran.stdout);
        }
        let status = crate::harness::lab_status(&attempt.lab.connection);
        assert_eq!(status["clusters"].as_array().map(Vec::len), Some(0), "killed after line {line}: {status}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_a_delete_says_how_to_go_on() {
    let attempt = Attempt::new();
    attempt.create().expect(0);
    let mut child = attempt.sandbox.command(attempt.delete_args()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().find(|l| l.as_ref().unwrap().starts_with("Installing cluster-api providers")).unwrap().unwrap();
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("kedge delete cluster mgmt"), "{said}");
    let listed = attempt.sandbox.run(["get", "clusters"]).expect(0);
    assert!(listed.stdout.contains("half deleted"), "{}", listed.stdout);
    // A create does not go on with what is being deleted.
    let refused = attempt.create().expect(3);
    assert!(refused.stderr.contains("is being deleted"), "{}", refused.stderr);
    attempt.sandbox.run(attempt.delete_args()).expect(0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_how_to_go_on() {
    let attempt = Attempt::new();
    let mut child = attempt.sandbox.command(attempt.args()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().find(|l| l.as_ref().unwrap().starts_with("Creating new workload cluster")).unwrap().unwrap();
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("same command"), "{said}");
    attempt.create().expect(0);
}

#[test]
fn a_changed_spec_is_noticed() {
    let attempt = Attempt::new();
    assert!(attempt.killed_after_lines(6));
    let path = attempt.sandbox.path().join(SPEC);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replacen("192.168.0.0/16", "172.30.0.0/16", 1);
    assert_ne!(text, changed);
    std::fs::write(&path, changed).unwrap();
    let ran = attempt.create().expect(3);
    assert!(ran.stderr.contains("the spec changed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("kedge delete cluster"), "{}", ran.stderr);
    // With what it began with, it goes on.
    std::fs::write(&path, text).unwrap();
    attempt.create().expect(0);
}

#[test]
fn a_half_made_cluster_can_be_deleted() {
    for line in [3, 5, 8] {
        let attempt = Attempt::new();
        assert!(attempt.killed_after_lines(line));
        attempt.sandbox.run(["delete", "cluster", &attempt.name, &attempt.lab.flag()]).expect(0);
        let status = crate::harness::lab_status(&attempt.lab.connection);
        assert_eq!(status["clusters"].as_array().map(Vec::len), Some(0), "after line {line}: {status}");
        assert!(!attempt.sandbox.path().join(&attempt.name).exists(), "the folder is gone");
        // And the name is free again.
        attempt.create().expect(0);
    }
}
