//! What the engine's answers mean, and what can be done about them.

use std::error::Error as _;
use std::io;

use bollard::errors::Error;

use super::address::Address;
use crate::BootstrapError;

/// What kept the engine from doing what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody listens.
    Absent,
    /// The user may not talk to it.
    Forbidden,
    /// It did not answer in time, or broke off.
    Silent,
    /// The disk of the engine is full.
    DiskFull,
    /// A host port is in use.
    PortTaken,
    /// A container of that name is there.
    NameTaken,
    /// Privileged containers can't be started here.
    Privileges,
    /// No memory is left.
    Memory,
    /// The kernel has no inotify instances or open files left.
    Files,
    /// It has no such image, and nobody gave it one.
    ImageMissing,
    /// The registry did not let it in.
    ImageForbidden,
    /// The registry can't be reached.
    RegistryUnreachable,
    /// What was asked for is not there.
    NotFound,
    /// Something else.
    Other,
}

impl Trouble {
    pub(crate) fn remedy(self) -> String {
        match self {
            Self::Absent => "start Docker (`systemctl start docker`) or Podman (`systemctl --user start podman.socket`), or set `DOCKER_HOST`; with `--bootstrap-kubeconfig FILE` an existing cluster is used in its place",
            Self::Forbidden => "add yourself to the group of the socket (`sudo usermod -aG docker $USER`) and log in again, or use a rootless engine",
            Self::Silent | Self::NotFound | Self::Other => "look at the engine's own log (`journalctl -u docker`), then run the same command again",
            Self::DiskFull => "make room on the engine's disk: `docker system df` shows what takes it, `docker system prune` removes what is not used; then run the same command again",
            Self::PortTaken => "find out who has the port (`ss -ltnp`), then run the same command again",
            Self::NameTaken => "look at it with `docker ps -a`; if nobody needs it, remove it with `docker rm -f -v NAME`",
            Self::Privileges => "use an engine that may start privileged containers, or an existing cluster with `--bootstrap-kubeconfig FILE`",
            Self::Memory => "stop what takes the memory, or give the engine more; then run the same command again",
            Self::Files => "raise the limits: `sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`; then run the same command again",
            Self::ImageMissing => "check the name of the image; `--node-image` names another, and `docker load` or `docker pull` bring one to the engine by hand",
            Self::ImageForbidden => "log in with `docker login`, or pull the image by hand (`docker pull IMAGE`); then run the same command again",
            Self::RegistryUnreachable => "check the network and proxy of the engine, or bring the image to it by hand (`docker load`); then run the same command again",
        }
        .to_owned()
    }
}

/// What text of the engine, of a runtime or of a program on a node says about the cause. Words as runc, containerd, the
/// kernel and the engines' sources have them.
pub(super) fn trouble_in(text: &str) -> Trouble {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if has(&["no space left on device", "disk quota exceeded"]) {
        Trouble::DiskFull
    } else if has(&["port is already allocated", "address already in use", "ports are not available"]) {
        Trouble::PortTaken
    } else if has(&["too many open files", "inotify", "no file descriptors available"]) {
        Trouble::Files
    } else if has(&["cannot allocate memory", "out of memory", "oom-kill"]) {
        Trouble::Memory
    } else if has(&["unable to apply caps", "privileged mode is incompatible", "privileged containers are not allowed"])
        || (text.contains("operation not permitted") && has(&["runc", "crun", "oci runtime", "container init"]))
    {
        Trouble::Privileges
    } else if has(&["unauthorized", "authentication required", "denied: ", "access to the resource is denied"]) {
        Trouble::ImageForbidden
    } else if has(&["no such host", "i/o timeout", "connection refused", "tls handshake", "network is unreachable"]) {
        Trouble::RegistryUnreachable
    } else if has(&["manifest unknown", "not found: manifest", "no such image", "does not exist or may require"]) {
        Trouble::ImageMissing
    } else {
        Trouble::Other
    }
}

/// The trouble behind an error of the client.
pub(super) fn trouble(error: &Error) -> Trouble {
    match error {
        Error::SocketNotFoundError(_) => Trouble::Absent,
        Error::RequestTimeoutError => Trouble::Silent,
        Error::DockerResponseServerError { status_code, message } => match (trouble_in(message), status_code) {
            // The engine's name for it: `Conflict. The container name "/x" is already in use`.
            (Trouble::Other, 409) if message.contains("already in use") => Trouble::NameTaken,
            (Trouble::Other, 404) => Trouble::NotFound,
            (found, _) => found,
        },
        Error::DockerStreamError { error } => trouble_in(error),
        other => match io_kind(other) {
            Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Trouble::Absent,
            Some(io::ErrorKind::PermissionDenied) => Trouble::Forbidden,
            Some(_) => Trouble::Silent,
            None if matches!(other, Error::HyperResponseError { .. } | Error::HyperLegacyError { .. }) => {
                Trouble::Silent
            }
            None => Trouble::Other,
        },
    }
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        // A transparent error hands its own source on, and is not found by type.
        if let Some(Error::IOError { err }) = this.downcast_ref::<Error>() {
            return Some(err.kind());
        }
        cause = this.source();
    }
    None
}

/// An engine error in this crate's words. `action` completes "the container engine could not …".
pub(super) fn engine(at: &Address, action: impl Into<String>, error: Error) -> BootstrapError {
    let trouble = trouble(&error);
    let reason = words(&error);
    BootstrapError::Engine { at: at.to_string(), action: action.into(), reason, trouble, source: Box::new(error) }
}

/// The engine's own words, without the client's frame around them.
fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::SocketNotFoundError(path) => format!("there is no socket `{path}`"),
        other => {
            let mut last = other.to_string();
            let mut cause = other.source();
            while let Some(error) = cause {
                last = error.to_string();
                cause = error.source();
            }
            last
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_engines_are_understood() {
        for (text, expected) in [
            ("write /var/lib/docker/tmp/x: no space left on device", Trouble::DiskFull),
            (
                "driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:6443 failed: port is already allocated",
                Trouble::PortTaken,
            ),
            (
                "OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown",
                Trouble::Privileges,
            ),
            (
                "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access",
                Trouble::ImageForbidden,
            ),
            ("manifest for a:b not found: manifest unknown: manifest unknown", Trouble::ImageMissing),
            ("Get \"https://r/v2/\": dial tcp: lookup r: no such host", Trouble::RegistryUnreachable),
            ("failed to create fsnotify watcher: too many open files", Trouble::Files),
            ("fork/exec /usr/bin/runc: cannot allocate memory", Trouble::Memory),
            ("something new", Trouble::Other),
        ] {
            assert_eq!(trouble_in(text), expected, "{text}");
            assert!(!expected.remedy().is_empty());
        }
        let taken = Error::DockerResponseServerError {
            status_code: 409,
            message: "Conflict. The container name \"/x\" is already in use by container \"y\"".into(),
        };
        assert_eq!(trouble(&taken), Trouble::NameTaken);
    }
}
