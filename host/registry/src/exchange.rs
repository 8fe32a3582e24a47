//! Requests to registries: bounded answers, logins, tokens.
//!
//! `oci-client` would do most of this. It reads manifests and error messages without a bound, though, and follows
//! redirects from HTTPS to HTTP: a registry is somebody else's machine, and gets to do neither.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::challenge::{self, Challenge};
use crate::error::{RegistryError, shown, words};
use crate::login::{Login, Logins, login};
use crate::reference::{Reference, is_loopback};
use crate::settings::Settings;
use crate::tls;

/// The longest time to connect, without a byte, and for one exchange.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_mins(1);
const WHOLE: Duration = Duration::from_mins(5);
/// What is read of an answer that is not the one that was hoped for.
const LONGEST_WORDS: u64 = 64 << 10;
/// The longest answer of a server that hands out tokens.
const LONGEST_TOKEN: u64 = 256 << 10;
const MOST_REDIRECTS: usize = 5;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'a [&'a str],
    pub(crate) content_type: &'a str,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) access: Access,
}

impl Ask<'_> {
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, accept: &[], content_type: "", body: None, access: Access::Pull }
    }
}

pub(crate) struct Exchange {
    client: reqwest::Client,
    plain: Settings,
    logins: Logins,
    /// The header that let the last request in, by registry, repository and access.
    passes: Mutex<BTreeMap<String, String>>,
}

impl Exchange {
    pub(crate) fn new(settings: &Settings, logins: Logins) -> Result<Self, RegistryError> {
        let bad = |e: reqwest::Error| RegistryError::Settings { path: None, why: words(&e) };
        let mut client = reqwest::Client::builder()
            // The environment is read in one place, and not here.
            .no_proxy()
            .tls_backend_preconfigured(tls::config(settings)?)
            .user_agent(concat!("kedge/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .timeout(WHOLE)
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                let secure = attempt.previous().first().is_some_and(|url| url.scheme() == "https");
                if attempt.previous().len() > MOST_REDIRECTS {
                    attempt.error("too many redirects")
                } else if secure && attempt.url().scheme() != "https" {
                    attempt.error("a redirect away from TLS")
                } else {
                    attempt.follow()
                }
            }));
        let direct = settings.proxies.none.as_deref().and_then(reqwest::NoProxy::from_string);
        if let Some(proxy) = &settings.proxies.http {
            client = client.proxy(reqwest::Proxy::http(proxy).map_err(bad)?.no_proxy(direct.clone()));
        }
        if let Some(proxy) = &settings.proxies.https {
            client = client.proxy(reqwest::Proxy::https(proxy).map_err(bad)?.no_proxy(direct));
        }
        let client = client.build().map_err(bad)?;
        Ok(Self { client, plain: settings.clone(), logins, passes: Mutex::default() })
    }

    /// The address of something in a repository: `manifests/1.0`.
    pub(crate) fn url(&self, place: &Reference, rest: &str) -> Result<Url, RegistryError> {
        let scheme = if self.plain.is_plain(&place.registry) { "http" } else { "https" };
        let text = format!("{scheme}://{}/v2/{}/{rest}", place.registry, place.repository);
        Url::parse(&text).map_err(|e| RegistryError::Reference { text: place.to_string(), why: e.to_string() })
    }

    /// Sends a request, logging in if the registry wants that. What comes back has any status but 401.
    pub(crate) async fn send(&self, place: &Reference, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        let key = format!("{} {} {:?}", place.registry, place.repository, ask.access);
        let pass = self.passes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let answer = self.once(place, ask, pass.as_deref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let known = login(&self.logins, &place.registry)?;
        let logged_in = known != Login::Anonymous;
        let denied = |why: String| RegistryError::Denied { registry: place.registry.clone(), logged_in, why };
        let headers = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<Challenge> = headers.filter_map(|h| challenge::parse(h.to_str().ok()?)).collect();
        let pass = match (challenges.first(), &known) {
            (Some(Challenge::Bearer { realm, service, scope }), _) => {
                let asked = match ask.access {
                    Access::Pull => format!("repository:{}:pull", place.repository),
                    Access::Push => format!("repository:{}:pull,push", place.repository),
                };
                let scope = scope.clone().unwrap_or(asked);
                format!("Bearer {}", self.token(place, realm, service.as_deref(), &scope, &known).await?)
            }
            (Some(Challenge::Basic), Login::Password { user, password }) => basic(user, password),
            (Some(Challenge::Basic), _) => return Err(denied("it wants a name and a password".to_owned())),
            (None, _) => return Err(denied("it wants a login of a kind that this program does not know".to_owned())),
        };
        let answer = self.once(place, ask, Some(&pass)).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(denied(said(answer).await));
        }
        self.passes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, pass);
        Ok(answer)
    }

    async fn once(&self, place: &Reference, ask: &Ask<'_>, pass: Option<&str>) -> Result<Response, RegistryError> {
        let mut request = self.client.request(ask.method.clone(), ask.url.clone());
        if !ask.accept.is_empty() {
            request = request.header(ACCEPT, ask.accept.join(", "));
        }
        if !ask.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, ask.content_type);
        }
        // A registry may send an upload to another server: that one is told nothing of ours.
        let own = self.url(place, "")?;
        if let Some(pass) = pass.filter(|_| same_server(&own, &ask.url)) {
            request = request.header(AUTHORIZATION, pass);
        }
        request = match &ask.body {
            Some(body) => request.body(body.clone()),
            None if ask.method == Method::POST => request.header(CONTENT_LENGTH, 0),
            None => request,
        };
        request.send().await.map_err(|e| unreachable(place, &e))
    }

    /// A token of the server that the registry names. It is sent the login, so it has to speak TLS, unless the registry
    /// and it are both on this machine.
    async fn token(
        &self,
        place: &Reference,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        login: &Login,
    ) -> Result<String, RegistryError> {
        let logged_in = *login != Login::Anonymous;
        let denied = |why: String| RegistryError::Denied { registry: place.registry.clone(), logged_in, why };
        let mut url = Url::parse(realm).map_err(|_| denied("it names no server that hands out tokens".to_owned()))?;
        let local = self.plain.is_plain(&place.registry) && url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(denied(format!("its server for tokens, `{}`, has no TLS", shown(realm))));
        }
        let request = match login {
            Login::Identity(token) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token").append_pair("client_id", "kedge");
                form.append_pair("scope", scope).append_pair("refresh_token", token);
                if let Some(service) = service {
                    form.append_pair("service", service);
                }
                let post = self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                post.body(form.finish())
            }
            Login::Anonymous | Login::Password { .. } => {
                url.query_pairs_mut().append_pair("scope", scope);
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                let get = self.client.get(url);
                match login {
                    Login::Password { user, password } => get.header(AUTHORIZATION, basic(user, password)),
                    _ => get,
                }
            }
        };
        let answer = request.send().await.map_err(|e| unreachable(place, &e))?;
        if !answer.status().is_success() {
            return Err(denied(said(answer).await));
        }
        let text = body(place, answer, "the token", LONGEST_TOKEN).await?;
        let tokens: Tokens = serde_json::from_slice(&text).map_err(|_| denied("its token can't be read".to_owned()))?;
        tokens.token.or(tokens.access_token).ok_or_else(|| denied("its server for tokens gave none".to_owned()))
    }
}

