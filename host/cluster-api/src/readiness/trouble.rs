//! What can be told early: objects whose controllers report an error, and go on reporting it.
//!
//! Controllers try again whatever happens, so hardly anything is final. But a condition with the severity `Error` means, by
//! Cluster API's own contract, that somebody has to do something (`api/core/v1beta1/condition_types.go`); whoever
//! waits an hour for a machine whose template is missing waits for nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::conditions::{Condition, condition};
use super::{CLUSTER_LABEL, Timeout};
use crate::api::Api;
use crate::error::{Error, words};
use crate::object::{ObjectId, describe, items, kinds, text};
use crate::progress::Progress;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// An error that an object reports.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    object: String,
    condition: String,
    reason: String,
    /// The condition in words.
    said: String,
}

/// What a machine waits for is told up to this length: some providers put whole logs into it.
const LENGTH: usize = 600;

/// Looks at a cluster and its machines until one of them reports the same error for as long as `patience`. Each error is
/// told when it is first seen, and so is what each machine waits for. Comes back only with the error; to be raced with the
/// wait for what is wanted.
pub async fn trouble(api: &Api, namespace: &str, cluster: &str, patience: Timeout, progress: &dyn Progress) -> Error {
    let id = ObjectId::namespaced(kinds::CLUSTER, namespace, cluster);
    let selector = format!("{CLUSTER_LABEL}={cluster}");
    let mut since: BTreeMap<(String, String, String), Instant> = BTreeMap::new();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let mut complaints = Vec::new();
        // A server that does not answer is the affair of the wait itself.
        if let Ok(Some(cluster)) = api.get(&id).await {
            complaints.extend(complaint(&cluster));
        }
        if let Ok(machines) = api.list(&kinds::MACHINE, Some(namespace), Some(&selector)).await {
            complaints.extend(machines.iter().filter_map(complaint));
            for (machine, sentence) in machines.iter().filter_map(awaits) {
                if told.insert(machine.clone(), sentence.clone()).as_ref() != Some(&sentence) {
                    progress.waiting(&machine, &sentence);
                }
            }
        }
        let now = Instant::now();
        let mut current = BTreeMap::new();
        for Complaint { object, condition, reason, said } in complaints {
            let key = (object, condition, reason);
            let begun = since.get(&key).copied().unwrap_or_else(|| {
                progress.waiting(&key.0, &format!("it reports an error: {said}"));
                now
            });
            if now.duration_since(begun) >= patience.duration() {
                return Error::Hopeless {
                    object: key.0,
                    why: format!("{said}; it has said so for {}", words(now.duration_since(begun))),
                    help: "correct what it reports, then run the same command again: it goes on from here".to_owned(),
                };
            }
            current.insert(key, begun);
        }
        since = current;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A machine, and what it waits for, if it says so.
fn awaits(machine: &Value) -> Option<(String, String)> {
    let open = ["BootstrapConfigReady", "InfrastructureReady"].into_iter().find_map(|name| {
        condition(machine, name).filter(|c| c.status == "False" && !c.message.is_empty()).map(|c| (name, c))
    });
    let (name, open) = open?;
    let words = open.words();
    let end = words.char_indices().nth(LENGTH).map_or(words.len(), |(at, _)| at);
    let more = if end < words.len() { "…" } else { "" };
    Some((describe(machine), format!("`{name}` is {}{more}", words.get(..end).unwrap_or_default())))
}

/// The error that an object reports, if it reports one.
fn complaint(object: &Value) -> Option<Complaint> {
    let older =
        items(object, "/status/deprecated/v1beta1/conditions").iter().chain(items(object, "/status/conditions"));
    let serious = older
        .filter(|c| text(c, "/status") == Some("False") && text(c, "/severity") == Some("Error"))
        // `Ready` sums up the others.
        .max_by_key(|c| text(c, "/type") != Some("Ready"))?;
    let name = text(serious, "/type").unwrap_or_default();
    let condition = Condition {
        status: "False",
        reason: text(serious, "/reason").unwrap_or_default(),
        message: text(serious, "/message").unwrap_or_default(),
        since: text(serious, "/lastTransitionTime").unwrap_or_default(),
        stale: false,
    };
    Some(Complaint {
        object: describe(object),
        condition: name.to_owned(),
        reason: condition.reason.to_owned(),
        said: format!("`{name}` is {}", condition.words()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Said, Server};

    fn machine(severity: &str, reason: &str) -> Value {
        json!({
            "apiVersion": kinds::MACHINE.api_version, "kind": kinds::MACHINE.kind,
            "metadata": {"name": "prod-1", "namespace": "eksa-system", "labels": {CLUSTER_LABEL: "prod"}},
            "status": {"deprecated": {"v1beta1": {"conditions": [
                {"type": "Ready", "status": "False", "severity": severity, "reason": reason, "message": "template not found"},
                {"type": "InfrastructureReady", "status": "False", "severity": severity, "reason": reason, "message": "template not found"},
            ]}}},
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_stays_ends_the_wait() {
        let server = Server::new();
        server.put(machine("Error", "CloningFailed"));
        let (api, said, begun) = (server.api(), Said::default(), Instant::now());
        let error = trouble(&api, "eksa-system", "prod", Timeout::after(Duration::from_mins(5)), &said).await;
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_mins(5) && waited < Duration::from_mins(6), "{waited:?}");
        let text = error.to_string();
        assert!(matches!(&error, Error::Hopeless { object, .. } if object.contains("prod-1")), "{text}");
        assert!(text.contains("`InfrastructureReady` is False (CloningFailed): template not found"), "{text}");
        let told: Vec<_> = said.all().into_iter().filter(|s| s.contains("it reports an error")).collect();
        assert_eq!(told.len(), 1, "said once: {told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_machine_waits_for_is_told_once_and_not_at_length() {
        let server = Server::new();
        let waits = |message: &str| {
            json!({
                "apiVersion": kinds::MACHINE.api_version, "kind": kinds::MACHINE.kind,
                "metadata": {"name": "prod-1", "namespace": "eksa-system", "labels": {CLUSTER_LABEL: "prod"}},
                "status": {"conditions": [{"type": "InfrastructureReady", "status": "False", "reason": "NotReady", "message": message}]},
            })
        };
        server.put(waits("* BootstrapCompleted: kubeadm ended"));
        let (api, said) = (server.api(), Said::default());
        let looked = trouble(&api, "eksa-system", "prod", Timeout::after(Duration::from_mins(5)), &said);
        let changing = async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            server.put(waits(&"ü".repeat(2000)));
            tokio::time::sleep(Duration::from_mins(1)).await;
        };
        tokio::select! {
            error = looked => panic!("{error}"),
            () = changing => {}
        }
        let said = said.all();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].ends_with("prod-1: `InfrastructureReady` is False (NotReady): * BootstrapCompleted: kubeadm ended"),
            "{said:?}"
        );
        assert!(said[1].ends_with("ü…") && said[1].chars().count() < 700, "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_still_come_right_is_waited_for() {
        let server = Server::new();
        server.put(machine("Info", "WaitingForBootstrapData"));
        let (api, said) = (server.api(), Said::default());
        let looked = trouble(&api, "eksa-system", "prod", Timeout::after(Duration::from_mins(5)), &said);
        assert!(tokio::time::timeout(Duration::from_hours(1), looked).await.is_err());
        assert!(said.all().is_empty(), "{:?}", said.all());

        // Another error begins its own time.
        let looked = trouble(&api, "eksa-system", "prod", Timeout::after(Duration::from_mins(5)), &said);
        let changing = async {
            for reason in ["A", "B", "A", "B"] {
                server.put(machine("Error", reason));
                tokio::time::sleep(Duration::from_mins(4)).await;
            }
            server.put(machine("Info", "Provisioning"));
            tokio::time::sleep(Duration::from_mins(10)).await;
        };
        tokio::select! {
            error = looked => panic!("{error}"),
            () = changing => {}
        }
    }
}
