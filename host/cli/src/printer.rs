//! The one owner of all output. Standard output carries results (the lines of the workflow, reports, manifests); all
//! that is said beside them goes to standard error, as a live display on a terminal and as lines with a time elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::{Colour, LogFormat, OutputFormat};

const WARNING: &str = "warning: ";

/// How often the live display shows the time.
const TICK: Duration = Duration::from_millis(250);

/// Writes everything that a person or a script reads.
#[derive(Debug)]
pub(crate) struct Printer {
    /// Present on a terminal: what is awaited now.
    live: Option<ProgressBar>,
    /// Whether all that is said beside the results is a log of JSON objects, for programs.
    json: bool,
    colour: bool,
    verbosity: u8,
    /// The last sentence written for each object, so that plain output says a thing once.
    said: Mutex<String>,
}

impl Printer {
    pub(crate) fn new(colour: Colour, verbosity: u8, format: LogFormat) -> Self {
        let (terminal, json) = (std::io::stderr().is_terminal(), format == LogFormat::Json);
        let live = (terminal && verbosity == 0 && !json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // What is awaited and since when comes first: a narrow terminal cuts the end of a line off.
            bar.set_style(
                ProgressStyle::with_template("  {spinner} {elapsed:.bold} {prefix}\n      {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Self { live, json, colour, verbosity, said: Mutex::new(String::new()) }
    }

    /// Whether what is said beside the results is for programs.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// A line on standard output, byte for byte.
    pub(crate) fn line(&self, text: &str) {
        self.around(|| {
            let mut out = std::io::stdout().lock();
            // A reader that went away (`| head`) is no error of this program.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
    }

    /// Text on standard output as it is.
    pub(crate) fn raw(&self, text: &str) {
        self.around(|| {
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        });
    }

    /// A report on standard output: `text` for people, `value` for programs.
    pub(crate) fn report<T: Serialize>(&self, format: OutputFormat, value: &T, text: impl FnOnce() -> String) {
        match format {
            OutputFormat::Text => self.raw(&text()),
            OutputFormat::Json => match serde_json::to_string_pretty(value) {
                Ok(json) => self.line(&json),
                Err(error) => self.error_text(&format!("the report can't be written as JSON: {error}")),
            },
            OutputFormat::Yaml => match serde_json::to_value(value) {
                Ok(value) => self.raw(&kedge_spec::yaml_document(&value)),
                Err(error) => self.error_text(&format!("the report can't be written as YAML: {error}")),
            },
        }
    }

    /// Something worth knowing, on standard error.
    pub(crate) fn note(&self, text: &str) {
        self.beside("", text);
    }

    /// A warning, on standard error.
    pub(crate) fn warning(&self, text: &str) {
        self.beside(WARNING, text);
    }

    /// A step begins: what was awaited is over, and time counts anew.
    pub(crate) fn begins(&self, title: &str) {
        if let Some(bar) = &self.live {
            bar.reset_elapsed();
            bar.set_prefix(title.to_owned());
            bar.set_message(String::new());
            bar.enable_steady_tick(TICK);
        }
    }

    /// What is awaited now. A terminal shows it in place; elsewhere it is a line, once for each new sentence.
    pub(crate) fn waiting(&self, object: &str, sentence: &str, elapsed: Duration) {
        if let Some(bar) = &self.live {
            bar.set_prefix(object.to_owned());
            bar.set_message(sentence.to_owned());
            return;
        }
        let text = format!("{object}: {sentence}");
        if self.new_sentence(&text) {
            self.stamped("waiting: ", &format!("{text} ({})", human(elapsed)));
        }
    }

    /// The wait is over.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }

    /// A detail that only `-v` asks for.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbosity >= 1 {
            self.stamped("", text);
        }
    }

    /// The end of a failed command, on standard error.
    pub(crate) fn error_text(&self, text: &str) {
        if self.json {
            tracing::error!(target: "kedge", "{text}");
            return;
        }
        self.written(text);
    }

    fn written(&self, text: &str) {
        self.around(|| {
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "{text}");
        });
    }

    fn new_sentence(&self, text: &str) -> bool {
        let Ok(mut said) = self.said.lock() else { return true };
        if *said == text {
            return false;
        }
        text.clone_into(&mut said);
        true
    }

    fn beside(&self, mark: &str, text: &str) {
        if self.live.is_some() {
            self.written(&format!("{mark}{text}"));
        } else {
            self.stamped(mark, text);
        }
    }

    fn stamped(&self, mark: &str, text: &str) {
        if self.json {
            if mark == WARNING {
                tracing::warn!(target: "kedge", "{text}");
            } else {
                tracing::info!(target: "kedge", "{text}");
            }
            return;
        }
        let now = jiff::Timestamp::now().strftime("%H:%M:%S");
        self.written(&format!("{now} {mark}{text}"));
    }

    fn around(&self, write: impl FnOnce()) {
        match &self.live {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// A duration for people: `0.4s`, `12s`, `3m05s`.
pub(crate) fn human(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", elapsed.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::human;
    use std::time::Duration;

    #[test]
    fn durations_for_people() {
        assert_eq!(human(Duration::from_millis(420)), "0.4s");
        assert_eq!(human(Duration::from_secs(12)), "12s");
        assert_eq!(human(Duration::from_secs(185)), "3m05s");
    }
}
