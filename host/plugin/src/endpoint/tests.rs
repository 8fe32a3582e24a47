//! Endpoints against TLS servers that the tests start.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::connect::Resolver;
use super::*;
use crate::contract::sample::description;
use crate::limits::Limits;
use crate::policy::{AddressPolicy, Policy};
use crate::secrets::SecretStore;

/// What a server does with a request: the bytes of its answer, or none to say nothing.
type Answer = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

pub(crate) struct Server {
    address: SocketAddr,
    ca_pem: String,
    thumbprint: String,
    /// The requests as they came.
    seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) async fn server(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
    let answer: Answer = Arc::new(answer);
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["lab.example".to_owned(), "192.0.2.7".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let thumbprint: Vec<String> = Sha1::digest(leaf.der()).iter().map(|b| format!("{b:02X}")).collect();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer, log) = (acceptor.clone(), answer.clone(), log.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                while let Some(request) = read(&mut stream).await {
                    log.lock().unwrap().push(request.clone());
                    let Some(bytes) = answer(&request) else {
                        // Holds the connection until the client gives up.
                        let _ = stream.read(&mut [0; 1]).await;
                        return;
                    };
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Server { address, ca_pem: ca.pem(), thumbprint: thumbprint.join(":"), seen }
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|c| *c > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>().unwrap())
                })
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "an answer may also be none")]
pub(crate) fn ok(headers: &str, body: &str) -> Option<Vec<u8>> {
    Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes())
}

impl Server {
    pub(crate) fn target(&self, tls: Tls) -> EndpointTarget {
        let mut target = EndpointTarget::parse("lab.example", 443, tls).unwrap();
        target.address = Some(self.address);
        target
    }

    fn client_with(&self, tls: Tls, limits: &Limits) -> EndpointClient {
        let secrets = SecretStore::from_lookup(&description(), |name| match name {
            "LAB_USER" => Some("administrator".into()),
            "LAB_PASSWORD" => Some("s<cr&t-value".into()),
            "LAB_CP_PASSWORD" => Some("another-value".into()),
            _ => None,
        });
        EndpointClient::new("lab", self.target(tls), Arc::new(secrets), Arc::default(), limits, Default::default())
            .unwrap()
    }

