//! Files of a release: from the disk, from the program itself, or over HTTP with bounds and a cache.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::Url;

use crate::interrupt::Interrupt;
use crate::options::Options;

/// How often a download is tried that failed for a reason that may pass, and how long the first wait is; each further
/// one is twice as long.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Pins the content of a download: `https://…/bundles.yaml#sha256=HEX`.
const PIN: &str = "sha256=";
/// What the addresses of files begin with that the program brings along.
const EMBEDDED: &str = "embedded:";

/// The largest file of a release that is read, in bytes. Component manifests come to a few MiB.
pub const LARGEST: usize = 64 * 1024 * 1024;
/// The longest download.
pub const PATIENCE: Duration = Duration::from_mins(2);
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// Why a file is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It can't be read from the disk.
    #[error("can't read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The program does not bring it along.
    #[error("this program does not bring `{address}` along")]
    NotEmbedded {
        /// What was asked for.
        address: String,
    },
    /// It is not an address at all.
    #[error("`{address}` is neither a file nor an `https://` address")]
    Address {
        /// What was asked for.
        address: String,
    },
    /// The server does not answer.
    #[error("can't download `{address}`")]
    Unreachable {
        /// What was asked for.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server answered, but not with the file.
    #[error("can't download `{address}`: {reason}")]
    Refused {
        /// What was asked for.
        address: String,
        /// What its answer means.
        reason: String,
        /// Whether it may answer otherwise soon.
        passing: bool,
    },
    /// The file is too large to be what it should be.
    #[error("`{address}` is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        address: String,
        /// The bound.
        limit: usize,
    },
    /// The file is another one than its address says.
    #[error("`{address}` has the SHA-256 `{found}`")]
    Checksum {
        /// What was asked for, with the SHA-256 that it should have.
        address: String,
        /// The one it has.
        found: String,
    },
    /// The file is not text.
    #[error("`{address}` is not UTF-8 text")]
    NotText {
        /// What was asked for.
        address: String,
    },
    /// The run was asked to stop.
    #[error("interrupted while `{address}` was being downloaded")]
    Interrupted {
        /// What was asked for.
        address: String,
    },
}

impl FetchError {
    /// Whether trying again is worth it.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Refused { passing: true, .. })
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::File { path, .. } => format!("check that `{}` exists and that you may read it", path.display()),
            Self::NotEmbedded { .. } | Self::Address { .. } => {
                "give a file or an `https://` address with `--bundles-override`".to_owned()
            }
            Self::Unreachable { .. } => {
                "check the network and the proxy; without a network, give a local release with `--bundles-override`"
                    .to_owned()
            }
            Self::Refused { .. } => "check the address; a local copy can be given with `--bundles-override`".to_owned(),
            Self::Checksum { .. } => {
                "the file was changed or its download was: find out which is the right one before you change the checksum \
                 in its address"
                    .to_owned()
            }
            Self::TooLarge { .. } | Self::NotText { .. } => {
                "check that the address leads to a release manifest".to_owned()
            }
            Self::Interrupted { .. } => "nothing was touched; run the same command again".to_owned(),
        }
    }
}

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    embedded: BTreeMap<String, String>,
    cache: Option<PathBuf>,
    interrupt: Interrupt,
    proxies: Proxies,
    largest: usize,
    first_wait: Duration,
}

/// The proxies that downloads go through, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://` addresses.
    pub http: Option<String>,
    /// For `https://` addresses.
    pub https: Option<String>,
    /// Hosts that are reached directly, separated by commas.
    pub none: Option<String>,
}

impl Proxies {
    /// Those of an environment; names in small letters win, as they do in curl.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| lookup(&name.to_lowercase()).or_else(|| lookup(name)).filter(|v| !v.is_empty());
        let all = get("ALL_PROXY");
        Self {
            http: get("HTTP_PROXY").or_else(|| all.clone()),
            https: get("HTTPS_PROXY").or(all),
            none: get("NO_PROXY"),
        }
    }
}

impl Fetcher {
    /// `embedded` are the files that the program brings along; downloads are kept in `cache`, if there is one.
    pub fn new(embedded: BTreeMap<String, String>, cache: Option<PathBuf>, interrupt: Interrupt) -> Self {
        let proxies = Proxies::default();
        Self { embedded, cache, interrupt, proxies, largest: LARGEST, first_wait: FIRST_WAIT }
    }

    /// As the options have it, with the proxies of their environment.
    pub fn for_options(options: &Options) -> Self {
        let mut fetcher = Self::new(options.embedded.clone(), options.cache.clone(), options.interrupt.clone());
        fetcher.proxies = Proxies::from_lookup(|name| (options.environment)(name));
        fetcher
    }

