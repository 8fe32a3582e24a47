//! What the program can be asked to do. Every command is a function of its options and of who hears what happens.

mod create;
mod delete;
mod describe;
mod diff;
mod generate;
mod move_clusters;
mod offline;
mod provider;
mod schema;

pub use create::create;
pub use delete::delete;
pub(crate) use describe::conditions;
pub use describe::{describe, get_clusters};
pub use diff::{Against, diff};
pub use generate::{generate, generate_arguments};
pub use move_clusters::{Act, MoveOptions, MoveOutcome, PlannedObject, Way, move_clusters};
pub use offline::{explain, preflight, render, validate};
pub use provider::{Given, ProviderCommands, Server, provider_commands};
pub use schema::schema;

use std::path::PathBuf;
use std::sync::PoisonError;

use crate::diagnosis;
use crate::error::WorkflowError;
use crate::event::ReporterExt;
use crate::run::Run;
use crate::step::Stopped;
use crate::steps::id;

/// The error of a command whose steps stopped early, with a diagnosis on the disk if a step failed.
async fn stopped(run: &Run, command: &str, stopped: Stopped) -> WorkflowError {
    let resume = format!("run the same command again to go on: `{command}`");
    match stopped {
        Stopped::Journal(error) => error.into(),
        Stopped::Interrupted { title } => {
            let touched = crate::journal::Records::touched(run.journal.records().as_slice(), id::SETUP);
            let at = Some(title.to_owned()).filter(|_| touched);
            let resume = if touched { resume } else { "nothing was touched; run the same command again".to_owned() };
            WorkflowError::Interrupted { at, resume }
        }
        Stopped::Failed { step, title, failure } => {
            let refused = run.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(error) = refused.filter(|_| step == id::SETUP) {
                return error;
            }
            let diagnosis = write_diagnosis(run, title, &failure).await;
            WorkflowError::Step {
                step: step.to_owned(),
                title: title.to_owned(),
                failure: Box::new(failure),
                diagnosis,
                resume,
            }
        }
    }
}

/// A diagnosis that can't be written must not hide what it is about.
async fn write_diagnosis(run: &Run, title: &str, failure: &crate::step::Failure) -> Option<PathBuf> {
    let writing = diagnosis::write(run, title, failure);
    match run.options.interrupt.unless_asked(writing).await? {
        Ok(path) => Some(path),
        Err(error) => {
            run.reporter.warning(format!("the diagnosis could not be written: {error}"));
            None
        }
    }
}
