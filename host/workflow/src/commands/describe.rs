//! What is known of clusters: from their folders, and from their APIs as far as these answer.

use std::path::Path;
use std::time::Duration;

use kedge_cluster_api::api::{Api, Retry};
use kedge_cluster_api::{Error as ApiError, NAMESPACE, ObjectId, TypeRef, kinds, readiness};
use serde_json::Value;

use crate::error::WorkflowError;
use crate::event::Reporter;
use crate::folder::{self, Folder, SPEC};
use crate::journal::{Entry, Journal, Operation, Record, Records};
use crate::management;
use crate::options::Options;
use crate::outcome::{ClusterState, ClusterSummary, ConditionReport, DescribeOutcome, NodeReport, ObjectNode};

/// Whoever asks how a cluster is does not want to wait for one that is not.
const PATIENCE: Duration = Duration::from_secs(5);

/// All clusters whose folders are in the options' directory.
pub async fn get_clusters(options: &Options, _reporter: &dyn Reporter) -> Result<Vec<ClusterSummary>, WorkflowError> {
    let names = folder::clusters(&options.directory)?;
    let found = names.iter().map(|name| async move {
        let Some(folder) = Folder::open(&options.directory, name)? else { return Ok(None) };
        let mut summary = summary(&folder)?;
        summary.api = api(&folder).await.map(|api| api.is_ok());
        Ok::<_, WorkflowError>(Some(summary))
    });
    let found = futures::future::try_join_all(found).await?;
    Ok(found.into_iter().flatten().collect())
}

/// One cluster: its folder, its objects with their conditions, its nodes. What can't be found out is said.
pub async fn describe(
    options: &Options,
    name: &str,
    _reporter: &dyn Reporter,
) -> Result<DescribeOutcome, WorkflowError> {
    let Some(folder) = Folder::open(&options.directory, name)? else { return Err(unknown(&options.directory, name)) };
    let mut outcome = DescribeOutcome {
        summary: summary(&folder)?,
        server: None,
        managed_by: None,
        tree: None,
        nodes: Vec::new(),
        gaps: Vec::new(),
    };
    if Journal::peek(&folder)?.inputs().is_some_and(|inputs| inputs.ephemeral) {
        outcome.gaps.push("it was made in a rehearsal, and its infrastructure ended with that".to_owned());
        return Ok(outcome);
    }
    match api(&folder).await {
        None => outcome.gaps.push("the cluster has no kubeconfig yet".to_owned()),
        Some(Err(error)) => {
            outcome.summary.api = Some(false);
            outcome.gaps.push(format!("its API does not answer: {error}"));
        }
        Some(Ok(api)) => {
            outcome.summary.api = Some(true);
            outcome.server = Some(api.server().to_owned());
            match nodes(&api).await {
                Ok(nodes) => outcome.nodes = nodes,
                Err(error) => outcome.gaps.push(format!("its nodes can't be listed: {error}")),
            }
            if managed_by(&folder).is_none() {
                look(&api, name, "itself", &mut outcome).await;
            }
        }
    }
    if let Some(name_of_manager) = managed_by(&folder) {
        look_on_manager(options, &folder, &name_of_manager, &mut outcome).await?;
    } else if outcome.tree.is_none()
        && let Some(driver) = &options.bootstrap
    {
        match driver.find(&folder.known_identity()?).await {
            Ok(Some(bootstrap)) => match Api::from_kubeconfig(&bootstrap.kubeconfig).await {
                Ok(api) => look(&api.retrying(patience()), name, "bootstrap cluster", &mut outcome).await,
                Err(error) => outcome.gaps.push(format!("its bootstrap cluster can't be used: {error}")),
            },
            Ok(None) => {}
            Err(error) => outcome.gaps.push(format!("its bootstrap cluster can't be looked for: {error}")),
        }
    }
    Ok(outcome)
}

/// The name of the cluster that manages this one, if that is another one.
pub(super) fn managed_by(folder: &Folder) -> Option<String> {
    let file = [SPEC.to_owned(), folder.spec_file()].into_iter().find_map(|f| folder.read(&f).ok().flatten())?;
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", file)).ok()?;
    let cluster = documents.iter().find(|d| d.get("kind").and_then(Value::as_str) == Some("Cluster"))?;
    let manager = cluster.pointer("/spec/managementCluster/name").and_then(Value::as_str)?;
    (!manager.is_empty() && manager != folder.name()).then(|| manager.to_owned())
}

