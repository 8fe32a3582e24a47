//! Servers that mean harm.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kedge_plugin::{EndpointTarget, Environment, Policy, SecretStore, Tls};
use kedge_spec::provider::{Description, Infrastructure, SecretNeed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server does with a request.
pub(crate) enum Reply {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, and then the others again and again until the client has enough of it.
    Endless(Vec<u8>, Vec<u8>),
    /// A good head, and then one byte at a time.
    Drip(Duration),
}

/// A server on loopback, with a certificate of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: String,
    seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn ok(headers: &str, body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes())
}

impl Server {
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let certificate = rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (seen.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log, reply) = (acceptor.clone(), log.clone(), reply.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    while let Some(request) = read(&mut stream).await {
                        let answer = reply(&request);
                        log.lock().unwrap().push(request);
                        if write(&mut stream, answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, ca_pem: certificate.cert.pem(), seen }
    }

    /// Requests that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// An environment in which `lab` is this server.
    pub(crate) fn environment(&self) -> Environment {
        let mut target = EndpointTarget::parse("lab.example", 443, Tls::Ca(self.ca_pem.clone())).unwrap();
        target.address = Some(self.address);
        environment(target)
    }
}

/// The value of the secret `password`.
pub(crate) const SECRET: &str = "c4n4ry<&\"value";

/// An environment in which `lab` is this target.
pub(crate) fn environment(target: EndpointTarget) -> Environment {
    let mut environment = Environment::nothing();
    environment.endpoints.insert("lab".into(), target);
    environment.secrets = Arc::new(SecretStore::from_lookup(&description(), |_| Some(SECRET.to_owned())));
    environment
}

/// An environment in which `lab` is a server that the spec names so, and loopback is granted.
pub(crate) fn named(server: &str, loopback: bool) -> Environment {
    let target = EndpointTarget::parse(server, 443, Tls::Insecure).unwrap();
    let mut environment = environment(target);
    if loopback {
        environment.addresses = Policy::default().with_addresses(&["127.0.0.0/8".parse().unwrap()]).addresses();
    }
    environment
}

fn description() -> Description {
    Description {
        name: "lab".into(),
        title: "Lab".into(),
        version: "1.2.3".into(),
        kinds: vec![],
        endpoints: vec![],
        secrets: vec![SecretNeed {
            name: "password".into(),
            purpose: "to log in".into(),
            environment: vec!["LAB_PASSWORD".into()],
            endpoint: Some("lab".into()),
            required: true,
        }],
        infrastructure: Infrastructure {
            name: "lab".into(),
            release_key: "lab".into(),
            namespace: "lab-system".into(),
            api_group: "infrastructure.example".into(),
            cluster_kind: "LabCluster".into(),
            machine_template_kind: "LabMachineTemplate".into(),
            api_versions: vec!["v1beta1".into()],
        },
        machine_documents: false,
        user_endpoint: true,
        extra_cni: vec![],
        extensions: std::collections::BTreeMap::new(),
    }
}

async fn write(stream: &mut (impl AsyncWriteExt + Unpin), reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await
        }
        Reply::Endless(head, more) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(&more).await?;
            }
        }
        Reply::Drip(pause) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
            loop {
                stream.write_all(b"x").await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|c| *c > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = |line: &str| {
                line.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())
            };
            let length: usize = text.lines().find_map(length).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
    }
}
