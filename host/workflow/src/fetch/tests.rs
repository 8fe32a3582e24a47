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
            let answer = {
                let mut seen = state.lock().unwrap();
                seen.requests.push(head.clone());
                let tag = format!("\"{}\"", seen.text.len());
                match (seen.down, head.contains(&format!("if-none-match: {tag}\r\n"))) {
                    (true, _) => continue,
                    (false, true) => "HTTP/1.1 304 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                    (false, false) => format!(
                        "HTTP/1.1 {} -\r\netag: {tag}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
                        seen.status,
                        seen.text.len(),
                        seen.text
                    ),
                }
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, seen)
}

fn fetcher(cache: &Path) -> Fetcher {
    Fetcher::new(BTreeMap::new(), Some(cache.to_owned()), Interrupt::never())
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
    let embedded = BTreeMap::from([("embedded:x".to_owned(), "in".to_owned())]);
    let fetch = Fetcher::new(embedded, None, Interrupt::never());
    let bundles = home.path().join("bundles.yaml").display().to_string();
    assert_eq!(fetch.text("embedded:x", None, true).await.unwrap(), "in");
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
