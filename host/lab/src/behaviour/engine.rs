//! What drives the lab's controllers: changes of the store and timers wake them, and nothing else does.
//!
//! One task a cluster. A change is routed to the objects that have to be looked at again; each is looked at once, however many changes asked for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::kube::{Event, EventType, Gone, Kind, KubeCluster, Watch, object};

use super::component::{self, Component};
use super::controller::{After, Controller, Key, On, Route, Same as _};
use super::core::template;
use super::infrastructure::contract::{self, Definition};
use super::kinds::{CLUSTER, CRD, DEPLOYMENT, INFRASTRUCTURE_GROUP, NODE};
use super::meta::{cluster_name, text};
use super::objects::Objects;
use super::pace::Stages;
use super::queue::Queue;
use super::world::World;

/// How long an object waits that could not be looked at, because the API refused a write.
const RETRY: Duration = Duration::from_millis(100);

/// How often an object may be looked at in each of these spans; two controllers that undo each other would otherwise never rest.
const OFTEN: u32 = 300;
const SPAN: Duration = Duration::from_secs(1);

/// What controllers work with.
pub(crate) struct Context {
    pub(crate) cluster: KubeCluster,
    pub(crate) objects: Objects,
    pub(crate) world: Arc<World>,
    pub(crate) stages: Stages,
    installed: Mutex<BTreeSet<String>>,
    definitions: Mutex<Vec<Definition>>,
    admitted: Mutex<HashSet<Kind>>,
}

impl Context {
    pub(crate) fn new(cluster: KubeCluster, world: Arc<World>) -> Self {
        let objects = Objects::new(cluster.store().clone());
        Self {
            cluster,
            objects,
            world,
            stages: Stages::default(),
            installed: Mutex::default(),
            definitions: Mutex::default(),
            admitted: Mutex::default(),
        }
    }

    /// What is left of a stage that takes `realistic` on real infrastructure.
    pub(crate) fn left(&self, this: &Value, stage: &'static str, realistic: Duration) -> Option<Duration> {
        self.stages.left(object::uid(this), stage, self.world.pace().scaled(realistic))
    }

    /// The kinds of objects in the infrastructure group, as their definitions have them.
    pub(crate) fn definitions(&self) -> Vec<Definition> {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn definition(&self, kind: &Kind) -> Option<Definition> {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|one| &one.kind == kind).cloned()
    }

    /// Whether this kind is new to the webhooks.
    pub(crate) fn first_sight(&self, kind: &Kind) -> bool {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.clone())
    }

    fn is_installed(&self, component: &Component, kind: &Kind) -> bool {
        let installed = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
        match component {
            Component::Kubernetes => true,
            Component::Named(name) => installed.contains(*name),
            Component::OfDefinition => self
                .definition(kind)
                .is_some_and(|definition| definition.provider.is_some_and(|label| installed.contains(&label))),
        }
    }

    fn keys(&self, on: &On, namespace: &str, cluster: Option<&str>) -> Vec<Key> {
        let list = |kind: &Kind| -> Vec<Key> {
            let all = self.objects.each(kind, namespace);
            all.iter()
                .filter(|one| cluster.is_none_or(|wanted| cluster_name(one) == wanted || of_itself(one, wanted)))
                .map(|one| Key::of(one))
                .collect()
        };
        match on {
            On::Kind(kind) => list(kind),
            On::Infrastructure(_) => {
                self.definitions().iter().filter(|one| on.matches(&one.kind)).flat_map(|one| list(&one.kind)).collect()
            }
        }
    }
}

/// A Cluster belongs to itself.
fn of_itself(this: &Value, cluster: &str) -> bool {
    object::kind(this) == "Cluster" && object::name(this) == cluster
}

/// The controllers of one cluster at work.
pub(crate) struct Engine {
    context: Arc<Context>,
    controllers: Vec<Box<dyn Controller>>,
    queue: Queue,
    looks: HashMap<(usize, Key), u32>,
    span: Instant,
}

