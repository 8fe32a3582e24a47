//! Where times and identities come from: parameters, so that a test sees the same ones every time.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// The time and fresh identities for a cluster.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// A UUID that no object has had.
    fn uid(&self) -> String;
    /// Five characters for `generateName`, in Kubernetes' alphabet without vowels.
    fn suffix(&self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let uid = self.uid();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(uid.as_bytes());
        digest
            .iter()
            .take(5)
            .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
            .map(|byte| char::from(*byte))
            .collect()
    }
}

/// The system's clock and random identities.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// A clock for tests: each reading is a second later than the last, and identities count up.
#[derive(Debug, Default)]
pub struct StepClock {
    seconds: AtomicU64,
    identities: AtomicU64,
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        let step = self.seconds.fetch_add(1, Ordering::Relaxed);
        let start = 1_767_225_600_i64; // 2026-01-01T00:00:00Z
        Timestamp::from_second(start.saturating_add_unsigned(step)).unwrap_or_default()
    }

    fn uid(&self) -> String {
        let number = self.identities.fetch_add(1, Ordering::Relaxed);
        uuid::Uuid::from_u64_pair(0x6b65_6467_6500_4000, 0x8000_0000_0000_0000 | number).to_string()
    }
}
