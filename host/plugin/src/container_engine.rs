//! A look at the container engine of this machine: four GET requests, nothing else.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// A Unix socket.
    Socket(PathBuf),
    /// `host:port`, without TLS.
    Tcp(String),
    /// An address in a form that can't be used, as it was given.
    Unusable(String),
}

impl EngineAddress {
    /// What `DOCKER_HOST` says, read through `lookup`; the usual socket if it is not set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        match lookup("DOCKER_HOST").filter(|h| !h.is_empty()) {
            None => Self::Socket(PathBuf::from("/var/run/docker.sock")),
            Some(host) => {
                if let Some(path) = host.strip_prefix("unix://") {
                    Self::Socket(PathBuf::from(path))
                } else if let Some(address) = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://")) {
                    Self::Tcp(address.trim_end_matches('/').to_owned())
                } else {
                    Self::Unusable(host)
                }
            }
        }
    }
}

impl std::fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unusable(given) => f.write_str(given),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EngineError {
    #[error("unreachable: {0}")]
    Unreachable(String),
    #[error("{0}")]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EngineVersion {
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) api_version: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) arch: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineInfo {
    pub(crate) cpus: u32,
    pub(crate) memory: u64,
    pub(crate) cgroup_version: String,
    pub(crate) rootless: bool,
    pub(crate) extensions: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineNetwork {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) subnets: Vec<String>,
}

const TIME: Duration = Duration::from_secs(10);
const MOST: usize = 4 << 20;

impl EngineAddress {
    pub(crate) async fn ping(&self) -> Result<(), EngineError> {
        self.get("/_ping").await.map(drop)
    }

    pub(crate) async fn version(&self) -> Result<EngineVersion, EngineError> {
        self.json("/version").await
    }

