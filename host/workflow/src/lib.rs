//! Steps, journal, progress: what the program does with a cluster, from a spec to a cluster that manages itself.
//!
//! Every command is a function of [`Options`] (all that can be set) and a [`Reporter`] (who hears what happens), in
//! [`commands`]. A create and a delete are lists of steps ([`step`], [`steps`]); each step has a postcondition that is
//! looked up outside, so a run that was stopped anywhere is gone on with by running it again.

#![forbid(unsafe_code)]

mod aws_iam;
mod bootstrap;
pub mod commands;
mod diagnosis;
mod diff_live;
mod eksa;
mod error;
pub mod event;
pub mod explain;
pub mod fetch;
pub mod folder;
pub mod gitops;
mod hooks;
pub mod interrupt;
pub mod journal;
mod keys;
pub mod load;
mod management;
mod networking;
pub mod options;
pub mod outcome;
mod packages;
mod preflight;
mod release;
pub mod run;
pub mod step;
pub mod steps;
pub mod teardown;
pub mod tools;

pub use error::WorkflowError;
pub use event::{CheckMark, Event, Reporter, Silent};
pub use interrupt::{Interrupt, Interrupter};
pub use options::{Clock, EndpointOverride, Options, SpecInput, SystemClock, Timeouts};
