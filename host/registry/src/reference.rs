//! Names of plugins in registries: `registry.example[:port]/path/name[:tag][@sha256:…]`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::error::{RegistryError, shown};

/// One name. The registry is always part of it: there is none that would be meant without saying so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
}

/// The longest of all parts together.
const LONGEST: usize = 1_024;

impl FromStr for Reference {
    type Err = RegistryError;

    fn from_str(given: &str) -> Result<Self, RegistryError> {
        let bad = |why: &str| RegistryError::Reference { text: shown(given), why: why.to_owned() };
        let text = given.strip_prefix("oci://").unwrap_or(given);
        if text.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        let (registry, rest) = text.split_once('/').ok_or_else(|| bad("it names no registry"))?;
        // As everywhere: what has no dot and no port is a part of a path.
        if registry != "localhost" && !registry.contains(['.', ':']) {
            return Err(bad("it names no registry"));
        }
        if !is_host(registry) {
            return Err(bad("its registry is no host with or without a port"));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        if digest.is_some_and(|d| !is_digest(d)) {
            return Err(bad("its digest is not `sha256:` and 64 lower-case hexadecimal digits"));
        }
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !repository.split('/').all(is_component) {
            return Err(bad(
                "its repository has other characters than lower-case letters, digits and `.`, `_`, `-` between them",
            ));
        }
        if tag.is_some_and(|t| !is_tag(t)) {
            return Err(bad("its tag has other characters than letters, digits, `.`, `_` and `-`"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(bad("it has neither a tag nor a digest"));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl Reference {
    /// The digest of the manifest, if the name has one: then it is always the same plugin.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The registry: host, with the port if the name has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// What the registry is asked for: a digest goes before a tag.
    pub(crate) fn wanted(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or_default()
    }

    /// The same repository by another tag or digest.
    pub(crate) fn at(&self, wanted: &str) -> Self {
        let digest = is_digest(wanted).then(|| wanted.to_owned());
        let tag = digest.is_none().then(|| wanted.to_owned());
        Self { tag, digest, ..self.clone() }
    }

    /// The same in another registry, below a path if there is one.
    pub(crate) fn mirrored(&self, registry: &str, path: &str) -> Self {
        let repository = if path.is_empty() { self.repository.clone() } else { format!("{path}/{}", self.repository) };
        Self { registry: registry.to_owned(), repository, ..self.clone() }
    }
}

/// A host with or without a port, as a registry's name is.
pub(crate) fn is_host(text: &str) -> bool {
    url::Url::parse(&format!("https://{text}/")).is_ok_and(|url| {
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let parsed = format!("{}{port}", url.host_str().unwrap_or_default());
        // What a parser understands otherwise (user names, encodings, other spellings of addresses) is none.
        let same = parsed == text || format!("{parsed}:443") == text;
        same && !parsed.split('.').any(str::is_empty)
    })
}

/// Whether a registry is on this very machine.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let Ok(url) = url::Url::parse(&format!("http://{registry}/")) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

fn is_component(part: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = part.as_bytes();
    bytes.iter().all(|b| inner(*b)) && outer(bytes.first()) && outer(bytes.last()) && !part.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    bytes.len() <= 128
        && bytes.first().is_some_and(|b| word(*b))
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Reference, String> {
        text.parse::<Reference>().map_err(|e| e.to_string())
    }

    #[test]
    fn names_are_taken_apart_and_put_together_again() {
        let hex = "ab".repeat(32);
        for text in [
            "registry.example/acme/lab:1.0".to_owned(),
            "localhost/lab:x".to_owned(),
            "localhost:5000/a/b/c:latest".to_owned(),
            "127.0.0.1:5000/lab:1".to_owned(),
            "[::1]:5000/lab:1".to_owned(),
            format!("registry.example/lab@sha256:{hex}"),
            format!("registry.example:443/lab:1@sha256:{hex}"),
        ] {
            assert_eq!(parse(&text).unwrap().to_string(), text);
            assert_eq!(parse(&format!("oci://{text}")).unwrap().to_string(), text);
        }
        let both = parse(&format!("registry.example/lab:1@sha256:{hex}")).unwrap();
        assert_eq!((both.wanted(), both.registry()), (format!("sha256:{hex}").as_str(), "registry.example"));
        assert_eq!(both.at("2").to_string(), "registry.example/lab:2");
        assert_eq!(both.at("2").mirrored("m:1", "cache").to_string(), "m:1/cache/lab:2");
    }

    #[test]
    fn what_is_no_name_is_told() {
        for (text, wanted) in [
            ("lab:1", "no registry"),
            ("acme/lab:1", "no registry"),
            ("registry.example/lab", "neither a tag nor a digest"),
            ("registry.example/Lab:1", "repository"),
            ("registry.example/../lab:1", "repository"),
            ("registry.example//lab:1", "repository"),
            ("registry.example/lab:a b", "tag"),
            ("registry.example/lab:1/../x", "tag"),
            ("registry.example/lab@sha256:AB", "digest"),
            ("registry.example/lab@md5:ab", "digest"),
            ("user@registry.example/lab:1", "host"),
            ("registry.example:99999/lab:1", "host"),
            ("0x7f.1:5000/lab:1", "host"),
            ("registry.example%2f/lab:1", "host"),
            ("../lab:1", "host"),
            ("", "no registry"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert!(!parse("evil.example\u{1b}[2J/lab:1").unwrap_err().contains('\u{1b}'));
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for (host, is) in [
            ("localhost:1", true),
            ("127.0.0.1:1", true),
            ("127.9.9.9", true),
            ("[::1]:5", true),
            ("localhost.example", false),
            ("10.0.0.1:1", false),
            ("registry.example", false),
        ] {
            assert_eq!(is_loopback(host), is, "{host}");
        }
    }
}
