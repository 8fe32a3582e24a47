//! The vCenter as a client sees it: over TLS, with real requests.

mod client;
mod faults;
mod inventory;
mod rest;
mod soap;

pub(super) use client::{Client, start, start_with};
