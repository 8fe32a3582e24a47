//! What a registry wants to be told before it answers: the `WWW-Authenticate` header.

/// One way to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token that another server hands out.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// Reads one header; none if it is of a kind that this program does not know.
pub(crate) fn parse(header: &str) -> Option<Challenge> {
    let (kind, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if kind.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !kind.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    for (key, value) in parameters(rest) {
        match key.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer { realm: realm?, service, scope })
}

/// `key="value"`, separated by commas; values have commas of their own.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((key, rest)) = text.split_once('=') {
        let key = key.trim_start_matches([',', ' ']).trim().to_owned();
        let (value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
            let (value, rest) = quoted.split_at(quoted.find('"').unwrap_or(quoted.len()));
            (value, rest.strip_prefix('"').unwrap_or(rest))
        } else {
            rest.split_at(rest.find(',').unwrap_or(rest.len()))
        };
        found.push((key, value.to_owned()));
        text = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(parse("basic"), Some(Challenge::Basic));
        assert_eq!(parse("Negotiate"), None);
        assert_eq!(parse("Bearer service=\"x\""), None, "nowhere to ask");
        assert_eq!(
            parse("Bearer realm=\"https://t.example/token\",service=\"r.example\", scope=\"repository:a:pull,push\""),
            Some(Challenge::Bearer {
                realm: "https://t.example/token".into(),
                service: Some("r.example".into()),
                scope: Some("repository:a:pull,push".into()),
            })
        );
        assert_eq!(
            parse("bearer realm=https://t.example/token,error=\"unterminated"),
            Some(Challenge::Bearer { realm: "https://t.example/token".into(), service: None, scope: None })
        );
    }
}
