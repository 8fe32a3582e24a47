//! Sessions kept and played again: what a component was asked, what it called, what it was answered, what it said.
//!
//! A recording is a file of JSON lines, one a session. It holds references to secrets and masked replies, as the component
//! saw them; what servers said besides is in it. The log is not: another version may word things otherwise.

mod file;
mod playback;
mod replay;

use std::sync::{Arc, Mutex, PoisonError};

use kedge_spec::provider::Contributions;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use file::{RecordedCall, RecordedSession};
pub use file::{Recorder, Recording};
pub(crate) use playback::Playback;
pub use replay::{Difference, Replayed, replay};

use crate::error::PluginError;
use crate::host_calls::{HostAnswer, HostCall, Stop};

/// An answer as a recording holds it.
pub(crate) fn value<T: Serialize>(answer: &T) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}

/// The same for what has roles as keys, which JSON does not.
pub(crate) fn contributions(answer: &Contributions) -> Value {
    json!({
        "templates": answer.templates,
        "nodes": answer.nodes.iter().collect::<Vec<_>>(),
        "infrastructure": answer.infrastructure,
        "addons": answer.addons,
    })
}

/// What becomes of a plugin's sessions.
#[derive(Clone, Default)]
pub(crate) enum Tapes {
    /// Nothing.
    #[default]
    None,
    /// They are kept.
    Record(Arc<Recorder>),
    /// They are answered from one that was kept.
    Play(Arc<Playback>),
}

impl Tapes {
    /// The tape of one session.
    pub(crate) fn session(&self, function: &'static str, question: impl FnOnce() -> Value) -> Tape {
        match self {
            Self::None => Tape::None,
            Self::Record(recorder) => Tape::Record {
                recorder: recorder.clone(),
                session: Arc::new(Mutex::new(RecordedSession::new(function, question()))),
            },
            Self::Play(playback) => Tape::Play(playback.clone()),
        }
    }
}

/// What becomes of one session.
#[derive(Clone, Default)]
pub(crate) enum Tape {
    #[default]
    None,
    Record {
        recorder: Arc<Recorder>,
        session: Arc<Mutex<RecordedSession>>,
    },
    Play(Arc<Playback>),
}

fn taped(call: &HostCall) -> bool {
    !matches!(call, HostCall::Log { .. } | HostCall::Output { .. })
}

impl Tape {
    /// The recorded answer, if this is a replay.
    ///
    /// # Errors
    /// Another call was recorded here.
    pub(crate) fn answer(&self, call: &HostCall) -> Result<Option<HostAnswer>, Stop> {
        match self {
            Self::Play(playback) if taped(call) => playback.answer(value(call)).map(Some),
            _ => Ok(None),
        }
    }

    /// The call, if it is to be kept.
    pub(crate) fn asked(&self, call: &HostCall) -> Option<Value> {
        (matches!(self, Self::Record { .. }) && taped(call)).then(|| value(call))
    }

    /// Keeps a call with its answer.
    pub(crate) fn keep(&self, asked: Option<Value>, answer: &HostAnswer) {
        if let (Self::Record { session, .. }, Some(call)) = (self, asked) {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            session.calls.push(RecordedCall { call, answer: value(answer) });
        }
    }

    /// The session is over.
    ///
    /// # Errors
    /// The recording can't be written.
    pub(crate) fn end(&self, plugin: &str, digest: &str, said: Result<Value, &PluginError>) -> Result<(), PluginError> {
        match self {
            Self::None => Ok(()),
            Self::Record { recorder, session } => {
                let mut session = session.lock().unwrap_or_else(PoisonError::into_inner).clone();
                plugin.clone_into(&mut session.plugin);
                digest.clone_into(&mut session.digest);
                session.said = said.map_err(ToString::to_string);
                recorder.keep(&session)
            }
            Self::Play(playback) => {
                playback.end(&said.map_err(ToString::to_string));
                Ok(())
            }
        }
    }
}
