//! Whether the webhooks of a provider can be relied on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::manifest::Prepared;
use super::{name_of, storage_version};
use crate::api::{Api, identity};
use crate::error::Error;
use crate::object::{TypeRef, items, text};
use crate::progress::Progress;
use crate::readiness::Timeout;

/// Waits until the certificate authority of a provider's webhooks stands in all objects that ask for it.
pub(super) async fn injected(
    api: &Api,
    provider: &Prepared,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(50);
    let mut told = false;
    for wanted in provider.injected() {
        let id = identity(wanted)?;
        loop {
            match api.get(&id).await? {
                Some(object) if has_authority(&object) => break,
                _ if start.elapsed() + pause >= timeout.duration() => {
                    return Err(Error::GaveUp {
                        object: id.to_string(),
                        awaited: "cert-manager to put its certificate authority in".to_owned(),
                        last: String::new(),
                        waited: start.elapsed(),
                        help: "look at the log of cert-manager's injector (`cert-manager-cainjector`)".to_owned(),
                    });
                }
                _ => {
                    // Once for all of them: there are dozens, and they come together.
                    if !told {
                        let title = format!("webhooks of {}", name_of(&provider.component));
                        progress.waiting(&title, "cert-manager to put its certificate authority in");
                        told = true;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }
    Ok(())
}

/// Whether every webhook of an object has its authority. A definition without conversion needs none.
fn has_authority(object: &Value) -> bool {
    let filled = |config: Option<&Value>| config.is_none_or(|c| text(c, "/caBundle").is_some_and(|ca| !ca.is_empty()));
    filled(object.pointer("/spec/conversion/webhook/clientConfig"))
        && items(object, "/webhooks").iter().all(|w| filled(w.get("clientConfig")))
}

/// Sends a create that changes nothing for one kind that the provider's webhooks look at. A refusal is as good as a yes:
/// somebody has answered.
pub(super) async fn webhooks_answer(api: &Api, provider: &Prepared) -> Result<(), Error> {
    let Some(kind) = guarded_kind(provider) else { return Ok(()) };
    let object = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "kedge-proof", "namespace": provider.component.namespace},
        "spec": {},
    });
    match api.create(&object, true).await {
        Ok(_) | Err(Error::Refused { code: 400 | 403 | 409 | 422, .. }) => Ok(()),
        Err(error) => {
            tracing::debug!(provider = %name_of(&provider.component), kind = %kind, "the webhook does not answer");
            Err(error)
        }
    }
}

/// A kind of the provider's own, in namespaces, for whose creation it has a webhook.
fn guarded_kind(provider: &Prepared) -> Option<TypeRef> {
    let guarded = |plural: &str, group: &str| {
        provider.rest.iter().filter(|o| text(o, "/kind").is_some_and(|k| k.ends_with("WebhookConfiguration"))).any(
            |config| {
                items(config, "/webhooks").iter().flat_map(|w| items(w, "/rules")).any(|rule| {
                    let names = |field: &str, wanted: &str| {
                        items(rule, field).iter().filter_map(Value::as_str).any(|v| v == wanted || v == "*")
                    };
                    names("/resources", plural) && names("/apiGroups", group) && names("/operations", "CREATE")
                })
            },
        )
    };
    provider.definitions.iter().find_map(|crd| {
        let (plural, group) = (text(crd, "/spec/names/plural")?, text(crd, "/spec/group")?);
        let fits = text(crd, "/spec/scope") == Some("Namespaced") && guarded(plural, group);
        fits.then(|| Some(TypeRef::new(format!("{group}/{}", storage_version(crd)?), text(crd, "/spec/names/kind")?)))?
    })
}
