//! Figures of the plugin host in this process.

use std::time::Instant;

use kedge_plugin::{Catalog, HostOptions, PluginHost};

use crate::Figure;

const INSTANCES: u32 = 500;
const STARTS: u32 = 20;

pub(crate) fn measure() -> Vec<Figure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let catalog = Catalog::new().with_built_ins();
        let entry = catalog.named("docker").expect("a built-in plugin").clone();

        // From nothing: engine, native code, linking, instance, first answer. The median of several hosts.
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let started = Instant::now();
            let host = PluginHost::new(HostOptions::default()).expect("a host");
            let plugin = host.load(&entry).await.expect("it loads");
            assert_eq!(plugin.description().name, "docker");
            starts.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        starts.sort_by(f64::total_cmp);
        let first = starts.get(starts.len() / 2).copied().expect("there were some");

        let host = PluginHost::new(HostOptions::default()).expect("a host");
        let plugin = host.load(&entry).await.expect("it loads");
        let started = Instant::now();
        for _ in 0..INSTANCES {
            plugin.instantiate().await.expect("an instance");
        }
        let instance = started.elapsed().as_secs_f64() * 1e6 / f64::from(INSTANCES);
        vec![
            Figure { what: "built-in plugin needed to first result (median)", measured: first, bound: 5.0, unit: "ms" },
            Figure { what: "a fresh instance (mean)", measured: instance, bound: 100.0, unit: "µs" },
        ]
    })
}
