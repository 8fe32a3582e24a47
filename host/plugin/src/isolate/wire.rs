//! What goes through the pipe: frames of JSON, each behind its length.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Failure, PluginError};
use crate::host_calls::{HostAnswer, HostCall, Stop};
use crate::limits::{LimitKind, Limits};

/// The longest frame. Larger than anything that the limits let through, and no more than this machine can hold.
pub(super) const LONGEST: usize = 256 << 20;

/// What the child is told first; the code follows as plain bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) plugin: String,
    pub(super) digest: String,
    pub(super) contract: String,
    pub(super) limits: Limits,
    /// Of the engine that the code is for.
    pub(super) compatibility: String,
    pub(super) code: u64,
}

/// To the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Down {
    /// A function of the contract and its arguments.
    Ask { function: String, question: Value },
    /// The answer to the call that is open.
    Answer(HostAnswer),
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Up {
    /// The component is there; how the process is confined, in words.
    Opened(String),
    /// The component calls the host, in this function.
    Call { during: String, call: HostCall },
    /// Its answer.
    Said(Value),
    /// There is none.
    End(End),
}

/// Why there is no answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum End {
    Trap { why: String, frames: Vec<String> },
    ComputeTime { milliseconds: u64 },
    Limit { limit: LimitKind, allowed: u64, asked: Option<u64> },
    Nonsense(String),
    Failed(Failure),
    Absent(String),
}

/// An end that was explained where it happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?}")]
pub(crate) struct Explained(pub(crate) End);

impl Explained {
    pub(crate) fn error(&self, plugin: String, function: String) -> PluginError {
        match self.0.clone() {
            End::Trap { why, frames } => PluginError::Trap { plugin, function, why, frames },
            End::ComputeTime { milliseconds } => {
                let after = std::time::Duration::from_millis(milliseconds);
                PluginError::Timeout { plugin, function, after, computing: true }
            }
            End::Limit { limit, allowed, asked } => {
                PluginError::LimitExceeded { plugin, function, limit, allowed, asked }
            }
            End::Nonsense(why) => PluginError::Nonsense { plugin, function, why },
            End::Failed(failure) => PluginError::Failed { plugin, function, failure },
            End::Absent(what) => PluginError::Nonsense { plugin, function, why: format!("it has no `{what}`") },
        }
    }
}

impl From<PluginError> for End {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Trap { why, frames, .. } => Self::Trap { why, frames },
            PluginError::Timeout { after, .. } => {
                Self::ComputeTime { milliseconds: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
            }
            PluginError::LimitExceeded { limit, allowed, asked, .. } => Self::Limit { limit, allowed, asked },
            PluginError::Failed { failure, .. } => Self::Failed(failure),
            PluginError::NotExported { interface, .. } => Self::Absent(interface.to_owned()),
            PluginError::Nonsense { why, .. } => Self::Nonsense(why),
            other => Self::Nonsense(other.to_string()),
        }
    }
}

/// The child's end of a call into the host.
pub(crate) trait Line: Send + Sync {
    /// Asks the parent.
    ///
    /// # Errors
    /// It is gone: so is the session.
    fn ask(&mut self, during: &str, call: HostCall) -> Result<HostAnswer, Stop>;
}

pub(super) fn frame(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = u32::try_from(bytes.len() - 4).map_err(std::io::Error::other)?;
    if let Some(head) = bytes.first_chunk_mut::<4>() {
        *head = length.to_le_bytes();
    }
    Ok(bytes)
}

/// The bytes that a frame has, by what stands before it.
pub(super) fn length(head: [u8; 4]) -> std::io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > LONGEST {
        return Err(std::io::Error::other(format!("a message of {length} bytes")));
    }
    Ok(length)
}

/// Blocking, for the child.
pub(super) fn send(to: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    to.write_all(&frame(value)?)?;
    to.flush()
}

/// Blocking, for the child.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> std::io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut bytes = vec![0; length(head)?];
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        let up = Up::Call { during: "preflight.run".into(), call: HostCall::Now };
        send(&mut bytes, &up).unwrap();
        let back: Up = receive(&mut bytes.as_slice()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{up:?}"));
        assert!(receive::<Up>(&mut bytes.get(..bytes.len() - 1).unwrap()).is_err());
        assert!(receive::<Up>(&mut [255_u8; 8].as_slice()).is_err(), "longer than any");
        assert!(receive::<Up>(&mut [2, 0, 0, 0, b'{', b'}'].as_slice()).is_err());
    }
}
