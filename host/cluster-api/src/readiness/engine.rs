//! The one loop behind every wait.

use serde_json::Value;
use tokio::time::Instant;

use super::Timeout;
use crate::api::{Api, Listed, Watched};
use crate::error::Error;
use crate::object::ObjectId;
use crate::progress::Progress;

/// How far something awaited is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is there.
    Done,
    /// Not yet.
    Waiting {
        /// What is awaited and how far it is, for the progress line.
        sentence: String,
        /// The last message an object had for it.
        last: String,
    },
    /// It can't come any more.
    Never {
        /// Which object, if not the awaited one.
        object: Option<String>,
        /// Why.
        why: String,
    },
}

impl Verdict {
    pub(crate) fn waiting(sentence: impl Into<String>) -> Self {
        Self::Waiting { sentence: sentence.into(), last: String::new() }
    }

    pub(crate) fn never(why: impl Into<String>) -> Self {
        Self::Never { object: None, why: why.into() }
    }
}

/// Waits for one object, and gives it as it was when it was there.
pub(crate) async fn wait_for(
    api: &Api,
    id: &ObjectId,
    timeout: Timeout,
    progress: &dyn Progress,
    help: &str,
    mut judge: impl FnMut(Option<&Value>) -> Verdict + Send,
) -> Result<Value, Error> {
    let watched =
        Watched { kind: id.kind.clone(), namespace: id.namespace.clone(), name: Some(id.name.clone()), labels: None };
    let mut seen = false;
    let all = wait(api, &watched, &id.to_string(), timeout, progress, help, |all| {
        let object = all.values().next();
        match object {
            None if seen => Verdict::never("it was deleted while it was awaited"),
            _ => {
                seen |= object.is_some();
                judge(object)
            }
        }
    })
    .await?;
    all.into_values().next().ok_or_else(|| Error::Incomplete { object: id.to_string(), field: "metadata" })
}

/// Waits for a set of objects, and gives them as they were when all was there.
pub(crate) async fn wait(
    api: &Api,
    watched: &Watched,
    title: &str,
    timeout: Timeout,
    progress: &dyn Progress,
    help: &str,
    mut judge: impl FnMut(&Listed) -> Verdict + Send,
) -> Result<Listed, Error> {
    let start = Instant::now();
    let deadline = start + timeout.duration();
    let mut following = api.follow(watched);
    let mut awaited = "the API server to answer".to_owned();
    let mut last = String::new();
    loop {
        let all = match tokio::time::timeout_at(deadline, following.next()).await {
            Ok(Ok(all)) => all,
            // The server went away for longer than single requests are asked again: the bound of this wait counts.
            Ok(Err(error)) if error.is_transient() => {
                last = error.to_string();
                progress.waiting(title, &format!("the API server does not answer ({last})"));
                // Each round of asking took its own pauses.
                tokio::task::yield_now().await;
                if Instant::now() < deadline {
                    continue;
                }
                return Err(gave_up(title, awaited, last, start, help));
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(gave_up(title, awaited, last, start, help)),
        };
        match judge(all) {
            Verdict::Done => return Ok(all.clone()),
            Verdict::Never { object, why } => {
                return Err(Error::Hopeless {
                    object: object.unwrap_or_else(|| title.to_owned()),
                    why,
                    help: help.to_owned(),
                });
            }
            Verdict::Waiting { sentence, last: said } => {
                if sentence != awaited {
                    progress.waiting(title, &sentence);
                    awaited = sentence;
                }
                last = said;
            }
        }
    }
}

fn gave_up(title: &str, awaited: String, last: String, start: Instant, help: &str) -> Error {
    Error::GaveUp { object: title.to_owned(), awaited, last, waited: start.elapsed(), help: help.to_owned() }
}
