//! What a controller is: the kinds that it looks after, the changes that concern it, and what it does about one object.

use std::time::Duration;

use serde_json::Value;

use crate::kube::{Event, Kind};

use super::component::Component;
use super::engine::Context;
use super::kinds::INFRASTRUCTURE_GROUP;
use super::objects::Refused;

/// An object to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn of(this: &Value) -> Self {
        let (kind, namespace, name) = super::objects::address(this);
        Self { kind, namespace, name }
    }
}

/// Which kinds of objects.
#[derive(Debug, Clone)]
pub(crate) enum On {
    /// One kind.
    Kind(Kind),
    /// Every kind of the infrastructure group that ends in this word: providers name theirs as they like.
    Infrastructure(&'static str),
}

impl On {
    pub(super) fn matches(&self, kind: &Kind) -> bool {
        match self {
            Self::Kind(one) => one == kind,
            Self::Infrastructure(end) => kind.group == INFRASTRUCTURE_GROUP && kind.kind.ends_with(end),
        }
    }
}

/// Which objects a change is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    /// Its owners of the controller's kind.
    Owners,
    /// Those of the controller's kind in the same cluster.
    SameCluster,
    /// Those of the controller's kind that the object, a Cluster, is about.
    OfCluster,
    /// The Cluster that it belongs to.
    ItsCluster,
    /// The one of the controller's kind that this label names.
    Label(&'static str),
    /// The one that the reference at this place names.
    Reference(&'static str),
    /// All of the controller's kind.
    All,
}

/// What comes after an object was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing, until something changes.
    Settled,
    /// Look again after this time, if nothing changes before.
    Wait(Duration),
}

/// The outcome of looking at an object; an error means: again, shortly.
pub(crate) type Outcome = Result<After, Refused>;

/// One controller.
pub(crate) trait Controller: Send + Sync {
    /// The kinds that it looks after.
    fn primary(&self) -> On;
    /// What has to be installed for it to act.
    fn component(&self) -> Component;
    /// The changes that concern it, besides those of its own kind.
    fn watches(&self) -> Vec<(On, Route)>;
    /// Whether changes of the nodes of a workload cluster concern it.
    fn follows_nodes(&self) -> bool {
        false
    }
    /// Whether a change concerns it at all; asked for those that it watches.
    fn is_concerned(&self, event: &Event) -> bool {
        let _ = event;
        true
    }
    /// Brings one object forward.
    fn reconcile(&self, context: &Context, key: &Key) -> Outcome;
}

/// What a change has not changed.
pub(crate) trait Same {
    /// Whether the values at these places are as before.
    fn same_at(&self, pointers: &[&str]) -> bool;
}

impl Same for Event {
    fn same_at(&self, pointers: &[&str]) -> bool {
        self.previous.as_ref().is_some_and(|before| {
            pointers.iter().all(|pointer| before.pointer(pointer) == self.object.pointer(pointer))
        })
    }
}
