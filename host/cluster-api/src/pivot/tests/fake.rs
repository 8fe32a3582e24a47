//! Two management clusters in memory: with uids, garbage collection, finalizers, controllers that honour pause; and a process
//! that can be killed before or after any write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::api::{Removed, Right};
use crate::error::Error;
use crate::object::{ObjectId, TypeRef, flag, items, label, text, uid};
use crate::pivot::side::{Side, Wait};
use crate::progress::Progress;
use crate::readiness::{CLUSTER_LABEL, Verdict};

type Key = (String, String, Option<String>, String);

/// When the process dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// At which write, from 0.
    pub(super) at: usize,
    /// Whether that write still happens.
    pub(super) done: bool,
}

#[derive(Default)]
pub(super) struct Process {
    pub(super) writes: usize,
    pub(super) crash: Option<Crash>,
    dead: bool,
}

#[derive(Default)]
pub(super) struct World {
    stores: [BTreeMap<Key, Value>; 2],
    next: u64,
    pub(super) process: Process,
    /// What must never happen.
    pub(super) violations: Vec<String>,
    /// Paused is never observed, to test giving up.
    pub(super) deaf: bool,
    /// Verb and kind that the user of a side (by index) may not do.
    pub(super) forbidden: Vec<(usize, &'static str, &'static str)>,
    /// How often each side was asked, writes and reads.
    pub(super) requests: usize,
    /// Somebody on the target changes this object as soon as it is made.
    pub(super) tampered: Option<&'static str>,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) world: Arc<Mutex<World>>,
    index: usize,
}

/// A source and a target.
pub(super) fn pair() -> (Fake, Fake) {
    let world = Arc::new(Mutex::new(World::default()));
    (Fake { world: world.clone(), index: 0 }, Fake { world, index: 1 })
}

impl Fake {
    /// Puts an object there as it is; gives its uid.
    pub(super) fn put(&self, mut object: Value) -> String {
        let mut world = self.world.lock().unwrap();
        world.next += 1;
        let uid = format!("{}-{}", ["source", "target"][self.index], world.next);
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["generation"] = json!(1);
        let key = ObjectId::from_object(&object).unwrap().versionless();
        world.stores[self.index].insert(key, object);
        uid
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.world.lock().unwrap().stores[self.index].values().cloned().collect()
    }

    pub(super) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.all().into_iter().find(|o| text(o, "/kind") == Some(kind) && text(o, "/metadata/name") == Some(name))
    }

    pub(super) fn change(&self, kind: &str, name: &str, change: impl Fn(&mut Value)) {
        let mut world = self.world.lock().unwrap();
        let object = world.stores[self.index]
            .values_mut()
            .find(|o| text(o, "/kind") == Some(kind) && text(o, "/metadata/name") == Some(name))
            .unwrap();
        change(object);
    }

    /// What controllers find out again after a move, which does not carry it.
    pub(super) fn revive(&self, before: &[Value]) {
        let mut world = self.world.lock().unwrap();
        for object in before.iter().filter(|o| !o["status"].is_null()) {
            let key = ObjectId::from_object(object).unwrap().versionless();
            if let Some(there) = world.stores[self.index].get_mut(&key) {
                there["status"] = object["status"].clone();
            }
        }
    }

    pub(super) fn forget(&self, kind: &str, name: &str) {
        let mut world = self.world.lock().unwrap();
        world.stores[self.index]
            .retain(|_, o| text(o, "/kind") != Some(kind) || text(o, "/metadata/name") != Some(name));
    }

    /// Says that all kinds came with a provider.
    pub(super) fn label_definitions(&self, provider: &str) {
        let mut world = self.world.lock().unwrap();
        let definitions = world.stores[self.index].values_mut().filter(|o| o["kind"] == "CustomResourceDefinition");
        for definition in definitions {
            definition["metadata"]["labels"]["cluster.x-k8s.io/provider"] = json!(provider);
        }
    }

    /// A new process: the counter starts anew.
    pub(super) fn start(&self, crash: Option<Crash>) {
        self.world.lock().unwrap().process = Process { crash, ..Process::default() };
    }

    fn refused(&self, id: &ObjectId, code: u16, reason: &str) -> Error {
        Error::Refused {
            server: self.name().into(),
            verb: "change",
            object: id.to_string(),
            code,
            reason: reason.into(),
            message: reason.into(),
            help: "".into(),
        }
    }

    /// One write, unless the process dies at it.
    fn write<T>(&self, act: impl FnOnce(&mut World, usize) -> Result<T, Error>) -> Result<T, Error> {
        let mut world = self.world.lock().unwrap();
        let number = world.process.writes;
        world.process.writes += 1;
        let dies = world.process.crash.filter(|c| c.at == number);
        let killed = || Error::pivot("killed", "");
        if world.process.dead || dies.is_some_and(|c| !c.done) {
            world.process.dead = true;
            return Err(killed());
        }
        let result = act(&mut world, self.index);
        world.collect_garbage();
        world.look_for_violations();
        if dies.is_some() {
            world.process.dead = true;
            return Err(killed());
        }
        result
    }
}

