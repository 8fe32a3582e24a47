//! Cookies of one endpoint in one session: the host keeps them, the component never sees them.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};

/// More than this no server needs.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Cookies(Mutex<Vec<Cookie>>);

#[derive(Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Cookies {
    /// Takes what a response sets.
    pub(super) fn keep(&self, request_path: &str, headers: &HeaderMap) {
        let mut jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for header in headers.get_all(http::header::SET_COOKIE) {
            let Some((cookie, keep)) = header.to_str().ok().and_then(|text| parse(text, request_path)) else {
                continue;
            };
            jar.retain(|c| (&c.name, &c.path) != (&cookie.name, &cookie.path));
            if keep && jar.len() < MOST {
                jar.push(cookie);
            }
        }
    }

    /// The header for a request to a path.
    pub(super) fn header(&self, path: &str) -> Option<HeaderValue> {
        let jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let text: Vec<String> =
            jar.iter().filter(|c| covers(&c.path, path)).map(|c| format!("{}={}", c.name, c.value)).collect();
        if text.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&text.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// RFC 6265 §5.1.4.
fn covers(cookie: &str, request: &str) -> bool {
    request.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// The cookie, and whether it is to be kept (as against removed). Every cookie belongs to this endpoint alone, so
/// `Domain` is of no account, and `Secure` always holds.
fn parse(text: &str, request_path: &str) -> Option<(Cookie, bool)> {
    let mut pieces = text.split(';');
    let (name, value) = pieces.next()?.split_once('=')?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let request_path = request_path.split(['?', '#']).next().unwrap_or(request_path);
    let mut path = match request_path.rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => request_path.get(..end).unwrap_or("/").to_owned(),
    };
    let mut keep = true;
    for piece in pieces {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.trim().starts_with('/') => value.trim().clone_into(&mut path),
            "max-age" => keep = value.trim().parse::<i64>().is_ok_and(|s| s > 0),
            // A session is shorter than any date that isn't in the past; servers write 1970 to remove a cookie.
            "expires" if value.contains(" 1970 ") || value.contains("-1970 ") || value.contains("-70 ") => keep = false,
            _ => {}
        }
    }
    Some((Cookie { name: name.to_owned(), value: value.trim().to_owned(), path }, keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(jar: &Cookies, path: &str, cookie: &str) {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", cookie.parse().unwrap());
        jar.keep(path, &headers);
    }

    #[test]
    fn cookies_are_kept_by_path_and_removed_when_told() {
        let jar = Cookies::default();
        set(&jar, "/sdk", "session=\"abc\"; Path=/; HttpOnly; Secure");
        set(&jar, "/a/b?x=/y", "deep=1");
        assert_eq!(jar.header("/sdk").unwrap(), "session=\"abc\"");
        assert_eq!(jar.header("/a/c").unwrap(), "session=\"abc\"; deep=1");
        assert_eq!(jar.header("/ab").unwrap(), "session=\"abc\"");
        set(&jar, "/sdk", "session=new; Path=/");
        assert_eq!(jar.header("/").unwrap(), "session=new");
        set(&jar, "/sdk", "session=; Path=/; Max-Age=0");
        set(&jar, "/a/x", "deep=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(jar.header("/a/b").is_none());
        set(&jar, "/", "=nameless");
        set(&jar, "/", "valueless");
        assert!(jar.header("/").is_none());
    }
}
