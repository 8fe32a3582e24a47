//! Which objects a controller has to look at, each once, now or after a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::controller::Key;

/// The objects that wait to be looked at, and those that will later.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(usize, Key)>,
    asked: HashSet<(usize, Key)>,
    timers: BinaryHeap<Reverse<(Instant, usize, Key)>>,
    due: HashMap<(usize, Key), Instant>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, controller: usize, key: Key) {
        if self.asked.insert((controller, key.clone())) {
            self.waiting.push_back((controller, key));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(usize, Key)> {
        let next = self.waiting.pop_front()?;
        self.asked.remove(&next);
        Some(next)
    }

    pub(super) fn later(&mut self, controller: usize, key: Key, wait: Duration) {
        let at = Instant::now() + wait;
        let entry = (controller, key.clone());
        if self.due.get(&entry).is_some_and(|due| *due <= at && *due > Instant::now()) {
            return;
        }
        self.due.insert(entry, at);
        self.timers.push(Reverse((at, controller, key)));
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn ripen(&mut self) {
        let now = Instant::now();
        while self.next_timer().is_some_and(|at| at <= now) {
            if let Some(Reverse((at, controller, key))) = self.timers.pop() {
                if self.due.get(&(controller, key.clone())) == Some(&at) {
                    self.due.remove(&(controller, key.clone()));
                }
                self.push(controller, key);
            }
        }
    }
}
