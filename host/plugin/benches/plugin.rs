//! What calling a plugin costs: `cargo bench -p kedge-plugin`. Prints each figure with its bound; nothing fails by time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kedge_plugin::{Catalog, Compiler, HostOptions, Isolation, Limits, PluginHost, Trail};
use support::{Parts, ok_text, provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Host calls in one run of the component.
const CALLS: u32 = 100_000;

fn main() {
    // Started as the compiler of a plugin, this is that and nothing else.
    if kedge_plugin::child_entry(std::env::args_os()).is_some() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let catalog = Catalog::new().with_built_ins();
    for entry in catalog.list() {
        let name = &entry.name;
        let first = best(20, async || {
            // Everything from nothing: engine, native code, linker, instance, and the answer.
            let host = PluginHost::new(HostOptions::default()).unwrap();
            black_box(host.load(entry).await.unwrap().description().name.len());
        })
        .await;
        print(&format!("{name}: needed to first result"), first, Duration::from_millis(5));
        let host = PluginHost::new(HostOptions::default()).unwrap();
        let plugin = host.load(entry).await.unwrap();
        let fresh = best(200, async || plugin.instantiate().await.unwrap()).await;
        print(&format!("{name}: fresh instance"), fresh, Duration::from_micros(100));
    }
    let limits = Limits { compute_time: Duration::from_mins(1), host_calls: u64::MAX, ..Limits::default() };
    let host = PluginHost::new(HostOptions { limits: limits.clone(), ..HostOptions::default() }).unwrap();
    let looping = |body: &str| {
        let schema = format!(
            "(local $i i32) (loop {body} (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {CALLS})))) {}",
            ok_text(600, 2)
        );
        let fields = r#"(data (i32.const 512) "password") (data (i32.const 600) "{}")"#.to_owned();
        provider(&Parts { schema: Some(schema), fields, ..Parts::default() })
    };
    let calling =
        host.load_bytes("calling", &looping("(drop (call $available (i32.const 512) (i32.const 8)))")).await.unwrap();
    let idle = host.load_bytes("idle", &looping("")).await.unwrap();
    let with = best(5, async || drop(calling.schema("x").await.unwrap())).await;
    let without = best(5, async || drop(idle.schema("x").await.unwrap())).await;
    let bare = with.saturating_sub(without) / CALLS;
    print("host call", bare, Duration::from_micros(1));

    // The same with every call written to a file: what an audit costs where a call does next to nothing.
    let folder = tempfile::tempdir().unwrap();
    let trail = Arc::new(Trail::default());
    trail.write_to(&folder.path().join("audit.jsonl")).unwrap();
    let options = HostOptions { limits, audit: trail, ..HostOptions::default() };
    let audited = PluginHost::new(options).unwrap();
    let calling = audited
        .load_bytes("calling", &looping("(drop (call $available (i32.const 512) (i32.const 8)))"))
        .await
        .unwrap();
    let with = best(2, async || drop(calling.schema("x").await.unwrap())).await;
    let audit = (with.saturating_sub(without) / CALLS).saturating_sub(bare);
    print("audit of a call, written to a file", audit, Duration::from_micros(20));

    // And where it does something: a fifth of the cheapest request there is, one to this machine, is the bound.
    let request = request_time().await;
    print("a request to this machine", request, Duration::from_millis(2));
    print("audit of it, as a part of a fifth", audit, request / 5);

    let wasm = provider(&Parts::default());
    for (what, compiler) in [
        ("compile in this process", Compiler::Here),
        ("compile in a child", Compiler::Child { program: std::env::current_exe().unwrap(), time: None }),
    ] {
        let took = best(5, async || {
            let host = PluginHost::new(HostOptions { compiler: compiler.clone(), ..HostOptions::default() }).unwrap();
            host.load_bytes("x", &wasm).await.map(drop).unwrap();
        })
        .await;
        print(what, took, Duration::from_millis(500));
    }
    // A session in a process of its own, against one in this process: the same question, answered at once.
    let program = std::env::current_exe().unwrap();
    for entry in catalog.list() {
        let isolation = Isolation::Process { program: program.clone() };
        let apart = PluginHost::new(HostOptions { isolation, ..HostOptions::default() }).unwrap();
        let apart = apart.load(entry).await.unwrap();
        let took = best(20, async || drop(apart.commands().await.unwrap())).await;
        print(&format!("{}: a session in a process of its own", entry.name), took, Duration::from_millis(100));
    }
    // Twenty megabytes of small functions: taken or refused by their sizes alone.
    let mut large = wasm;
    let body = wat::parse_str(format!(
        "(module {})",
        "(func (param i32) (drop (i32.add (local.get 0) (i32.const 1))))".repeat(150_000)
    ))
    .unwrap();
    while large.len() < 20 << 20 {
        large.push(1);
        let mut length = body.len();
        while length >= 0x80 {
            large.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        large.push(u8::try_from(length).unwrap());
        large.extend_from_slice(&body);
    }
    let host = PluginHost::new(HostOptions::default()).unwrap();
    let refused = best(5, async || drop(black_box(host.inspect_bytes("large", &large).err()))).await;
    print("20 MB looked at", refused, Duration::from_millis(500));
}

/// One request through TLS and HTTP to a server on loopback, connection kept.
async fn request_time() -> Duration {
    let certificate = rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("lab.example").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let mut buffer = [0; 4096];
    let mut least = Duration::MAX;
    for _ in 0..200 {
        let begun = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: lab.example\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        least = least.min(begun.elapsed());
    }
    least
}

async fn best(rounds: u32, mut work: impl AsyncFnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let started = Instant::now();
        work().await;
        best = best.min(started.elapsed());
    }
    best
}

fn print(what: &str, took: Duration, bound: Duration) {
    let verdict = if took <= bound { "ok" } else { "OVER" };
    println!(
        "{what:<40} {:>12.3} µs   bound {:>9.1} µs   {verdict}",
        took.as_secs_f64() * 1e6,
        bound.as_secs_f64() * 1e6
    );
}