/// Looks for the cluster's objects on its management cluster.
async fn look_on_manager(
    options: &Options,
    folder: &Folder,
    manager: &str,
    outcome: &mut DescribeOutcome,
) -> Result<(), WorkflowError> {
    let whose = format!("management cluster `{manager}`");
    let records = Journal::peek(folder)?;
    let Some(path) = management::find(options, manager, records.management_kubeconfig()) else {
        outcome.gaps.push(format!("the kubeconfig of {whose} is not to be found: name it with `--kubeconfig FILE`"));
        return Ok(());
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            outcome.gaps.push(format!("the kubeconfig `{}` of {whose} can't be read: {error}", path.display()));
            return Ok(());
        }
    };
    match Api::from_kubeconfig(&text).await {
        Ok(api) => look(&api.retrying(patience()), folder.name(), &whose, outcome).await,
        Err(error) => outcome.gaps.push(format!("{whose} can't be used: {error}")),
    }
    Ok(())
}

fn unknown(directory: &Path, name: &str) -> WorkflowError {
    WorkflowError::Input {
        message: format!("there is no cluster `{name}` in `{}`", directory.display()),
        help:
            "run the command in the folder in which the cluster was created; `kedge get clusters` lists what is there"
                .into(),
    }
}

fn patience() -> Retry {
    Retry { budget: PATIENCE, request: PATIENCE, ..Retry::default() }
}

/// The cluster's API; nothing if it has no kubeconfig.
pub(super) async fn api(folder: &Folder) -> Option<Result<Api, ApiError>> {
    let kubeconfig = folder.read(&folder.kubeconfig_file()).ok()??;
    let api = match Api::from_kubeconfig(&kubeconfig).await {
        Ok(api) => api.retrying(patience()),
        Err(error) => return Some(Err(error)),
    };
    let answered = tokio::time::timeout(PATIENCE, api.version()).await;
    Some(match answered {
        Ok(Ok(_)) => Ok(api),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ApiError::GaveUp {
            object: format!("API server {}", api.server()),
            awaited: "it to answer".to_owned(),
            last: String::new(),
            waited: PATIENCE,
            help: "check that the machine can reach the control plane's address".to_owned(),
        }),
    })
}

/// What the folder says.
fn summary(folder: &Folder) -> Result<ClusterSummary, WorkflowError> {
    let records = Journal::peek(folder)?;
    let state = state(folder, &records);
    let step = match state {
        ClusterState::Created | ClusterState::Foreign => None,
        _ => records.open_step().map(str::to_owned),
    };
    let inputs = records.inputs();
    let version = inputs.map(|i| i.kubernetes_version.clone()).or_else(|| spec_version(folder));
    Ok(ClusterSummary {
        name: folder.name().to_owned(),
        state,
        provider: inputs.map(|i| i.plugin_name.clone()),
        kubernetes_version: version,
        step,
        changed: records.last().map(|r| r.at),
        api: None,
        folder: folder.path().to_owned(),
    })
}

fn state(folder: &Folder, records: &[Record]) -> ClusterState {
    if folder.holder().is_some() {
        return ClusterState::InProgress;
    }
    if records.is_empty() {
        return ClusterState::Foreign;
    }
    let finished = |operation| records.iter().any(|r| r.operation == operation && r.entry == Entry::Finished);
    if records.iter().any(|r| r.operation == Operation::Delete) {
        ClusterState::HalfDeleted
    } else if finished(Operation::Create) {
        ClusterState::Created
    } else {
        ClusterState::Unfinished
    }
}

fn spec_version(folder: &Folder) -> Option<String> {
    let file = [SPEC.to_owned(), folder.spec_file()].into_iter().find_map(|f| folder.read(&f).ok().flatten())?;
    let documents = kedge_spec::yaml_documents(&kedge_spec::Source::new("spec", file)).ok()?;
    let version = documents.iter().find_map(|d| d.pointer("/spec/kubernetesVersion"))?;
    Some(version.as_str().map_or_else(|| version.to_string(), str::to_owned))
}

