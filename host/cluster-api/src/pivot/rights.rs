//! Whether both kubeconfigs may do what a move does. Asked before anything is written; every missing right is named.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};

use super::SIDE_BY_SIDE;
use super::graph::Graph;
use super::side::Side;
use crate::api::Right;
use crate::error::Error;
use crate::object::{TypeRef, kinds};

/// What a side has to allow.
#[derive(Default)]
pub(super) struct Wanted(BTreeSet<Right>);

impl Wanted {
    fn add(&mut self, verbs: &[&'static str], kind: &TypeRef, namespace: Option<&str>) {
        for verb in verbs {
            self.0.insert(Right { verb, kind: Some(kind.clone()), namespace: namespace.map(str::to_owned) });
        }
    }

    /// Reading what every move reads first.
    pub(super) fn to_look() -> Self {
        let mut wanted = Self::default();
        for kind in [&kinds::CRD, &kinds::PROVIDER, &kinds::DEPLOYMENT] {
            wanted.add(&["list"], kind, None);
        }
        wanted
    }

    /// Reading all kinds that may move.
    pub(super) fn to_list(of: &[super::kinds::Movable], namespace: &str) -> Self {
        let mut wanted = Self::default();
        for movable in of {
            wanted.add(&["list"], &movable.kind, (!movable.global).then_some(namespace));
        }
        wanted
    }

    /// Pausing the source, and taking away what was moved.
    pub(super) fn of_source(graph: &Graph, delete: bool) -> Self {
        let mut wanted = Self::default();
        for node in graph.nodes() {
            let namespace = node.id.namespace.as_deref();
            if node.id.kind.kind == "Cluster" || node.id.kind.kind == "ClusterClass" {
                wanted.add(&["patch"], &node.id.kind, namespace);
            }
            if delete && node.own {
                wanted.add(&["patch", "delete"], &node.id.kind, namespace);
            }
        }
        wanted
    }

    /// Making objects, reading them back, and taking them away again if need be.
    pub(super) fn of_target(graph: &Graph) -> Self {
        let mut wanted = Self::default();
        wanted.add(&["get"], &kinds::NAMESPACE, None);
        for node in graph.nodes() {
            let namespace = node.id.namespace.as_deref();
            wanted.add(&["get", "list", "create"], &node.id.kind, namespace);
            if !node.global {
                wanted.add(&["patch", "delete"], &node.id.kind, namespace);
            }
        }
        wanted
    }
}

/// The rights that the user of a side lacks, as lines for people. One question, if the user may do everything.
pub(super) async fn missing(side: &dyn Side, wanted: Wanted) -> Result<Vec<String>, Error> {
    if side.may(&Right { verb: "*", kind: None, namespace: None }).await? {
        return Ok(Vec::new());
    }
    let refused: Vec<Option<Right>> = futures::stream::iter(wanted.0)
        .map(|right| async move { Ok::<_, Error>((!side.may(&right).await?).then_some(right)) })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let mut by_place: BTreeMap<(String, Option<String>), Vec<&str>> = BTreeMap::new();
    for right in refused.into_iter().flatten() {
        let kind = right.kind.map(|k| k.kind.to_string()).unwrap_or_default();
        by_place.entry((kind, right.namespace)).or_default().push(right.verb);
    }
    Ok(by_place
        .into_iter()
        .map(|((kind, namespace), verbs)| {
            let place = namespace.map_or_else(String::new, |n| format!(" in the namespace {n}"));
            format!("the kubeconfig of {} may not {} {kind} objects{place}", side.name(), verbs.join(", "))
        })
        .collect())
}
