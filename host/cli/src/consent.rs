//! The person at the terminal, asked about a plugin.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use kedge_plugin::{Consent, GrantRequest};

/// Whoever sits at the terminal, if somebody does.
pub(crate) fn at_the_terminal() -> Consent {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Consent::Ask(Arc::new(ask))
    } else {
        Consent::Nobody
    }
}

fn ask(request: &GrantRequest) -> bool {
    let mut terminal = std::io::stderr().lock();
    if terminal.write_all(question(request).as_bytes()).and_then(|()| terminal.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// What is shown, up to where the answer is typed.
fn question(request: &GrantRequest) -> String {
    let mut text = format!(
        "The plugin `{}` {} {}.\n  from    {}\n  digest  {}\n  signed by {}\nIt asks for\n",
        request.name,
        request.version,
        if request.known { "changed since you granted it something" } else { "is used for the first time" },
        request.origin,
        request.digest,
        request.signer,
    );
    for ask in &request.asks {
        let mark = if request.known && request.new.contains(&ask.what) { "new: " } else { "" };
        let _ = writeln!(text, "  - {mark}{}\n      {}", ask.what, ask.why);
    }
    if request.asks.is_empty() {
        text.push_str("  - nothing\n");
    }
    text.push_str("It gets no file, no socket, no environment and no secret's value. Grant it? [y/N] ");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_shows_what_is_new() {
        let ask = |what: &str| kedge_plugin::Ask { what: what.into(), why: "to test".into() };
        let request = GrantRequest {
            name: "acme".into(),
            version: "1.0.0".into(),
            origin: "acme.wasm".into(),
            digest: "sha256:00".into(),
            signer: "nobody".into(),
            asks: vec![ask("endpoint a"), ask("secret b")],
            known: true,
            new: vec!["secret b".into()],
        };
        let text = question(&request);
        assert!(
            text.contains("changed since") && text.contains("- endpoint a") && text.contains("- new: secret b"),
            "{text}"
        );
        assert!(text.ends_with("[y/N] "));
    }
}
