//! Which headers may pass between a component and a server.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names that the host alone writes: they frame the message, route it, or carry what the host keeps for itself.
const HOSTS: [&str; 26] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "expect",
    "http2-settings",
    "cookie",
    "cookie2",
    "set-cookie",
    "accept-encoding",
    "forwarded",
    "via",
    "origin",
    "range",
    "alt-svc",
    "alt-used",
    "max-forwards",
    "early-data",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
];

/// Names that a component may write: what an API of an infrastructure needs of HTTP.
const ALLOWED: [&str; 18] = [
    "accept",
    "accept-language",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-md5",
    "content-type",
    "date",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "pragma",
    "prefer",
    "soapaction",
    "user-agent",
];

/// The form of names that APIs make up for themselves.
fn of_an_api(name: &str) -> bool {
    name.starts_with("x-")
        || ["-session-id", "-api-key", "-token", "-id", "-version"].iter().any(|end| name.ends_with(end))
}

/// Why a component may not send a header of this name.
pub(super) fn refused(name: &HeaderName) -> Option<String> {
    let text = name.as_str();
    if !ALLOWED.contains(&text) && !HOSTS.contains(&text) && !of_an_api(text) {
        return Some(format!("the header `{text}` is not one that plugins may send"));
    }
    (HOSTS.contains(&text)
        || text.starts_with("proxy-")
        || text.starts_with("x-forwarded-")
        || text.starts_with("sec-"))
    .then(|| format!("the header `{text}` belongs to the host"))
}

/// Headers of a response as the component sees them: text, without cookies and without what frames the message.
pub(super) fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "set-cookie"
                    | "set-cookie2"
                    | "connection"
                    | "keep-alive"
                    | "transfer-encoding"
                    | "te"
                    | "trailer"
                    | "upgrade"
                    | "alt-svc"
            ) && !name.as_str().starts_with("proxy-")
        })
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_headers_are_its_own() {
        for bad in [
            "Host",
            "Transfer-Encoding",
            "Content-Length",
            "Cookie",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "Accept-Encoding",
            "X-HTTP-Method-Override",
            "Sec-Fetch-Id",
            "Destination",
            "Depth",
            "Made-Up",
        ] {
            assert!(refused(&bad.parse().unwrap()).is_some(), "{bad}");
        }
        for good in ["Accept", "Authorization", "Content-Type", "SOAPAction", "X-Api-Key", "some-session-id"] {
            assert!(refused(&good.parse().unwrap()).is_none(), "{good}");
        }
    }
}
