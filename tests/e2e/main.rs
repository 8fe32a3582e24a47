//! End-to-end tests of the real binary, on the lab. Every test has a folder of its own, an empty environment and free
//! ports, so all of them run side by side.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test or a benchmark that meets the unexpected ends, and says where"
)]

mod bad_input;
mod canary;
mod create;
mod disk_full;
#[allow(dead_code, reason = "each tier uses a part of it")]
mod harness;
mod interrupted;
mod left_out;
mod managed;
mod offline;
mod plugins;
mod registry;
