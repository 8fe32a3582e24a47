//! What calling a plugin costs: `cargo bench -p kedge-plugin`. Prints each figure with its bound; nothing fails by time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use kedge_plugin::{Catalog, HostOptions, Limits, PluginHost};
use support::{Parts, ok_text, provider};

/// Host calls in one run of the component.
const CALLS: u32 = 100_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let catalog = Catalog::new().with_built_ins();
    for entry in catalog.list() {
        let name = &entry.name;
        let first = best(20, async || {
            // Everything from nothing: engine, native code, linker, instance, and the answer.
            let host = PluginHost::new(HostOptions::default()).unwrap();
            black_box(host.load(entry).await.unwrap().description().name.len());
        })
        .await;
        print(&format!("{name}: needed to first result"), first, Duration::from_millis(5));
        let host = PluginHost::new(HostOptions::default()).unwrap();
        let plugin = host.load(entry).await.unwrap();
        let fresh = best(200, async || plugin.instantiate().await.unwrap()).await;
        print(&format!("{name}: fresh instance"), fresh, Duration::from_micros(100));
    }
    let limits = Limits { compute_time: Duration::from_mins(1), ..Limits::default() };
    let host = PluginHost::new(HostOptions { limits, ..HostOptions::default() }).unwrap();
    let looping = |body: &str| {
        let schema = format!(
            "(local $i i32) (loop {body} (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {CALLS})))) {}",
            ok_text(600, 2)
        );
        let fields = r#"(data (i32.const 512) "password") (data (i32.const 600) "{}")"#.to_owned();
        provider(&Parts { schema: Some(schema), fields, ..Parts::default() })
    };
    let calling =
        host.load_bytes("calling", &looping("(drop (call $available (i32.const 512) (i32.const 8)))")).await.unwrap();
    let idle = host.load_bytes("idle", &looping("")).await.unwrap();
    let with = best(5, async || drop(calling.schema("x").await.unwrap())).await;
    let without = best(5, async || drop(idle.schema("x").await.unwrap())).await;
    print("host call", with.saturating_sub(without) / CALLS, Duration::from_micros(1));
}

async fn best(rounds: u32, mut work: impl AsyncFnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let started = Instant::now();
        work().await;
        best = best.min(started.elapsed());
    }
    best
}

fn print(what: &str, took: Duration, bound: Duration) {
    let verdict = if took <= bound { "ok" } else { "OVER" };
    println!(
        "{what:<40} {:>12.3} µs   bound {:>9.1} µs   {verdict}",
        took.as_secs_f64() * 1e6,
        bound.as_secs_f64() * 1e6
    );
}