    pub(crate) async fn info(&self) -> Result<EngineInfo, EngineError> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(rename = "NCPU", default)]
            cpus: u32,
            #[serde(rename = "MemTotal", default)]
            memory: u64,
            #[serde(rename = "CgroupVersion", default)]
            cgroup_version: String,
            #[serde(rename = "SecurityOptions", default)]
            security: Option<Vec<String>>,
            #[serde(rename = "Driver", default)]
            storage: String,
            #[serde(rename = "OperatingSystem", default)]
            system: String,
            #[serde(rename = "KernelVersion", default)]
            kernel: String,
        }
        let info: Info = self.json("/info").await?;
        Ok(EngineInfo {
            cpus: info.cpus,
            memory: info.memory,
            cgroup_version: info.cgroup_version,
            rootless: info.security.iter().flatten().any(|s| s.split(',').any(|s| s == "name=rootless")),
            extensions: [("storage-driver", info.storage), ("operating-system", info.system), ("kernel", info.kernel)]
                .into_iter()
                .filter(|(_, v)| !v.is_empty())
                .map(|(k, v)| (k.to_owned(), v))
                .collect(),
        })
    }

    pub(crate) async fn networks(&self) -> Result<Vec<EngineNetwork>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Network {
            name: String,
            #[serde(default)]
            driver: String,
            #[serde(rename = "IPAM", default)]
            ipam: Ipam,
        }
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "PascalCase")]
        struct Ipam {
            #[serde(default)]
            config: Option<Vec<Pool>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Pool {
            #[serde(default)]
            subnet: Option<String>,
        }
        let networks: Vec<Network> = self.json("/networks").await?;
        Ok(networks
            .into_iter()
            .map(|n| EngineNetwork {
                name: n.name,
                driver: n.driver,
                subnets: n.ipam.config.into_iter().flatten().filter_map(|p| p.subnet).collect(),
            })
            .collect())
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body)
            .map_err(|e| EngineError::Other(format!("the container engine's answer to `{path}` can't be read: {e}")))
    }

    async fn get(&self, path: &str) -> Result<Bytes, EngineError> {
        let exchange = async {
            match self {
                Self::Socket(socket) => {
                    #[cfg(unix)]
                    {
                        let stream = tokio::net::UnixStream::connect(socket).await.map_err(|e| self.unreachable(&e))?;
                        self.exchange(stream, path).await
                    }
                    #[cfg(not(unix))]
                    Err(EngineError::Unreachable(format!("this system has no Unix sockets: `{}`", socket.display())))
                }
                Self::Tcp(address) => {
                    let stream = tokio::net::TcpStream::connect(address).await.map_err(|e| self.unreachable(&e))?;
                    self.exchange(stream, path).await
                }
                Self::Unusable(given) => Err(EngineError::Unreachable(format!(
                    "`DOCKER_HOST` is `{given}`; kedge can use `unix://` and `tcp://`"
                ))),
            }
        };
        tokio::time::timeout(TIME, exchange).await.unwrap_or_else(|_| {
            Err(EngineError::Unreachable(format!(
                "the container engine at `{self}` did not answer within {} s",
                TIME.as_secs()
            )))
        })
    }

    fn unreachable(&self, error: &std::io::Error) -> EngineError {
        EngineError::Unreachable(format!("no container engine at `{self}`: {error}"))
    }

    async fn exchange<S>(&self, stream: S, path: &str) -> Result<Bytes, EngineError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broke =
            |e: hyper::Error| EngineError::Unreachable(format!("the container engine at `{self}` broke off: {e}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
        // The connection is driven here, so that nothing is left behind.
        tokio::pin!(connection);
        let work = async {
            let request = http::Request::get(path)
                .header(http::header::HOST, "localhost")
                .body(Empty::<Bytes>::new())
                .map_err(|e| EngineError::Other(e.to_string()))?;
            let response = sender.send_request(request).await.map_err(broke)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST)
                .collect()
                .await
                .map_err(|e| EngineError::Other(format!("the container engine's answer to `{path}`: {e}")))?
                .to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            Err(EngineError::Other(format!(
                "the container engine answered `{path}` with status {}: {}",
                status.as_u16(),
                String::from_utf8_lossy(&body).trim()
            )))
        };
        tokio::pin!(work);
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                // When it ends first, the work still has its answer (or its error) to pick up.
                _ = &mut connection, if open => open = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn the_address_comes_from_docker_host() {
        let at = |value: Option<&str>| {
            EngineAddress::from_lookup(|name| value.filter(|_| name == "DOCKER_HOST").map(str::to_owned))
        };
        assert_eq!(at(None), EngineAddress::Socket("/var/run/docker.sock".into()));
        assert_eq!(at(Some("unix:///run/x.sock")), EngineAddress::Socket("/run/x.sock".into()));
        assert_eq!(at(Some("tcp://10.0.0.1:2375")), EngineAddress::Tcp("10.0.0.1:2375".into()));
        assert_eq!(at(Some("ssh://me@there")), EngineAddress::Unusable("ssh://me@there".into()));
    }

    async fn engine(status: &'static str, body: &'static str) -> EngineAddress {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let text =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        EngineAddress::Tcp(address)
    }

    #[tokio::test]
    async fn answers_are_read() {
        let info = engine("200 OK", r#"{"NCPU":8,"MemTotal":1024,"CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=x","name=rootless"],"Driver":"overlay2"}"#).await;
        let info = info.info().await.unwrap();
        assert_eq!((info.cpus, info.memory, info.cgroup_version.as_str(), info.rootless), (8, 1024, "2", true));
        assert_eq!(info.extensions, [("storage-driver".to_owned(), "overlay2".to_owned())]);

        let networks = engine("200 OK", r#"[{"Name":"kind","Driver":"bridge","IPAM":{"Config":[{"Subnet":"172.18.0.0/16"}]}},{"Name":"none","Driver":"null","IPAM":{"Config":null}}]"#).await;
        let networks = networks.networks().await.unwrap();
        assert_eq!(networks[0].subnets, ["172.18.0.0/16"]);
        assert!(networks[1].subnets.is_empty());

        let version = engine("200 OK", r#"{"Version":"29.1","ApiVersion":"1.52","Os":"linux","Arch":"amd64"}"#).await;
        assert_eq!(version.version().await.unwrap().version, "29.1");
        assert!(matches!(engine("500 Broken", "no").await.ping().await, Err(EngineError::Other(_))));
    }

    #[tokio::test]
    async fn an_absent_engine_is_unreachable() {
        let nobody = EngineAddress::Socket("/nonexistent/docker.sock".into());
        assert!(
            matches!(nobody.ping().await, Err(EngineError::Unreachable(why)) if why.contains("/nonexistent/docker.sock"))
        );
        assert!(matches!(EngineAddress::Unusable("ssh://x".into()).ping().await, Err(EngineError::Unreachable(_))));
    }
}
