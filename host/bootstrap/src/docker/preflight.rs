//! What can be found out before anything is made: the engine, its machine, and whether the name is free.

use std::path::Path;

use super::engine::Engine;
use crate::{Check, Finding, Outcome};

/// Bytes of memory that a bootstrap cluster with the Cluster API controllers needs: 1.25 GiB were measured.
const MEMORY_NEEDED: u64 = 1_500_000_000;
const MEMORY_WANTED: u64 = 2_500_000_000;
/// Bytes of disk: the node's image unpacked, and the images of the controllers.
const DISK_NEEDED: u64 = 3_000_000_000;
const DISK_WANTED: u64 = 8_000_000_000;
/// A node takes about 25 inotify instances, and its pods more.
const INOTIFY_INSTANCES: u64 = 256;
const INOTIFY_WATCHES: u64 = 65_536;

pub(super) const ENGINE: &str = "bootstrap-engine";
const ROOM: &str = "bootstrap-room";
pub(super) const NAME: &str = "bootstrap-name";

fn outcome(failed: Vec<Finding>, warned: Vec<Finding>) -> Outcome {
    match (failed.is_empty(), warned.is_empty()) {
        (true, true) => Outcome::Passed,
        (true, false) => Outcome::Warned(warned),
        (false, _) => Outcome::Failed(failed.into_iter().chain(warned).collect()),
    }
}

/// A check with what came of it.
pub(super) fn check(id: &'static str, title: &'static str, failed: Vec<Finding>, warned: Vec<Finding>) -> Check {
    Check { id, title, outcome: outcome(failed, warned) }
}

/// Whether the engine can run a node at all.
pub(super) fn engine(engine: &Engine) -> Check {
    let info = &engine.info;
    let mut failed = Vec::new();
    if !matches!(info.system.as_str(), "linux" | "") {
        failed.push(Finding {
            code: "engine-system",
            message: format!("the container engine runs {} containers, and a node is a Linux container", info.system),
            remedy: "switch the engine to Linux containers".into(),
        });
    }
    if info.rootless && info.cgroup_v1 {
        failed.push(Finding {
            code: "engine-rootless-cgroup",
            message: "the container engine is rootless on control groups version 1, where a node has no control groups of its own".into(),
            remedy: "boot the machine with control groups version 2 (`systemd.unified_cgroup_hierarchy=1`), or use an engine that runs as root".into(),
        });
    } else if info.rootless && !info.limits {
        failed.push(Finding {
            code: "engine-rootless-limits",
            message: "the rootless container engine was not given the controllers for memory, processes and processor shares".into(),
            remedy: "let systemd delegate them: `Delegate=cpu cpuset io memory pids` in /etc/systemd/system/user@.service.d/delegate.conf, then log in again".into(),
        });
    }
    check(ENGINE, "Bootstrap container engine validated", failed, Vec::new())
}

/// What the engine's machine has left, as far as it says so or is this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes of memory in all.
    memory: Option<u64>,
    /// Bytes that are free on the engine's disk.
    disk: Option<u64>,
    inotify_instances: Option<u64>,
    inotify_watches: Option<u64>,
}

impl Room {
    pub(super) fn look(engine: &Engine) -> Self {
        let memory = Some(engine.info.memory).filter(|m| *m > 0);
        if !engine.is_here() {
            return Self { memory, ..Self::default() };
        }
        let limit = |name: &str| {
            let text = std::fs::read_to_string(Path::new("/proc/sys/fs/inotify").join(name)).ok()?;
            text.trim().parse().ok()
        };
        Self {
            memory,
            disk: free(&engine.info.root),
            inotify_instances: limit("max_user_instances"),
            inotify_watches: limit("max_user_watches"),
        }
    }

    pub(super) fn check(self) -> Check {
        let (mut failed, mut warned) = (Vec::new(), Vec::new());
        let mut less = |found: Option<u64>, needed: u64, wanted: u64, code, what: &str, remedy: &str| {
            let Some(found) = found.filter(|f| *f < wanted) else { return };
            let (list, least) = if found < needed { (&mut failed, needed) } else { (&mut warned, wanted) };
            list.push(Finding {
                code,
                message: format!(
                    "the container engine has {} MB of {what}, and a bootstrap cluster should have {}",
                    found / 1_000_000,
                    least / 1_000_000
                ),
                remedy: remedy.to_owned(),
            });
        };
        let memory = "give the engine more memory, or stop what takes it";
        less(self.memory, MEMORY_NEEDED, MEMORY_WANTED, "engine-memory", "memory", memory);
        let disk = "make room: `docker system df` shows what takes it, `docker system prune` removes what is not used";
        less(self.disk, DISK_NEEDED, DISK_WANTED, "engine-disk", "free disk", disk);
        for (found, wanted, name) in [
            (self.inotify_instances, INOTIFY_INSTANCES, "max_user_instances"),
            (self.inotify_watches, INOTIFY_WATCHES, "max_user_watches"),
        ] {
            if let Some(found) = found.filter(|f| *f < wanted) {
                warned.push(Finding {
                    code: "inotify",
                    message: format!("`fs.inotify.{name}` is {found}: nodes that share this machine run out of it (\"too many open files\")"),
                    remedy: "raise the limits: `sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`".into(),
                });
            }
        }
        check(ROOM, "Room for the bootstrap cluster validated", failed, warned)
    }
}

#[cfg(unix)]
fn free(path: &str) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free(_path: &str) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Room = Room {
        memory: Some(16_000_000_000),
        disk: Some(100_000_000_000),
        inotify_instances: Some(1024),
        inotify_watches: Some(524_288),
    };

    #[test]
    fn each_thing_that_is_short_is_said() {
        assert_eq!(PLENTY.check().outcome, Outcome::Passed);
        assert_eq!(Room::default().check().outcome, Outcome::Passed, "what can't be seen is not complained of");
        let Outcome::Failed(findings) = (Room { memory: Some(1_000_000_000), disk: Some(1), ..PLENTY }).check().outcome
        else {
            panic!("neither will do")
        };
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["engine-memory", "engine-disk"]);
        assert!(findings[0].message.contains("1000 MB of memory"), "{}", findings[0].message);
        let short = Room { disk: Some(4_000_000_000), inotify_instances: Some(128), ..PLENTY };
        let Outcome::Warned(findings) = short.check().outcome else { panic!("both will do") };
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["engine-disk", "inotify"]);
        assert!(findings[1].remedy.contains("sysctl"));
    }

    #[test]
    fn the_free_disk_is_looked_up() {
        assert!(free("/").is_some_and(|bytes| bytes > 0));
        assert_eq!(free("/nonexistent"), None);
    }
}
