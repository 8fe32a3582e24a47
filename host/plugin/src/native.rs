//! Loading native code. The one module of the house with `unsafe` in it.
//!
//! wasmtime checks that precompiled code was made by the same version with a compatible configuration, but not that it is
//! what the compiler would have made: whoever can choose the bytes can run native code. So the callers vouch for them:
//! - [`trusted_bytes`] is called with what the build of this very binary compiled and embedded, and nothing else;
//! - [`trusted_file`] is called with files of the private cache after `cache` has checked owner, mode and kind of the folder
//!   and the file. No other user can write there, and this one could replace the binary itself.
//!
//! Native code from a vendor, a registry or a command line never comes here: those give WebAssembly.
#![allow(unsafe_code)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that the build embedded.
pub(crate) fn trusted_bytes(engine: &Engine, bytes: &'static [u8]) -> wasmtime::Result<Component> {
    // SAFETY: `bytes` is a part of this binary, made by `Engine::precompile_component` in its build script.
    unsafe { Component::deserialize(engine, bytes) }
}

/// Code that the cache vouches for.
pub(crate) fn trusted_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `path` is a regular file that only this user can have written, made by `Component::serialize`, and it is
    // replaced by renaming, never written in place.
    unsafe { Component::deserialize_file(engine, path) }
}
