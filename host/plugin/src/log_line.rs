//! A component's words on their way to the log: one record is one line, and nothing in it can steer a terminal.

use std::fmt::Write;

/// How loud a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// For the curious.
    Info,
    /// For everybody.
    Warn,
}

/// Where a component's log goes.
pub trait LogSink: Send + Sync {
    /// One record. `message` is one line, without control characters and secrets.
    fn line(&self, plugin: &str, level: LogLevel, message: &str);
}

/// To `tracing`, target `kedge::plugin`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingLog;

impl LogSink for TracingLog {
    fn line(&self, plugin: &str, level: LogLevel, message: &str) {
        match level {
            LogLevel::Debug => tracing::debug!(target: "kedge::plugin", plugin, "{message}"),
            LogLevel::Info => tracing::info!(target: "kedge::plugin", plugin, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "kedge::plugin", plugin, "{message}"),
        }
    }
}

/// The longest message that is shown, in characters; the rest is cut with a mark.
const LONGEST: usize = 4_000;

/// Makes a message safe to show: control characters (line ends and escape sequences among them), characters that turn
/// the direction of writing, and separators become visible escapes.
pub(crate) fn clean(message: &str) -> String {
    escaped(message, false)
}

/// The same for texts that may have several lines: line ends and tabs stay, and nothing is cut.
pub(crate) fn clean_lines(message: &str) -> String {
    escaped(message, true)
}

fn escaped(message: &str, lines: bool) -> String {
    let mut out = String::with_capacity(message.len());
    let message = if lines { message } else { message.trim_end_matches(['\n', '\r']) };
    for (count, c) in message.chars().enumerate() {
        if count == LONGEST && !lines {
            out.push_str(" … (cut)");
            break;
        }
        match c {
            '\n' | '\t' if lines => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || steers(c) => {
                // Writing to a string can't fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn steers(c: char) -> bool {
    matches!(u32::from(c),
        0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(clean("plain ünïcode ✅\n"), "plain ünïcode ✅");
        assert_eq!(clean("a\nERROR forged\r\x1b[2Jx"), "a\\nERROR forged\\r\\u{1b}[2Jx");
        assert_eq!(clean_lines("a\nb\r\x1b[2J"), "a\nb\\r\\u{1b}[2J");
        assert_eq!(clean("\u{202e}gnp.exe\u{9b}31m"), "\\u{202e}gnp.exe\\u{9b}31m");
    }

    #[test]
    fn long_messages_are_cut() {
        let long = "ä".repeat(LONGEST + 1);
        let shown = clean(&long);
        assert!(shown.ends_with(" … (cut)"));
        assert_eq!(shown.chars().filter(|c| *c == 'ä').count(), LONGEST);
    }
}
