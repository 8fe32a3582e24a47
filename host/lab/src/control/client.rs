//! The calls that the lab makes to a control API: is a lab there, and what runs in it. All other clients have HTTP clients of their own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Status;
use crate::Connection;

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 16 << 20;

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// Sends one HTTP/1.1 request, head and body as they are, over TLS, and reads the whole answer: its head and its body.
/// The request has to ask for the connection to be closed.
pub(crate) async fn exchange(
    address: SocketAddr,
    server: ServerName<'static>,
    ca_pem: &str,
    request: &str,
) -> io::Result<(String, String)> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(wrong)?).map_err(wrong)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(Arc::new(tls)).connect(server, stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).map_err(|_| wrong("the answer is not text"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| wrong("the answer is cut off"))?;
    Ok((head.to_owned(), body.to_owned()))
}

/// The status code in the head of an answer.
pub(crate) fn status_code(head: &str) -> io::Result<u16> {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| wrong("the answer has no status"))
}

/// One request to the control API, with an empty body; the status code and the body of the answer.
pub(crate) async fn call(connection: &Connection, method: &str, path: &str) -> io::Result<(u16, String)> {
    let authority = connection.url.strip_prefix("https://").ok_or_else(|| wrong("the lab has no HTTPS address"))?;
    let address: SocketAddr = authority.parse().map_err(|_| wrong("the lab's address is not one"))?;
    let token = &connection.token;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (head, body) = exchange(address, ServerName::from(address.ip()), &connection.ca_pem, &request).await?;
    Ok((status_code(&head)?, body))
}

/// What runs in the lab.
pub(crate) async fn status(connection: &Connection) -> io::Result<Status> {
    let (code, body) = call(connection, "GET", "/v1/status").await?;
    if code != 200 {
        return Err(io::Error::other(format!("the lab answered with status {code}")));
    }
    serde_json::from_str(&body).map_err(io::Error::other)
}
