//! What the steps of one run share: the prepared spec, the folder, and the two sides that a create moves between.

mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex as Plain;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kedge_bootstrap::{Driver, Identity, Wanted};
use kedge_cluster_api::api::Api;
use kedge_cluster_api::install::{ComponentManifests, InstallTimeouts};
use kedge_cluster_api::readiness::{self, Timeout};
use kedge_cluster_api::render::Manifests;
use kedge_cluster_api::{Error as ApiError, FIELD_MANAGER, NAMESPACE, ObjectId, kinds, pivot};
use kedge_plugin::SecretStore;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

pub(crate) use watching::{LOOK, Probe, Teller};

use crate::bootstrap;
use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt};
use crate::folder::{Folder, GENERATED, Readers};
use crate::journal::{Journal, Operation, Records};
use crate::load::Prepared;
use crate::management::{Ground, Management};
use crate::networking::Cni;
use crate::options::Options;
use crate::outcome::CheckReport;
use crate::step::Failure;
use crate::steps::id;

/// A cluster's API as this run finds it.
pub enum Side {
    /// There is none.
    Absent,
    /// It should be there, and does not answer.
    Silent(ApiError),
    /// It answers.
    There(Api),
}

/// What the steps share.
pub struct Run {
    pub(crate) options: Options,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) prepared: Prepared,
    pub(crate) folder: Folder,
    pub(crate) journal: Journal,
    pub(crate) secrets: Arc<SecretStore>,
    pub(crate) driver: Arc<dyn Driver>,
    /// Present if another cluster manages this one, now and later; the driver hands out that one's kubeconfig then.
    pub(crate) management: Option<Management>,
    /// Which bootstrap cluster is this run's.
    pub(crate) identity: Identity,
    pub(crate) components: Vec<ComponentManifests>,
    /// What preflight of this run came to: for the report, and for the error if it failed.
    pub(crate) checks: Plain<Option<Vec<CheckReport>>>,
    pub(crate) refused: Plain<Option<WorkflowError>>,
    manifests: OnceCell<Manifests>,
    cni: OnceCell<Vec<Value>>,
    bootstrap: Mutex<Option<Api>>,
    workload: Mutex<Option<Api>>,
    settled: AtomicBool,
}

impl Run {
    #[allow(clippy::too_many_arguments)] // One place makes it, and every part has another type.
    pub(crate) fn new(
        options: Options,
        reporter: Arc<dyn Reporter>,
        prepared: Prepared,
        folder: Folder,
        journal: Journal,
        secrets: Arc<SecretStore>,
        ground: Ground,
        identity: Identity,
        components: Vec<ComponentManifests>,
    ) -> Self {
        Self {
            options,
            reporter,
            prepared,
            folder,
            journal,
            secrets,
            driver: ground.driver,
            management: ground.management,
            identity,
            components,
            checks: Plain::default(),
            refused: Plain::default(),
            manifests: OnceCell::new(),
            cni: OnceCell::new(),
            bootstrap: Mutex::default(),
            workload: Mutex::default(),
            settled: AtomicBool::new(false),
        }
    }

    /// The cluster's name.
    pub(crate) fn name(&self) -> &str {
        self.prepared.name()
    }

