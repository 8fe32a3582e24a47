//! Texts that components hand over and the host parses: bounded before a parser sees them.

use serde_json::Value;

use super::{Answer, CallError};
use crate::limits::{LimitKind, Limits};

/// JSON of bounded size and depth.
pub(super) fn json(limits: &Limits, what: &str, text: &str) -> Answer<Value> {
    let size = text.len() as u64;
    if size > limits.text_bytes {
        return Err(CallError::Over(LimitKind::TextBytes, limits.text_bytes, size));
    }
    let deepest = depth(text);
    if deepest > limits.depth {
        return Err(CallError::Over(LimitKind::Depth, limits.depth, deepest));
    }
    serde_json::from_str(text).map_err(|error| {
        let start: String = text.chars().take(40).collect();
        CallError::Nonsense(format!("{what} is not JSON: {error}; it starts with `{}`", start.escape_debug()))
    })
}

/// How deep brackets stand in each other, those inside strings left out.
fn depth(text: &str) -> u64 {
    let (mut now, mut deepest) = (0_u64, 0);
    let (mut string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            b'[' | b'{' if !string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_outside_strings_alone() {
        for (text, wanted) in [("1", 0), ("{}", 1), ("[[],[[]]]", 3), (r#"{"[[[":"\"]]["}"#, 1), (r#"["a\\",[]]"#, 2)] {
            assert_eq!(depth(text), wanted, "{text}");
        }
    }

    #[test]
    fn too_deep_and_too_long_are_said_before_parsing() {
        let limits = Limits { depth: 3, text_bytes: 20, ..Limits::default() };
        assert!(json(&limits, "it", "[[[1]]]").is_ok());
        assert!(matches!(json(&limits, "it", "[[[[1]]]]"), Err(CallError::Over(LimitKind::Depth, 3, 4))));
        let long = format!("\"{}\"", "a".repeat(19));
        assert!(matches!(json(&limits, "it", &long), Err(CallError::Over(LimitKind::TextBytes, 20, 21))));
        assert!(matches!(json(&limits, "it", "{"), Err(CallError::Nonsense(_))));
    }
}
