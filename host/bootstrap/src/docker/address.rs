//! Where the container engine is: looked for as its own clients look.
//!
//! In this order: `DOCKER_HOST`; the context that `DOCKER_CONTEXT` or the client's configuration names; the sockets of
//! Docker, of rootless Docker and of Podman, the first that is there.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::BootstrapError;

/// Looks up a variable of the environment.
pub(super) type Lookup<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A Unix socket.
    Socket(PathBuf),
    /// `host:port` over plain TCP.
    Tcp(String),
    /// `host:port` over TLS, with the folder that holds `ca.pem`, `cert.pem` and `key.pem`.
    Tls(String, PathBuf),
}

/// An engine's address, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Address,
    /// For messages: ``the context `desktop` ``.
    pub(super) origin: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(out, "unix://{}", path.display()),
            Self::Tcp(at) | Self::Tls(at, _) => write!(out, "tcp://{at}"),
        }
    }
}

impl Address {
    /// The host on which ports of its containers are reached from here; none if that is this machine.
    pub(super) fn remote_host(&self) -> Option<&str> {
        let (Self::Tcp(at) | Self::Tls(at, _)) = self else { return None };
        let host = at.rsplit_once(':').map_or(at.as_str(), |(host, _)| host);
        let bare = host.trim_matches(['[', ']']);
        let here = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (!here).then_some(host)
    }
}

/// Finds the engine.
pub(super) fn find(lookup: Lookup<'_>) -> Result<Found, BootstrapError> {
    let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let certificates = || {
        let own = set("HOME").map(|home| Path::new(&home).join(".docker"));
        set("DOCKER_CERT_PATH").map(PathBuf::from).or(own).unwrap_or_default()
    };
    if let Some(host) = set("DOCKER_HOST") {
        let tls = set("DOCKER_TLS_VERIFY").map(|_| certificates());
        return parse(&host, tls, "`DOCKER_HOST`");
    }
    let home = set("HOME").map(PathBuf::from);
    let configuration = set("DOCKER_CONFIG").map(PathBuf::from).or_else(|| home.as_ref().map(|h| h.join(".docker")));
    let chosen = match set("DOCKER_CONTEXT") {
        Some(name) => Some(name),
        None => configuration.as_deref().and_then(current_context),
    };
    if let (Some(name), Some(configuration)) = (chosen.filter(|name| name != "default"), &configuration) {
        return context(configuration, &name);
    }
    if let Some(host) = set("CONTAINER_HOST") {
        return parse(&host, None, "`CONTAINER_HOST`");
    }
    let usual = PathBuf::from("/var/run/docker.sock");
    let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = [
        Some(usual.clone()),
        runtime.as_ref().map(|r| r.join("docker.sock")),
        home.as_ref().map(|h| h.join(".docker/run/docker.sock")),
        runtime.as_ref().map(|r| r.join("podman/podman.sock")),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ];
    let there = candidates.into_iter().flatten().find(|path| path.exists());
    Ok(Found { address: Address::Socket(there.unwrap_or(usual)), origin: "the usual socket".into() })
}

