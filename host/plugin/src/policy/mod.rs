//! What a site allows plugins: which ones, towards which servers and addresses, with which limits.
//!
//! A policy has layers: the site's, the user's, that of a flag. All of them hold at once, so that the narrower one wins.

mod file;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::address;
use crate::error::PluginError;
use crate::limits::Limits;
use crate::trust::{PublicKey, Publisher, Root, Signer, Who};
use file::{Addresses, File, LimitsTable};

/// One file.
#[derive(Debug, Clone)]
struct Layer {
    path: PathBuf,
    file: File,
    /// Its publishers: keys and trusted roots are read when the file is.
    publishers: Vec<Publisher>,
}

/// One time of a table of limits, seconds.
type Of = fn(&LimitsTable) -> Option<u64>;

/// All layers together. The default one restricts nothing but special addresses.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    layers: Vec<Layer>,
    /// Ranges that the caller grants besides, for example from a flag.
    granted: Vec<IpNet>,
}

/// What a policy says of one plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nothing: whoever runs it decides.
    Silent,
    /// A layer names its digest or its publisher: nobody needs to be asked.
    Granted,
}

impl Policy {
    /// Reads files, each a layer. One that isn't there is an error: whoever names a policy wants it to hold.
    pub fn read(paths: &[PathBuf]) -> Result<Self, PluginError> {
        let mut policy = Self::default();
        for path in paths {
            policy.layers.push(layer(path)?);
        }
        Ok(policy)
    }

    /// The same with ranges of addresses that would need a grant: loopback, link-local and the like.
    #[must_use]
    pub fn with_addresses(mut self, ranges: &[IpNet]) -> Self {
        self.granted.extend_from_slice(ranges);
        self
    }

    /// The files it was read from.
    pub fn files(&self) -> Vec<&Path> {
        self.layers.iter().map(|l| l.path.as_path()).collect()
    }

    /// The limits that hold: what a layer sets, the smallest if several do, the default if none does.
    pub fn limits(&self, defaults: &Limits) -> Limits {
        let mut limits = defaults.clone();
        let tables = || self.layers.iter().map(|l| &l.file.limits);
        macro_rules! least {
            ($($field:ident),* $(,)?) => {
                $(if let Some(least) = tables().filter_map(|t| t.$field).min() { limits.$field = least; })*
            };
        }
        least!(
            memory_bytes,
            table_elements,
            memories,
            tables,
            instances,
            handles,
            copy_bytes,
            log_records,
            log_bytes,
            reports,
            host_calls,
            text_bytes,
            depth,
            requests,
            request_bytes,
            response_bytes,
            total_response_bytes,
            parallel_requests,
            component_bytes,
            function_bytes,
            functions,
            modules,
        );
        let seconds = |of: Of| tables().filter_map(of).min().map(Duration::from_secs);
        let times: [(&mut Duration, Of); 4] = [
            (&mut limits.compute_time, |t| t.compute_time),
            (&mut limits.session_time, |t| t.session_time),
            (&mut limits.connect_time, |t| t.connect_time),
            (&mut limits.request_time, |t| t.request_time),
        ];
        for (field, of) in times {
            if let Some(least) = seconds(of) {
                *field = least;
            }
        }
        limits
    }

    /// The publishers of all layers.
    pub(crate) fn publishers(&self) -> impl Iterator<Item = &Publisher> {
        self.layers.iter().flat_map(|l| &l.publishers)
    }

    /// Whether a plugin may be used at all. Asked before it is compiled, when its name may not be `known` yet (what it is
    /// called then is its file's), and again when it has said its name. `digest` and `signer` are of its file.
    ///
    /// # Errors
    /// [`PluginError::Forbidden`] with the file that says so.
    pub(crate) fn plugin(
        &self,
        name: &str,
        known: bool,
        digest: &str,
        built_in: bool,
        signer: &Signer,
    ) -> Result<Word, PluginError> {
        let mut word = Word::Silent;
        for layer in &self.layers {
            let forbidden =
                |why: String| PluginError::Forbidden { plugin: name.to_owned(), why, policy: layer.path.clone() };
            let plugins = &layer.file.plugins;
            if plugins.require_signature && !built_in && signer.publisher().is_none() {
                return Err(forbidden(match signer {
                    Signer::Unknown { key } => format!("it is signed with the key `{key}`, which is not a publisher's"),
                    _ => "it is not signed".to_owned(),
                }));
            }
            let publisher = signer.publisher().filter(|p| layer.publishers.iter().any(|known| known.name == *p));
            // A publisher may stand for its own plugins, and for no others.
            let of_layer = plugins.publishers.iter().find(|p| publisher == Some(p.name.as_str()));
            if let Some(patterns) = of_layer.and_then(|p| p.plugins.as_ref())
                && known
                && !patterns.iter().any(|pattern| file::names(pattern, name))
            {
                let publisher = publisher.unwrap_or_default();
                return Err(forbidden(format!(
                    "it is signed by `{publisher}`, who may not publish a plugin of that name"
                )));
            }
            let exact = |entry: &str| {
                entry.strip_prefix("sha256:").is_some_and(|hex| hex == digest)
                    || entry.strip_prefix("publisher:").is_some_and(|p| publisher == Some(p))
                    || (built_in && entry == "built-in")
            };
            let Some(allow) = &plugins.allow else {
                if publisher.is_some() {
                    word = Word::Granted;
                }
                continue;
            };
            if allow.iter().any(|entry| exact(entry)) {
                word = Word::Granted;
            } else if !allow.iter().any(|entry| entry == name || (!known && is_name(entry))) {
                return Err(forbidden("it is not one of those that are allowed".to_owned()));
            }
        }
        Ok(word)
    }