    /// Where a file is that another one names.
    pub fn place(&self, address: &str, beside: Option<&str>) -> String {
        if let Some(place) = embedded_place(address, beside).filter(|place| self.embedded.contains_key(place)) {
            return place;
        }
        match Url::parse(address) {
            Ok(url) if url.scheme().len() > 1 => address.to_owned(),
            _ => match relative(address, beside) {
                Some(url) => url.to_string(),
                None => beside_of(address, beside).display().to_string(),
            },
        }
    }

    /// The file behind an address. A cached copy is used as it is if it is not to be `fresh`, else only if the server
    /// says that it still holds, or does not answer.
    pub async fn text(&self, address: &str, beside: Option<&str>, fresh: bool) -> Result<String, FetchError> {
        if let Some(text) = self.embedded_beside(address, beside) {
            return Ok(text);
        }
        if address.starts_with(EMBEDDED) {
            return Err(FetchError::NotEmbedded { address: address.to_owned() });
        }
        match Url::parse(address) {
            Ok(url) if matches!(url.scheme(), "https" | "http") => self.download(&url, fresh).await,
            Ok(url) if url.scheme() == "file" => match url.to_file_path() {
                Ok(path) => self.file(&path),
                Err(()) => Err(FetchError::Address { address: address.to_owned() }),
            },
            // `C:\x` parses as an address with the scheme `c`.
            Ok(url) if url.scheme().len() > 1 => Err(FetchError::Address { address: address.to_owned() }),
            _ => match relative(address, beside) {
                Some(url) => self.download(&url, fresh).await,
                None => self.file(&beside_of(address, beside)),
            },
        }
    }

    /// A file that the program brings along: by its address, or beside one that it brings along.
    fn embedded_beside(&self, address: &str, beside: Option<&str>) -> Option<String> {
        let place = embedded_place(address, beside)?;
        self.embedded.get(&place).cloned()
    }

