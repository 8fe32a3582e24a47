//! The engine, built when the first plugin is needed.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};

use crate::contract::{self, Contract};
use crate::engine_config::engine_config;
use crate::error::PluginError;
use crate::session::State;

/// Time between two looks at a running component.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Engine {
    pub(crate) engine: wasmtime::Engine,
    /// One linker for each version of the contract, made when it is needed.
    linkers: Vec<OnceLock<Linker<State>>>,
}

impl Engine {
    pub(crate) fn new() -> Result<Self, PluginError> {
        let engine = bare().map_err(|e| PluginError::Engine { why: format!("{e:#}") })?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("plugin-ticks".to_owned())
            .spawn(move || {
                // Ends with the engine.
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|e| PluginError::Engine { why: format!("its clock does not start: {e}") })?;
        Ok(Self { engine, linkers: contract::versions().iter().map(|_| OnceLock::new()).collect() })
    }

    /// Resolves a component's imports.
    pub(crate) fn link(
        &self,
        contract: &'static dyn Contract,
        component: &Component,
    ) -> wasmtime::Result<InstancePre<State>> {
        let index = contract::versions().iter().position(|c| c.name() == contract.name());
        let Some(slot) = index.and_then(|i| self.linkers.get(i)) else {
            return contract.linker(&self.engine)?.instantiate_pre(component);
        };
        if slot.get().is_none() {
            // If another thread was faster, its linker is as good.
            let _ = slot.set(contract.linker(&self.engine)?);
        }
        match slot.get() {
            Some(linker) => linker.instantiate_pre(component),
            None => contract.linker(&self.engine)?.instantiate_pre(component),
        }
    }

    /// Stands for everything that makes native code of one engine unusable for another.
    pub(crate) fn compatibility(&self) -> String {
        compatibility(&self.engine)
    }
}

/// An engine alone, for compiling.
pub(crate) fn bare() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&engine_config(None)?)
}

/// See [`Engine::compatibility`].
pub(crate) fn compatibility(engine: &wasmtime::Engine) -> String {
    struct Stable(Sha256);
    impl Hasher for Stable {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Stable(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut hash = hex::encode(hasher.0.finalize());
    hash.truncate(16);
    hash
}
