//! How fast simulated time runs, and how long each stage of an object has lasted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The speed of a lab: 1 is realistic, 10 ten times as fast, 0 or infinity as fast as it goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    speed: f64,
}

impl Pace {
    /// A pace from a speed factor. Anything that is no positive finite number means: no waiting at all.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self { speed }
    }

    /// No waiting.
    #[must_use]
    pub fn immediate() -> Self {
        Self::new(0.0)
    }

    /// How long something really takes that takes `realistic` on real infrastructure.
    #[must_use]
    pub fn scaled(self, realistic: Duration) -> Duration {
        if self.speed.is_finite() && self.speed > 0.0 {
            Duration::try_from_secs_f64(realistic.as_secs_f64() / self.speed).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        }
    }
}

/// Since when each object has been in each of its stages. Kept in memory only: an object that another cluster takes over starts its stage anew,
/// unless what the stage ends in is there already.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    since: Mutex<HashMap<(String, &'static str), Instant>>,
}

impl Stages {
    /// What is left of a stage that lasts `lasting`; `None` once it is over. The first question starts it.
    pub(crate) fn left(&self, object: &str, stage: &'static str, lasting: Duration) -> Option<Duration> {
        if lasting.is_zero() {
            return None;
        }
        let now = Instant::now();
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *since.entry((object.to_owned(), stage)).or_insert(now);
        let left = lasting.saturating_sub(now.saturating_duration_since(start));
        (!left.is_zero()).then_some(left)
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, object: &str) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_divides_time_and_nonsense_means_no_waiting() {
        let minute = Duration::from_mins(1);
        assert_eq!(Pace::new(1.0).scaled(minute), minute);
        assert_eq!(Pace::new(60.0).scaled(minute), Duration::from_secs(1));
        for speed in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert_eq!(Pace::new(speed).scaled(minute), Duration::ZERO, "{speed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_is_over_after_its_time_and_starts_anew_once_forgotten() {
        let stages = Stages::default();
        let ten = Duration::from_secs(10);
        assert_eq!(stages.left("a", "boot", ten), Some(ten));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(stages.left("a", "boot", ten), Some(Duration::from_secs(6)));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(stages.left("a", "boot", ten), None);
        stages.forget("a");
        assert_eq!(stages.left("a", "boot", ten), Some(ten));
    }
}
