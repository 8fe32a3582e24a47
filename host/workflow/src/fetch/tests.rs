//! Fetching from a server on the loopback.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    text: String,
    status: u16,
    down: bool,
    /// How many answers are to fail before one is right, and how.
    failing: Vec<Fault>,
    redirect: Option<String>,
}

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Status(u16),
    /// The connection ends in the middle of the body.
    Short,
}

async fn server(text: &str) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/bundles.yaml", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen { text: text.to_owned(), status: 200, ..Seen::default() }));
    let state = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let answer = answer(&mut state.lock().unwrap(), head);
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (url, seen)
}

fn answer(seen: &mut Seen, head: String) -> Option<String> {
    let tag = format!("\"{}\"", seen.text.len());
    let asked = head.contains(&format!("if-none-match: {tag}\r\n"));
    seen.requests.push(head);
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    if seen.down {
        return None;
    }
    if let Some(place) = seen.redirect.take() {
        return Some(empty(&format!("302 -\r\nlocation: {place}")));
    }
    let fault = if seen.failing.is_empty() { None } else { Some(seen.failing.remove(0)) };
    let (status, length) = match fault {
        Some(Fault::Status(status)) => return Some(empty(&format!("{status} -"))),
        Some(Fault::Short) => (seen.status, seen.text.len() + 1),
        None if asked => return Some(empty("304 -")),
        None => (seen.status, seen.text.len()),
    };
    Some(format!(
        "HTTP/1.1 {status} -\r\netag: {tag}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{}",
        seen.text
    ))
}

fn fetcher(cache: &Path) -> Fetcher {
    hurried(Fetcher::new(BTreeMap::new(), Some(cache.to_owned()), Interrupt::never()))
}

/// Waits but little between tries.
fn hurried(mut fetcher: Fetcher) -> Fetcher {
    fetcher.first_wait = Duration::from_millis(1);
    fetcher
}

#[tokio::test]
async fn a_download_is_kept_and_asked_about() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("one").await;
    let fetch = fetcher(cache.path());
    assert_eq!(fetch.text(&url, None, true).await.unwrap(), "one");
    assert_eq!(fetch.text(&url, None, false).await.unwrap(), "one");
    assert_eq!(seen.lock().unwrap().requests.len(), 1, "the second came from the cache");
    assert_eq!(fetch.text(&url, None, true).await.unwrap(), "one");
    assert!(seen.lock().unwrap().requests[1].contains("if-none-match: \"3\""));
    seen.lock().unwrap().text = "other".into();
    assert_eq!(fetch.text(&url, None, true).await.unwrap(), "other");
    assert_eq!(fetch.text(&url, None, false).await.unwrap(), "other");
    seen.lock().unwrap().down = true;
    assert_eq!(fetch.text(&url, None, true).await.unwrap(), "other", "a copy is better than nothing");
}

#[tokio::test]
async fn a_damaged_copy_is_not_used() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("one").await;
    let fetch = fetcher(cache.path());
    fetch.text(&url, None, false).await.unwrap();
    for file in std::fs::read_dir(cache.path()).unwrap() {
        std::fs::write(file.unwrap().path(), "damaged").unwrap();
    }
    assert_eq!(fetch.text(&url, None, false).await.unwrap(), "one");
    assert_eq!(seen.lock().unwrap().requests.len(), 2);
}

#[tokio::test]
async fn a_file_that_is_too_large_or_refused_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("0123456789").await;
    let mut fetch = fetcher(cache.path());
    fetch.largest = 9;
    assert!(matches!(fetch.text(&url, None, true).await, Err(FetchError::TooLarge { limit: 9, .. })));
    fetch.largest = 10;
    assert_eq!(fetch.text(&url, None, true).await.unwrap().len(), 10);
    for (status, expected) in [(404, "the server has no such file"), (500, "a problem of its own (status 500)")] {
        {
            let mut state = seen.lock().unwrap();
            (state.status, state.text) = (status, format!("{status}"));
        }
        let error = fetch.text(&url, None, true).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn files_and_embedded_files() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bundles.yaml"), "b").unwrap();
    std::fs::write(home.path().join("eksd.yaml"), "e").unwrap();
    std::fs::write(home.path().join("binary"), [0xff, 0xfe, 0x00]).unwrap();
    let embedded = BTreeMap::from([
        ("embedded:x".to_owned(), "in".to_owned()),
        ("embedded:up/bundles.yaml".to_owned(), "b".to_owned()),
        ("embedded:up/eksd.yaml".to_owned(), "beside".to_owned()),
    ]);
    let fetch = Fetcher::new(embedded, None, Interrupt::never());
    let bundles = home.path().join("bundles.yaml").display().to_string();
    assert_eq!(fetch.text("embedded:x", None, true).await.unwrap(), "in");
    assert_eq!(fetch.text("eksd.yaml", Some("embedded:up/bundles.yaml"), true).await.unwrap(), "beside");
    assert_eq!(fetch.text("x", Some("embedded:bundles.yaml"), true).await.unwrap(), "in");
    assert!(matches!(fetch.text("embedded:y", None, true).await, Err(FetchError::NotEmbedded { .. })));
    assert_eq!(fetch.text(&bundles, None, true).await.unwrap(), "b");
    assert_eq!(fetch.text(&format!("file://{bundles}"), None, true).await.unwrap(), "b");
    assert_eq!(fetch.text("eksd.yaml", Some(&bundles), true).await.unwrap(), "e", "beside the file that names it");
    assert!(matches!(fetch.text("none.yaml", Some(&bundles), true).await, Err(FetchError::File { .. })));
    let binary = home.path().join("binary").display().to_string();
    assert!(matches!(fetch.text(&binary, None, true).await, Err(FetchError::NotText { .. })));
    assert!(matches!(fetch.text("ftp://x/y", None, true).await, Err(FetchError::Address { .. })));
}

