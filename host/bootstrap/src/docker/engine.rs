//! A connection to the container engine, and what it says of itself.

use std::path::Path;

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum};
use bollard::{API_DEFAULT_VERSION, Docker as Client};

use super::address::{Address, Found};
use super::failure;
use crate::BootstrapError;

/// Seconds after which a request that nobody answers is given up. Following a log or a pull has no such end.
const PATIENCE: u64 = 120;
/// `CgroupnsMode`, without which a node can't be made, came with this version of the API (Docker 20.10).
const OLDEST: (usize, usize) = (1, 41);

/// A container engine that answers.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) client: Client,
    pub(super) address: Address,
    pub(super) info: Info,
}

/// What matters of what an engine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) version: String,
    /// Bytes of memory; zero if it does not say.
    pub(super) memory: u64,
    pub(super) cgroup_v1: bool,
    pub(super) rootless: bool,
    pub(super) userns_remap: bool,
    /// Whether it can bound memory, processes and processor shares.
    pub(super) limits: bool,
    /// The driver that keeps images and containers, for example `overlay2`.
    pub(super) storage: String,
    /// Where it keeps them, on its own machine.
    pub(super) root: String,
    /// `linux` or `windows`.
    pub(super) system: String,
    /// Whether it runs in a virtual machine of its own with the usual socket inside.
    pub(super) desktop: bool,
}

impl Engine {
    /// Connects, agrees on a version of the API, and asks the engine about itself.
    pub(super) async fn connect(found: &Found) -> Result<Self, BootstrapError> {
        let address = found.address.clone();
        let failed = |error| failure::engine(&address, "be reached", error);
        let client = client(&address).map_err(failed)?;
        let client = client.negotiate_version().await.map_err(failed)?;
        let version = client.client_version();
        if (version.major_version, version.minor_version) < OLDEST {
            return Err(BootstrapError::EngineAddress {
                given: address.to_string(),
                origin: found.origin.clone(),
                reason: format!(
                    "its API is version {}.{}, and a node needs {}.{}",
                    version.major_version, version.minor_version, OLDEST.0, OLDEST.1
                ),
            });
        }
        let info = client.info().await.map_err(failed)?;
        Ok(Self { client, info: Info::from(info), address })
    }

    /// An engine error in this crate's words. `action` completes "the container engine could not …".
    pub(super) fn failed(&self, action: impl Into<String>, error: bollard::errors::Error) -> BootstrapError {
        failure::engine(&self.address, action, error)
    }

    /// Whether files of the engine's machine are files of this one.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.address, Address::Socket(_)) && !self.info.desktop
    }

    /// The engine's socket as the engine's own machine sees it, to be given to a container.
    pub(super) fn socket(&self) -> String {
        match &self.address {
            Address::Socket(path) if self.is_here() => path.display().to_string(),
            _ => "/var/run/docker.sock".to_owned(),
        }
    }
}

fn client(address: &Address) -> Result<Client, bollard::errors::Error> {
    match address {
        #[cfg(unix)]
        Address::Socket(path) => Client::connect_with_unix(&path.display().to_string(), PATIENCE, API_DEFAULT_VERSION),
        #[cfg(not(unix))]
        Address::Socket(path) => {
            Err(bollard::errors::Error::UnsupportedURISchemeError { uri: path.display().to_string() })
        }
        Address::Tcp(at) => Client::connect_with_http(&format!("tcp://{at}"), PATIENCE, API_DEFAULT_VERSION),
        Address::Tls(at, folder) => {
            // The client takes the provider of cryptography from the process. That another part of the program chose it
            // already is no harm: there is only one.
            drop(rustls::crypto::ring::default_provider().install_default());
            let file = |name: &str| folder.join(name);
            let (key, certificate, authority) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
            let [key, certificate, authority]: [&Path; 3] = [&key, &certificate, &authority];
            Client::connect_with_ssl(&format!("tcp://{at}"), key, certificate, authority, PATIENCE, API_DEFAULT_VERSION)
        }
    }
}

impl From<SystemInfo> for Info {
    fn from(info: SystemInfo) -> Self {
        let options = info.security_options.unwrap_or_default();
        let has = |word: &str| options.iter().any(|option| option.split(',').any(|part| part == word));
        let yes = |flag: Option<bool>| flag.unwrap_or(true);
        Self {
            version: info.server_version.unwrap_or_default(),
            memory: info.mem_total.and_then(|m| u64::try_from(m).ok()).unwrap_or_default(),
            cgroup_v1: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1),
            rootless: has("name=rootless"),
            userns_remap: has("name=userns"),
            limits: yes(info.memory_limit) && yes(info.pids_limit) && yes(info.cpu_shares),
            storage: info.driver.unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default(),
            system: info.os_type.unwrap_or_default(),
            desktop: info.operating_system.is_some_and(|name| name.contains("Docker Desktop")),
        }
    }
}
