//! Which kinds can belong to a cluster: those whose definitions carry clusterctl's label.

use serde_json::Value;

use super::side::Side;
use crate::error::Error;
use crate::install::{CLUSTERCTL_LABEL, CORE_LABEL, PROVIDER_LABEL, storage_version};
use crate::object::{TypeRef, flag, items, kinds, label, text};

const MOVE: &str = "clusterctl.cluster.x-k8s.io/move";
const MOVE_HIERARCHY: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";

/// A kind whose objects may be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movable {
    /// In the version that is stored.
    pub(super) kind: TypeRef,
    /// Its objects have no namespace.
    pub(super) global: bool,
    /// Its objects go along whoever owns them.
    pub(super) forced: bool,
    /// The provider that it came with.
    pub(super) provider: Option<String>,
    /// All versions that are served.
    pub(super) served: Vec<String>,
}

/// The kinds of a side, with Secrets and ConfigMaps.
pub(super) async fn movable(side: &dyn Side) -> Result<Vec<Movable>, Error> {
    let definitions = side.list(&kinds::CRD, None, Some(CLUSTERCTL_LABEL)).await?;
    let mut found: Vec<Movable> =
        definitions.iter().filter(|crd| label(crd, CORE_LABEL).is_none()).filter_map(of_definition).collect();
    found.extend([kinds::SECRET, kinds::CONFIG_MAP].map(Movable::of));
    Ok(found)
}

impl Movable {
    /// A kind of Kubernetes' own, in namespaces.
    pub(super) fn of(kind: TypeRef) -> Self {
        Self { served: vec![kind.version().to_owned()], kind, global: false, forced: false, provider: None }
    }
}

fn of_definition(crd: &Value) -> Option<Movable> {
    let group = text(crd, "/spec/group")?;
    let kind = text(crd, "/spec/names/kind")?;
    let served = items(crd, "/spec/versions")
        .iter()
        .filter(|v| flag(v, "/served"))
        .filter_map(|v| text(v, "/name").map(str::to_owned))
        .collect();
    Some(Movable {
        kind: TypeRef::new(format!("{group}/{}", storage_version(crd)?), kind),
        global: text(crd, "/spec/scope") == Some("Cluster"),
        forced: is_forced(crd),
        provider: label(crd, PROVIDER_LABEL).map(str::to_owned),
        served,
    })
}

/// Whether a definition or an object asks to go along.
pub(super) fn is_forced(object: &Value) -> bool {
    label(object, MOVE).is_some() || label(object, MOVE_HIERARCHY).is_some()
}
