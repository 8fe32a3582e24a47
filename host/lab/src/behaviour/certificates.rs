//! cert-manager: certificates that webhooks serve with, and the authority that the API checks them by.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kube::{Event, Kind, object};
use crate::tls::CertificateAuthority;

use super::component::{CA_INJECTOR, CERT_MANAGER, Component};
use super::controller::{After, Controller, Key, On, Outcome, Route};
use super::engine::Context;
use super::kinds::{CERTIFICATE, CLUSTER_ISSUER, CRD, ISSUER, MUTATING, SECRET, VALIDATING};
use super::meta::{now, set, text};
use super::objects::Refused;

/// Signing takes cert-manager a moment.
const ISSUE: Duration = Duration::from_secs(2);
const INJECT_FROM: &str = "cert-manager.io/inject-ca-from";
const INJECT_FROM_SECRET: &str = "cert-manager.io/inject-ca-from-secret";
/// The Secret that cert-manager's own webhook keeps its authority in.
const OWN_AUTHORITY: &str = "cert-manager-webhook-ca";

pub(crate) fn controllers() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(Issuers(ISSUER)),
        Box::new(Issuers(CLUSTER_ISSUER)),
        Box::new(Certificates),
        Box::new(Injector(MUTATING)),
        Box::new(Injector(VALIDATING)),
        Box::new(Injector(CRD)),
    ]
}

fn ready(this: &mut Value, reason: &str, message: &str) {
    if text(this, "/status/conditions/0/status") == "True" {
        return;
    }
    let generation = object::generation(this);
    set(
        this,
        &["status", "conditions"],
        json!([{
            "type": "Ready", "status": "True", "reason": reason, "message": message, "lastTransitionTime": now(), "observedGeneration": generation,
        }]),
    );
}

struct Issuers(Kind);

impl Controller for Issuers {
    fn primary(&self) -> On {
        On::Kind(self.0.clone())
    }

    fn component(&self) -> Component {
        CERT_MANAGER
    }

    fn watches(&self) -> Vec<(On, Route)> {
        Vec::new()
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        context.objects.change(&self.0, &key.namespace, &key.name, |this| ready(this, "IsReady", ""));
        Ok(After::Settled)
    }
}

struct Certificates;

impl Controller for Certificates {
    fn primary(&self) -> On {
        On::Kind(CERTIFICATE)
    }

    fn component(&self) -> Component {
        CERT_MANAGER
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(ISSUER), Route::All), (On::Kind(CLUSTER_ISSUER), Route::All)]
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let objects = &context.objects;
        let Some(this) = objects.get(&CERTIFICATE, &key.namespace, &key.name).filter(|one| !object::is_deleting(one))
        else {
            return Ok(After::Settled);
        };
        let issuer = text(&this, "/spec/issuerRef/name");
        let kind = if text(&this, "/spec/issuerRef/kind") == "ClusterIssuer" { CLUSTER_ISSUER } else { ISSUER };
        if objects
            .get(&kind, &key.namespace, issuer)
            .is_none_or(|issuer| text(&issuer, "/status/conditions/0/status") != "True")
        {
            return Ok(After::Settled);
        }
        if let Some(wait) = context.left(&this, "issue", ISSUE) {
            return Ok(After::Wait(wait));
        }
        let secret = text(&this, "/spec/secretName").to_owned();
        if objects.get(&SECRET, &key.namespace, &secret).is_none() {
            let names: Vec<String> = this
                .pointer("/spec/dnsNames")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            let Some(data) = served_by_itself(&key.name, &names) else { return Ok(After::Settled) };
            objects.ensure(json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data,
                "metadata": {"name": secret, "namespace": key.namespace, "annotations": {
                    "cert-manager.io/certificate-name": key.name, "cert-manager.io/issuer-name": issuer, "cert-manager.io/issuer-kind": kind.kind,
                }},
            }))?;
        }
        objects.change_this(&this, |this| ready(this, "Ready", "Certificate is up to date and has not expired"));
        Ok(After::Settled)
    }
}

/// A certificate for some names with the authority that signed it, as the data of a Secret.
fn served_by_itself(name: &str, names: &[String]) -> Option<Value> {
    let authority = CertificateAuthority::new(name).ok()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let served = authority.issue_server(&names, &[]).ok()?;
    Some(
        json!({"ca.crt": STANDARD.encode(authority.cert_pem()), "tls.crt": STANDARD.encode(&served.cert_pem), "tls.key": STANDARD.encode(&served.key_pem)}),
    )
}

/// Copies the authority of a certificate to whatever names that certificate.
struct Injector(Kind);

impl Controller for Injector {
    fn primary(&self) -> On {
        On::Kind(self.0.clone())
    }

    fn component(&self) -> Component {
        CA_INJECTOR
    }

    fn watches(&self) -> Vec<(On, Route)> {
        vec![(On::Kind(SECRET), Route::All), (On::Kind(CERTIFICATE), Route::All)]
    }

    fn is_concerned(&self, event: &Event) -> bool {
        let this = &event.object;
        event.kind == CERTIFICATE
            || object::annotation(this, "cert-manager.io/certificate-name").is_some()
            || object::name(this) == OWN_AUTHORITY
    }

    fn reconcile(&self, context: &Context, key: &Key) -> Outcome {
        let all = context.objects.each(&self.0, "");
        let Some(this) = all.iter().find(|one| object::name(one) == key.name) else { return Ok(After::Settled) };
        let Some(bundle) = authority_for(context, this)? else { return Ok(After::Settled) };
        if !has(this, &bundle) {
            context.objects.change(&self.0, "", &key.name, |this| inject(this, &bundle));
        }
        Ok(After::Settled)
    }
}

fn authority_for(context: &Context, this: &Value) -> Result<Option<String>, Refused> {
    let objects = &context.objects;
    let secret = if let Some((namespace, name)) =
        object::annotation(this, INJECT_FROM).and_then(|from| from.split_once('/'))
    {
        let certificate = objects.get(&CERTIFICATE, namespace, name);
        certificate.and_then(|one| objects.get(&SECRET, namespace, text(&one, "/spec/secretName")))
    } else if let Some((namespace, name)) =
        object::annotation(this, INJECT_FROM_SECRET).and_then(|from| from.split_once('/'))
    {
        // The webhook of cert-manager makes the authority that it serves with itself.
        if name == OWN_AUTHORITY && objects.get(&SECRET, namespace, name).is_none() {
            let names = [format!("cert-manager-webhook.{namespace}.svc")];
            if let Some(data) = served_by_itself(name, &names) {
                objects.ensure(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data, "metadata": {"name": name, "namespace": namespace}}))?;
            }
        }
        objects.get(&SECRET, namespace, name)
    } else {
        None
    };
    Ok(secret.and_then(|one| one.pointer("/data/ca.crt").and_then(Value::as_str).map(str::to_owned)))
}

/// Whether the authority is everywhere where it belongs.
fn has(this: &Value, bundle: &str) -> bool {
    let hooks = this.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let conversion = this.pointer("/spec/conversion/webhook");
    hooks.chain(conversion).all(|hook| text(hook, "/clientConfig/caBundle") == bundle)
}

fn inject(this: &mut Value, bundle: &str) {
    if let Some(Value::Array(hooks)) = this.get_mut("webhooks") {
        for hook in hooks {
            set(hook, &["clientConfig", "caBundle"], json!(bundle));
        }
    }
    if this.pointer("/spec/conversion/webhook/clientConfig").is_some() {
        set(this, &["spec", "conversion", "webhook", "clientConfig", "caBundle"], json!(bundle));
    }
}
