//! SSH public keys.

/// A key without its comment, or why it is none.
pub(crate) fn without_comment(key: &str) -> Result<String, &'static str> {
    let mut words = key.split_whitespace();
    let (Some(kind), Some(data)) = (words.next(), words.next()) else {
        return Err("it has to be a key type and the key, separated by a space");
    };
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-") || kind.starts_with("sk-");
    if !known {
        return Err("its type is unknown; it has to start with ssh-rsa, ssh-ed25519 or the like");
    }
    Ok(format!("{kind} {data}"))
}

/// Whether the key itself can be one: base64 with the length of its type at the front. `ssh-rsa AAAA...` is none.
pub(crate) fn is_complete(key: &str) -> bool {
    let Some(data) = key.split_whitespace().nth(1) else { return false };
    let base64 = data.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    base64 && data.starts_with("AAAA") && data.len() > 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_goes() {
        assert_eq!(without_comment(" ssh-rsa AAAAB3Nza me@example.com "), Ok("ssh-rsa AAAAB3Nza".into()));
        assert!(without_comment("ssh-rsa").is_err());
        assert!(without_comment("hello world").is_err());
    }

    #[test]
    fn a_placeholder_is_no_key() {
        assert!(!is_complete("ssh-rsa AAAA..."));
        assert!(is_complete("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxJxJxJxJxJxJxJxJxJxJxJxJxJxJxJxJxJxJxJ x"));
    }
}
