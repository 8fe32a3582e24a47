//! What a plugin asks for, and who said yes to it.
//!
//! A plugin from outside is used when the policy names its digest or publisher, or when a person said yes to everything
//! it asks for. The yes is kept in the user's own file; the lock of a cluster narrows it further. Asking for more than
//! was granted, or being another file of nobody's signature, means being asked about again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kedge_spec::provider::Description;

use crate::audit::Trail;
use crate::catalog::Origin;
use crate::compile::Compiler;
use crate::contract::PACKAGE;
use crate::error::PluginError;
use crate::isolate::Isolation;
use crate::lock::{Lock, LockedPlugin};
use crate::plugin::Plugin;
use crate::policy::{Policy, Word};
use crate::recording::Recorder;
use crate::scan;

/// One thing that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What: the text that is granted and kept.
    pub what: String,
    /// Why, in the plugin's own words.
    pub why: String,
}

/// A question for the person who runs the command.
#[derive(Debug, Clone)]
pub struct GrantRequest {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub origin: String,
    /// `sha256:` and hexadecimal digits.
    pub digest: String,
    /// Who vouches for it.
    pub signer: String,
    /// Everything it asks for.
    pub asks: Vec<Ask>,
    /// Whether a plugin of this name was granted something before.
    pub known: bool,
    /// What of it was not granted before.
    pub new: Vec<String>,
}

/// Who answers.
#[derive(Clone, Default)]
pub enum Consent {
    /// Nobody is there: the answer is no.
    #[default]
    Nobody,
    /// Yes to everything: the user said so beforehand.
    Yes,
    /// A person.
    Ask(Arc<dyn Fn(&GrantRequest) -> bool + Send + Sync>),
}

impl std::fmt::Debug for Consent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Yes => "Yes",
            Self::Ask(_) => "Ask",
        })
    }
}

/// The rules under which plugins are used.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What the site and the user allow.
    pub policy: Arc<Policy>,
    /// Who is asked.
    pub consent: Consent,
    /// Where the user's grants are kept; nothing is kept if there is none.
    pub grants: Option<PathBuf>,
    /// Where everything that plugins do is written down.
    pub trail: Arc<Trail>,
    /// Where plugins are compiled that are not built in.
    pub compiler: Compiler,
    /// Where plugins run.
    pub isolation: Isolation,
    /// Where sessions are recorded, so that they can be replayed.
    pub recorder: Option<Arc<Recorder>>,
}

/// What a plugin asks for.
pub fn asks(description: &Description, contract_imports: &[String]) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut ask = |what: String, why: &str| asks.push(Ask { what, why: why.to_owned() });
    for endpoint in &description.endpoints {
        let checks = endpoint
            .insecure_field
            .as_ref()
            .map_or_else(String::new, |field| format!(", unchecked where `{field}` says so"));
        ask(
            format!(
                "endpoint {}: the server in `{}` of {}, port {} unless it names one{checks}",
                endpoint.name, endpoint.server_field, endpoint.kind, endpoint.default_port
            ),
            &endpoint.purpose,
        );
    }
    for secret in &description.secrets {
        let to = secret.endpoint.as_ref().map_or_else(String::new, |e| format!("requests to {e} and "));
        ask(
            format!("secret {}: {}, into {to}Secret objects, never seen", secret.name, secret.environment.join(" or ")),
            &secret.purpose,
        );
    }
    for import in contract_imports {
        let name = scan::split(import).0.strip_prefix(PACKAGE).and_then(|n| n.strip_prefix('/')).unwrap_or(import);
        match name {
            // These are nothing without the above, or nothing at all.
            "types" | "log" | "report" | "endpoints" | "secrets" => {}
            "container-engine" => ask(
                "container engine: its version, facts and networks, read only".to_owned(),
                "to check the machine that kedge runs on",
            ),
            other => ask(format!("import {other}"), "a part of the contract"),
        }
    }
    asks
}

impl Rules {
    /// Lets a plugin be used, or says why not.
    ///
    /// # Errors
    /// [`PluginError::NotGranted`] with what it asks for; the user's grants can't be read or written.
    pub fn admit(&self, plugin: &Plugin, lock: Option<&Path>) -> Result<(), PluginError> {
        // The policy had its say when the plugin was loaded. What is built in is part of what the user runs already.
        if plugin.word() == Word::Granted || plugin.origin() == &Origin::BuiltIn {
            return Ok(());
        }
        let asks = asks(plugin.description(), plugin.contract_imports());
        let user = self.grants.as_deref().map(Lock::read).transpose()?.flatten().unwrap_or_default();
        let locked = lock.map(Lock::read).transpose()?.flatten().unwrap_or_default();
        let name = &plugin.description().name;
        let of = |lock: &Lock| lock.plugins.iter().find(|p| p.name == *name).cloned();
        let (by_user, by_lock) = (of(&user), of(&locked));
        let missing = |granted: &LockedPlugin| -> Vec<String> {
            asks.iter().filter(|a| !granted.grants.contains(&a.what)).map(|a| a.what.clone()).collect()
        };
        let mut new = match &by_user {
            Some(granted) if same(granted, plugin) => missing(granted),
            _ => asks.iter().map(|a| a.what.clone()).collect(),
        };
        if let Some(locked) = &by_lock {
            new.extend(missing(locked));
            new.dedup();
        }
        if by_user.as_ref().is_some_and(|granted| same(granted, plugin)) && new.is_empty() {
            return Ok(());
        }
        let request = GrantRequest {
            name: name.clone(),
            version: plugin.description().version.clone(),
            origin: plugin.origin().to_string(),
            digest: format!("sha256:{}", plugin.digest()),
            signer: plugin.signer().to_string(),
            known: by_user.is_some(),
            new,
            asks,
        };
        let yes = match &self.consent {
            Consent::Nobody => false,
            Consent::Yes => true,
            Consent::Ask(person) => person(&request),
        };
        if !yes {
            return Err(PluginError::NotGranted {
                plugin: name.clone(),
                asks: request.asks.into_iter().map(|a| a.what).collect(),
                known: request.known,
            });
        }
        if let Some(path) = &self.grants {
            let mut user = user;
            user.add(plugin);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|e| PluginError::Lock { path: folder.to_owned(), why: e.to_string() })?;
            }
            user.write(path)?;
        }
        Ok(())
    }
}

/// The very file, or another one of the same publisher.
fn same(granted: &LockedPlugin, plugin: &Plugin) -> bool {
    granted.hex() == plugin.digest() || (granted.signer.is_some() && granted.signer.as_deref() == plugin.signer().key())
}
