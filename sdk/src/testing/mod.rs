//! A host without a runtime: plugin logic is unit-tested natively against it.
//!
//! ```
//! use kedge_sdk::prelude::*;
//! use kedge_sdk::testing::{FakeEndpoint, FakeHost, documents, input};
//!
//! let mut host = FakeHost::new()
//!     .secret("password", "s3cr<t")
//!     .endpoint("api", FakeEndpoint::new("api.example").on("GET /health", 200, "ok"));
//! let api = host.open("api").unwrap();
//! assert_eq!(api.send(&Request::get("/health")).unwrap().text(), "ok");
//!
//! let input = input("prod", documents("kind: Cluster\nmetadata: {name: prod}\n"));
//! assert_eq!(input.cluster().unwrap().name, "prod");
//! ```

mod endpoint;
mod host;
mod spec;
mod yaml;

pub use endpoint::{FakeEndpoint, Sent};
pub use host::{FakeEngine, FakeHost};
pub use spec::{documents, documents_of, input, yaml};
