//! Results of preflight checks, in the order of the plan.

use std::collections::BTreeMap;

use crate::host::{Host, Outcome, Status};
use crate::{Check, Finding};

/// Reports each check once and in the order of the plan, however they finish.
pub struct Reporter<'h> {
    host: &'h mut dyn Host,
    plan: Vec<Check>,
    skip: Vec<String>,
    known: BTreeMap<String, Outcome>,
    reported: usize,
    failed: bool,
}

impl std::fmt::Debug for Reporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").field("plan", &self.plan).field("reported", &self.reported).finish_non_exhaustive()
    }
}

impl<'h> Reporter<'h> {
    /// For a plan; checks of `skip` are reported as skipped when their turn comes.
    pub fn new(host: &'h mut dyn Host, plan: Vec<Check>, skip: &[String]) -> Self {
        Self { host, plan, skip: skip.to_vec(), known: BTreeMap::new(), reported: 0, failed: false }
    }

    /// The host, for what else a check needs of it.
    pub fn host(&mut self) -> &mut dyn Host {
        self.host
    }

    /// Whether a check is left out.
    pub fn skips(&self, check: &str) -> bool {
        self.skip.iter().any(|skipped| skipped == check)
    }

    /// Whether a check failed up to now.
    pub fn any_failed(&self) -> bool {
        self.failed
    }

    /// The check passed. `found` may add something to its title.
    pub fn passed(&mut self, check: &str, found: impl Into<String>) {
        self.outcome(check, Status::Passed, String::new(), found.into(), vec![]);
    }

    /// The check's findings decide: failed with an error among them, warned with any other, passed without.
    pub fn concluded(&mut self, check: &str, found: impl Into<String>, findings: Vec<Finding>) {
        self.checked(check, "", found, findings);
    }

    /// The same, with what was expected.
    pub fn checked(&mut self, check: &str, expected: &str, found: impl Into<String>, findings: Vec<Finding>) {
        let status = if findings.iter().any(Finding::is_error) {
            Status::Failed
        } else if findings.is_empty() {
            Status::Passed
        } else {
            Status::Warned
        };
        self.outcome(check, status, expected.to_owned(), found.into(), findings);
    }

    /// The check failed.
    pub fn failed(&mut self, check: &str, finding: Finding) {
        self.outcome(check, Status::Failed, String::new(), String::new(), vec![finding]);
    }

    /// The check could not run.
    pub fn skipped(&mut self, check: &str, why: impl Into<String>) {
        self.outcome(check, Status::Skipped(why.into()), String::new(), String::new(), vec![]);
    }

    /// Everything not yet reported is skipped for one reason.
    pub fn skip_rest(&mut self, why: &str) {
        let rest: Vec<String> = self.plan.iter().skip(self.reported).map(|check| check.id.clone()).collect();
        for id in rest {
            if !self.known.contains_key(&id) {
                self.skipped(&id, why);
            }
        }
    }

    /// Says an outcome in full.
    pub fn outcome(&mut self, check: &str, status: Status, expected: String, found: String, findings: Vec<Finding>) {
        let status = if self.skips(check) { Status::Skipped("left out on request".into()) } else { status };
        let findings = if matches!(status, Status::Skipped(_)) { vec![] } else { findings };
        self.failed |= status == Status::Failed;
        let outcome = Outcome { check: check.to_owned(), status, expected, found, findings };
        self.known.entry(check.to_owned()).or_insert(outcome);
        while let Some(outcome) = self.plan.get(self.reported).and_then(|check| self.known.get(&check.id)) {
            self.host.report(outcome.clone());
            self.reported += 1;
        }
    }
}
