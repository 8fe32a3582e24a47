//! A bootstrap cluster of one node in a container, made through the API of Docker or Podman.
//!
//! It is a kind cluster in all but the maker: the node image, the names, labels and network are kind's, so that a stock
//! `kind get clusters`, `kind export kubeconfig` and `kind delete cluster` work on it. Neither kind nor kubectl is needed.

mod address;
mod container;
mod engine;
mod exec;
mod failure;
mod image;
mod kubeadm;
mod kubeconfig;
mod mirror;
mod network;
mod node;
mod preflight;
mod ready;
mod tool;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions, StartContainerOptions};
use tokio::sync::OnceCell;

pub use failure::Trouble;

use crate::{Bootstrap, BootstrapError, Check, Driver, Finding, Identity, Progress, ToolRun, Wanted};
use container::{CLUSTER_LABEL, FOLDER_LABEL, OWNER_LABEL, RIGHTS_LABEL, Rights, cluster_name};
use engine::Engine;
use exec::Node;

/// Looks up a variable of the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Bootstrap clusters in containers.
pub struct Docker {
    environment: Environment,
    image: Option<String>,
    engine: OnceCell<Engine>,
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Docker").field("image", &self.image).finish_non_exhaustive()
    }
}

/// A container of a bootstrap cluster, as it was found.
struct Found {
    name: String,
    running: bool,
    ours: bool,
    rights: Rights,
    folder: String,
}

impl Docker {
    /// A driver that finds its engine by `environment`, as the engine's own clients do: `DOCKER_HOST`, contexts, the usual
    /// sockets. `image` is the node image to use in place of the release's. Nothing is looked for yet.
    pub fn new(environment: Environment, image: Option<String>) -> Self {
        Self { environment, image, engine: OnceCell::new() }
    }

    fn lookup(&self) -> impl Fn(&str) -> Option<String> + Sync + '_ {
        |name| (self.environment)(name)
    }

    async fn engine(&self) -> Result<&Engine, BootstrapError> {
        self.engine
            .get_or_try_init(|| async {
                let found = address::find(&self.lookup())?;
                tracing::debug!(address = %found.address, origin = found.origin, "container engine");
                Engine::connect(&found).await
            })
            .await
    }

    /// All containers that bear the name of a cluster's bootstrap cluster, whoever made them.
    async fn containers(&self, engine: &Engine, cluster: &Identity) -> Result<Vec<Found>, BootstrapError> {
        let label = format!("{CLUSTER_LABEL}={}", cluster_name(&cluster.cluster));
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = engine.client.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| engine.failed("list its containers", error))?;
        Ok(listed.into_iter().map(|container| found(container, &cluster.owner)).collect())
    }

    /// The containers of a cluster if they are ours. Somebody else's are an error.
    async fn own(&self, engine: &Engine, cluster: &Identity) -> Result<Vec<Found>, BootstrapError> {
        let containers = self.containers(engine, cluster).await?;
        match containers.iter().find(|container| !container.ours) {
            Some(foreign) => Err(BootstrapError::Foreign {
                cluster: cluster_name(&cluster.cluster),
                container: foreign.name.clone(),
                folder: foreign.folder.clone(),
            }),
            None => Ok(containers),
        }
    }

    /// The bootstrap cluster that is whole, started again if it was stopped.
    async fn whole(&self, engine: &Engine, found: &Found) -> Result<Option<Bootstrap>, BootstrapError> {
        if !found.running {
            let started = engine.client.start_container(&found.name, None::<StartContainerOptions>).await;
            started.map_err(|error| engine.failed(format!("start the container `{}` again", found.name), error))?;
        }
        let node = Node { engine, container: &found.name, rights: found.rights };
        node::whole(&node).await
    }

    async fn remove(&self, engine: &Engine, name: &str) -> Result<(), BootstrapError> {
        // With its anonymous volumes.
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        match engine.client.remove_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if failure::trouble(&error) == Trouble::NotFound => Ok(()),
            Err(error) => Err(engine.failed(format!("remove the container `{name}`"), error)),
        }
    }
}

