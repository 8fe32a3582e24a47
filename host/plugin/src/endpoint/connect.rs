//! Connections: to the address that was checked, with the name that the spec gives.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{EndpointError, EndpointTarget, tls};
use crate::policy::AddressPolicy;

type Resolved = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// Turns a name and a port into addresses.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String, u16) -> Resolved + Send + Sync>);

impl Default for Resolver {
    /// The operating system's.
    fn default() -> Self {
        Self::new(|host, port| async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

impl Resolver {
    /// One that asks this function.
    pub fn new<F>(ask: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = std::io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host, port| Box::pin(ask(host, port))))
    }
}

/// Where a target's name leads: asked once in a session and then kept, so that what was checked is what is dialled.
pub(super) struct Place {
    policy: AddressPolicy,
    resolver: Resolver,
    addresses: OnceCell<Vec<SocketAddr>>,
}

impl Place {
    pub(super) fn new(policy: AddressPolicy, resolver: Resolver) -> Self {
        Self { policy, resolver, addresses: OnceCell::new() }
    }

    async fn of(&self, target: &EndpointTarget) -> Result<Vec<SocketAddr>, EndpointError> {
        // An override is the operator's own word and is not judged.
        if let Some(address) = target.address {
            return Ok(vec![address]);
        }
        let resolve = || async {
            let resolved = (self.resolver.0)(target.host.clone(), target.port)
                .await
                .map_err(|e| EndpointError::Unreachable(format!("`{}` can't be resolved: {e}", target.host)))?;
            resolved.into_iter().map(|address| self.judged(target, address)).collect::<Result<Vec<_>, _>>()
        };
        self.addresses.get_or_try_init(resolve).await.cloned()
    }

    fn judged(&self, target: &EndpointTarget, address: SocketAddr) -> Result<SocketAddr, EndpointError> {
        match self.policy.refuses(address.ip()) {
            None => Ok(address),
            Some(why) => Err(EndpointError::Refused(format!(
                "`{}` leads to {}: {why}; if that is meant, grant it with `--allow-address RANGE` or under `[addresses]` of a policy file",
                target.server,
                address.ip()
            ))),
        }
    }
}

/// Connects to one target, whatever URI it is asked for.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) target: Arc<EndpointTarget>,
    pub(super) place: Arc<Place>,
    pub(super) config: Arc<ClientConfig>,
    pub(super) within: Duration,
}

impl Connector {
    /// A TLS connection to the target.
    pub(super) async fn connect(&self) -> Result<TlsStream<TcpStream>, EndpointError> {
        let server = &self.target.server;
        let connected = tokio::time::timeout(self.within, async {
            let stream = self.tcp().await?;
            let name = ServerName::try_from(self.target.host.clone()).map_err(|_| {
                EndpointError::Unreachable(format!("`{server}` is neither a host name nor an IP address"))
            })?;
            TlsConnector::from(self.config.clone())
                .connect(name, stream)
                .await
                .map_err(|e| tls::handshake_error(server, &e))
        });
        connected.await.unwrap_or_else(|_| {
            Err(EndpointError::TimedOut(format!("no connection to `{server}` within {} s", self.within.as_secs_f64())))
        })
    }

    async fn tcp(&self) -> Result<TcpStream, EndpointError> {
        let target = &*self.target;
        let addresses = self.place.of(target).await?;
        let mut last = format!("`{}` has no address", target.host);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A delayed small packet is worse than a lost optimisation.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = format!("no connection to `{}` ({address}): {error}", target.server),
            }
        }
        Err(EndpointError::Unreachable(last))
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = EndpointError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.connect().await.map(|s| TokioIo::new(Stream(s))) })
    }
}

/// A TLS stream as the HTTP client wants it.
pub(super) struct Stream(TlsStream<TcpStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
