//! Whether a webhook answers at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::Fault;
use crate::behaviour::conditions::is_true;
use crate::behaviour::kinds::{DEPLOYMENT, MUTATING, VALIDATING};
use crate::behaviour::meta::text;
use crate::behaviour::objects::shared;
use crate::behaviour::world::World;
use crate::kube::{Kind, Operation, Store, object};

/// How long a late webhook is late.
const LATE: Duration = Duration::from_secs(20);
/// At full speed a late webhook still has to be late, or there would be nothing to rehearse.
const LATE_AT_LEAST: Duration = Duration::from_millis(300);

/// Looks at the configurations of webhooks for a kind.
pub(super) struct Gate {
    world: Arc<World>,
    /// Since when the Deployment behind the webhook has been available.
    since: Mutex<Option<Instant>>,
}

impl Gate {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), since: Mutex::default() }
    }

    /// Refuses what a webhook has to see that does not answer.
    pub(super) fn passes(&self, store: &Store, kind: &Kind, operation: Operation) -> Result<(), String> {
        for hook in hooks(store, kind, operation) {
            let (name, service) =
                (text(&hook, "/name"), hook.pointer("/clientConfig/service").cloned().unwrap_or_default());
            let url = format!(
                "https://{}.{}.svc:443{}?timeout=10s",
                text(&service, "/name"),
                text(&service, "/namespace"),
                text(&service, "/path")
            );
            let fails = |why: &str| {
                Err(format!("failed calling webhook {name:?}: failed to call webhook: Post {url:?}: {why}"))
            };
            if !self.is_served(store, &service) {
                return fails("dial tcp: connect: connection refused");
            }
            if text(&hook, "/clientConfig/caBundle").is_empty() {
                return fails("tls: failed to verify certificate: x509: certificate signed by unknown authority");
            }
        }
        Ok(())
    }

    fn is_served(&self, store: &Store, service: &Value) -> bool {
        let namespace = text(service, "/namespace");
        let found = store.get(&Kind::new("", "Service"), Some(namespace), text(service, "/name"));
        let Some(selector) = found.as_ref().and_then(|one| one.pointer("/spec/selector")).and_then(Value::as_object)
        else {
            return false;
        };
        let selects = |deployment: &Value| {
            let labels = deployment.pointer("/spec/template/metadata/labels");
            selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        };
        let available =
            shared(store, &DEPLOYMENT, namespace).iter().any(|one| selects(one) && is_true(one, "Available"));
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if !available {
            *since = None;
            return false;
        }
        if !self.world.faults().has(&Fault::WebhookLate) {
            return true;
        }
        let start = *since.get_or_insert_with(Instant::now);
        start.elapsed() >= self.world.pace().scaled(LATE).max(LATE_AT_LEAST)
    }
}

/// The webhooks that have to see an operation on a kind.
fn hooks(store: &Store, kind: &Kind, operation: Operation) -> Vec<Value> {
    let Ok(resource) = store.resource_of(kind) else { return Vec::new() };
    let plural = resource.key.plural.as_str();
    let word = match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    };
    let has = |list: Option<&Value>, wanted: &[&str]| {
        list.and_then(Value::as_array)
            .is_some_and(|list| list.iter().filter_map(Value::as_str).any(|one| wanted.contains(&one)))
    };
    let sees = |hook: &Value| {
        let mut rules = hook.get("rules").and_then(Value::as_array).into_iter().flatten();
        rules.any(|rule| {
            has(rule.get("operations"), &[word, "*"])
                && has(rule.get("apiGroups"), &[&kind.group, "*"])
                && has(rule.get("resources"), &[plural, "*", "*/*"])
        })
    };
    let configurations: Vec<_> = [MUTATING, VALIDATING]
        .into_iter()
        .flat_map(|one| shared(store, &one, ""))
        .filter(|one| !object::is_deleting(one))
        .collect();
    let all = configurations.iter().filter_map(|one| one.get("webhooks")?.as_array()).flatten();
    all.filter(|hook| {
        sees(hook) && text(hook, "/failurePolicy") != "Ignore" && hook.pointer("/clientConfig/service").is_some()
    })
    .cloned()
    .collect()
}