fn parse(host: &str, tls: Option<PathBuf>, origin: &str) -> Result<Found, BootstrapError> {
    let found = |address| Ok(Found { address, origin: origin.to_owned() });
    if let Some(path) = host.strip_prefix("unix://") {
        return found(Address::Socket(path.into()));
    }
    let unusable = |reason: &str| {
        Err(BootstrapError::EngineAddress {
            given: host.to_owned(),
            origin: origin.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if host.starts_with("ssh://") {
        return unusable("kedge does not speak to an engine over ssh");
    }
    let secure = host.starts_with("https://");
    let rest = ["tcp://", "http://", "https://"].iter().find_map(|scheme| host.strip_prefix(scheme));
    let Some(rest) = rest.map(|r| r.trim_end_matches('/')).filter(|r| !r.is_empty() && !r.contains('/')) else {
        return unusable("it is not of the form `unix://PATH` or `tcp://HOST:PORT`");
    };
    match tls {
        Some(folder) => found(Address::Tls(with_port(rest, 2376), folder)),
        None if secure => {
            unusable("TLS needs the client's certificate: set `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`")
        }
        None => found(Address::Tcp(with_port(rest, 2375))),
    }
}

fn with_port(host: &str, port: u16) -> String {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    if after.contains(':') { host.to_owned() } else { format!("{host}:{port}") }
}

fn current_context(configuration: &Path) -> Option<String> {
    let text = std::fs::read_to_string(configuration.join("config.json")).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    value.get("currentContext")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A context lives in a folder that is named by the digest of its name.
fn context(configuration: &Path, name: &str) -> Result<Found, BootstrapError> {
    let digest = hex::encode(Sha256::digest(name.as_bytes()));
    let file = configuration.join("contexts/meta").join(&digest).join("meta.json");
    let origin = format!("the context `{name}`");
    let wrong = |reason: String| BootstrapError::EngineAddress {
        given: file.display().to_string(),
        origin: origin.clone(),
        reason,
    };
    let text = std::fs::read_to_string(&file).map_err(|e| wrong(format!("there is no such context ({e})")))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| wrong(format!("it is not JSON: {e}")))?;
    let host = value.pointer("/Endpoints/docker/Host").and_then(Value::as_str).unwrap_or_default();
    if host.is_empty() {
        return Err(wrong("it names no host".into()));
    }
    let material = configuration.join("contexts/tls").join(&digest).join("docker");
    parse(host, material.is_dir().then_some(material), &origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(set: &[(&str, &str)]) -> Result<Found, BootstrapError> {
        find(&|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn docker_host_comes_first() {
        let at = |host: &str| found(&[("DOCKER_HOST", host), ("DOCKER_CONTEXT", "x")]).unwrap().address;
        assert_eq!(at("unix:///run/a.sock"), Address::Socket("/run/a.sock".into()));
        assert_eq!(at("tcp://10.0.0.1:2000"), Address::Tcp("10.0.0.1:2000".into()));
        assert_eq!(at("tcp://[::1]"), Address::Tcp("[::1]:2375".into()));
        let tls = found(&[("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/c")]);
        assert_eq!(tls.unwrap().address, Address::Tls("h:2376".into(), "/c".into()));
        for (host, why) in [("ssh://me@h", "ssh"), ("h:2375", "not of the form"), ("https://h", "DOCKER_CERT_PATH")] {
            let error = found(&[("DOCKER_HOST", host)]).unwrap_err();
            assert!(error.to_string().contains(why) && error.to_string().contains("`DOCKER_HOST`"), "{error}");
            assert!(!error.remedy().is_empty());
        }
    }

    #[test]
    fn then_the_context_of_the_client() {
        let home = tempfile::tempdir().unwrap();
        let docker = home.path().join(".docker");
        // The digest of `desktop`, as the client makes it.
        let digest = "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e";
        std::fs::create_dir_all(docker.join("contexts/meta").join(digest)).unwrap();
        std::fs::write(
            docker.join("contexts/meta").join(digest).join("meta.json"),
            r#"{"Name":"desktop-linux","Endpoints":{"docker":{"Host":"unix:///d.sock","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        std::fs::write(docker.join("config.json"), r#"{"currentContext":"desktop-linux"}"#).unwrap();
        let home = home.path().to_str().unwrap();
        let socket = found(&[("HOME", home)]).unwrap();
        assert_eq!(socket.address, Address::Socket("/d.sock".into()));
        assert_eq!(socket.origin, "the context `desktop-linux`");
        let missing = found(&[("HOME", home), ("DOCKER_CONTEXT", "other")]).unwrap_err();
        assert!(
            missing.to_string().contains("`other`") && missing.to_string().contains("no such context"),
            "{missing}"
        );
        assert_eq!(found(&[("HOME", home), ("DOCKER_CONTEXT", "default")]).unwrap().origin, "the usual socket");
    }

    #[test]
    fn then_a_socket_that_is_there() {
        let runtime = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(runtime.path().join("podman")).unwrap();
        std::fs::write(runtime.path().join("podman/podman.sock"), "").unwrap();
        let at = found(&[("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())]).unwrap().address;
        if !Path::new("/var/run/docker.sock").exists() {
            assert_eq!(at, Address::Socket(runtime.path().join("podman/podman.sock")));
        }
        let podman = found(&[("CONTAINER_HOST", "unix:///run/user/1000/podman/podman.sock")]).unwrap();
        assert_eq!(podman.origin, "`CONTAINER_HOST`");
    }

    #[test]
    fn a_remote_engine_has_a_host() {
        assert_eq!(Address::Tcp("10.0.0.1:2375".into()).remote_host(), Some("10.0.0.1"));
        assert_eq!(Address::Tcp("127.0.0.1:2375".into()).remote_host(), None);
        assert_eq!(Address::Tcp("[::1]:2375".into()).remote_host(), None);
        assert_eq!(Address::Socket("/x".into()).remote_host(), None);
    }
}