    /// Whether a rendered object is of this cluster alone: its name is the cluster's, or begins with it.
    pub(crate) fn is_own(&self, object: &Value) -> bool {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        name.strip_prefix(self.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// Where its objects are worked on.
    pub(crate) fn ground(&self) -> Ground {
        Ground { driver: Arc::clone(&self.driver), management: self.management.clone() }
    }

    /// The cluster that works on this one's objects before this one can, as messages name it.
    pub(crate) fn manager(&self) -> String {
        match &self.management {
            Some(management) => format!("the management cluster `{}`", management.name),
            None => "the bootstrap cluster".to_owned(),
        }
    }

    /// Progress of a step, told to the reporter.
    pub(crate) fn progress(&self, step: &'static str) -> Arc<Teller> {
        Arc::new(Teller::new(step, Arc::clone(&self.reporter)))
    }

    /// The bootstrap cluster or the management cluster, if there is one and it answers.
    pub(crate) async fn bootstrap_side(&self) -> Result<Side, Failure> {
        let mut known = self.bootstrap.lock().await;
        if let Some(api) = known.as_ref() {
            return Ok(Side::There(api.clone()));
        }
        let Some(found) = self.driver.find(&self.identity).await? else { return Ok(Side::Absent) };
        let api = Api::from_kubeconfig(&found.kubeconfig).await?;
        match api.version().await {
            Ok(_) => {
                *known = Some(api.clone());
                Ok(Side::There(api))
            }
            Err(error) => Ok(Side::Silent(error)),
        }
    }

    /// Makes the bootstrap cluster, and waits until its API answers.
    pub(crate) async fn make_bootstrap(&self, step: &'static str) -> Result<(), Failure> {
        self.forget_bootstrap().await;
        let progress = self.progress(step);
        let wanted = self.wanted()?;
        let made = self.driver.create(&self.identity, &wanted, progress.as_ref()).await?;
        let api = Api::from_kubeconfig(&made.kubeconfig).await?;
        readiness::api_answers(&api, self.bound(self.options.timeouts.installation), progress.as_ref()).await?;
        Ok(())
    }

    /// What the bootstrap cluster is to be like, with the credentials that it needs.
    fn wanted(&self) -> Result<Wanted, Failure> {
        bootstrap::wanted(&self.prepared, &self.options).map_err(|error| self.refuse(error))
    }

    /// The bootstrap cluster or the management cluster, which has to be there.
    pub(crate) async fn bootstrap(&self) -> Result<Api, Failure> {
        match self.bootstrap_side().await? {
            Side::There(api) => Ok(api),
            Side::Silent(error) => Err(error.into()),
            Side::Absent => Err(Failure::new(
                format!("{} of `{}` is gone", self.manager(), self.name()),
                "run the same command again to find out how much is left",
            )),
        }
    }

    /// Forgets the bootstrap cluster, because it was made or deleted.
    pub(crate) async fn forget_bootstrap(&self) {
        *self.bootstrap.lock().await = None;
    }

    /// The cluster's own API, by the kubeconfig in its folder.
    pub(crate) async fn workload_side(&self) -> Result<Side, Failure> {
        let mut known = self.workload.lock().await;
        if let Some(api) = known.as_ref() {
            return Ok(Side::There(api.clone()));
        }
        let Some(kubeconfig) = self.folder.read(&self.folder.kubeconfig_file())? else { return Ok(Side::Absent) };
        let api = Api::from_kubeconfig(&kubeconfig).await?;
        match api.version().await {
            Ok(_) => {
                *known = Some(api.clone());
                Ok(Side::There(api))
            }
            Err(error) => Ok(Side::Silent(error)),
        }
    }

    /// The cluster's own API, which has to be there.
    pub(crate) async fn workload(&self) -> Result<Api, Failure> {
        match self.workload_side().await? {
            Side::There(api) => Ok(api),
            Side::Silent(error) => Err(error.into()),
            Side::Absent => Err(Failure::new(
                format!("`{}` has no kubeconfig in `{}`", self.name(), self.folder.path().display()),
                "run the same command again: it writes one as soon as the control plane is there",
            )),
        }
    }

    /// The cluster's own API if it answers.
    pub(crate) async fn workload_if_there(&self) -> Result<Option<Api>, Failure> {
        Ok(match self.workload_side().await? {
            Side::There(api) => Some(api),
            _ => None,
        })
    }

    /// The API on which the cluster's objects are in the end: its own, or that of its management cluster.
    pub(crate) async fn home(&self) -> Result<Api, Failure> {
        if self.management.is_some() { self.bootstrap().await } else { self.workload().await }
    }

    /// The same if it answers.
    pub(crate) async fn home_if_there(&self) -> Result<Option<Api>, Failure> {
        if self.management.is_none() {
            return self.workload_if_there().await;
        }
        Ok(match self.bootstrap_side().await? {
            Side::There(api) => Some(api),
            _ => None,
        })
    }

    /// Writes the kubeconfig of the cluster and forgets what was known of its API.
    pub(crate) async fn keep_kubeconfig(&self, kubeconfig: &str) -> Result<(), Failure> {
        let file = self.folder.kubeconfig_file();
        if self.folder.read(&file)?.as_deref() != Some(kubeconfig) {
            self.folder.write(&file, kubeconfig, Readers::Owner)?;
            *self.workload.lock().await = None;
        }
        Ok(())
    }

    /// Whether the cluster manages itself: then everything up to the move is done, whatever is left of the bootstrap
    /// cluster. Where the journal says that the move was begun and the cluster can't be asked, this is an error: to
    /// guess would be to make a second cluster in the place of the first.
    pub(crate) async fn settled(&self) -> Result<bool, Failure> {
        if self.management.is_some() {
            return Ok(false);
        }
        if self.settled.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let begun = self.journal.records().ever_started(Operation::Create, id::MOVE);
        let api = match self.workload_side().await? {
            Side::There(api) => api,
            _ if !begun => return Ok(false),
            Side::Silent(error) => {
                let mut failure = Failure::from(error);
                failure.message = format!(
                    "`{}` may manage itself already, and its API does not answer: {}",
                    self.name(),
                    failure.message
                );
                return Err(failure);
            }
            Side::Absent => {
                let Some(api) = self.kubeconfig_from_bootstrap().await? else {
                    let file = self.folder.path_of(&self.folder.kubeconfig_file());
                    return Err(Failure::new(
                        format!(
                            "`{}` may manage itself already, and its kubeconfig `{}` is gone",
                            self.name(),
                            file.display()
                        ),
                        format!("restore `{}`, then run the same command again", file.display()),
                    ));
                };
                api
            }
        };
        let settled = pivot::settled_on(&api, NAMESPACE, self.name()).await?;
        self.settled.store(settled, Ordering::Relaxed);
        Ok(settled)
    }

    async fn kubeconfig_from_bootstrap(&self) -> Result<Option<Api>, Failure> {
        let Side::There(bootstrap) = self.bootstrap_side().await? else { return Ok(None) };
        let Some(kubeconfig) = readiness::kubeconfig_secret(&bootstrap, NAMESPACE, self.name()).await? else {
            return Ok(None);
        };
        self.keep_kubeconfig(&kubeconfig).await?;
        self.workload().await.map(Some)
    }

    /// Whether an API has the Cluster object.
    pub(crate) async fn has_cluster(&self, api: &Api) -> Result<bool, Failure> {
        Ok(api.get(&self.cluster_id()).await?.is_some())
    }

    /// The Cluster API's Cluster object.
    pub(crate) fn cluster_id(&self) -> ObjectId {
        ObjectId::namespaced(kinds::CLUSTER, NAMESPACE, self.name())
    }

    /// The manifests, rendered with what preflight found out, and kept in the folder.
    pub(crate) async fn manifests(&self) -> Result<&Manifests, Failure> {
        self.manifests
            .get_or_try_init(|| async {
                let facts = self.journal.records().facts().map_or_else(|| json!({}), |(facts, _)| facts.clone());
                let manifests = self.prepared.render(&facts).await.map_err(|e| self.refuse(e))?;
                for (name, text) in manifests.files() {
                    self.folder.write(&format!("{GENERATED}/{name}"), &text, Readers::Usual)?;
                }
                Ok(manifests)
            })
            .await
    }

    /// The objects of the CNI: once a run, because a chart may hold certificates that are made anew each time.
    pub(crate) async fn cni(&self) -> Result<&[Value], WorkflowError> {
        let objects = self.cni.get_or_try_init(|| async {
            let cni = Cni::of(&self.prepared, &self.options)?;
            cni.objects(&self.prepared, &self.options).await
        });
        Ok(objects.await?.as_slice())
    }

    /// Objects with the values of their secrets put in.
    pub(crate) fn filled(&self, object: &Value) -> Result<Value, Failure> {
        let mut object = object.clone();
        self.secrets.fill(&mut object).map_err(|error| {
            Failure::new(
                error.to_string(),
                "set the environment variable that the message names and run the same command again",
            )
            .about(title(&object))
        })?;
        Ok(object)
    }

    /// Applies rendered objects, in their order.
    pub(crate) async fn apply<'a>(&self, api: &Api, objects: impl Iterator<Item = &'a Value>) -> Result<(), Failure> {
        for object in objects {
            let object = self.filled(object)?;
            api.apply(std::slice::from_ref(&object), FIELD_MANAGER).await?;
        }
        Ok(())
    }

    /// Values for the variables in component manifests: the environment variables of the provider's secrets.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::from([("EXP_CLUSTER_RESOURCE_SET".to_owned(), "true".to_owned())]);
        for need in &self.prepared.description().secrets {
            for name in &need.environment {
                let mut holder = json!({
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "variables"},
                    "stringData": {"value": format!("${{kedge.secret/{}}}", need.name)},
                });
                if self.secrets.fill(&mut holder).is_ok()
                    && let Some(value) = holder.pointer("/stringData/value").and_then(Value::as_str)
                {
                    // The variables of the providers lack the prefix that EKS Anywhere's have.
                    variables.insert(name.trim_start_matches("EKSA_").to_owned(), value.to_owned());
                    variables.insert(name.clone(), value.to_owned());
                }
            }
        }
        variables
    }

    /// A bound, unless there are to be none.
    pub(crate) fn bound(&self, time: Duration) -> Timeout {
        if self.options.timeouts.unlimited { Timeout::unlimited() } else { Timeout::after(time) }
    }

    pub(crate) fn install_bounds(&self) -> InstallTimeouts {
        if self.options.timeouts.unlimited {
            return InstallTimeouts::unlimited();
        }
        InstallTimeouts {
            deployments: Timeout::after(self.options.timeouts.installation),
            ..InstallTimeouts::default()
        }
    }

    /// How many machines a role-by-role count of the spec makes: control plane, etcd, workers.
    pub(crate) fn machines(&self) -> Machines {
        let spec = &self.prepared.cluster().spec;
        let number = |n: i64| usize::try_from(n).unwrap_or(1);
        Machines {
            control_plane: number(spec.control_plane_configuration.count),
            etcd: spec.external_etcd_configuration.as_ref().map_or(0, |etcd| number(etcd.count)),
            workers: spec
                .worker_node_group_configurations
                .iter()
                .map(|g| number(g.count.or(g.autoscaling_configuration.as_ref().map(|a| a.min_count)).unwrap_or(1)))
                .sum(),
            groups: spec.worker_node_group_configurations.len(),
        }
    }

    /// The bound for so many machines.
    pub(crate) fn machine_bound(&self, machines: usize) -> Timeout {
        let machines = u32::try_from(machines.max(1)).unwrap_or(u32::MAX);
        self.bound(self.options.timeouts.per_machine.saturating_mul(machines))
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.reporter.note(text);
    }

    /// Remembers an error that says more than a step's failure can.
    pub(crate) fn refuse(&self, error: WorkflowError) -> Failure {
        let failure = failure_of(&error);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        failure
    }
}

/// How many machines a cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machines {
    pub(crate) control_plane: usize,
    pub(crate) etcd: usize,
    pub(crate) workers: usize,
    pub(crate) groups: usize,
}

impl Machines {
    pub(crate) fn nodes(self) -> usize {
        self.control_plane + self.workers
    }

    pub(crate) fn all(self) -> usize {
        self.nodes() + self.etcd
    }
}

/// An object as messages name it.
pub(crate) fn title(object: &Value) -> String {
    ObjectId::from_object(object).map_or_else(|| "an object without a name".to_owned(), |id| id.to_string())
}

#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
pub(crate) fn from_workflow(error: WorkflowError) -> Failure {
    failure_of(&error)
}

fn failure_of(error: &WorkflowError) -> Failure {
    Failure::new(error.to_string(), error.help_text().unwrap_or_default())
}
