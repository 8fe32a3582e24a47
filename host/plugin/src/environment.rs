//! What a session may reach: servers by the names of the description, secrets, the container engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use kedge_spec::provider::{Description, EndpointNeed, ProviderDocument};
use serde_json::Value;

use crate::audit::{AuditSink, NoAudit};
use crate::container_engine::EngineAddress;
use crate::endpoint::{EndpointTarget, Resolver, Tls};
use crate::error::PluginError;
use crate::policy::{AddressPolicy, Policy};
use crate::secrets::SecretStore;

/// Where a server of the spec really is, and which authority vouches for it there: how the lab takes a server's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Where to connect.
    pub address: SocketAddr,
    /// PEM of the only authority to trust. It replaces the machine's roots and a pinned thumbprint, which nobody else
    /// than the real server can have.
    pub ca_pem: Option<String>,
}

/// What a session may reach.
#[derive(Clone)]
pub struct Environment {
    /// Servers by the provider's names.
    pub endpoints: BTreeMap<String, EndpointTarget>,
    /// Names that the provider declares and that have no server, with the reason.
    pub absent: BTreeMap<String, String>,
    /// Which addresses their names may lead to.
    pub addresses: AddressPolicy,
    /// Who says where they lead.
    pub resolver: Resolver,
    /// Secrets by the provider's names.
    pub secrets: Arc<SecretStore>,
    /// Where calls are recorded.
    pub audit: Arc<dyn AuditSink>,
    /// The container engine, if the session may look at it.
    pub engine: Option<EngineAddress>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("endpoints", &self.endpoints)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::nothing()
    }
}

impl Environment {
    /// Reaches nothing.
    pub fn nothing() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            absent: BTreeMap::new(),
            addresses: AddressPolicy::default(),
            resolver: Resolver::default(),
            secrets: Arc::new(SecretStore::default()),
            audit: Arc::new(NoAudit),
            engine: None,
        }
    }

    /// The environment that a spec describes: each endpoint of the description at the server its field names, with the
    /// TLS setting its fields ask for. `overrides` go by the server as the spec has it, with or without port.
    ///
    /// An endpoint whose document or field is not there is left out, and opening it says why.
    ///
    /// # Errors
    /// A field that can't be a server's name.
    pub fn for_spec(
        description: &Description,
        documents: &[ProviderDocument],
        secrets: Arc<SecretStore>,
        overrides: &BTreeMap<String, Override>,
        audit: Arc<dyn AuditSink>,
        policy: &Policy,
    ) -> Result<Self, PluginError> {
        let mut environment = Self { secrets, audit, addresses: policy.addresses(), ..Self::nothing() };
        for need in &description.endpoints {
            match target(need, documents, overrides)? {
                Ok(target) => match policy.server(&target.host, target.port) {
                    Some(why) => {
                        environment.absent.insert(need.name.clone(), why);
                    }
                    None => {
                        environment.endpoints.insert(need.name.clone(), target);
                    }
                },
                Err(absent) => {
                    environment.absent.insert(need.name.clone(), absent);
                }
            }
        }
        Ok(environment)
    }

    /// The same with a container engine to look at.
    #[must_use]
    pub fn with_engine(mut self, engine: Option<EngineAddress>) -> Self {
        self.engine = engine;
        self
    }
}

type Found = Result<EndpointTarget, String>;