async fn nodes(api: &Api) -> Result<Vec<NodeReport>, ApiError> {
    let mut nodes: Vec<NodeReport> = api.list(&kinds::NODE, None, None).await?.iter().map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

fn node(node: &Value) -> NodeReport {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles = labels.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"));
    NodeReport {
        name: text(node, "/metadata/name"),
        ready: conditions(node).iter().any(|c| c.kind == "Ready" && c.status == "True"),
        roles: roles.map(str::to_owned).collect(),
        version: text(node, "/status/nodeInfo/kubeletVersion"),
    }
}

/// Looks for the cluster's objects on one API.
async fn look(api: &Api, name: &str, whose: &str, outcome: &mut DescribeOutcome) {
    match tree(api, name).await {
        Ok(Some(tree)) => {
            outcome.tree = Some(tree);
            outcome.managed_by = Some(whose.to_owned());
        }
        Ok(None) => outcome.gaps.push(format!("there are no Cluster API objects of it on {whose}")),
        Err(error) => outcome.gaps.push(format!("its Cluster API objects on {whose} can't be read: {error}")),
    }
}

/// The Cluster with all that belongs to it, as `clusterctl describe` groups it.
async fn tree(api: &Api, name: &str) -> Result<Option<ObjectNode>, ApiError> {
    let id = ObjectId::namespaced(kinds::CLUSTER, NAMESPACE, name);
    let Some(cluster) = api.get(&id).await? else { return Ok(None) };
    let selector = format!("{}={name}", readiness::CLUSTER_LABEL);
    let machines = list(api, &kinds::MACHINE, &selector).await?;
    let mut root = object_node(&cluster);
    for pointer in ["/spec/infrastructureRef", "/spec/controlPlaneRef", "/spec/managedExternalEtcdRef"] {
        if let Some(found) = referenced(api, &cluster, pointer).await? {
            let mut child = object_node(&found);
            child.children = owned(&machines, &found);
            root.children.push(child);
        }
    }
    let sets = list(api, &TypeRef::of("cluster.x-k8s.io/v1beta2", "MachineSet"), &selector).await?;
    for deployment in list(api, &kinds::MACHINE_DEPLOYMENT, &selector).await? {
        let mut child = object_node(&deployment);
        let of_it = sets.iter().filter(|set| owns(&deployment, set));
        child.children = of_it.flat_map(|set| owned(&machines, set)).collect();
        root.children.push(child);
    }
    Ok(Some(root))
}

async fn list(api: &Api, kind: &TypeRef, selector: &str) -> Result<Vec<Value>, ApiError> {
    match api.list(kind, Some(NAMESPACE), Some(selector)).await {
        Err(ApiError::UnknownKind { .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// The object that a reference names: references of `v1beta2` have a group and no version.
async fn referenced(api: &Api, object: &Value, pointer: &str) -> Result<Option<Value>, ApiError> {
    let Some(reference) = object.pointer(pointer) else { return Ok(None) };
    let (kind, name) = (text(reference, "/kind"), text(reference, "/name"));
    let versions = match reference.get("apiVersion").and_then(Value::as_str) {
        Some(version) => vec![version.to_owned()],
        None => ["v1beta2", "v1beta1"].map(|v| format!("{}/{v}", text(reference, "/apiGroup"))).to_vec(),
    };
    for version in versions {
        let id = ObjectId::namespaced(TypeRef::new(version, kind.clone()), NAMESPACE, &name);
        if let Some(found) = api.get(&id).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn owns(owner: &Value, object: &Value) -> bool {
    let uid = text(owner, "/metadata/uid");
    let references = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    !uid.is_empty() && references.is_some_and(|all| all.iter().any(|r| text(r, "/uid") == uid))
}

fn owned(objects: &[Value], owner: &Value) -> Vec<ObjectNode> {
    objects.iter().filter(|object| owns(owner, object)).map(object_node).collect()
}

fn object_node(object: &Value) -> ObjectNode {
    let mut summary: Vec<String> = Vec::new();
    let phase = text(object, "/status/phase");
    if !phase.is_empty() {
        summary.push(phase);
    }
    if let Some(wanted) = object.pointer("/spec/replicas").and_then(Value::as_i64) {
        let ready = object.pointer("/status/readyReplicas").and_then(Value::as_i64).unwrap_or(0);
        summary.push(format!("{ready} of {wanted} ready"));
    }
    let node = text(object, "/status/nodeRef/name");
    if !node.is_empty() {
        summary.push(format!("node {node}"));
    }
    ObjectNode {
        kind: text(object, "/kind"),
        namespace: text(object, "/metadata/namespace"),
        name: text(object, "/metadata/name"),
        summary: summary.join(", "),
        conditions: conditions(object),
        children: Vec::new(),
    }
}

pub(crate) fn conditions(object: &Value) -> Vec<ConditionReport> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let report = |c: &Value| ConditionReport {
        kind: text(c, "/type"),
        status: text(c, "/status"),
        reason: text(c, "/reason"),
        message: text(c, "/message"),
    };
    all.into_iter().flatten().map(report).collect()
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