impl Engine {
    pub(crate) fn new(context: Arc<Context>, controllers: Vec<Box<dyn Controller>>) -> Self {
        let queue = Queue::default();
        Self { context, controllers, queue, looks: HashMap::new(), span: Instant::now() }
    }

    /// Runs until the task is aborted.
    pub(crate) async fn run(mut self, mut watch: Watch) {
        let mut nodes = self.context.world.node_changes();
        self.start_over();
        loop {
            loop {
                match watch.take() {
                    Ok(Some(event)) => self.route(&event),
                    Ok(None) => break,
                    Err(Gone) => {
                        watch = follow(&self.context.cluster);
                        self.start_over();
                    }
                }
            }
            self.queue.ripen();
            if let Some((controller, key)) = self.queue.pop() {
                self.look_at(controller, key);
                if self.queue.len().is_multiple_of(16) {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            let timer = self.queue.next_timer();
            tokio::select! {
                event = watch.next() => {
                    if let Ok(event) = event {
                        self.route(&event);
                    } else {
                        watch = follow(&self.context.cluster);
                        self.start_over();
                    }
                }
                changed = nodes.recv() => match changed {
                    Ok(cluster) => self.route_nodes(&cluster),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.start_over(),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = sleep_until(timer) => {}
            }
        }
    }

    fn look_at(&mut self, index: usize, key: Key) {
        let Some(controller) = self.controllers.get(index) else { return };
        if !self.context.is_installed(&controller.component(), &key.kind) {
            return;
        }
        if self.span.elapsed() > SPAN {
            self.span = Instant::now();
            self.looks.clear();
        }
        let looks = self.looks.entry((index, key.clone())).or_default();
        *looks += 1;
        if *looks > OFTEN {
            self.queue.later(index, key, RETRY);
            return;
        }
        match controller.reconcile(&self.context, &key) {
            Ok(After::Settled) => {}
            Ok(After::Wait(wait)) => self.queue.later(index, key, wait),
            Err(refused) => {
                tracing::debug!(cluster = self.context.cluster.name(), kind = %key.kind, name = key.name, %refused, "a lab controller tries again");
                self.queue.later(index, key, RETRY);
            }
        }
    }

    /// Looks at everything again: at the start, and when changes were missed.
    fn start_over(&mut self) {
        self.refresh_definitions();
        self.refresh_components();
        for index in 0..self.controllers.len() {
            self.all_of(index);
        }
    }

    fn all_of(&mut self, index: usize) {
        let Some(controller) = self.controllers.get(index) else { return };
        for key in self.context.keys(&controller.primary(), "", None) {
            self.queue.push(index, key);
        }
    }

    fn refresh_definitions(&self) {
        let found = self.context.objects.each(&CRD, "").iter().filter_map(|one| contract::definition(one)).collect();
        *self.context.definitions.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Says whether what is installed has changed.
    fn refresh_components(&self) -> bool {
        let now = component::available(&self.context.objects.each(&DEPLOYMENT, ""));
        let mut installed = self.context.installed.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *installed != now;
        *installed = now;
        changed
    }

    fn route(&mut self, event: &Event) {
        let this = &*event.object;
        if event.event_type == EventType::Deleted {
            self.context.stages.forget(object::uid(this));
        }
        if event.kind == CRD && text(this, "/spec/group") == INFRASTRUCTURE_GROUP {
            self.refresh_definitions();
            super::admission::register_kind(&self.context, this);
        }
        if event.kind == DEPLOYMENT && self.refresh_components() {
            for index in 0..self.controllers.len() {
                if !matches!(self.controllers.get(index).map(|one| one.component()), None | Some(Component::Kubernetes))
                {
                    self.all_of(index);
                }
            }
        }
        if event.kind == NODE && !same_node(event) {
            self.context.world.tell_nodes_changed(self.context.cluster.name());
        }
        for index in 0..self.controllers.len() {
            for key in self.concerned(index, event) {
                self.queue.push(index, key);
            }
        }
    }

    fn concerned(&self, index: usize, event: &Event) -> Vec<Key> {
        let Some(controller) = self.controllers.get(index) else { return Vec::new() };
        let this = &*event.object;
        let primary = controller.primary();
        let mut keys = Vec::new();
        if primary.matches(&event.kind) {
            keys.push(Key::of(this));
        }
        let watches = controller.watches();
        let mut routes = watches.iter().filter(|(on, _)| on.matches(&event.kind)).map(|(_, route)| route).peekable();
        // What a Cluster says about the progress of its parts is no news to them.
        if routes.peek().is_none() || event.kind == CLUSTER && same_cluster(event) || !controller.is_concerned(event) {
            return keys;
        }
        for route in routes {
            let namespace = object::namespace(this);
            match route {
                Route::Owners => keys.extend(owners_of(this, &primary)),
                Route::SameCluster => {
                    let cluster = cluster_name(this);
                    if !cluster.is_empty() {
                        keys.extend(self.context.keys(&primary, namespace, Some(cluster)));
                    }
                }
                Route::OfCluster => keys.extend(self.context.keys(&primary, namespace, Some(object::name(this)))),
                Route::ItsCluster => {
                    let cluster = cluster_name(this);
                    if let (On::Kind(kind), false) = (&primary, cluster.is_empty()) {
                        keys.push(Key {
                            kind: kind.clone(),
                            namespace: namespace.to_owned(),
                            name: cluster.to_owned(),
                        });
                    }
                }
                Route::Label(label) => {
                    if let (On::Kind(kind), Some(name)) = (&primary, object::label(this, label)) {
                        keys.push(Key { kind: kind.clone(), namespace: namespace.to_owned(), name: name.to_owned() });
                    }
                }
                Route::Reference(pointer) => {
                    if let Some((kind, name)) =
                        this.pointer(pointer).map(template::target).filter(|(kind, _)| primary.matches(kind))
                    {
                        keys.push(Key { kind, namespace: namespace.to_owned(), name });
                    }
                }
                Route::All => keys.extend(self.context.keys(&primary, "", None)),
            }
        }
        keys
    }

    fn route_nodes(&mut self, cluster: &str) {
        for index in 0..self.controllers.len() {
            let keys = match self.controllers.get(index) {
                Some(controller) if controller.follows_nodes() => {
                    self.context.keys(&controller.primary(), "", Some(cluster))
                }
                _ => continue,
            };
            for key in keys {
                self.queue.push(index, key);
            }
        }
    }
}

/// Whether a change of a Cluster leaves what its parts go by as it was.
fn same_cluster(event: &Event) -> bool {
    event.event_type == EventType::Modified
        && event.same_at(&[
            "/spec",
            "/metadata/labels",
            "/metadata/annotations",
            "/metadata/deletionTimestamp",
            "/status/initialization",
        ])
}

/// Whether a change of a node leaves what machines go by as it was.
fn same_node(event: &Event) -> bool {
    event.event_type == EventType::Modified
        && event.same_at(&["/spec/providerID", "/status/conditions", "/status/nodeInfo"])
}

fn owners_of(this: &Value, primary: &On) -> Vec<Key> {
    let namespace = object::namespace(this);
    let owners = object::owners(this).iter().map(|owner| {
        let (group, _) = object::group_version(owner);
        Key {
            kind: Kind::of(group, object::kind(owner)),
            namespace: namespace.to_owned(),
            name: text(owner, "/name").to_owned(),
        }
    });
    owners.filter(|key| primary.matches(&key.kind)).collect()
}

/// Follows a cluster's changes from now on.
pub(crate) fn follow(cluster: &KubeCluster) -> Watch {
    loop {
        // "From now on" is refused only if more changes than are kept come in between; then now is later.
        if let Ok(watch) = cluster.store().watch(None) {
            return watch;
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
