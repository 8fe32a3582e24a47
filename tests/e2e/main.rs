//! End-to-end tests of the real binary, on the lab. Every test has a folder of its own, an empty environment and free
//! ports, so all of them run side by side.

mod bad_input;
mod create;
mod harness;
mod interrupted;
mod offline;
mod plugins;
