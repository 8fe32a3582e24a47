//! One file a command: arguments in, a call of the workflow, its outcome out.

pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod get;
pub(crate) mod lab;
pub(crate) mod move_clusters;
pub(crate) mod plugin;
pub(crate) mod preflight;
pub(crate) mod provider;
pub(crate) mod registry;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod validate;
pub(crate) mod version;