    fn client(&self) -> EndpointClient {
        self.client_with(Tls::Ca(self.ca_pem.clone()), &limits())
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn limits() -> Limits {
    Limits { request_time: Duration::from_secs(20), connect_time: Duration::from_secs(20), ..Limits::default() }
}

fn get(path: &str) -> Request {
    Request { method: "GET".into(), path: path.into(), headers: vec![], body: vec![] }
}

async fn send(client: &EndpointClient, request: Request) -> Result<Response, EndpointError> {
    client.send(&request, &mut Sent::default()).await
}

fn secret(name: &str, encoding: Encoding) -> Part {
    Part::Secret { name: name.into(), encoding }
}

#[tokio::test]
async fn the_host_builds_the_url_and_the_headers() {
    let server = server(|_| ok("x-a: b\r\n", "hello")).await;
    let request = Request {
        method: "POST".into(),
        path: "/sdk?x=1".into(),
        headers: vec![("X-Mine".into(), vec![Part::Text("1".into())])],
        body: vec![Part::Text("<a>".into()), Part::Bytes(b"</a>".to_vec())],
    };
    let response = send(&server.client(), request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, b"hello".as_slice()));
    assert!(response.headers.contains(&("x-a".into(), "b".into())));
    let seen = &server.requests()[0];
    assert!(seen.starts_with("POST /sdk?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("\r\nhost: lab.example\r\n")
            && seen.contains("\r\nx-mine: 1\r\n")
            && seen.ends_with("\r\n\r\n<a></a>"),
        "{seen}"
    );
    assert!(!seen.to_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn what_a_component_may_not_ask_is_refused_before_anything_is_sent() {
    let server = server(|_| ok("", "")).await;
    let client = server.client();
    for path in [
        "",
        "sdk",
        "//evil.example/x",
        "https://evil.example/",
        "/a b",
        "/a\r\nHost: evil",
        "/\\evil",
        "/a#b",
        "@evil/",
    ] {
        assert!(matches!(send(&client, get(path)).await, Err(EndpointError::Refused(_))), "{path:?}");
    }
    for method in ["CONNECT", "TRACE", "get", "G T", ""] {
        assert!(
            matches!(
                send(&client, Request { method: method.into(), ..get("/") }).await,
                Err(EndpointError::Refused(_))
            ),
            "{method}"
        );
    }
    for (name, value) in [
        ("Host", "evil"),
        ("Cookie", "a=b"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "1"),
        ("X-Ok", "a\r\nHost: evil"),
        ("Bad Name", "x"),
        ("", "x"),
    ] {
        let request = Request { headers: vec![(name.into(), vec![Part::Text(value.into())])], ..get("/") };
        assert!(matches!(send(&client, request).await, Err(EndpointError::Refused(_))), "{name}");
    }
    let huge =
        Request { method: "POST".into(), body: vec![Part::Bytes(vec![0; limits().request_bytes + 1])], ..get("/") };
    assert!(matches!(send(&client, huge).await, Err(EndpointError::Refused(_))));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = server(|_| {
        Some(b"HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n".to_vec())
    })
    .await;
    let response = send(&server.client(), get("/")).await.unwrap();
    assert_eq!(response.status, 302);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn cookies_stay_with_the_host() {
    let server = server(|_| ok("set-cookie: session=abc; Path=/; HttpOnly\r\n", "")).await;
    let client = server.client();
    let first = send(&client, get("/login")).await.unwrap();
    assert!(first.headers.iter().all(|(name, _)| !name.contains("cookie")), "{:?}", first.headers);
    send(&client, get("/next")).await.unwrap();
    let seen = server.requests();
    assert!(!seen[0].contains("cookie:") && seen[1].contains("\r\ncookie: session=abc\r\n"), "{seen:?}");
}

#[tokio::test]
async fn certificates_are_judged_as_the_endpoint_says() {
    let server = server(|_| ok("", "ok")).await;
    let send_with = async |tls: Tls| send(&server.client_with(tls, &limits()), get("/")).await;
    assert!(send_with(Tls::Thumbprint(server.thumbprint.clone())).await.is_ok());
    assert!(send_with(Tls::Thumbprint(server.thumbprint.to_lowercase().replace(':', ""))).await.is_ok());
    assert!(send_with(Tls::Insecure).await.is_ok());
    let wrong = "00:".repeat(19) + "00";
    let error = send_with(Tls::Thumbprint(wrong.clone())).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::Untrusted(why) if why.contains(&server.thumbprint) && why.contains(&wrong)),
        "{error:?}"
    );
    let other = self::server(|_| None).await;
    let error = send_with(Tls::Ca(other.ca_pem.clone())).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::Untrusted(why) if why.contains("authority that is not trusted")),
        "{error:?}"
    );

    // The name that is checked is the spec's, whatever the address.
    for (name, good) in [("192.0.2.7", true), ("other.example", false), ("192.0.2.8", false)] {
        let mut target = EndpointTarget::parse(name, 443, Tls::Ca(server.ca_pem.clone())).unwrap();
        target.address = Some(server.address);
        let client =
            EndpointClient::new("lab", target, Arc::default(), Arc::default(), &limits(), Default::default()).unwrap();
        match send(&client, get("/")).await {
            Ok(_) => assert!(good, "{name}"),
            Err(error) => assert!(
                !good && matches!(&error, EndpointError::Untrusted(why) if why.contains("another name")),
                "{name}: {error:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_certificate_can_be_read_without_being_trusted() {
    let server = server(|_| None).await;
    for (tls, trusted) in [
        (Tls::Ca(server.ca_pem.clone()), true),
        (Tls::Thumbprint(server.thumbprint.clone()), true),
        (Tls::Insecure, true),
        (Tls::Thumbprint("11".repeat(20)), false),
    ] {
        let certificate = server.client_with(tls.clone(), &limits()).certificate().await.unwrap();
        assert_eq!((certificate.trusted, &certificate.sha1_thumbprint), (trusted, &server.thumbprint), "{tls:?}");
        assert_eq!(certificate.sha256_thumbprint.len(), 95);
        assert!(certificate.not_after.ends_with('Z') && certificate.issuer.contains("rcgen"), "{certificate:?}");
    }
    assert!(server.requests().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for() {
    let server = server(|_| None).await;
    let limits = Limits { request_time: Duration::from_millis(300), ..limits() };
    let error = send(&server.client_with(Tls::Insecure, &limits), get("/slow")).await.unwrap_err();
    assert!(matches!(&error, EndpointError::TimedOut(why) if why.contains("/slow")), "{error:?}");
    // Headers, and then not all of the body.
    let dripping = self::server(|_| Some(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    let error = send(&dripping.client_with(Tls::Insecure, &limits), get("/drip")).await.unwrap_err();
    assert!(matches!(error, EndpointError::TimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = EndpointTarget::parse("lab.example", 443, Tls::Insecure).unwrap();
    target.address = Some(listener.local_addr().unwrap());
    let limits = Limits { connect_time: Duration::from_millis(200), ..limits() };
    let client =
        EndpointClient::new("lab", target, Arc::default(), Arc::default(), &limits, Default::default()).unwrap();
    assert!(matches!(send(&client, get("/")).await, Err(EndpointError::TimedOut(_))));
    assert!(matches!(client.certificate().await, Err(EndpointError::TimedOut(_))));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut target = EndpointTarget::parse("lab.example", 443, Tls::Insecure).unwrap();
    target.address = Some(address);
    let client =
        EndpointClient::new("lab", target, Arc::default(), Arc::default(), &limits(), Default::default()).unwrap();
    let error = send(&client, get("/")).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::Unreachable(why) if why.contains("lab.example") && why.contains(&address.to_string())),
        "{error:?}"
    );
}

#[tokio::test]
async fn loopback_needs_a_grant() {
    let server = server(|_| ok("", "hello")).await;
    let target = EndpointTarget::parse(&server.address.to_string(), 443, Tls::Insecure).unwrap();
    let client = |addresses| {
        EndpointClient::new(
            "lab",
            target.clone(),
            Arc::default(),
            Arc::default(),
            &limits(),
            (addresses, Resolver::default()),
        )
        .unwrap()
    };
    let error = send(&client(AddressPolicy::default()), get("/")).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::Refused(why) if why.contains("loopback") && why.contains("--allow-address")),
        "{error:?}"
    );
    assert!(server.requests().is_empty());
    let granted = Policy::default().with_addresses(&["127.0.0.1/32".parse().unwrap()]).addresses();
    assert_eq!(send(&client(granted), get("/")).await.unwrap().body, b"hello");
}

#[tokio::test]
async fn a_server_keeps_its_certificate_for_a_session() {
    // Two servers that share an address one after the other, as a name that is taken over in between would.
    let first = server(|_| ok("connection: close\r\n", "one")).await;
    let second = server(|_| ok("", "two")).await;
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = relay.local_addr().unwrap();
    let (a, b) = (first.address, second.address);
    tokio::spawn(async move {
        for to in [a, b, b] {
            let (mut from, _) = relay.accept().await.unwrap();
            let mut to = tokio::net::TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let mut target = EndpointTarget::parse("lab.example", 443, Tls::Insecure).unwrap();
    target.address = Some(address);
    let client =
        EndpointClient::new("lab", target, Arc::default(), Arc::default(), &limits(), Default::default()).unwrap();
    assert_eq!(send(&client, get("/")).await.unwrap().body, b"one");
    let error = send(&client, get("/")).await.unwrap_err();
    assert!(matches!(&error, EndpointError::Untrusted(why) if why.contains("another certificate")), "{error:?}");
    assert!(second.requests().is_empty(), "nothing was sent to it");
}

#[tokio::test]
async fn a_name_that_leads_to_a_metadata_service_is_refused() {
    let target = EndpointTarget::parse("169.254.169.254", 443, Tls::Insecure).unwrap();
    let client =
        EndpointClient::new("lab", target, Arc::default(), Arc::default(), &limits(), Default::default()).unwrap();
    assert!(matches!(send(&client, get("/")).await, Err(EndpointError::Refused(why)) if why.contains("metadata")));
}

#[tokio::test]
async fn bodies_and_requests_are_bounded() {
    let server = server(|_| ok("", &"x".repeat(2_000))).await;
    let small = Limits { response_bytes: 1_000, ..limits() };
    let error = send(&server.client_with(Tls::Insecure, &small), get("/")).await.unwrap_err();
    assert!(matches!(&error, EndpointError::Exhausted(why) if why.contains("1000 bytes")), "{error:?}");

    let total = Limits { total_response_bytes: 5_000, ..limits() };
    let client = server.client_with(Tls::Insecure, &total);
    assert!(send(&client, get("/")).await.is_ok() && send(&client, get("/")).await.is_ok());
    assert!(matches!(send(&client, get("/")).await, Err(EndpointError::Exhausted(_))));

    let few = Limits { requests: 2, ..limits() };
    let client = server.client_with(Tls::Insecure, &few);
    assert!(send(&client, get("/")).await.is_ok() && send(&client, get("/")).await.is_ok());
    assert!(matches!(send(&client, get("/")).await, Err(EndpointError::Exhausted(why)) if why.contains("2 requests")));

    // Without a length, a body has no end until it is cut.
    let endless = self::server(|_| Some([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 100_000]].concat())).await;
    assert!(matches!(
        send(&endless.client_with(Tls::Insecure, &small), get("/")).await,
        Err(EndpointError::Exhausted(_))
    ));
}

#[tokio::test]
async fn secrets_go_in_on_the_way_and_to_their_endpoint_alone() {
    let server = server(|_| ok("", "")).await;
    let client = server.client();
    let mut sent = Sent::default();
    let request = Request {
        method: "POST".into(),
        path: "/sdk".into(),
        headers: vec![(
            "Authorization".into(),
            vec![Part::Text("Basic ".into()), Part::BasicAuth { user: "username".into(), password: "password".into() }],
        )],
        body: vec![Part::Text("<p>".into()), secret("password", Encoding::Xml), Part::Text("</p>".into())],
    };
    client.send(&request, &mut sent).await.unwrap();
    assert_eq!(sent.secrets, ["username", "password"]);
    let seen = &server.requests()[0];
    assert!(seen.contains("authorization: Basic YWRtaW5pc3RyYXRvcjpzPGNyJnQtdmFsdWU=\r\n"), "{seen}");
    assert!(seen.ends_with("<p>s&lt;cr&amp;t-value</p>"), "{seen}");

    for (name, wanted) in [("cp-password", "does not belong"), ("nope", "not one that the provider declares")] {
        let error =
            send(&client, Request { method: "POST".into(), body: vec![secret(name, Encoding::Plain)], ..get("/") })
                .await
                .unwrap_err();
        assert!(
            matches!(&error, EndpointError::Refused(why) if why.contains(wanted) && !why.contains("value\"")),
            "{error:?}"
        );
    }
    let without = EndpointClient::new(
        "lab",
        server.target(Tls::Insecure),
        Arc::new(SecretStore::from_lookup(&description(), |_| None)),
        Arc::default(),
        &limits(),
        Default::default(),
    )
    .unwrap();
    let error =
        send(&without, Request { method: "POST".into(), body: vec![secret("password", Encoding::Plain)], ..get("/") })
            .await
            .unwrap_err();
    assert!(matches!(&error, EndpointError::NotGranted(why) if why.contains("LAB_PASSWORD")), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_echoes_a_secret_tells_nobody() {
    let server = server(|request| {
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
        ok("x-echo: s<cr&t-value\r\n", &format!("you said {body} from another-value, base64 czxjciZ0LXZhbHVl"))
    })
    .await;
    let request = Request { method: "POST".into(), body: vec![secret("password", Encoding::Json)], ..get("/") };
    let response = send(&server.client(), request).await.unwrap();
    assert_eq!(String::from_utf8(response.body).unwrap(), "you said *** from ***, base64 ***");
    assert!(response.headers.contains(&("x-echo".into(), "***".into())));
}