#[derive(Deserialize)]
struct Tokens {
    token: Option<String>,
    access_token: Option<String>,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}

fn same_server(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.port_or_known_default() == b.port_or_known_default()
}

fn unreachable(place: &Reference, error: &reqwest::Error) -> RegistryError {
    RegistryError::Unreachable { registry: place.registry.clone(), why: words(error) }
}

/// The whole of an answer, if it is no more than that.
pub(crate) async fn body(
    place: &Reference,
    mut answer: Response,
    what: &'static str,
    most: u64,
) -> Result<Vec<u8>, RegistryError> {
    let mut whole = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|e| unreachable(place, &e))? {
        if (whole.len() + piece.len()) as u64 > most {
            return Err(RegistryError::TooLarge { reference: place.to_string(), what, most });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// What a registry says about an error.
async fn said(mut answer: Response) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let status = answer.status();
    let mut text = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        text.extend_from_slice(&piece);
        if text.len() as u64 > LONGEST_WORDS {
            break;
        }
    }
    let words = match serde_json::from_slice::<Errors>(&text) {
        Ok(errors) => {
            let all = errors.errors.iter().map(|e| if e.message.is_empty() { &e.code } else { &e.message });
            all.map(String::as_str).collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(&text).into_owned(),
    };
    if words.trim().is_empty() { status.to_string() } else { shown(&words) }
}

/// An answer with a status that is not the one that was hoped for, as an error.
pub(crate) async fn refused(place: &Reference, answer: Response) -> RegistryError {
    let status = answer.status();
    let why = said(answer).await;
    match status {
        StatusCode::NOT_FOUND => RegistryError::Missing { reference: place.to_string() },
        StatusCode::FORBIDDEN => RegistryError::Denied { registry: place.registry.clone(), logged_in: true, why },
        _ => RegistryError::Refused { registry: place.registry.clone(), status: status.as_u16(), why },
    }
}

/// Where a registry says that something goes on.
pub(crate) fn location(place: &Reference, base: &Url, answer: &Response) -> Result<Url, RegistryError> {
    let named = answer.headers().get(LOCATION).and_then(|v| v.to_str().ok());
    let url = named.and_then(|named| base.join(named).ok());
    // An upload holds nothing secret, but it must not go in the clear where all else does not.
    url.filter(|url| url.scheme() == base.scheme() || url.scheme() == "https").ok_or_else(|| RegistryError::Refused {
        registry: place.registry.clone(),
        status: answer.status().as_u16(),
        why: "it names no place for the upload".to_owned(),
    })
}
