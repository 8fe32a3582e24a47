//! Loading native code. The one module of the house with `unsafe` in it.
//!
//! wasmtime checks that precompiled code was made by the same version with a compatible configuration, but not that it is
//! what the compiler would have made: whoever can choose the bytes can run native code. So the callers vouch for them:
//! - [`trusted_bytes`] is called with what the build of this very binary compiled and embedded, and nothing else;
//! - [`trusted_code`] is called with what `cache` read from its private folder, after it has checked owner, mode and kind of
//!   the folder and the file and the checksum of what it read, and with what the compiler has just made. No other user can write there, and this one could replace the binary itself.
//!
//! Native code from a vendor, a registry or a command line never comes here: those give WebAssembly.
#![allow(unsafe_code)]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that the build embedded.
pub(crate) fn trusted_bytes(engine: &Engine, bytes: &'static [u8]) -> wasmtime::Result<Component> {
    // SAFETY: `bytes` is a part of this binary, made by `Engine::precompile_component` in its build script.
    unsafe { Component::deserialize(engine, bytes) }
}

/// Code that the cache vouches for, or that the compiler has just made.
pub(crate) fn trusted_code(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Engine::precompile_component` a moment ago, here or in a child of this program; or it was
    // read from a regular file that only this user can have written, and its checksum was compared on these very bytes.
    unsafe { Component::deserialize(engine, code) }
}
