//! How long a move takes and how often it asks, beside a stock clusterctl in the same run:
//! `cargo test -p kedge --features peers --release --test peers -- --ignored --nocapture bench_of_the_pivot`.

use std::time::Instant;

use crate::apiserver::ApiServer;
use crate::harness::Sandbox;
use crate::management::*;
use crate::pivot::clusterctl;
use crate::still_life::*;
use crate::succeeds;

/// How many clusters are moved.
const SIZES: [usize; 3] = [1, 50, 200];

struct Measured {
    seconds: f64,
    requests: usize,
}

fn measured(user: &str, servers: [&ApiServer; 2], act: impl FnOnce()) -> Measured {
    let count = || servers.iter().map(|s| s.count(user)).sum::<usize>();
    let before = count();
    let begun = Instant::now();
    act();
    let seconds = begun.elapsed().as_secs_f64();
    Measured { seconds, requests: count() - before }
}

fn sizes() -> Vec<usize> {
    match std::env::var("KEDGE_BENCH_CLUSTERS") {
        Ok(given) => given.split(',').map(|n| n.parse().expect("a number of clusters")).collect(),
        Err(_) => SIZES.to_vec(),
    }
}

#[test]
#[ignore = "a benchmark: takes about ten minutes"]
fn bench_of_the_pivot() {
    println!(
        "{:>8} {:>8} | {:>9} {:>9} | {:>9} {:>9} | {:>7} {:>8}",
        "clusters", "objects", "kedge s", "requests", "clusterctl", "requests", "faster", "requests"
    );
    let mut per_object = Vec::new();
    for count in sizes() {
        // Fresh servers for each: neither profits from what the other left.
        let (one, two) = pair().expect("the peers are built: `tests/peers/build all && tests/peers/manifests`");
        let sandbox = Sandbox::new();
        paint(&one, count);
        let before = contents(&one);
        let file = |server: &ApiServer| server.kubeconfig("kedge").display().to_string();
        let ours = measured("kedge", [&one, &two], || {
            let args = ["move", "--kubeconfig", &file(&one), "--to-kubeconfig", &file(&two), "-n", NAMESPACE];
            sandbox.run(args).expect(0);
        });
        assert_eq!(contents(&two), before);
        revive(&two);
        let theirs = measured("clusterctl", [&one, &two], || {
            let target = one.kubeconfig("clusterctl");
            succeeds(clusterctl(&sandbox, &two, &format!("move -n {NAMESPACE}")).arg("--to-kubeconfig").arg(target));
        });
        assert_eq!(contents(&one), before);
        let (faster, fewer) = (theirs.seconds / ours.seconds, ours.requests as f64 / theirs.requests as f64);
        println!(
            "{count:>8} {:>8} | {:>9.2} {:>9} | {:>9.2} {:>9} | {faster:>6.1}x {:>7.0}%",
            before.len(),
            ours.seconds,
            ours.requests,
            theirs.seconds,
            theirs.requests,
            fewer * 100.0
        );
        if count >= 50 {
            assert!(faster >= 10.0, "{count} clusters: {faster:.1} times as fast as clusterctl, and 10 are wanted");
            assert!(fewer < 1.0 / 3.0, "{count} clusters: {:.0} % of clusterctl's requests", fewer * 100.0);
        }
        per_object.push(ours.seconds / before.len() as f64);
    }
    if let [.., fewer, most] = per_object.as_slice() {
        println!("seconds an object: {per_object:?}");
        assert!(*most < fewer * 1.5, "a move of many is not linear: {per_object:?}");
    }
}
