//! Sessions in a process of their own: this very program, started anew with nothing of its environment, which gives up
//! files, network and most of the kernel before it runs a plugin's code.
//!
//! The child holds the plugin's native code, its memory and what it was asked, and nothing else: no credential, no spec but
//! what the question has of it. Each call of the plugin into the host comes through the pipe and is decided, done and
//! recorded here, by the same [`crate::host_calls`] as without a process. One process serves one session.

mod child;
mod dispatch;
mod remote;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use wasmtime::Store;

pub(crate) use child::run;
pub(crate) use wire::{Explained, Line};

use crate::contract::{Optional, Prepared, Session};
use crate::session::State;
use remote::Remote;

/// The argument that makes this program the process of one session.
pub(crate) const ARGUMENT: &str = "__run-plugin";

/// Where plugins run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In this process: the sandbox of the engine is what holds them.
    #[default]
    None,
    /// Each session in a process of its own besides: this program, which has to call [`crate::child_entry`] first of all.
    Process {
        /// Its path.
        program: PathBuf,
    },
}

/// A component whose sessions run apart.
pub(crate) struct Apart {
    /// The same component here. It is never instantiated.
    pub(crate) here: Box<dyn Prepared>,
    pub(crate) contract: &'static str,
    pub(crate) code: Arc<[u8]>,
    pub(crate) program: PathBuf,
    /// Whether it is on record how its process is confined.
    pub(crate) told: AtomicBool,
}

#[async_trait]
impl Prepared for Apart {
    fn optional(&self) -> Optional {
        self.here.optional()
    }

    async fn open(&self, store: Store<State>) -> Result<Box<dyn Session>, (wasmtime::Error, Box<Store<State>>)> {
        let mut remote = match Remote::start(self, store) {
            Ok(remote) => remote,
            Err((error, store)) => return Err((error.into(), store)),
        };
        match remote.opened(self).await {
            Ok(confined) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    remote.state().calls.confined(&confined);
                }
                Ok(Box::new(remote))
            }
            Err(error) => Err((error, Box::new(remote.into_store()))),
        }
    }
}