    /// Why a server of the spec may not be talked to, if it may not.
    pub(crate) fn server(&self, host: &str, port: u16) -> Option<String> {
        self.layers.iter().find_map(|layer| {
            let allow = layer.file.endpoints.allow.as_ref()?;
            let fits = allow.iter().any(|pattern| file::fits(pattern, host, port));
            (!fits).then(|| format!("the policy `{}` does not allow the server `{host}:{port}`", layer.path.display()))
        })
    }

    /// Which addresses a server's name may lead to.
    pub fn addresses(&self) -> AddressPolicy {
        AddressPolicy {
            layers: self
                .layers
                .iter()
                .map(|l| (l.path.display().to_string(), l.file.addresses.clone()))
                .collect::<Vec<_>>()
                .into(),
            granted: self.granted.clone().into(),
        }
    }
}

fn is_name(entry: &str) -> bool {
    entry != "built-in" && !entry.contains(':')
}

fn layer(path: &Path) -> Result<Layer, PluginError> {
    let bad = |why: String| PluginError::Policy { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
    file.check().map_err(bad)?;
    let mut publishers = Vec::new();
    for publisher in &file.plugins.publishers {
        // A path is relative to the file that names it.
        let beside = |file: &PathBuf| path.parent().unwrap_or(Path::new(".")).join(file);
        let of = |why: String| bad(format!("the publisher `{}`: {why}", publisher.name));
        let who = match (&publisher.key, &publisher.identity, &publisher.issuer) {
            (Some(key), None, None) => Who::Key(PublicKey::read(&beside(key))?),
            (None, Some(identity), Some(issuer)) => {
                let root = match &publisher.trusted_root {
                    None => Root::public(),
                    Some(root) => std::fs::read_to_string(beside(root))
                        .map_err(|e| e.to_string())
                        .and_then(|json| Root::parse(&json))
                        .map_err(|e| format!("the trusted root `{}` can't be used: {e}", root.display())),
                };
                Who::Identity { identity: identity.clone(), issuer: issuer.clone(), root: root.map_err(of)? }
            }
            _ => {
                return Err(of(
                    "it has either a `key`, or an `identity` and the `issuer` that vouches for it".to_owned()
                ));
            }
        };
        publishers.push(Publisher { name: publisher.name.clone(), who });
    }
    Ok(Layer { path: path.to_owned(), file, publishers })
}

/// Checks resolved addresses, so that a name can't lead where no provider's server is: loopback, metadata services of
/// clouds and other link-local addresses, multicast, reserved and unspecified addresses, unless a grant says so.
///
/// A grant is a range that lies inside the special one: `0.0.0.0/0` grants no metadata service.
#[derive(Debug, Clone)]
pub struct AddressPolicy {
    layers: Arc<[(String, Addresses)]>,
    granted: Arc<[IpNet]>,
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Policy::default().addresses()
    }
}

impl AddressPolicy {
    /// Why an address is not allowed, if it isn't.
    pub fn refuses(&self, address: IpAddr) -> Option<String> {
        let address = address::meant(address);
        for (path, rules) in &*self.layers {
            if let Some(families) = &rules.families
                && !families.iter().any(|f| f.is_of(address))
            {
                return Some(format!("an address of a family that the policy `{path}` does not allow"));
            }
            if let Some(range) = rules.deny.iter().find(|range| range.contains(&address)) {
                return Some(format!("an address of `{range}`, which the policy `{path}` denies"));
            }
            if let Some(allow) = &rules.allow
                && !allow.iter().any(|range| range.contains(&address))
            {
                return Some(format!("an address outside the ranges that the policy `{path}` allows"));
            }
        }
        let (block, what) = address::special(address)?;
        let of =
            |rules: &'_ Addresses| rules.grant.iter().chain(rules.allow.iter().flatten()).copied().collect::<Vec<_>>();
        let mut grants = self.layers.iter().flat_map(|(_, rules)| of(rules)).chain(self.granted.iter().copied());
        let granted = grants.any(|range| range.contains(&address) && block.contains(&range));
        (!granted).then(|| what.to_owned())
    }
}

#[cfg(test)]
mod tests;
