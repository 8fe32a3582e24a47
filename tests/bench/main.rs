//! The bounds that this program promises, each measured and printed with its bound: `cargo bench -p kedge`.
//! A bound that does not hold ends the run with 1.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test or a benchmark that meets the unexpected ends, and says where"
)]

mod in_process;
mod processes;

/// One measured figure and what it may be at most.
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) bound: f64,
    pub(crate) unit: &'static str,
}

fn main() {
    // `cargo bench` passes `--bench`; a name among the arguments picks figures.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut figures = processes::measure();
    figures.extend(in_process::measure());
    let mut missed = 0;
    println!("{:<58} {:>12} {:>12}", "figure", "measured", "bound");
    for figure in figures.iter().filter(|f| wanted.is_empty() || wanted.iter().any(|w| f.what.contains(w))) {
        let holds = figure.measured <= figure.bound;
        missed += i32::from(!holds);
        println!(
            "{:<58} {:>9.2} {:<3} {:>8.0} {:<3} {}",
            figure.what,
            figure.measured,
            figure.unit,
            figure.bound,
            figure.unit,
            if holds { "" } else { "MISSED" }
        );
    }
    if missed > 0 {
        println!("{missed} bounds do not hold");
        std::process::exit(1);
    }
}
