//! The simulated vCenter: SOAP and REST over TLS, filled from the spec.
//!
//! It holds what a spec names and lets clients look at it: kedge's own plugin and a stock `govc`. Nothing in it can be changed, and what a real
//! vCenter refuses (a wrong password, a missing session, an unknown property) it refuses in the same words. Where it differs from a real
//! one, or from `vcsim`, it is wrong.

mod appliance;
mod collector;
mod data;
mod fill;
mod inventory;
mod machine;
mod methods;
mod objects;
mod rest;
mod schema;
mod server;
mod session;
mod soap;
mod state;
mod tags;
mod wanted;
mod xml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpSocket;

use crate::fault::{Fault, Faults};
use crate::kube::Clock;
use crate::serve::{self, Listening};
use crate::tls::{self, CertificateAuthority};
use crate::{EndpointAddress, LabError};

pub use session::Credentials;

use fill::Filling;
use state::State;
use wanted::Wanted;

/// What a vCenter is started with.
pub struct VcenterOptions<'a> {
    /// The documents of the spec.
    pub documents: &'a [Value],
    /// What is missing, wrong or slow.
    pub faults: &'a Faults,
    /// EKS-D release names by Kubernetes version (`1.34`): the tags that templates carry.
    pub eksd_releases: &'a BTreeMap<String, String>,
    /// The address to listen on; the port is a free one.
    pub listen: IpAddr,
    /// What logs in.
    pub credentials: Credentials,
    /// Times of sessions and objects.
    pub clock: Arc<dyn Clock>,
    /// The seed of all UUIDs.
    pub seed: u64,
}

/// A running vCenter.
pub struct Vcenter {
    servers: Vec<String>,
    state: Arc<State>,
    face: Face,
    ca: CertificateAuthority,
    trusted: bool,
}

/// What is at the vCenter's address.
#[derive(Debug)]
enum Face {
    Listening(Listening),
    /// The port is taken, so that nobody else gets it, and nobody answers.
    Silent {
        address: SocketAddr,
        _held: TcpSocket,
    },
}

/// How many sessions there are and were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCount {
    /// SOAP sessions that are open.
    pub soap: usize,
    /// REST sessions that are open.
    pub rest: usize,
    /// Logins that succeeded, of both kinds.
    pub logins: u64,
    /// Logins that were refused.
    pub refused: u64,
}

impl std::fmt::Debug for Vcenter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Vcenter")
            .field("servers", &self.servers)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Vcenter {
    /// Starts a vCenter, if the documents name one. Several servers in one spec are one vCenter here.
    ///
    /// # Errors
    /// If it cannot listen, or if the name of a server is none that a certificate can hold.
    pub async fn start(options: VcenterOptions<'_>) -> Result<Option<Self>, LabError> {
        let wanted = Wanted::from_documents(&appliance::filled_in(options.documents));
        if wanted.servers.is_empty() {
            return Ok(None);
        }
        let faults = options.faults;
        let now = options.clock.now();
        let filling =
            Filling { wanted: &wanted, faults, eksd_releases: options.eksd_releases, seed: options.seed, now };
        let state = Arc::new(State {
            contents: filling.fill(),
            sessions: std::sync::Mutex::default(),
            credentials: options.credentials,
            refuse_logins: faults.has(&Fault::VcenterWrongPassword),
            delay: faults.vcenter_delay(),
            clock: options.clock,
        });
        let ca = CertificateAuthority::new("kedge lab vCenter")?;
        let face = if faults.has(&Fault::VcenterUnreachable) {
            silent(options.listen)?
        } else {
            let (listener, address) = serve::bind(options.listen).await?;
            let tls = server_tls(&ca, &wanted.servers, options.listen)?;
            let shared = Arc::clone(&state);
            Face::Listening(serve::serve(listener, address, tls, move |request, peer| {
                server::answer(Arc::clone(&shared), request, peer)
            }))
        };
        let trusted = !faults.has(&Fault::VcenterUntrusted);
        Ok(Some(Self { servers: wanted.servers, state, face, ca, trusted }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match &self.face {
            Face::Listening(listening) => listening.address(),
            Face::Silent { address, .. } => *address,
        }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// The servers of the spec that it stands in for, and how to reach each.
    pub fn endpoints(&self) -> BTreeMap<String, EndpointAddress> {
        let ca_pem = self.trusted.then(|| self.ca.cert_pem().to_owned());
        let endpoint = EndpointAddress { address: self.address(), ca_pem };
        self.servers.iter().map(|server| (server.clone(), endpoint.clone())).collect()
    }

    /// What logs in.
    pub fn credentials(&self) -> &Credentials {
        &self.state.credentials
    }

    /// The authority that signed its certificate.
    pub fn ca_pem(&self) -> &str {
        self.ca.cert_pem()
    }

    /// Its sessions: one that stays open after a client is done is a leak.
    pub fn sessions(&self) -> SessionCount {
        self.state.with_sessions(|sessions| SessionCount {
            soap: sessions.soap.len(),
            rest: sessions.rest.len(),
            logins: sessions.logins,
            refused: sessions.refused,
        })
    }

    /// Ends all connections and frees the port.
    pub async fn stop(&self) {
        if let Face::Listening(listening) = &self.face {
            listening.stop().await;
        }
    }
}

/// Takes a port without listening on it: connections are refused.
fn silent(listen: IpAddr) -> Result<Face, LabError> {
    let wanted = SocketAddr::new(listen, 0);
    let failed = |source| LabError::Listen { address: wanted, source };
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    socket.bind(wanted).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Face::Silent { address, _held: socket })
}

/// TLS with a certificate for each server of the spec and for the address itself, so that a browser and `govc` can come directly.
fn server_tls(
    ca: &CertificateAuthority,
    servers: &[String],
    listen: IpAddr,
) -> Result<Arc<rustls::ServerConfig>, LabError> {
    let mut names: Vec<&str> = Vec::new();
    let mut addresses = vec![listen, IpAddr::from([127, 0, 0, 1])];
    for server in servers {
        let host = host_of(server);
        match host.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => names.push(host),
        }
    }
    names.push("localhost");
    addresses.dedup();
    tls::server_config(&ca.issue_server(&names, &addresses)?, None)
}

/// The host of a server as the spec has it: `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, perhaps with `https://` before it.
fn host_of(server: &str) -> &str {
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    let server = server.split('/').next().unwrap_or_default();
    if let Some(rest) = server.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.chars().all(|digit| digit.is_ascii_digit()) => host,
        _ => server,
    }
}
