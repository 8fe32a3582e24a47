//! The plugins that the build compiled and embedded.

/// One of them.
pub(crate) struct BuiltIn {
    /// The name of its folder under `plugins/`.
    pub(crate) name: &'static str,
    /// SHA-256 of `wasm`, hexadecimal.
    pub(crate) digest: &'static str,
    /// The kinds of documents that it claims; none if the build could not ask it.
    pub(crate) kinds: Option<&'static [&'static str]>,
    /// The component.
    pub(crate) wasm: &'static [u8],
    /// Its native code for this target; empty if the build could not make it, and then it is compiled as others are.
    pub(crate) native: &'static [u8],
    /// Why there is no component: it did not compile.
    pub(crate) problem: Option<&'static str>,
}

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// All of them, by name.
pub(crate) fn all() -> &'static [BuiltIn] {
    ALL
}

pub(crate) fn named(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|b| b.name == name)
}