#[tokio::test]
async fn a_download_stops_when_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (interrupter, interrupt) = Interrupt::new();
    let fetch = Fetcher::new(BTreeMap::new(), None, interrupt);
    let download = tokio::spawn(async move { fetch.text(&url, None, true).await });
    let (_stream, _) = listener.accept().await.unwrap();
    interrupter.interrupt();
    assert!(matches!(download.await.unwrap(), Err(FetchError::Interrupted { .. })));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("text").await;
    let fetch = fetcher(cache.path());
    let cases = [
        (vec![Fault::Status(503), Fault::Short], Ok("text"), 3),
        (vec![Fault::Status(429)], Ok("text"), 2),
        (vec![Fault::Status(500); 3], Err("a problem of its own (status 500)"), 3),
        (vec![Fault::Short; 3], Err("can't download"), 3),
        (vec![Fault::Status(404)], Err("the server has no such file"), 1),
        (vec![Fault::Status(403)], Err("without credentials"), 1),
    ];
    for (number, (faults, expected, requests)) in cases.into_iter().enumerate() {
        {
            let mut seen = seen.lock().unwrap();
            (seen.failing, seen.requests) = (faults, Vec::new());
        }
        // Each has an address of its own, so that no copy of another one serves for it.
        let got = fetch.text(&format!("{url}?{number}"), None, true).await;
        match (got, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (got, expected) => panic!("{got:?} in place of {expected:?}"),
        }
        assert_eq!(seen.lock().unwrap().requests.len(), requests, "{number}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("moved").await;
    seen.lock().unwrap().redirect = Some("/elsewhere.yaml".into());
    assert_eq!(fetcher(cache.path()).text(&url, None, true).await.unwrap(), "moved");
    assert!(seen.lock().unwrap().requests[1].starts_with("get /elsewhere.yaml "));
}

#[tokio::test]
async fn a_pinned_file_is_that_file_or_none() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("the right one").await;
    let fetch = fetcher(cache.path());
    let pinned = format!("{url}#sha256={}", fingerprint("the right one"));
    assert_eq!(fetch.text(&pinned, None, true).await.unwrap(), "the right one");
    assert_eq!(fetch.text(&pinned, None, true).await.unwrap(), "the right one");
    assert_eq!(seen.lock().unwrap().requests.len(), 1, "a copy of a pinned file is as good as a fresh one");
    let other = format!("{url}?2#sha256={}", fingerprint("another one"));
    let error = fetch.text(&other, None, true).await.unwrap_err();
    let right = fingerprint("the right one");
    assert!(matches!(&error, FetchError::Checksum { found, .. } if *found == right), "{error}");
    assert!(error.to_string().contains(&fingerprint("another one")), "{error}");
    seen.lock().unwrap().text = "another one".into();
    assert_eq!(fetch.text(&other, None, true).await.unwrap(), "another one", "the wrong one was not kept");
}

#[tokio::test]
async fn without_a_network_the_copies_do() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("kept").await;
    fetcher(cache.path()).text(&url, None, true).await.unwrap();
    seen.lock().unwrap().down = true;
    let later = fetcher(cache.path());
    assert_eq!(later.text(&url, None, true).await.unwrap(), "kept");
    let error = later.text(&format!("{url}?new"), None, true).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_relative_address_in_a_download_is_beside_it() {
    let cache = tempfile::tempdir().unwrap();
    let (url, seen) = server("eksd").await;
    let fetch = fetcher(cache.path());
    assert_eq!(fetch.text("eksd/1-34.yaml", Some(&url), false).await.unwrap(), "eksd");
    assert!(seen.lock().unwrap().requests[0].starts_with("get /eksd/1-34.yaml "));
    assert_eq!(fetch.place("eksd/1-34.yaml", Some(&url)), url.replace("bundles.yaml", "eksd/1-34.yaml"));
    assert_eq!(fetch.place("https://a/b", Some(&url)), "https://a/b");
}

#[tokio::test]
async fn proxies_are_those_of_the_environment() {
    let lookup = |set: &'static [(&'static str, &'static str)]| {
        Proxies::from_lookup(move |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    };
    assert_eq!(lookup(&[]), Proxies::default());
    let both = lookup(&[
        ("HTTP_PROXY", "http://a"),
        ("http_proxy", "http://b"),
        ("ALL_PROXY", "http://c"),
        ("NO_PROXY", "x,y"),
    ]);
    let expected = Proxies { http: Some("http://b".into()), https: Some("http://c".into()), none: Some("x,y".into()) };
    assert_eq!(both, expected);

    let (proxy, seen) = server("through the proxy").await;
    let proxy = proxy.replace("/bundles.yaml", "");
    let mut fetch = hurried(Fetcher::new(BTreeMap::new(), None, Interrupt::never()));
    fetch.proxies = Proxies { http: Some(proxy.clone()), ..Proxies::default() };
    assert_eq!(fetch.text("http://release.invalid/b.yaml", None, true).await.unwrap(), "through the proxy");
    assert!(seen.lock().unwrap().requests[0].starts_with("get http://release.invalid/b.yaml "));
    // What needs no proxy goes past it.
    let (direct, _) = server("direct").await;
    fetch.proxies.none = Some("127.0.0.1".into());
    assert_eq!(fetch.text(&direct, None, true).await.unwrap(), "direct");
}
