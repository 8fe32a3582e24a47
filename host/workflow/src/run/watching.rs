//! What a step's waits are told to, and looks made of waits.

use std::sync::Arc;
use std::time::Duration;

use kedge_cluster_api::readiness::Timeout;
use kedge_cluster_api::{Error as ApiError, Progress};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::event::{Event, Reporter};
use crate::step::Failure;

/// Tells the reporter what a step waits for.
pub(crate) struct Teller {
    step: &'static str,
    begun: Instant,
    reporter: Arc<dyn Reporter>,
}

impl Teller {
    pub(crate) fn new(step: &'static str, reporter: Arc<dyn Reporter>) -> Self {
        Self { step, begun: Instant::now(), reporter }
    }
}

impl Progress for Teller {
    fn waiting(&self, object: &str, sentence: &str) {
        self.reporter.event(Event::Waiting {
            step: self.step.to_owned(),
            object: object.to_owned(),
            sentence: sentence.to_owned(),
            elapsed: self.begun.elapsed(),
        });
    }

    fn note(&self, sentence: &str) {
        self.reporter.event(Event::Note { text: sentence.to_owned() });
    }
}

impl kedge_bootstrap::Progress for Teller {
    fn waiting(&self, object: &str, sentence: &str) {
        Progress::waiting(self, object, sentence);
    }

    fn note(&self, sentence: &str) {
        Progress::note(self, sentence);
    }
}

/// Makes a look out of a wait: the moment that something is awaited, it is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Probe(Notify);

/// Longer than any single look takes.
pub(crate) const LOOK: Timeout = Timeout::after(Duration::from_secs(20));

impl Probe {
    /// Whether `wait` has nothing to wait for.
    pub(crate) async fn holds(&self, wait: impl Future<Output = Result<(), ApiError>>) -> Result<bool, Failure> {
        tokio::select! {
            biased;
            result = wait => match result {
                Ok(()) => Ok(true),
                Err(ApiError::GaveUp { .. } | ApiError::Hopeless { .. } | ApiError::UnknownKind { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            },
            () = self.0.notified() => Ok(false),
        }
    }
}

impl Progress for Probe {
    fn waiting(&self, _object: &str, _sentence: &str) {
        self.0.notify_one();
    }

    fn note(&self, _sentence: &str) {}
}