impl World {
    /// What is owned by nothing that exists goes away.
    fn collect_garbage(&mut self) {
        for store in &mut self.stores {
            loop {
                let uids: BTreeSet<&str> = store.values().map(uid).collect();
                let orphaned = |o: &Value| {
                    let owners = items(o, "/metadata/ownerReferences");
                    !owners.is_empty() && !owners.iter().any(|r| uids.contains(text(r, "/uid").unwrap_or_default()))
                };
                let gone: Vec<Key> = store.iter().filter(|(_, o)| orphaned(o)).map(|(k, _)| k.clone()).collect();
                if gone.is_empty() {
                    break;
                }
                for key in gone {
                    store.remove(&key);
                }
            }
        }
    }

    fn look_for_violations(&mut self) {
        let at_work = |store: &BTreeMap<Key, Value>| {
            let cluster = |o: &&Value| text(o, "/kind") == Some("Cluster") && text(o, "/metadata/name") == Some("prod");
            store.values().find(cluster).is_some_and(|c| !flag(c, "/spec/paused"))
        };
        if at_work(&self.stores[0]) && at_work(&self.stores[1]) {
            self.violations.push("both sides are at work".to_owned());
        }
    }

    /// Controllers say whether they are paused.
    fn work(&mut self, index: usize) {
        if self.deaf {
            return;
        }
        let store = &mut self.stores[index];
        let paused: BTreeMap<String, bool> = store
            .values()
            .filter(|o| text(o, "/kind") == Some("Cluster"))
            .map(|o| (text(o, "/metadata/name").unwrap().to_owned(), flag(o, "/spec/paused")))
            .collect();
        for object in store.values_mut() {
            let own = text(object, "/metadata/name").unwrap().to_owned();
            let is_cluster = text(object, "/kind") == Some("Cluster");
            let of = label(object, CLUSTER_LABEL).map(str::to_owned).or(is_cluster.then_some(own));
            let Some(paused) = of.and_then(|of| paused.get(&of)).copied() else { continue };
            let reports = items(object, "/status/conditions").iter().any(|c| text(c, "/type") == Some("Paused"));
            if reports || is_cluster {
                object["status"]["conditions"] = json!([{"type": "Paused", "status": if paused { "True" } else { "False" }, "observedGeneration": object["metadata"]["generation"]}]);
            }
        }
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[async_trait]
impl Side for Fake {
    fn name(&self) -> &str {
        ["the source", "the target"][self.index]
    }

    async fn list(&self, kind: &TypeRef, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Value>, Error> {
        self.world.lock().unwrap().requests += 1;
        let fits = |o: &Value| {
            let id = ObjectId::from_object(o).unwrap();
            id.kind.group() == kind.group()
                && id.kind.kind == kind.kind
                && namespace.is_none_or(|n| id.namespace.as_deref() == Some(n))
                && labels.is_none_or(|selector| match selector.split_once('=') {
                    Some((key, value)) => label(o, key) == Some(value),
                    None => label(o, selector).is_some(),
                })
        };
        Ok(self.all().into_iter().filter(fits).collect())
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Value>, Error> {
        self.world.lock().unwrap().requests += 1;
        Ok(self.world.lock().unwrap().stores[self.index].get(&id.versionless()).cloned())
    }

    async fn may(&self, right: &Right) -> Result<bool, Error> {
        let world = self.world.lock().unwrap();
        let kind = right.kind.as_ref().map_or("*", |k| k.kind.as_ref());
        let of_side = |f: &&(usize, &str, &str)| f.0 == self.index;
        let mut forbidden = world.forbidden.iter().filter(of_side);
        Ok(if kind == "*" { forbidden.next().is_none() } else { !forbidden.any(|f| f.1 == right.verb && f.2 == kind) })
    }

    async fn create(&self, object: &Value, manager: &str, dry_run: bool) -> Result<Value, Error> {
        self.world.lock().unwrap().requests += 1;
        let id = ObjectId::from_object(object).unwrap();
        if dry_run {
            let there = self.world.lock().unwrap().stores[self.index].contains_key(&id.versionless());
            return if there { Err(self.refused(&id, 409, "AlreadyExists")) } else { Ok(object.clone()) };
        }
        self.write(|world, index| {
            if world.stores[index].contains_key(&id.versionless()) {
                return Err(self.refused(&id, 409, "AlreadyExists"));
            }
            world.next += 1;
            let mut object = object.clone();
            object["metadata"]["uid"] = json!(format!("{}-{}", ["source", "target"][index], world.next));
            object["metadata"]["generation"] = json!(1);
            object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update", "fieldsV1": {}}]);
            let answer = object.clone();
            if world.tampered == Some(id.name.as_str()) {
                object["data"]["tls.key"] = json!("b3RoZXI=");
            }
            world.stores[index].insert(id.versionless(), object);
            Ok(answer)
        })
    }

    async fn patch(&self, id: &ObjectId, patch: &Value) -> Result<Option<Value>, Error> {
        self.world.lock().unwrap().requests += 1;
        self.write(|world, index| {
            let Some(object) = world.stores[index].get_mut(&id.versionless()) else { return Ok(None) };
            if text(patch, "/metadata/uid").is_some_and(|wanted| wanted != uid(object)) {
                return Err(self.refused(id, 409, "Conflict"));
            }
            merge(object, patch);
            let object = object.clone();
            if text(&object, "/metadata/deletionTimestamp").is_some()
                && items(&object, "/metadata/finalizers").is_empty()
            {
                world.stores[index].remove(&id.versionless());
            }
            Ok(Some(object))
        })
    }

    async fn delete(&self, id: &ObjectId, wanted: &str) -> Result<Removed, Error> {
        self.world.lock().unwrap().requests += 1;
        self.write(|world, index| {
            let Some(object) = world.stores[index].get_mut(&id.versionless()) else { return Ok(Removed::Absent) };
            if uid(object) != wanted {
                return Err(self.refused(id, 409, "Conflict"));
            }
            if items(object, "/metadata/finalizers").is_empty() {
                world.stores[index].remove(&id.versionless());
                return Ok(Removed::Gone);
            }
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            let said = format!("a controller was asked to destroy {id}");
            world.violations.push(said);
            Ok(Removed::Held)
        })
    }

    async fn wait(&self, wait: Wait<'_>, _progress: &dyn Progress) -> Result<(), Error> {
        for _ in 0..3 {
            self.world.lock().unwrap().work(self.index);
            let all = self.list(&wait.kind, wait.namespace.as_deref(), None).await?;
            match (wait.judge)(&all.iter().collect::<Vec<_>>()) {
                Verdict::Done => return Ok(()),
                Verdict::Waiting { .. } => {}
                Verdict::Never { why, .. } => {
                    return Err(Error::Hopeless { object: wait.title, why, help: String::new() });
                }
            }
        }
        Err(Error::GaveUp {
            object: wait.title,
            awaited: "it".to_owned(),
            last: String::new(),
            waited: wait.timeout.duration(),
            help: wait.help.to_owned(),
        })
    }
}
