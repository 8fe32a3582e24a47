//! Waits for what is not Cluster API: servers, nodes, deployments, definitions, certificates.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::conditions::{condition, condition_is, observed, terminal};
use super::judge;
use super::{Timeout, Verdict, wait, wait_for};
use crate::api::{Api, Watched};
use crate::error::Error;
use crate::object::{ObjectId, describe, items, kinds, number, text};
use crate::progress::Progress;

const LOOK_AT_PODS: &str =
    "look at the pods of the deployment and their events; an image that can't be pulled is the usual cause";

/// Waits until an API server answers at all.
///
/// # Errors
/// [`Error::GaveUp`] after `timeout`; at once if the server answers and refuses the credentials.
pub async fn api_answers(api: &Api, timeout: Timeout, progress: &dyn Progress) -> Result<(), Error> {
    let start = Instant::now();
    let title = format!("API server {}", api.server());
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match api.version().await {
            Ok(_) => return Ok(()),
            Err(error @ Error::Refused { code: 401 | 403, .. }) => return Err(error),
            Err(error) => error,
        };
        let last = match &error {
            Error::Unreachable { message, .. } | Error::Refused { message, .. } => message.to_string(),
            other => other.to_string(),
        };
        if start.elapsed() + pause >= timeout.duration() {
            return Err(Error::GaveUp {
                object: title,
                awaited: "it to answer".to_owned(),
                last,
                waited: start.elapsed(),
                help: "check that the control plane's address is free, routed from here, and taken over by the first control plane machine".to_owned(),
            });
        }
        progress.waiting(&title, &format!("it does not answer yet ({last})"));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Waits until a cluster has so many nodes, and all that it has are ready.
///
/// # Errors
/// As [`super::infrastructure_ready`].
pub async fn nodes_ready(api: &Api, nodes: usize, timeout: Timeout, progress: &dyn Progress) -> Result<(), Error> {
    let watched = Watched { kind: kinds::NODE, namespace: None, name: None, labels: None };
    let help = "look at the nodes that are not ready; without a network plugin none becomes ready";
    wait(api, &watched, "Node objects", timeout, progress, help, |all| {
        let waiting: Vec<&Value> = all.values().filter(|node| !judge::node_ready(node)).collect();
        match waiting.first() {
            None if all.len() >= nodes => Verdict::Done,
            None => Verdict::waiting(format!("{} of {nodes} nodes are ready", all.len())),
            Some(node) => {
                let name = text(node, "/metadata/name").unwrap_or_default();
                let (words, last) = condition(node, "Ready").map_or_else(
                    || ("no word on `Ready` yet".to_owned(), String::new()),
                    |c| (format!("`Ready` is {}", c.words()), c.message.to_owned()),
                );
                let ready = all.len() - waiting.len();
                Verdict::Waiting {
                    sentence: format!("{ready} of {} nodes are ready; {name}: {words}", nodes.max(all.len())),
                    last,
                }
            }
        }
    })
    .await
    .map(drop)
}

/// Waits until a deployment is available in its newest version.
///
/// # Errors
/// As [`super::infrastructure_ready`].
pub async fn deployment_available(
    api: &Api,
    namespace: &str,
    name: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::DEPLOYMENT, namespace, name);
    let title = id.to_string();
    let found = tokio::select! {
        found = wait_for(api, &id, timeout, progress, LOOK_AT_PODS, deployment) => found,
        never = tell_of_pods(api, namespace, name, &title, progress) => match never {},
    };
    let Err(error) = found else { return Ok(()) };
    let pods = pods_in_trouble(api, namespace, name).await.ok().flatten();
    Err(match (error, pods) {
        (Error::GaveUp { object, awaited, waited, help, .. }, Some(last)) => {
            Error::GaveUp { object, awaited, last, waited, help }
        }
        (Error::Hopeless { object, why, help }, Some(pods)) => {
            Error::Hopeless { object, why: format!("{why}; {pods}"), help }
        }
        (error, _) => error,
    })
}

/// Between two looks at the pods of a deployment. Most are up before the first.
const LOOK: Duration = Duration::from_secs(5);

/// Tells what the pods of a deployment complain about while it is awaited.
async fn tell_of_pods(
    api: &Api,
    namespace: &str,
    deployment: &str,
    title: &str,
    progress: &dyn Progress,
) -> std::convert::Infallible {
    let mut told = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        // Whatever hinders the look hinders the wait too, and there it is said.
        let trouble = pods_in_trouble(api, namespace, deployment).await.ok().flatten().unwrap_or_default();
        if !trouble.is_empty() && trouble != told {
            progress.waiting(title, &trouble);
        }
        told = trouble;
    }
}

/// Waits for several deployments side by side, given as namespace and name.
///
/// # Errors
/// As [`super::infrastructure_ready`]; all that fail are named.
pub async fn deployments_available(
    api: &Api,
    deployments: &[(String, String)],
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let waits =
        deployments.iter().map(|(namespace, name)| deployment_available(api, namespace, name, timeout, progress));
    let errors = futures::future::join_all(waits).await.into_iter().filter_map(Result::err).collect();
    Error::several(errors)
}

