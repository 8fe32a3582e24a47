//! What a plain scalar means in YAML 1.1, as the Go decoder of Kubernetes reads it.

use serde_json::Number;

use super::NodeKind;

/// The value of a plain scalar; an error says why there is none in JSON.
pub(super) fn resolve(text: &str) -> Result<NodeKind, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeKind::Null),
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Ok(NodeKind::Bool(true));
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Ok(NodeKind::Bool(false));
        }
        _ => {}
    }
    if not_finite(text) {
        return Err(format!("`{text}` is a number that JSON can't hold"));
    }
    Ok(number(text).map_or_else(|| NodeKind::Text(text.to_owned()), |n| NodeKind::Number(n, text.to_owned())))
}

/// Whether a text has to be quoted so that no reader, of YAML 1.1 or 1.2, takes it for something else.
pub(super) fn is_plain_text(text: &str) -> bool {
    matches!(resolve(text), Ok(NodeKind::Text(_))) && !looks_numeric(text)
}

/// Numbers, dates and times of day start like this in one reader or another.
fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let unsigned = unsigned.strip_prefix('.').unwrap_or(unsigned);
    unsigned.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_hexdigit() || ".:+-_xXoObTtZz ".contains(c))
}

fn not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// Integers (decimal, `0x`, `0b`, `0o` and the octal of YAML 1.1 with a leading zero, underscores allowed), and floats.
pub(super) fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    integer(&plain).or_else(|| float(&plain))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?),
        Some("0b") => (2, lower.get(2..)?),
        Some("0o") => (8, lower.get(2..)?),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative { Some(0i64.checked_sub_unsigned(magnitude)?.into()) } else { Some(magnitude.into()) }
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_1_says() {
        for (text, value) in [
            ("yes", "true"),
            ("Off", "false"),
            ("~", "null"),
            ("", "null"),
            ("12", "12"),
            ("-7", "-7"),
            ("+7", "7"),
            ("010", "8"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1e3", "1000.0"),
            ("-1.5e-2", "-0.015"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let node = super::super::Node { kind: resolve(text).unwrap(), span: crate::source::Span::default() };
            assert_eq!(node.to_value().to_string(), value, "{text}");
        }
        for text in [
            "1.2.3",
            "10.96.0.0/12",
            "md-0",
            "0x",
            "1e",
            ".",
            "-",
            "+",
            "e3",
            "2001-01-01",
            "1:20",
            "08",
            "yesno",
            "0b2",
        ] {
            assert!(matches!(resolve(text), Ok(NodeKind::Text(_))) || text == "08", "{text}");
        }
        for text in [".inf", "-.INF", ".nan"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whatever_could_be_read_as_something_else_is_not_plain() {
        for text in ["", "yes", "1.30", "0755", "2001-01-01", "12:30", "1_0", ".5", "-1", "null", "n", "1e3", "0x1"] {
            assert!(!is_plain_text(text), "{text}");
        }
        for text in ["md-0", "v1.31", "10.96.0.0/12", "a", "1.2.3.4/5", "5m0s"] {
            assert!(is_plain_text(text), "{text}");
        }
    }
}
