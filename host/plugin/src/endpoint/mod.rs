//! Servers behind names: what a component asks for by the name of its description, the host connects to.

mod client;
mod connect;
mod cookies;
mod headers;
#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod server_tests;
mod tls;

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

pub(crate) use client::{Budget, EndpointClient, Sent};
pub use connect::Resolver;

use crate::secrets::Encoding;

/// How an endpoint's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tls {
    /// By the roots that the machine trusts.
    #[default]
    System,
    /// By these roots alone (PEM).
    Ca(String),
    /// It has this SHA-1 thumbprint (`AA:BB:…`), whoever issued it.
    Thumbprint(String),
    /// Not at all.
    Insecure,
}

/// A server that an endpoint's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTarget {
    /// As the spec has it, with the port: what TLS checks, what `Host` says.
    pub server: String,
    /// The name or address without port.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where to connect instead of asking the resolver.
    pub address: Option<SocketAddr>,
    /// How its certificate is judged.
    pub tls: Tls,
}

impl EndpointTarget {
    /// Reads `host`, `host:port`, `[v6]:port` or a bare IPv6 address. Nothing else: no scheme, no user, no path.
    pub fn parse(server: &str, default_port: u16, tls: Tls) -> Result<Self, String> {
        let (host, port) = split(server, default_port)?;
        rustls_pki_types::ServerName::try_from(host.as_str())
            .map_err(|_| format!("`{server}` is neither a host name nor an IP address"))?;
        Ok(Self { server: server.to_owned(), host, port, address: None, tls })
    }

    /// What goes into the `Host` header.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

fn split(server: &str, default_port: u16) -> Result<(String, u16), String> {
    if server.is_empty() {
        return Err("it is empty".to_owned());
    }
    if server.contains("://") {
        return Err(format!(
            "`{server}` has a scheme; only the host is needed, with a port if it isn't {default_port}"
        ));
    }
    if server.contains(['/', '@', '?', '#', ' ', '\\', '%']) {
        return Err(format!("`{server}` has more than a host and a port"));
    }
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(format!("`{text}` in `{server}` is not a port")),
    };
    if let Some(rest) = server.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or_else(|| format!("`{server}` has no closing bracket"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("`{host}` is not an IPv6 address"))?;
        return match tail.strip_prefix(':') {
            Some(text) => Ok((host.to_owned(), port(text)?)),
            None if tail.is_empty() => Ok((host.to_owned(), default_port)),
            None => Err(format!("`{server}` has more than a host and a port")),
        };
    }
    if server.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((server.to_owned(), default_port));
    }
    match server.split_once(':') {
        Some((host, text)) => Ok((host.trim_end_matches('.').to_ascii_lowercase(), port(text)?)),
        None => Ok((server.trim_end_matches('.').to_ascii_lowercase(), default_port)),
    }
}

/// A piece of a body or header value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    Text(String),
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    Bytes(Vec<u8>),
    Secret {
        name: String,
        encoding: Encoding,
    },
    BasicAuth {
        user: String,
        password: String,
    },
}

/// A request as a component makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<Part>)>,
    pub(crate) body: Vec<Part>,
}

/// A response as a component sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub(crate) body: Vec<u8>,
}

/// Bytes as a recording holds them: text if they are UTF-8, else base64 behind a mark.
fn as_text<S: serde::Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(BASE64_MARK) => out.serialize_str(text),
        _ => out.serialize_str(&format!("{BASE64_MARK}{}", BASE64.encode(bytes))),
    }
}

fn from_text<'de, D: serde::Deserializer<'de>>(given: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(given)?;
    match text.strip_prefix(BASE64_MARK) {
        Some(encoded) => BASE64.decode(encoded).map_err(serde::de::Error::custom),
        None => Ok(text.into_bytes()),
    }
}

const BASE64_MARK: &str = "base64:";

/// The certificate of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Certificate {
    pub(crate) sha1_thumbprint: String,
    pub(crate) sha256_thumbprint: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) not_after: String,
    pub(crate) trusted: bool,
}

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EndpointError {
    #[error("not granted: {0}")]
    NotGranted(String),
    #[error("unreachable: {0}")]
    Unreachable(String),
    #[error("not trusted: {0}")]
    Untrusted(String),
    #[error("timed out: {0}")]
    TimedOut(String),
    #[error("used up: {0}")]
    Exhausted(String),
    #[error("refused: {0}")]
    Refused(String),
    #[error("{0}")]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_a_host_and_a_port_and_nothing_else() {
        for (text, host, port) in [
            ("vc.example.com", "vc.example.com", 443),
            ("VC.Example.com.", "vc.example.com", 443),
            ("vc.example.com:8443", "vc.example.com", 8443),
            ("10.0.0.1", "10.0.0.1", 443),
            ("10.0.0.1:8989", "10.0.0.1", 8989),
            ("::1", "::1", 443),
            ("[fd00::1]:8443", "fd00::1", 8443),
            ("[fd00::1]", "fd00::1", 443),
        ] {
            let target = EndpointTarget::parse(text, 443, Tls::System).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
        }
        for bad in [
            "",
            "https://vc",
            "user@vc",
            "good@evil:443",
            "vc/sdk",
            "vc:0",
            "vc:99999",
            "vc:+1",
            "vc:",
            "a b",
            "vc#x",
            "vc?x",
            "vc\\x",
            "[::1",
            "[::1]x",
            "[vc]",
            "fe80::1%eth0",
            "-vc",
            "vc..example",
        ] {
            assert!(EndpointTarget::parse(bad, 443, Tls::System).is_err(), "{bad:?}");
        }
    }
}