    fn file(&self, path: &Path) -> Result<String, FetchError> {
        let failed = |source| FetchError::File { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if usize::try_from(size).map_or(true, |s| s > self.largest) {
            return Err(FetchError::TooLarge { address: path.display().to_string(), limit: self.largest });
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        String::from_utf8(bytes).map_err(|_| FetchError::NotText { address: path.display().to_string() })
    }

    /// A pinned file never changes, so a copy of it is as good as a fresh one.
    async fn download(&self, url: &Url, fresh: bool) -> Result<String, FetchError> {
        let pin = url.fragment().and_then(|f| f.strip_prefix(PIN)).map(str::to_lowercase);
        let text = self.unpinned(url, fresh && pin.is_none(), pin.as_deref()).await?;
        let found = fingerprint(&text);
        if pin.is_some_and(|pin| pin != found) {
            return Err(FetchError::Checksum { address: url.to_string(), found });
        }
        Ok(text)
    }

    async fn unpinned(&self, url: &Url, fresh: bool, pin: Option<&str>) -> Result<String, FetchError> {
        let cache = self.cache.as_deref().and_then(|dir| Cached::open(dir, url));
        let kept = cache.as_ref().and_then(Cached::text);
        // A copy of something else than what is wanted now is none.
        let kept = kept.filter(|text| pin.is_none_or(|pin| pin == fingerprint(text)));
        if let (Some(text), false) = (&kept, fresh) {
            return Ok(text.clone());
        }
        let tag = cache.as_ref().filter(|_| kept.is_some()).and_then(Cached::tag);
        let got = self.interrupt.unless_asked(self.persistently(url, tag.as_deref())).await;
        let answer = match (got, kept) {
            (None, _) => return Err(FetchError::Interrupted { address: url.to_string() }),
            // Better a copy of yesterday than no release.
            (Some(Err(FetchError::Unreachable { source, .. })), Some(text)) => {
                tracing::warn!(%url, error = %source, "not reachable: the copy in the cache is used");
                return Ok(text);
            }
            (Some(Ok(Answer::Unchanged)), Some(text)) => return Ok(text),
            (Some(Ok(Answer::Unchanged)), None) => return Err(refused(url, StatusCode::NOT_MODIFIED)),
            (Some(Ok(Answer::Text { text, tag })), _) => {
                if let Some(cache) = cache.as_ref().filter(|_| pin.is_none_or(|pin| pin == fingerprint(&text))) {
                    cache.keep(&text, tag.as_deref());
                }
                text
            }
            (Some(Err(error)), _) => return Err(error),
        };
        Ok(answer)
    }

    /// Tries again what may pass: a server that does not answer, breaks off, or has a problem of its own.
    async fn persistently(&self, url: &Url, tag: Option<&str>) -> Result<Answer, FetchError> {
        let mut wait = self.first_wait;
        for _ in 1..TRIES {
            match self.get(url, tag).await {
                Err(error) if error.may_pass() => {
                    tracing::info!(%url, %error, "the download is tried again");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                other => return other,
            }
        }
        self.get(url, tag).await
    }

    async fn get(&self, url: &Url, tag: Option<&str>) -> Result<Answer, FetchError> {
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| FetchError::Unreachable {
            address: url.to_string(),
            source,
        };
        let client = client(url, &self.proxies).map_err(unreachable)?;
        let mut request = client.get(url.clone());
        if let Some(tag) = tag {
            request = request.header(reqwest::header::IF_NONE_MATCH, tag);
        }
        let mut answer = request.send().await.map_err(|e| unreachable(e.into()))?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(Answer::Unchanged),
            status if !status.is_success() => return Err(refused(url, status)),
            _ => {}
        }
        let tag = answer.headers().get(reqwest::header::ETAG).and_then(|t| t.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|e| unreachable(e.into()))? {
            if body.len() + piece.len() > self.largest {
                return Err(FetchError::TooLarge { address: url.to_string(), limit: self.largest });
            }
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8(body).map_err(|_| FetchError::NotText { address: url.to_string() })?;
        Ok(Answer::Text { text, tag })
    }
}

enum Answer {
    Unchanged,
    Text { text: String, tag: Option<String> },
}

/// The address of a file that the program brings along, if it may be one.
fn embedded_place(address: &str, beside: Option<&str>) -> Option<String> {
    if address.starts_with(EMBEDDED) {
        return Some(address.to_owned());
    }
    let beside = beside.filter(|b| b.starts_with(EMBEDDED))?;
    let folder = beside.rsplit_once('/').map_or(EMBEDDED, |(folder, _)| folder);
    let slash = if folder == EMBEDDED { "" } else { "/" };
    Some(format!("{folder}{slash}{address}"))
}

/// A relative path is looked for where the user is, then beside the file that named it.
fn beside_of(address: &str, beside: Option<&str>) -> PathBuf {
    let path = PathBuf::from(address);
    if path.exists() || path.is_absolute() {
        return path;
    }
    match beside.map(Path::new).and_then(Path::parent) {
        Some(folder) if folder.join(&path).exists() => folder.join(path),
        _ => path,
    }
}

/// A relative address in a file that was downloaded is an address beside it.
fn relative(address: &str, beside: Option<&str>) -> Option<Url> {
    let beside = Url::parse(beside?).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    beside.join(address).ok()
}

fn client(url: &Url, proxies: &Proxies) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        rustls::ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    // Plain HTTP needs no authorities, and a machine without any can still use it.
    let tls = match url.scheme() {
        "http" => tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        _ => tls.with_platform_verifier()?.with_no_client_auth(),
    };
    // The environment is read in one place, and not here.
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE);
    let direct = proxies.none.as_deref().and_then(reqwest::NoProxy::from_string);
    if let Some(proxy) = &proxies.http {
        client = client.proxy(reqwest::Proxy::http(proxy)?.no_proxy(direct.clone()));
    }
    if let Some(proxy) = &proxies.https {
        client = client.proxy(reqwest::Proxy::https(proxy)?.no_proxy(direct));
    }
    Ok(client.redirect(reqwest::redirect::Policy::limited(5)).build()?)
}

fn refused(url: &Url, status: StatusCode) -> FetchError {
    let reason = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => "the server has no such file".to_owned(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the server does not hand it out without credentials".to_owned()
        }
        status if status.is_server_error() => {
            format!("the server has a problem of its own (status {})", status.as_u16())
        }
        status => format!("the server answered with status {}", status.as_u16()),
    };
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    FetchError::Refused { address: url.to_string(), reason, passing }
}

/// A place in the cache. What is wrong with the cache is never a reason to fail.
struct Cached {
    dir: Dir,
    name: String,
}

impl Cached {
    fn open(cache: &Path, url: &Url) -> Option<Self> {
        std::fs::create_dir_all(cache).ok()?;
        let dir = Dir::open_ambient_dir(cache, ambient_authority()).ok()?;
        let digest = Sha256::digest(url.as_str().as_bytes());
        Some(Self { dir, name: hex::encode(digest) })
    }

    /// The copy, if it is whole: its own digest stands in its first line.
    fn text(&self) -> Option<String> {
        let kept = self.dir.read_to_string(&self.name).ok()?;
        let (digest, text) = kept.split_once('\n')?;
        (digest == fingerprint(text)).then(|| text.to_owned())
    }

    fn tag(&self) -> Option<String> {
        self.dir.read_to_string(format!("{}.etag", self.name)).ok()
    }

    fn keep(&self, text: &str, tag: Option<&str>) {
        let unfinished = format!("{}.{}", self.name, std::process::id());
        let tag_name = format!("{}.etag", self.name);
        let kept = self.dir.write(&unfinished, format!("{}\n{text}", fingerprint(text)));
        let kept = kept.and_then(|()| self.dir.rename(&unfinished, &self.dir, &self.name));
        let kept = kept.and_then(|()| match tag {
            Some(tag) => self.dir.write(&tag_name, tag),
            None => self.dir.remove_file(&tag_name).or(Ok(())),
        });
        if let Err(error) = kept {
            tracing::debug!(%error, "the cache can't be written");
        }
    }
}

fn fingerprint(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
