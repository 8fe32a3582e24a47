//! Killed anywhere and run again, a move ends as if it had not been killed.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::cluster::{self, Make, management};
use super::fake::{Crash, Fake, pair};
use super::{Pivot, content, folder, names, options, owners, run};
use crate::object::flag;
use crate::progress::NoProgress;

/// A cluster with odd things around it.
#[derive(Debug, Clone)]
struct Plan {
    control_planes: usize,
    workers: Vec<usize>,
    etcd: usize,
    /// Further secrets, each owned by some of those before it (by index), or by the cluster.
    secrets: Vec<Vec<prop::sample::Index>>,
    other: bool,
    delete: bool,
}

fn plans() -> impl Strategy<Value = Plan> {
    (
        1..3_usize,
        prop::collection::vec(0..3_usize, 0..3),
        prop_oneof![Just(0_usize), Just(1), Just(3)],
        prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..5),
        any::<bool>(),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(control_planes, workers, etcd, secrets, other, delete)| Plan {
            control_planes,
            workers,
            etcd,
            secrets,
            other,
            delete,
        })
}

struct Scene {
    from: Fake,
    to: Fake,
    folder: tempfile::TempDir,
    delete: bool,
    expected: std::collections::BTreeMap<String, serde_json::Value>,
    owned: std::collections::BTreeMap<String, std::collections::BTreeSet<String>>,
    stays: std::collections::BTreeSet<String>,
}

impl Scene {
    fn new(plan: &Plan) -> Self {
        let (from, to) = pair();
        management(&from);
        management(&to);
        cluster::cluster(&from, "prod", plan.control_planes, &plan.workers, plan.etcd);
        let make = Make { side: &from, cluster: "prod" };
        let root = from.find("Cluster", "prod").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        let mut secrets: Vec<(String, String)> = Vec::new();
        for (number, owners) in plan.secrets.iter().enumerate() {
            let name = format!("extra-{number}");
            let mut refs: Vec<(String, String, String)> = vec![];
            for index in owners.iter().filter(|_| !secrets.is_empty()) {
                let (name, uid) = index.get(&secrets);
                refs.push(("Secret".into(), name.clone(), uid.clone()));
            }
            refs.sort();
            refs.dedup();
            if refs.is_empty() {
                refs.push(("Cluster".into(), "prod".into(), root.clone()));
            }
            let refs: Vec<(&str, &str, &str)> =
                refs.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
            let uid = make.object("Secret", &name, &refs, json!({"data": {"n": number}}));
            secrets.push((name, uid));
        }
        let expected = content(&from);
        let owned = owners(&from);
        if plan.other {
            cluster::cluster(&from, "other", 1, &[1], 0);
        }
        let stays =
            names(&from).into_iter().filter(|n| n.contains("other") || n.ends_with("prod-credentials")).collect();
        Self { from, to, folder: folder(), delete: plan.delete, expected, owned, stays }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn run(&self, crash: Option<Crash>) -> bool {
        self.from.start(crash);
        run(&self.from, &self.to, self.path(), self.delete).await.is_ok()
    }

    /// Everything is there, once, with the right owners; nothing bad has happened on the way.
    fn check(&self) {
        assert_eq!(self.from.world.lock().unwrap().violations, Vec::<String>::new());
        assert_eq!(content(&self.to), self.expected);
        let owned = owners(&self.to);
        for name in self.expected.keys() {
            assert_eq!(owned[name], self.owned[name], "{name}");
        }
        assert!(!flag(&self.to.find("Cluster", "prod").unwrap(), "/spec/paused"));
        if self.delete {
            assert_eq!(names(&self.from), self.stays);
        } else {
            assert!(flag(&self.from.find("Cluster", "prod").unwrap(), "/spec/paused"));
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Every write of one move, before and after it.
#[test]
fn killed_at_every_write() {
    let plan = Plan { control_planes: 1, workers: vec![], etcd: 1, secrets: vec![vec![]], other: true, delete: true };
    let writes = {
        let scene = Scene::new(&plan);
        assert!(block_on(scene.run(None)));
        scene.check();
        scene.from.world.lock().unwrap().process.writes
    };
    assert!(writes > 50, "{writes}");
    for at in 0..writes {
        for done in [false, true] {
            // Dying before a write is dying after the one before it, but for what only the answer tells.
            if !done && at % 4 != 0 {
                continue;
            }
            let scene = Scene::new(&plan);
            let finished = block_on(scene.run(Some(Crash { at, done })));
            assert!(!finished, "write {at} was not reached");
            assert_eq!(scene.from.world.lock().unwrap().violations, Vec::<String>::new(), "{at} {done}");
            assert!(block_on(scene.run(None)), "{at} {done}");
            scene.check();
        }
    }
}

/// Before the commit a killed move can be undone, and then done again.
#[test]
fn killed_at_every_write_and_undone() {
    let plan = Plan { control_planes: 1, workers: vec![], etcd: 1, secrets: vec![vec![]], other: false, delete: true };
    let mut undone = 0;
    for at in 0..200 {
        let scene = Scene::new(&plan);
        if block_on(scene.run(Some(Crash { at, done: true }))) {
            break;
        }
        scene.from.start(None);
        let pivot = Pivot::between(&scene.from, &scene.to, options(scene.path(), true));
        let committed = scene.to.find("Cluster", "prod").is_some_and(|c| !flag(&c, "/spec/paused"));
        match block_on(pivot.roll_back(&NoProgress)) {
            Ok(_) => {
                assert!(!committed, "{at}");
                undone += 1;
                assert_eq!(content(&scene.from), scene.expected, "{at}");
                assert!(content(&scene.to).is_empty(), "{at}: {:?}", names(&scene.to));
                assert!(!flag(&scene.from.find("Cluster", "prod").unwrap(), "/spec/paused"), "{at}");
            }
            Err(error) => assert!(error.to_string().contains("can't be undone"), "{at}: {error}"),
        }
        assert!(block_on(scene.run(None)), "{at}");
        scene.check();
    }
    assert!(undone > 20, "{undone}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any cluster, killed up to three times wherever it may be.
    #[test]
    fn killed_several_times(plan in plans(), crashes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4)) {
        let scene = Scene::new(&plan);
        for (at, done) in &crashes {
            let crash = Crash { at: at.index(150), done: *done };
            if block_on(scene.run(Some(crash))) {
                break;
            }
        }
        prop_assert!(block_on(scene.run(None)));
        scene.check();
    }
}
