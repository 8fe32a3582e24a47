//! How long and how often to ask again.

use std::time::Duration;

/// How long and how often to ask again what may work in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause before asking again the first time; each further one is half as long again.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// When to give up, counted from the first try.
    pub budget: Duration,
    /// How long one request may take.
    pub request: Duration,
}

impl Default for Retry {
    /// About what clusterctl grants its writes: 160 seconds.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            budget: Duration::from_secs(160),
            request: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// Asks once.
    pub fn never() -> Self {
        Self { budget: Duration::ZERO, ..Self::default() }
    }

    /// The pause after so many failed tries, from 0.
    pub(crate) fn pause(&self, tries: u32) -> Duration {
        let factor = 1.5_f64.powi(i32::try_from(tries.min(40)).unwrap_or(40));
        self.first.mul_f64(factor).min(self.longest)
    }
}
