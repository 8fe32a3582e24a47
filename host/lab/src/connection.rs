//! What a client needs to reach a running lab, and the file in which another process finds it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::control::Status;

/// How to reach a lab: its control API, the servers that it stands in for, and the credentials that they take.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// The process that the lab lives in.
    pub pid: u32,
    /// The control API: `https://ADDRESS:PORT`.
    pub url: String,
    /// The bearer token of the control API.
    pub token: String,
    /// The certificate authority of the control API.
    pub ca_pem: String,
    /// Servers of the spec (by name, as the spec has them) that the lab stands in for.
    pub endpoints: BTreeMap<String, EndpointAddress>,
    /// Environment variables with the credentials that the lab's servers take.
    pub credentials: BTreeMap<String, String>,
}

/// Where the lab serves one of the spec's servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointAddress {
    /// The address to dial instead of the server's own.
    pub address: SocketAddr,
    /// The authority to trust for it; nothing if the lab was asked for a server that cannot be trusted.
    pub ca_pem: Option<String>,
}

// The token and the passwords of a lab are worth little, but what prints them once prints real ones later.
impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("pid", &self.pid)
            .field("url", &self.url)
            .field("endpoints", &self.endpoints)
            .field("credentials", &self.credentials.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Writes the connection to a file that only its owner can read, in one step: a reader sees the old file or the new one.
    ///
    /// # Errors
    /// If the file or the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let failed = |source| LabError::File { action: "write", path: path.to_owned(), source };
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| LabError::Connection { path: path.to_owned(), source })?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = Path::new(&unfinished);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(unfinished).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(unfinished, path)).map_err(|source| {
            let _ = std::fs::remove_file(unfinished);
            failed(source)
        })
    }

    /// Reads a connection that [`Connection::write`] wrote; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a connection.
    pub fn read(path: &Path) -> Result<Option<Self>, LabError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LabError::File { action: "read", path: path.to_owned(), source }),
        };
        serde_json::from_str(&text).map(Some).map_err(|source| LabError::Connection { path: path.to_owned(), source })
    }

    /// Whether the lab still answers at its control API, within `patience`.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        self.status(patience).await.is_ok()
    }

    /// What runs in the lab.
    ///
    /// # Errors
    /// If the lab does not answer within `patience`, or answers with something else.
    pub async fn status(&self, patience: Duration) -> Result<Status, LabError> {
        let failed = |source| LabError::NoAnswer { url: self.url.clone(), source };
        match tokio::time::timeout(patience, crate::control::client::status(self)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => {
                Err(failed(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {patience:?}"))))
            }
        }
    }
}
