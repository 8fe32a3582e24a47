//! The form of a policy file: TOML, and every key known.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// Of this format: 1.
    version: u32,
    #[serde(default)]
    pub(super) plugins: Plugins,
    #[serde(default)]
    pub(super) endpoints: Endpoints,
    #[serde(default)]
    pub(super) addresses: Addresses,
    #[serde(default)]
    pub(super) limits: LimitsTable,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Plugins {
    /// `built-in`, `sha256:DIGEST`, `publisher:NAME`, or a plugin's name. All if it isn't there.
    pub(super) allow: Option<Vec<String>>,
    /// Refuse what none of the publishers signed; built-in plugins are a part of the program and need no signature.
    #[serde(default)]
    pub(super) require_signature: bool,
    #[serde(default)]
    pub(super) publishers: Vec<Publisher>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Publisher {
    pub(super) name: String,
    /// A public key (PEM), relative to the policy file.
    pub(super) key: Option<PathBuf>,
    /// Or who signs: what stands in the certificate of a signature of a sigstore.
    pub(super) identity: Option<String>,
    /// And who vouches for that identity.
    pub(super) issuer: Option<String>,
    /// Authorities and logs of the sigstore, relative to the policy file. The public-good instance if it isn't there.
    pub(super) trusted_root: Option<PathBuf>,
    /// Names of the plugins that it may publish, `*` at the end for all that begin so. All if it isn't there.
    pub(super) plugins: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    /// `host`, `host:port` or `*.domain`, with or without port. All if it isn't there.
    pub(super) allow: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addresses {
    pub(super) families: Option<Vec<Family>>,
    pub(super) allow: Option<Vec<IpNet>>,
    #[serde(default)]
    pub(super) deny: Vec<IpNet>,
    /// Special ranges that may be talked to: loopback, link-local and the like.
    #[serde(default)]
    pub(super) grant: Vec<IpNet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub(super) fn is_of(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::Ipv4)
    }
}

/// The fields of `limits::Limits`; times in seconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct LimitsTable {
    pub(super) memory_bytes: Option<u64>,
    pub(super) table_elements: Option<u64>,
    pub(super) memories: Option<usize>,
    pub(super) tables: Option<usize>,
    pub(super) instances: Option<usize>,
    pub(super) handles: Option<usize>,
    pub(super) copy_bytes: Option<usize>,
    pub(super) log_records: Option<u64>,
    pub(super) log_bytes: Option<u64>,
    pub(super) reports: Option<u64>,
    pub(super) host_calls: Option<u64>,
    pub(super) text_bytes: Option<u64>,
    pub(super) depth: Option<u64>,
    pub(super) compute_time: Option<u64>,
    pub(super) session_time: Option<u64>,
    pub(super) requests: Option<u64>,
    pub(super) request_bytes: Option<usize>,
    pub(super) response_bytes: Option<usize>,
    pub(super) total_response_bytes: Option<u64>,
    pub(super) parallel_requests: Option<usize>,
    pub(super) connect_time: Option<u64>,
    pub(super) request_time: Option<u64>,
    pub(super) component_bytes: Option<u64>,
    pub(super) function_bytes: Option<u64>,
    pub(super) functions: Option<u64>,
    pub(super) modules: Option<u64>,
}

impl File {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.version != 1 {
            return Err(format!("it has version {}, and this kedge reads version 1", self.version));
        }
        for entry in self.plugins.allow.iter().flatten() {
            if let Some(hex) = entry.strip_prefix("sha256:") {
                if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
                    return Err(format!(
                        "`{entry}` under `plugins.allow` is no digest: 64 lower-case hexadecimal digits"
                    ));
                }
            } else if let Some(name) = entry.strip_prefix("publisher:")
                && !self.plugins.publishers.iter().any(|p| p.name == name)
            {
                return Err(format!("`{entry}` under `plugins.allow` is not one of `plugins.publishers`"));
            }
        }
        // Beyond this the parser itself would stop, with an error that names no limit.
        if self.limits.depth.is_some_and(|depth| depth > 120) {
            return Err("`limits.depth` is at most 120".to_owned());
        }
        Ok(())
    }
}

/// Whether a pattern names a plugin.
pub(super) fn names(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Whether a pattern names a server: both sides lower-case, the port only if the pattern has one.
pub(super) fn fits(pattern: &str, host: &str, port: u16) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let (name, wanted) = match pattern.rsplit_once(':') {
        // A bare IPv6 address has colons of its own.
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse::<u16>().ok()),
        _ => (pattern.as_str(), None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    match name.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => name == host,
    }
}
