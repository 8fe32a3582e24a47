//! Conditions as the controllers write them.

use serde_json::Value;

use crate::object::{items, number, text};

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    /// Since when it has this status, RFC 3339; empty if it does not say.
    pub(crate) since: &'a str,
    /// Said of an older generation of the object.
    pub(crate) stale: bool,
}

impl Condition<'_> {
    /// `False (WaitingForInfrastructure) since 10:20:30Z: the message`.
    pub(crate) fn words(&self) -> String {
        let mut words = self.status.to_owned();
        if !self.reason.is_empty() && self.reason != self.status {
            words.push_str(" (");
            words.push_str(self.reason);
            words.push(')');
        }
        if let Some(time) = clock(self.since) {
            words.push_str(" since ");
            words.push_str(&time);
        }
        if !self.message.is_empty() {
            words.push_str(": ");
            // Cluster API writes lists over several lines.
            words.push_str(&self.message.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        words
    }
}

/// The time of a timestamp without its day and its fraction: waits are shorter than days.
fn clock(timestamp: &str) -> Option<String> {
    let (_, time) = timestamp.split_once('T')?;
    let seconds = time.get(..8)?;
    Some(format!("{seconds}Z"))
}

/// A condition of an object. Objects of an older contract keep those of the newer form under `status.v1beta2`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let found = items(object, "/status/v1beta2/conditions")
        .iter()
        .chain(items(object, "/status/conditions"))
        .find(|c| text(c, "/type") == Some(kind))?;
    let generation = number(object, "/metadata/generation");
    let observed = number(found, "/observedGeneration").filter(|observed| *observed > 0);
    Some(Condition {
        status: text(found, "/status").unwrap_or("Unknown"),
        reason: text(found, "/reason").unwrap_or_default(),
        message: text(found, "/message").unwrap_or_default(),
        since: text(found, "/lastTransitionTime").unwrap_or_default(),
        stale: matches!((generation, observed), (Some(now), Some(then)) if then < now),
    })
}

/// Whether a condition has a status, said of the object as it is now.
pub(crate) fn condition_is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|c| c.status == status && !c.stale)
}

/// Whether the controller has seen the object as it is now. An object whose status has no counter is taken as seen.
pub(crate) fn observed(object: &Value) -> bool {
    match (number(object, "/metadata/generation"), number(object, "/status/observedGeneration")) {
        (Some(now), Some(then)) => then >= now,
        _ => true,
    }
}

/// Why what is awaited of this object can never come, if its status says so.
pub(crate) fn terminal(object: &Value) -> Option<String> {
    if let Some(since) = text(object, "/metadata/deletionTimestamp") {
        return Some(format!("it is being deleted since {since}"));
    }
    for at in ["/status", "/status/deprecated/v1beta1"] {
        let reason = text(object, &format!("{at}/failureReason")).filter(|r| !r.is_empty());
        let message = text(object, &format!("{at}/failureMessage")).filter(|m| !m.is_empty());
        match (reason, message) {
            (Some(reason), Some(message)) => return Some(format!("its controller gave up ({reason}): {message}")),
            (Some(only), None) | (None, Some(only)) => return Some(format!("its controller gave up: {only}")),
            (None, None) => {}
        }
    }
    None
}
