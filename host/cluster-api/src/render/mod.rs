//! The Cluster API objects of a spec: the same bytes for the same input.

mod admission;
mod args;
mod audit;
pub mod authenticator;
mod aws_iam;
mod bottlerocket;
mod cluster;
mod compare;
mod context;
mod control_plane;
mod encryption;
mod etcd;
mod features;
mod file;
mod health;
mod kubeadm;
mod kubelet;
mod mirror;
mod names;
mod node;
mod proxy;
mod workers;

use std::collections::{HashMap, HashSet};

use kedge_spec::DefaultedSpec;
use kedge_spec::provider::{Contributions, Description, Placement};
use kedge_spec::release::ReleaseView;
use serde_json::Value;

use crate::api::identity;
use crate::error::Error;
use context::Context;

pub use aws_iam::secret_name as aws_iam_secret_name;
pub use compare::{Difference, FieldChange, ObjectChange, Rolled, compare, template_references};
pub use mirror::{PASSWORD as REGISTRY_PASSWORD, USERNAME as REGISTRY_USERNAME};

/// All that the objects are made from.
#[derive(Clone, Copy)]
pub struct RenderInput<'a> {
    /// The spec, defaulted.
    pub spec: &'a DefaultedSpec,
    /// The release as this cluster sees it.
    pub release: &'a ReleaseView,
    /// Who the provider is.
    pub provider: &'a Description,
    /// What it gives.
    pub contributions: &'a Contributions,
}

/// One object with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// When it is applied.
    pub placement: Placement,
    /// The file it is written to, one for each part of the cluster: `cluster.yaml`, `control-plane.yaml`, ….
    pub file_name: String,
    /// The object. Secrets hold references, not values.
    pub object: Value,
}

/// All objects of a cluster, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifests {
    /// The objects.
    pub objects: Vec<Rendered>,
}

/// Renders a cluster: first what has to be there before it, then the cluster, its control plane and etcd, then each worker
/// node group, then what goes onto the cluster itself.
///
/// # Errors
/// [`Error::Render`] if the spec and what the provider gave don't fit together.
pub fn render(input: &RenderInput<'_>) -> Result<Manifests, Error> {
    let context = Context::new(input)?;
    let mut out = Collector::default();
    let given = &input.contributions.infrastructure;

    out.push(Placement::BeforeCluster, "before-cluster", cluster::namespace());
    let others = given.others.iter().chain(&input.contributions.addons);
    for manifest in others.clone().filter(|m| m.placement == Placement::BeforeCluster) {
        out.push(manifest.placement, "before-cluster", manifest.object.clone());
    }
    for object in context.mirror.iter().flat_map(|mirror| mirror.objects(&context)) {
        out.push(Placement::BeforeCluster, "before-cluster", object);
    }
    out.push(Placement::WithCluster, "cluster", cluster::cluster(&context)?);
    out.push(Placement::WithCluster, "cluster", given.cluster.clone());
    for manifest in others.clone().filter(|m| m.placement == Placement::WithCluster) {
        out.push(manifest.placement, "cluster", manifest.object.clone());
    }
    out.extend("control-plane", control_plane::objects(&context)?);
    out.extend("etcd", etcd::objects(&context)?);
    for group in &context.cluster.spec.worker_node_group_configurations {
        out.extend(&format!("workers-{}", group.name), workers::objects(&context, group)?);
    }
    for manifest in others.filter(|m| m.placement == Placement::WorkloadCluster) {
        out.push(manifest.placement, "workload-cluster", manifest.object.clone());
    }
    for object in authenticator::objects(&context)? {
        out.push(Placement::WorkloadCluster, "workload-cluster", object);
    }
    out.finish()
}

/// Objects as they come, and whether each is there once.
#[derive(Default)]
struct Collector {
    objects: Vec<Rendered>,
}

impl Collector {
    fn push(&mut self, placement: Placement, file: &str, object: Value) {
        let file_name = format!("{}.yaml", file.replace(['/', '\\'], "-"));
        self.objects.push(Rendered { placement, file_name, object });
    }

    fn extend(&mut self, file: &str, objects: Vec<Value>) {
        for object in objects {
            self.push(Placement::WithCluster, file, object);
        }
    }

    fn finish(self) -> Result<Manifests, Error> {
        let mut seen = HashSet::with_capacity(self.objects.len());
        for rendered in &self.objects {
            let id = identity(&rendered.object)?;
            // The workload cluster is another world: the same name may stand there.
            if !seen.insert((rendered.placement == Placement::WorkloadCluster, id.versionless())) {
                return Err(Error::render(
                    format!("two objects of this cluster are both called {id}"),
                    "give one of them another name; worker node groups have to have different names",
                ));
            }
        }
        Ok(Manifests { objects: self.objects })
    }
}

impl Manifests {
    /// The objects of a place, in order.
    pub fn placed(&self, placement: Placement) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |r| r.placement == placement).map(|r| &r.object)
    }

    /// All objects as one YAML text of several documents.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for rendered in &self.objects {
            text.push_str("---\n");
            text.push_str(&kedge_spec::yaml_document(&rendered.object));
        }
        text
    }

    /// The text of each file, in the order in which files first occur.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for rendered in &self.objects {
            let document = kedge_spec::yaml_document(&rendered.object);
            let place = *places.entry(&rendered.file_name).or_insert(files.len());
            match files.get_mut(place) {
                Some((_, text)) => {
                    text.push_str("---\n");
                    text.push_str(&document);
                }
                None => files.push((rendered.file_name.clone(), document)),
            }
        }
        files
    }
}