fn target(
    need: &EndpointNeed,
    documents: &[ProviderDocument],
    overrides: &BTreeMap<String, Override>,
) -> Result<Found, PluginError> {
    let Some(document) = documents.iter().find(|d| d.kind == need.kind) else {
        return Ok(Err(format!("the spec has no {}", need.kind)));
    };
    let place = |field: &str| format!("`{field}` of {} `{}`", need.kind, document.name);
    let server = match field(&document.body, &need.server_field) {
        Some(Value::String(server)) if !server.trim().is_empty() => server.trim(),
        None | Some(Value::Null | Value::String(_)) => {
            return Ok(Err(format!("{} is not set", place(&need.server_field))));
        }
        Some(_) => {
            return Err(PluginError::Endpoint {
                endpoint: need.name.clone(),
                why: format!("{} is not a text", place(&need.server_field)),
            });
        }
    };
    let insecure =
        need.insecure_field.as_deref().and_then(|f| field(&document.body, f)).is_some_and(|v| v == &Value::Bool(true));
    let thumbprint = need
        .thumbprint_field
        .as_deref()
        .and_then(|f| field(&document.body, f))
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|t| !t.is_empty());
    let tls = match thumbprint {
        _ if insecure => Tls::Insecure,
        Some(thumbprint) => Tls::Thumbprint(thumbprint.to_owned()),
        None => Tls::System,
    };
    let mut target = EndpointTarget::parse(server, need.default_port, tls).map_err(|why| PluginError::Endpoint {
        endpoint: need.name.clone(),
        why: format!("{}: {why}", place(&need.server_field)),
    })?;
    let with_port = format!("{}:{}", target.host, target.port);
    if let Some(instead) = [server, target.host.as_str(), with_port.as_str()].iter().find_map(|key| overrides.get(*key))
    {
        target.address = Some(instead.address);
        if let (Some(ca), false) = (&instead.ca_pem, insecure) {
            target.tls = Tls::Ca(ca.clone());
        }
    }
    Ok(Ok(target))
}

/// A field by its path: `spec.server`, `spec.servers[0].name`.
fn field<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, step| {
        let (name, indexes) = step.split_once('[').map_or((step, ""), |(name, rest)| (name, rest));
        let value = if name.is_empty() { value } else { value.get(name)? };
        indexes
            .split('[')
            .filter(|i| !i.is_empty())
            .try_fold(value, |value, index| value.get(index.trim_end_matches(']').parse::<usize>().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::sample::description;

    fn spec(body: Value) -> Vec<ProviderDocument> {
        vec![ProviderDocument {
            api_version: "example/v1".into(),
            kind: "LabDatacenter".into(),
            name: "dc".into(),
            body,
        }]
    }

    fn set_up(body: Value, overrides: &BTreeMap<String, Override>) -> Result<Environment, PluginError> {
        Environment::for_spec(
            &description(),
            &spec(body),
            Arc::default(),
            overrides,
            Arc::new(NoAudit),
            &Policy::default(),
        )
    }

    #[test]
    fn the_spec_says_where_and_how() {
        let none = BTreeMap::new();
        let get = |body| set_up(body, &none).unwrap().endpoints.remove("lab").unwrap();
        assert_eq!(get(json!({"spec": {"server": "lab.example"}})).tls, Tls::System);
        assert_eq!(get(json!({"spec": {"server": "lab.example:8443"}})).port, 8443);
        assert_eq!(
            get(json!({"spec": {"server": "lab.example", "thumbprint": "AB"}})).tls,
            Tls::Thumbprint("AB".into())
        );
        assert_eq!(
            get(json!({"spec": {"server": "lab.example", "thumbprint": "AB", "insecure": true}})).tls,
            Tls::Insecure
        );
        let absent = set_up(json!({"spec": {}}), &none).unwrap();
        assert_eq!(absent.absent["lab"], "`spec.server` of LabDatacenter `dc` is not set");
        let error = set_up(json!({"spec": {"server": "https://x"}}), &none).unwrap_err();
        assert!(error.to_string().contains("has a scheme"), "{error}");
    }

    #[test]
    fn an_override_takes_the_servers_place_but_not_its_name() {
        let instead = Override { address: "127.0.0.1:4711".parse().unwrap(), ca_pem: Some("CA".into()) };
        for key in ["lab.example", "lab.example:443"] {
            let overrides = BTreeMap::from([(key.to_owned(), instead.clone())]);
            let target = set_up(json!({"spec": {"server": "lab.example", "thumbprint": "AB"}}), &overrides)
                .unwrap()
                .endpoints["lab"]
                .clone();
            assert_eq!(
                (target.host.as_str(), target.address, target.tls),
                ("lab.example", Some(instead.address), Tls::Ca("CA".into()))
            );
        }
    }

    #[test]
    fn fields_go_by_their_paths() {
        let document = json!({"a": {"b": [{"c": 1}, [2, 3]]}});
        assert_eq!(field(&document, "a.b[0].c"), Some(&json!(1)));
        assert_eq!(field(&document, "a.b[1][1]"), Some(&json!(3)));
        assert_eq!(field(&document, "a.x"), None);
        assert_eq!(field(&document, "a.b[x]"), None);
    }
}
