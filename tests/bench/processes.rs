//! Figures of whole processes: processor time, wall time, memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Figure;

const RUNS: u32 = 40;

pub(crate) fn measure() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("spec.yaml");
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/specs/vsphere-ubuntu-stacked.yaml"))
        .expect("a spec");
    std::fs::write(&spec, text).expect("a spec can be written");

    let kedge = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kedge"));
        command.args(args).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut figures = vec![
        Figure {
            what: "kedge version, processor time",
            measured: cpu(&mut kedge(&["version"])),
            bound: 10.0,
            unit: "ms",
        },
        Figure {
            what: "kedge generate clusterconfig, processor time",
            measured: cpu(&mut kedge(&["generate", "clusterconfig", "a1", "-p", "vsphere"])),
            bound: 10.0,
            unit: "ms",
        },
    ];
    figures.push(Figure {
        what: "kedge render, processor time",
        measured: cpu(&mut kedge(&["render", "-f", "spec.yaml"])),
        bound: 30.0,
        unit: "ms",
    });
    figures.extend(bombs(folder.path(), &kedge));
    let (wall, memory) = whole(&mut kedge(&["create", "cluster", "-f", "spec.yaml", "--lab"]));
    figures.push(Figure {
        what: "a create on the lab, wall time",
        measured: wall.as_secs_f64(),
        bound: 5.0,
        unit: "s",
    });
    figures.push(Figure { what: "a create on the lab, peak memory", measured: memory, bound: 200.0, unit: "MiB" });
    let (small, large) = (rendered(folder.path(), 500, &kedge), rendered(folder.path(), 1000, &kedge));
    figures.push(Figure {
        what: "render of 1,000 worker node groups, wall time",
        measured: large,
        bound: 1.0,
        unit: "s",
    });
    figures.push(Figure {
        what: "render of 1,000 groups over one of 500 (linear: 2)",
        measured: large / small,
        bound: 3.0,
        unit: "x",
    });
    figures
}

/// Seconds that a render with so many worker node groups takes, the best of three.
fn rendered(folder: &std::path::Path, groups: usize, kedge: &impl Fn(&[&str]) -> Command) -> f64 {
    let base =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/specs/docker.yaml")).expect("a spec");
    let many: String = (0..groups).map(|n| format!("  - count: 1\n    name: md-{n}\n")).collect();
    let text = base.replace("  - count: 1\n    name: md-0\n", &many);
    assert!(groups < 2 || text.contains("md-1\n"), "the groups are in the spec");
    std::fs::write(folder.join("many.yaml"), text).expect("a spec can be written");
    let run = || whole(&mut kedge(&["render", "-f", "many.yaml"])).0.as_secs_f64();
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// User and system time of one run in milliseconds, from the kernel's account of all finished children.
fn cpu(command: &mut Command) -> f64 {
    let before = children();
    for _ in 0..RUNS {
        assert!(command.status().expect("it starts").success(), "{command:?}");
    }
    (children() - before).as_secs_f64() * 1000.0 / f64::from(RUNS)
}

/// `cutime` and `cstime` of this process: fields 16 and 17 of its stat, in hundredths of a second.
fn children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux machine");
    let (_, fields) = stat.rsplit_once(')').expect("the name ends with a parenthesis");
    let ticks: u64 = fields.split_whitespace().skip(13).take(2).map(|f| f.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// Wall time and peak resident memory in MiB.
fn whole(command: &mut Command) -> (Duration, f64) {
    ending(command, 0)
}

/// The same for one that ends with an exit code.
fn ending(command: &mut Command, code: i32) -> (Duration, f64) {
    let started = Instant::now();
    let mut child = command.spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let ended = loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|l| l.starts_with("VmHWM:"))
            && let Some(kib) = line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok())
        {
            peak = peak.max(kib / 1024.0);
        }
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            break ended;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    };
    assert_eq!(ended.code(), Some(code), "{command:?}");
    (started.elapsed(), peak)
}

/// Files that are made to be too much: the longest time and the most memory that one of them takes to be refused.
fn bombs(folder: &std::path::Path, kedge: &impl Fn(&[&str]) -> Command) -> [Figure; 2] {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        aliases.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let files = [
        ("aliases.yaml", aliases),
        ("depth.yaml", "[".repeat(1 << 20)),
        ("scalar.yaml", format!("a: {}\n", "x".repeat(100 << 20))),
        ("documents.yaml", "x\n---\n".repeat(600_000)),
        ("keys.yaml", (0..200_000).map(|n| format!("k{n}: 1\n")).collect()),
    ];
    let (mut longest, mut most) = (0.0_f64, 0.0_f64);
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("it can be written");
        let (wall, memory) = ending(&mut kedge(&["validate", "-f", name]), 3);
        longest = longest.max(wall.as_secs_f64() * 1000.0);
        most = most.max(memory);
    }
    [
        Figure { what: "refusing a file that is a bomb, wall time", measured: longest, bound: 100.0, unit: "ms" },
        Figure { what: "refusing a file that is a bomb, peak memory", measured: most, bound: 50.0, unit: "MiB" },
    ]
}
