//! Hostile components and hostile servers: one test for each row of the list of attacks in `docs/security.md`, named
//! after the row. Each looks at four things: the bound, the typed error, that the host goes on serving another plugin,
//! and the record in the audit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

#[path = "../../host/plugin/tests/support/mod.rs"]
mod support;

mod advisories;
mod bed;
mod capabilities;
mod compute;
mod files;
mod network;
mod resources;
mod server;
mod talk;
mod wat;

/// Rows of the list. A row without a test makes this one fail.
const ROWS: u32 = 47;

#[test]
fn every_row_has_its_test() {
    let sources = [
        include_str!("capabilities.rs"),
        include_str!("compute.rs"),
        include_str!("files.rs"),
        include_str!("network.rs"),
        include_str!("resources.rs"),
        include_str!("talk.rs"),
    ]
    .concat();
    let missing: Vec<u32> = (1..=ROWS).filter(|row| !sources.contains(&format!("fn row_{row:02}_"))).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
}
