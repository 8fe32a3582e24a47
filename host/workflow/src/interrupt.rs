//! Stopping a run at a safe point.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

/// The side that asks a run to stop, for example when Ctrl-C is pressed.
#[derive(Debug, Clone)]
pub struct Interrupter(Arc<watch::Sender<bool>>);

/// The side of the run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupter {
    /// Asks. Asking twice is asking once.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// A pair of the two sides.
    pub fn new() -> (Interrupter, Self) {
        let sender = Arc::new(watch::Sender::new(false));
        (Interrupter(Arc::clone(&sender)), Self(sender))
    }

    /// One that never comes.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether the run was asked to stop.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Comes back when the run is asked to stop.
    pub async fn asked(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so the channel cannot be closed while we wait.
        let _ = receiver.wait_for(|asked| *asked).await;
    }

    /// What `work` comes to, or nothing if the run is asked to stop first. `work` is then dropped where it stands: it
    /// has to be something that can be done again.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            result = work => Some(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_at_once() {
        let (interrupter, interrupt) = Interrupt::new();
        assert!(!interrupt.is_asked());
        assert_eq!(interrupt.unless_asked(async { 7 }).await, Some(7));
        let waiting = tokio::spawn({
            let interrupt = interrupt.clone();
            async move { interrupt.unless_asked(std::future::pending::<()>()).await }
        });
        interrupter.interrupt();
        assert_eq!(waiting.await.unwrap(), None);
        assert!(interrupt.is_asked());
        assert_eq!(interrupt.unless_asked(async { 7 }).await, None, "nothing new is begun");
    }
}
