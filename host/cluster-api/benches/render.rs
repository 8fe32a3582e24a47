//! How long rendering takes, with its bound: 1,000 worker node groups within one second, and ten times the groups in about
//! ten times the time. Run with `cargo bench -p kedge-cluster-api`.

#[path = "../tests/render/scene.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "shared with the tests")]
mod scene;

use std::time::{Duration, Instant};

fn main() {
    let time = |groups: usize| {
        let text = scene::text(&(0..groups).map(|n| scene::worker(&format!("g-{n}"))).collect::<String>(), "");
        let scene = scene::Scene::new(&text, "ubuntu");
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                let bytes = scene.render().map(|m| m.to_yaml().len()).unwrap_or_default();
                assert!(bytes > groups * 1000, "something was rendered");
                start.elapsed()
            })
            .min();
        best.unwrap_or(Duration::MAX)
    };
    let (few, many) = (time(100), time(1000));
    println!("render of 1,000 worker node groups, with YAML: {many:.1?} (bound 1 s)");
    println!("1,000 groups against 100: {:.1} times the time (bound 15)", many.as_secs_f64() / few.as_secs_f64());
}
