//! The tier with real peers: kubectl, clusterctl and govc against the lab, this program against vcsim, and its manifests
//! against those of the reference implementation. They are built
//! by `tests/peers/build`, whose folder `KEDGE_PEERS` names. Where the lab and a peer differ, the lab is wrong.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test or a benchmark that meets the unexpected ends, and says where"
)]

#[path = "../e2e/harness.rs"]
#[allow(dead_code, reason = "each tier uses a part of it")]
mod harness;

#[path = "../compat/cases.rs"]
#[allow(dead_code, reason = "each tier uses a part of it")]
mod cases;

mod apiserver;
mod clusterctl;
mod decisions;
mod docker;
mod eksa;
mod govc;
mod helm;
mod install;
mod kubectl;
mod management;
mod normal;
mod pivot;
mod pivot_bench;
mod players;
mod referee;
mod registry;
mod rendered;
mod still_life;
mod vcsim;

use std::path::PathBuf;
use std::process::{Command, Output};

use harness::{Sandbox, ServedLab};

/// One of the built programs, in a folder, with nothing of the caller's environment.
pub(crate) fn peer(name: &str, sandbox: &Sandbox) -> Command {
    let folder = std::env::var("KEDGE_PEERS").expect("KEDGE_PEERS names the folder that `tests/peers/build` prints");
    let path = PathBuf::from(folder).join(name);
    assert!(path.is_file(), "{} is not there: run `tests/peers/build`", path.display());
    let mut command = Command::new(path);
    command
        .current_dir(sandbox.path())
        .env_clear()
        .env("HOME", sandbox.path().join("home"))
        .env("PATH", "/usr/bin:/bin");
    command
}

/// Says that a test could not run on this machine, and why: a line that the end of the tier counts.
pub(crate) fn skipped(test: &str, why: &str) {
    println!("skipped: {test}, because {why}");
    let Ok(path) = std::env::var("KEDGE_PEERS_SKIPPED") else { return };
    let file = std::fs::File::options().create(true).append(true).open(&path);
    let mut file = file.unwrap_or_else(|e| panic!("KEDGE_PEERS_SKIPPED names `{path}`: {e}"));
    std::io::Write::write_all(&mut file, format!("{test}: {why}\n").as_bytes()).expect("it can be written");
}

/// What a peer printed, if it ended well.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a peer said when it did not end well.
#[track_caller]
pub(crate) fn fails(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(!output.status.success(), "{command:?}\n{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A cluster that was created on a lab which is still there.
pub(crate) struct Created {
    pub(crate) sandbox: Sandbox,
    #[expect(dead_code, reason = "it ends with the cluster")]
    pub(crate) lab: ServedLab,
    pub(crate) kubeconfig: PathBuf,
}

impl Created {
    pub(crate) fn new(spec: &str, name: &str) -> Self {
        let sandbox = Sandbox::new();
        let path = sandbox.spec(spec);
        let lab = ServedLab::start(&sandbox, &path, &[]);
        sandbox.run(["create", "cluster", "-f", spec, &lab.flag()]).expect(0);
        let kubeconfig = sandbox.path().join(name).join(format!("{name}-eks-a-cluster.kubeconfig"));
        Self { sandbox, lab, kubeconfig }
    }

    pub(crate) fn kubectl(&self, args: &str) -> Command {
        let mut command = peer("kubectl", &self.sandbox);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args.split_whitespace());
        command
    }
}
