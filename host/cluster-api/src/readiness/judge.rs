//! What objects say about how far they are. Pure.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::conditions::{condition, condition_is, observed, terminal};
use super::{ETCD_LABEL, ETCD_READY_LABEL, Verdict, is_paused};
use crate::api::Listed;
use crate::object::{describe, flag, items, label, number, text};

/// What is true of any object that is awaited, before its own matters.
fn common(object: Option<&Value>) -> Result<&Value, Verdict> {
    let Some(object) = object else {
        return Err(Verdict::waiting("it is not there yet"));
    };
    if let Some(why) = terminal(object) {
        return Err(Verdict::never(why));
    }
    if !observed(object) {
        return Err(Verdict::waiting("its controller has not seen the newest version of it yet"));
    }
    Ok(object)
}

/// `Available is False (Reason): message`, and the message for the end.
fn said(object: &Value, kind: &str) -> (String, String) {
    match condition(object, kind) {
        Some(c) if c.stale => (format!("`{kind}` was said of an older version of it"), c.message.to_owned()),
        Some(c) => (format!("`{kind}` is {}", c.words()), c.message.to_owned()),
        None => (format!("no word on `{kind}` yet"), String::new()),
    }
}

/// A latch under `status.initialization` of a Cluster, with the condition that explains it.
pub(crate) fn initialization(object: Option<&Value>, field: &str, kind: &str, what: &str) -> Verdict {
    let cluster = match common(object) {
        Ok(cluster) => cluster,
        Err(verdict) => return verdict,
    };
    if flag(cluster, &format!("/status/initialization/{field}")) {
        return Verdict::Done;
    }
    let (words, last) = said(cluster, kind);
    let paused = if is_paused(cluster) { "it is paused; " } else { "" };
    Verdict::Waiting { sentence: format!("{paused}{what}: {words}"), last }
}

/// A Cluster that is available as a whole.
pub(crate) fn available(object: Option<&Value>) -> Verdict {
    let cluster = match common(object) {
        Ok(cluster) => cluster,
        Err(verdict) => return verdict,
    };
    if condition_is(cluster, "Available", "True") {
        return Verdict::Done;
    }
    let (words, last) = said(cluster, "Available");
    let paused = if is_paused(cluster) { "it is paused; " } else { "" };
    Verdict::Waiting { sentence: format!("{paused}{words}"), last }
}

/// External etcd: ready, with the addresses of its members.
pub(crate) fn etcd(object: Option<&Value>) -> Verdict {
    let etcd = match common(object) {
        Ok(etcd) => etcd,
        Err(verdict) => return verdict,
    };
    let endpoints = text(etcd, "/status/endpoints").unwrap_or_default();
    if flag(etcd, "/status/ready") && !endpoints.is_empty() {
        return Verdict::Done;
    }
    let wanted = number(etcd, "/spec/replicas").unwrap_or(1);
    let there = number(etcd, "/status/readyReplicas")
        .unwrap_or_else(|| i64::try_from(endpoints.split(',').filter(|e| !e.is_empty()).count()).unwrap_or(0));
    let (words, last) = said(etcd, "Ready");
    Verdict::Waiting { sentence: format!("{there} of {wanted} etcd members answer; {words}"), last }
}

/// A control plane or worker node group: `Available`, and all counters equal to what is wanted.
pub(crate) fn replicas(object: Option<&Value>, what: &str) -> Verdict {
    let object = match common(object) {
        Ok(object) => object,
        Err(verdict) => return verdict,
    };
    let Some(status) = object.get("status").filter(|s| !s.is_null()) else {
        return Verdict::waiting("its controller has not looked at it yet");
    };
    // The autoscaler, or a default, may set replicas; absent means 1 to Cluster API.
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| status.get(field).and_then(Value::as_i64).unwrap_or(0);
    let (there, ready, available, current) =
        (count("replicas"), count("readyReplicas"), count("availableReplicas"), count("upToDateReplicas"));
    if [there, ready, available, current].iter().all(|n| *n == wanted) && condition_is(object, "Available", "True") {
        return Verdict::Done;
    }
    let mut sentence = format!("{ready} of {wanted} {what} ready");
    if current < wanted && current != ready {
        let _ = write!(sentence, ", {current} up to date");
    }
    if there > wanted {
        let _ = write!(sentence, ", {} still to go away", there - wanted);
    }
    let (words, last) = said(object, "Available");
    Verdict::Waiting { sentence: format!("{sentence}; {words}"), last }
}

/// All worker node groups.
pub(crate) fn workers(all: &Listed, groups: usize) -> Verdict {
    let mut pending = Vec::new();
    for object in all.values() {
        match replicas(Some(object), "machines") {
            Verdict::Done => {}
            Verdict::Never { why, .. } => return Verdict::Never { object: Some(describe(object)), why },
            Verdict::Waiting { sentence, last } => {
                pending.push((text(object, "/metadata/name").unwrap_or_default().to_owned(), sentence, last));
            }
        }
    }
    if all.len() < groups {
        return Verdict::waiting(format!("{} of {groups} worker node groups are there", all.len()));
    }
    several(pending, all.len(), "worker node groups are ready")
}

/// All machines: each with its node, or with an etcd that answers.
pub(crate) fn machines(all: &Listed, wanted: Option<usize>) -> Verdict {
    let mut pending = Vec::new();
    for machine in all.values() {
        if let Some(why) = terminal(machine) {
            return Verdict::Never { object: Some(describe(machine)), why };
        }
        if settled_machine(machine) {
            continue;
        }
        let (sentence, last) = ["InfrastructureReady", "BootstrapConfigReady", "NodeReady"]
            .iter()
            .find(|kind| !condition_is(machine, kind, "True"))
            .map_or_else(|| ("its node is not known yet".to_owned(), String::new()), |kind| said(machine, kind));
        pending.push((text(machine, "/metadata/name").unwrap_or_default().to_owned(), sentence, last));
    }
    if all.is_empty() || wanted.is_some_and(|wanted| all.len() < wanted) {
        return match wanted {
            Some(wanted) => Verdict::waiting(format!("{} of {wanted} machines are there", all.len())),
            None => Verdict::waiting("no machine is there yet"),
        };
    }
    several(pending, all.len(), "machines have joined")
}

/// Whether a machine has become what it is for. A member of external etcd never has a node.
pub(crate) fn settled_machine(machine: &Value) -> bool {
    match label(machine, ETCD_LABEL) {
        Some(_) => label(machine, ETCD_READY_LABEL).is_some_and(|ready| ready != "false"),
        None => text(machine, "/status/nodeRef/name").is_some_and(|name| !name.is_empty()),
    }
}

/// Whether a node can take pods.
pub(crate) fn node_ready(node: &Value) -> bool {
    items(node, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == Some("Ready") && text(c, "/status") == Some("True"))
}

/// The first that is not there speaks for the rest.
fn several(pending: Vec<(String, String, String)>, all: usize, what: &str) -> Verdict {
    let done = all - pending.len();
    match pending.into_iter().next() {
        None => Verdict::Done,
        Some((name, sentence, last)) => {
            Verdict::Waiting { sentence: format!("{done} of {all} {what}; {name}: {sentence}"), last }
        }
    }
}

/// The kubeconfig in a secret of Cluster API.
pub(crate) fn kubeconfig(secret: &Value) -> Option<String> {
    let encoded = text(secret, "/data/value")?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}
