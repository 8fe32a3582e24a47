//! A recorded session that answers a component's calls, one after the other.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::{Difference, RecordedSession};
use crate::host_calls::{HostAnswer, Stop};

#[derive(Debug)]
pub(crate) struct Playback {
    session: RecordedSession,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    at: usize,
    difference: Option<Difference>,
}

impl Playback {
    pub(super) fn new(session: RecordedSession) -> Self {
        Self { session, state: Mutex::default() }
    }

    pub(super) fn answer(&self, call: Value) -> Result<HostAnswer, Stop> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.at;
        let recorded = self.session.calls.get(at);
        if let Some(recorded) = recorded.filter(|r| r.call == call)
            && let Ok(answer) = serde_json::from_value(recorded.answer.clone())
        {
            state.at += 1;
            return Ok(answer);
        }
        state.difference.get_or_insert_with(|| Difference {
            session: 0,
            function: self.session.function.clone(),
            place: format!("call {}", at + 1),
            recorded: recorded.map(|r| r.call.clone()),
            now: Some(call),
        });
        Err(Stop::Diverged)
    }

    pub(super) fn end(&self, said: &Result<Value, String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.difference.is_some() {
            return;
        }
        let difference = |place: String, recorded, now| {
            Some(Difference { session: 0, function: self.session.function.clone(), place, recorded, now })
        };
        state.difference = if let Some(missing) = self.session.calls.get(state.at) {
            difference(format!("call {}", state.at + 1), Some(missing.call.clone()), None)
        } else if *said != self.session.said {
            let shown = |said: &Result<Value, String>| {
                Some(said.clone().unwrap_or_else(|why| Value::from(format!("failed: {why}"))))
            };
            difference("the answer".to_owned(), shown(&self.session.said), shown(said))
        } else {
            None
        };
    }

    pub(super) fn difference(&self) -> Option<Difference> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).difference.clone()
    }
}