/// Waits until custom resource definitions are served.
///
/// # Errors
/// As [`super::infrastructure_ready`].
pub async fn crds_established(
    api: &Api,
    names: &BTreeSet<String>,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    crds_established_among(api, names, None, timeout, progress).await
}

/// As [`crds_established`], where all that are awaited have a label: all others need not be looked at.
pub(crate) async fn crds_established_among(
    api: &Api,
    names: &BTreeSet<String>,
    labels: Option<&str>,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let watched = Watched { kind: kinds::CRD, namespace: None, name: None, labels: labels.map(str::to_owned) };
    let help =
        "look at the conditions of the definition; two definitions that claim the same names are the usual cause";
    wait(api, &watched, "CustomResourceDefinition objects", timeout, progress, help, |all| {
        let mut missing = 0;
        let mut first = None;
        for name in names {
            let crd = all.get(&(String::new(), name.clone()));
            if let Some(crd) = crd {
                if let Some(c) = condition(crd, "NamesAccepted").filter(|c| c.status == "False") {
                    return Verdict::Never {
                        object: Some(describe(crd)),
                        why: format!("`NamesAccepted` is {}", c.words()),
                    };
                }
                if condition_is(crd, "Established", "True") {
                    continue;
                }
            }
            missing += 1;
            first.get_or_insert(name);
        }
        match first {
            None => Verdict::Done,
            // One sentence for all of them: they come in the same moment, and a line for each would hide the rest.
            Some(first) => Verdict::Waiting {
                sentence: format!("{} definitions to be served", names.len()),
                last: format!("{} are; {first} is not yet", names.len() - missing),
            },
        }
    })
    .await
    .map(drop)
}

/// Waits until cert-manager has issued a certificate.
///
/// # Errors
/// As [`super::infrastructure_ready`].
pub async fn certificate_ready(
    api: &Api,
    namespace: &str,
    name: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::CERTIFICATE, namespace, name);
    wait_for(api, &id, timeout, progress, "look at the log of cert-manager", |object| match object {
        None => Verdict::waiting("it is not there yet"),
        Some(object) if condition_is(object, "Ready", "True") => Verdict::Done,
        Some(object) => match condition(object, "Ready") {
            Some(c) => Verdict::Waiting { sentence: format!("`Ready` is {}", c.words()), last: c.message.to_owned() },
            None => Verdict::waiting("cert-manager to issue it"),
        },
    })
    .await
    .map(drop)
}

/// How far a deployment is.
pub(crate) fn deployment(object: Option<&Value>) -> Verdict {
    let Some(object) = object else { return Verdict::waiting("it is not there yet") };
    if let Some(why) = terminal(object) {
        return Verdict::never(why);
    }
    if !observed(object) || object.pointer("/status/observedGeneration").is_none() {
        return Verdict::waiting("its controller has not seen it yet");
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    if condition_is(object, "Available", "True")
        && count("updatedReplicas") >= wanted
        && count("replicas") <= count("updatedReplicas")
    {
        return Verdict::Done;
    }
    if let Some(c) = condition(object, "Progressing").filter(|c| c.reason == "ProgressDeadlineExceeded") {
        return Verdict::never(format!("`Progressing` is {}", c.words()));
    }
    let trouble = condition(object, "ReplicaFailure")
        .filter(|c| c.status == "True")
        .or_else(|| condition(object, "Available").filter(|c| c.status != "True"));
    let last = trouble.map(|c| c.message.to_owned()).unwrap_or_default();
    let old = count("replicas") - count("updatedReplicas");
    let sentence = match old {
        ..=0 => format!("{} of {wanted} pods are available", count("availableReplicas")),
        _ => format!("{} of {wanted} new pods are there, {old} old to go away", count("updatedReplicas")),
    };
    Verdict::Waiting { sentence, last }
}

/// What the pods of a deployment complain about.
async fn pods_in_trouble(api: &Api, namespace: &str, deployment: &str) -> Result<Option<String>, Error> {
    let id = ObjectId::namespaced(kinds::DEPLOYMENT, namespace, deployment);
    let Some(object) = api.get(&id).await? else { return Ok(None) };
    let labels: Vec<String> = object
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
        .map(|labels| labels.iter().filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))).collect())
        .unwrap_or_default();
    if labels.is_empty() {
        return Ok(None);
    }
    let pods = api.list(&kinds::POD, Some(namespace), Some(&labels.join(","))).await?;
    Ok(pods.iter().find_map(pod_trouble))
}

fn pod_trouble(pod: &Value) -> Option<String> {
    let name = text(pod, "/metadata/name")?;
    let waiting = items(pod, "/status/initContainerStatuses")
        .iter()
        .chain(items(pod, "/status/containerStatuses"))
        .filter_map(|status| status.pointer("/state/waiting"))
        // Every pod is that for a moment.
        .find(|waiting| !matches!(text(waiting, "/reason"), Some("ContainerCreating" | "PodInitializing")));
    if let Some(waiting) = waiting {
        let reason = text(waiting, "/reason").unwrap_or("waiting");
        let message = text(waiting, "/message").map(|m| format!(": {m}")).unwrap_or_default();
        return Some(format!("pod {name} is in `{reason}`{message}"));
    }
    let unscheduled = condition(pod, "PodScheduled").filter(|c| c.status == "False")?;
    Some(format!("pod {name} finds no node: {}", unscheduled.message))
}