fn found(container: ContainerSummary, owner: &str) -> Found {
    let labels = container.labels.unwrap_or_default();
    let name = container.names.and_then(|names| names.into_iter().next()).or(container.id).unwrap_or_default();
    Found {
        name: name.trim_start_matches('/').to_owned(),
        running: container.state == Some(ContainerSummaryStateEnum::RUNNING),
        ours: !owner.is_empty() && labels.get(OWNER_LABEL).is_some_and(|is| is == owner),
        rights: Rights::from_label(labels.get(RIGHTS_LABEL)),
        folder: labels.get(FOLDER_LABEL).cloned().unwrap_or_default(),
    }
}

#[async_trait]
impl Driver for Docker {
    fn name(&self) -> &'static str {
        "container engine"
    }

    fn temporary(&self) -> bool {
        true
    }

    async fn check(&self, cluster: &Identity, _wanted: &Wanted) -> Vec<Check> {
        let engine = match self.engine().await {
            Ok(engine) => engine,
            Err(error) => {
                let finding =
                    Finding { code: "engine-unreachable", message: error.to_string(), remedy: error.remedy() };
                return vec![preflight::check(
                    preflight::ENGINE,
                    "Bootstrap container engine validated",
                    vec![finding],
                    Vec::new(),
                )];
            }
        };
        let mut checks = vec![preflight::engine(engine), preflight::Room::look(engine).check()];
        let foreign = self.own(engine, cluster).await.err().map(|error| Finding {
            code: "bootstrap-name-taken",
            message: error.to_string(),
            remedy: error.remedy(),
        });
        let name = "Bootstrap cluster name validated";
        checks.push(preflight::check(preflight::NAME, name, foreign.into_iter().collect(), Vec::new()));
        checks
    }

    fn runs_images(&self) -> bool {
        true
    }

    async fn run(&self, run: &ToolRun<'_>) -> Result<Option<String>, BootstrapError> {
        let engine = self.engine().await?;
        tool::run(engine, run, &self.lookup()).await.map(Some)
    }

    async fn find(&self, cluster: &Identity) -> Result<Option<Bootstrap>, BootstrapError> {
        let engine = self.engine().await?;
        for container in self.containers(engine, cluster).await?.iter().filter(|c| c.ours) {
            if let Some(bootstrap) = self.whole(engine, container).await? {
                return Ok(Some(bootstrap));
            }
        }
        Ok(None)
    }

    async fn remains(&self, cluster: &Identity) -> Result<bool, BootstrapError> {
        let engine = self.engine().await?;
        Ok(self.containers(engine, cluster).await?.iter().any(|container| container.ours))
    }

    async fn create(
        &self,
        cluster: &Identity,
        wanted: &Wanted,
        progress: &dyn Progress,
    ) -> Result<Bootstrap, BootstrapError> {
        let engine = self.engine().await?;
        for container in self.own(engine, cluster).await? {
            if let Some(bootstrap) = self.whole(engine, &container).await? {
                return Ok(bootstrap);
            }
            let node = Node { engine, container: &container.name, rights: container.rights };
            if node::initialised(&node).await {
                progress.note(&format!("going on with `{}`, which an earlier try left half-made", container.name));
                return node::finish(&node, progress).await;
            }
            progress.note(&format!("replacing `{}`, which an earlier try left half-made", container.name));
            self.remove(engine, &container.name).await?;
        }
        let lookup = self.lookup();
        let mut wanted = wanted.clone();
        if let Some(reference) = &self.image {
            wanted.image = Some(crate::NodeImage { reference: reference.clone(), digest: None });
        }
        node::make(engine, cluster, &wanted, &lookup, progress).await
    }

    async fn delete(&self, cluster: &Identity) -> Result<(), BootstrapError> {
        let engine = self.engine().await?;
        for container in self.containers(engine, cluster).await?.iter().filter(|c| c.ours) {
            self.remove(engine, &container.name).await?;
        }
        kubeconfig::forget(&cluster_name(&cluster.cluster), &self.lookup())
    }

    async fn evidence(&self, cluster: &Identity) -> Vec<(String, String)> {
        let engine = match self.engine().await {
            Ok(engine) => engine,
            Err(error) => return vec![("container-engine.txt".into(), format!("{error}\n"))],
        };
        let mut files = vec![("container-engine.txt".to_owned(), format!("{}\n{:#?}\n", engine.address, engine.info))];
        let containers = self.containers(engine, cluster).await.unwrap_or_default();
        for container in containers.iter().filter(|c| c.ours) {
            let node = Node { engine, container: &container.name, rights: container.rights };
            files.extend(node::evidence(&node).await);
        }
        files
    }
}
