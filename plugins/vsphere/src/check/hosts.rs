//! Names and addresses.

use std::net::IpAddr;

/// Whether a text is an IP address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether a text is an IP address or a host name.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    is_ip(text) || (text.len() <= 253 && text.trim_end_matches('.').split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        for good in ["10.0.0.1", "2001:db8::1", "time.example.com", "pool", "a-1.example."] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a b", "-a.example", "a..b", "time.example.com/x", "under_score"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
