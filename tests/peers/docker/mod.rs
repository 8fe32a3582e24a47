//! Real containers: the bootstrap cluster beside stock kind, and whole clusters of containers.
//!
//! `tests/peers/docker/engine` starts an engine where none answers, `tests/peers/images/build` makes the images.
//! `KEDGE_NODE_IMAGE` names the node image; a test that finds no engine or no image says so and is counted.

mod bootstrap;
mod release;
mod whole;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nodes are heavy: one test at a time has any.
static ONE: Mutex<()> = Mutex::new(());

/// What a test needs, while it has the engine for itself.
pub(crate) struct Engine {
    pub(crate) image: String,
    _alone: MutexGuard<'static, ()>,
}

impl Engine {
    /// The engine with the node image; or why this machine can't. `kind` of image: empty, or `-managed`.
    pub(crate) fn find(kind: &str) -> Result<Self, String> {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = docker(&["version", "--format", "{{.Server.Version}}"]);
        if let Err(why) = answers {
            return Err(format!("no container engine answers ({})", why.lines().last().unwrap_or("")));
        }
        let image = std::env::var("KEDGE_NODE_IMAGE").map_err(|_| "KEDGE_NODE_IMAGE names no node image".to_owned())?;
        let image = format!("{}{kind}", image.trim_end_matches("-managed"));
        if docker(&["image", "inspect", "--format", "{{.Id}}", &image]).is_err() {
            return Err(format!("the engine has no image `{image}`: `tests/peers/images/build` makes it"));
        }
        Ok(Self { image, _alone: alone })
    }
}

/// What the engine's own client says.
pub(crate) fn docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(args).output().map_err(|e| format!("docker can't be run: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The names of all containers that bear a label, whatever their state.
pub(crate) fn containers(label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    let names = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).expect("containers can be listed");
    names.lines().map(str::to_owned).collect()
}

/// A name that no other run of the tests has.
pub(crate) fn unique(word: &str) -> String {
    format!("{word}-{}", std::process::id())
}

/// Removes what a test that stopped early left behind.
pub(crate) struct Sweep(pub(crate) Vec<String>);

impl Drop for Sweep {
    fn drop(&mut self) {
        for label in &self.0 {
            for name in containers(label) {
                let _ = docker(&["rm", "-f", "-v", &name]);
            }
        }
    }
}
