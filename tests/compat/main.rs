//! What kedge makes of specs, beside what EKS Anywhere makes of them: `docs/compatibility.md` is written from here, so
//! that it can't say what is not so.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test or a benchmark that meets the unexpected ends, and says where"
)]

mod cases;
mod decide;
mod table;

use std::collections::BTreeSet;

use cases::{Case, Decision, Table};
use decide::{Judge, Outcome};

/// What is not as a table says it is.
fn misses(case: &Case, outcome: &Outcome) -> Option<String> {
    let Case { what, kedge, .. } = case;
    if outcome.decision != *kedge {
        return Some(format!("{what}: kedge {:?}, not {kedge:?}; it says {:#?}", outcome.decision, outcome.said));
    }
    let codes: BTreeSet<&str> = outcome.said.iter().map(|(code, _)| code.as_str()).collect();
    if let Some(code) = case.says.iter().find(|code| !codes.contains(code.as_str())) {
        return Some(format!("{what}: kedge does not say {code}, but {:#?}", outcome.said));
    }
    if *kedge != Decision::Accepts && case.says.is_empty() {
        return Some(format!("{what}: the table does not say what kedge says: {codes:?}"));
    }
    let differs = kedge.is_taken() != case.eks_anywhere.is_taken();
    if differs && case.why.is_empty() {
        return Some(format!("{what}: the two differ, and the table does not say why"));
    }
    None
}

#[test]
fn the_table_is_true_and_the_page_is_written_from_it() {
    let bases = cases::bases();
    let tables: Vec<Table> = cases::tables();
    let judge = Judge::new();
    for (name, text) in &bases {
        let outcome = judge.judge(text, &BTreeSet::new());
        assert!(outcome.decision.is_taken(), "the base {name} is refused: {:#?}", outcome.said);
    }
    let usual = bases.iter().map(|(name, text)| (name.clone(), judge.codes(text))).collect();
    let mut wrong = Vec::new();
    let mut page = table::Page::new();
    let mut seen = BTreeSet::new();
    for Table { title, about, cases } in &tables {
        page.section(title, about);
        for case in cases {
            assert!(seen.insert(case.what.clone()), "two rows say {:?}", case.what);
            let outcome = judge.case(case, &bases, &usual);
            wrong.extend(misses(case, &outcome));
            page.decision(case, &outcome);
        }
    }
    assert!(wrong.is_empty(), "{} rows are not true:\n{}", wrong.len(), wrong.join("\n"));
    page.rendered(&cases::differences());
    page.check();
}

#[test]
fn unknown_fields_are_errors_when_that_is_asked_for() {
    let bases = cases::bases();
    let text = bases["vsphere"].replacen("  datastore:", "  datastorr: x\n  datastore:", 1);
    assert_eq!(Judge::new().judge(&text, &BTreeSet::new()).decision, Decision::Warns);
    let strict = Judge::strict().judge(&text, &BTreeSet::new());
    assert_eq!(strict.decision, Decision::Rejects, "{:#?}", strict.said);
    assert!(strict.said.iter().any(|(code, message)| code == "unknown-field" && message.contains("datastorr")));
}
