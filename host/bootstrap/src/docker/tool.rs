//! A program of an image, run once: the release's tools image has helm where this machine has none.

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions, StartContainerOptions};

use super::address::Lookup;
use super::container::Rights;
use super::engine::Engine;
use super::exec::Node;
use super::image;
use crate::{BootstrapError, NodeImage, Silent, ToolRun};

/// Puts a file where its first argument says, with what it reads, for its owner alone.
const KEEP: &str = "umask 077; mkdir -p \"$(dirname \"$0\")\" && cat > \"$0\"";

/// Runs it in a container that is gone afterwards, and hands out what it wrote to its standard output.
pub(super) async fn run(engine: &Engine, run: &ToolRun<'_>, lookup: Lookup<'_>) -> Result<String, BootstrapError> {
    let wanted = NodeImage { reference: run.image.to_owned(), digest: None };
    image::ensure(engine, &wanted, lookup, &Silent).await?;
    let name = name();
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    let created = engine.client.create_container(Some(options), body(run)).await;
    created.map_err(|error| engine.failed(format!("make a container of `{}`", run.image), error))?;
    let ended = inside(engine, run, &name).await;
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    if let Err(error) = engine.client.remove_container(&name, Some(options)).await {
        // It ends by itself, and the engine removes it then.
        tracing::debug!(%error, name, "a container stays for a while");
    }
    ended
}

async fn inside(engine: &Engine, run: &ToolRun<'_>, name: &str) -> Result<String, BootstrapError> {
    let started = engine.client.start_container(name, None::<StartContainerOptions>).await;
    started.map_err(|error| engine.failed(format!("start a container of `{}`", run.image), error))?;
    let node = Node { engine, container: name, rights: Rights::Listed };
    for (path, text) in run.files {
        node.must("write a file", &["sh", "-c", KEEP, path], Some(text), run.bound, &|_| {}).await?;
    }
    let command: Vec<&str> = run.command.iter().map(String::as_str).collect();
    let what = command.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    node.must(&what, &command, Some(run.input), run.bound, &|_| {}).await
}

/// It sleeps for as long as the program may take: one that is left behind ends and goes.
fn body(run: &ToolRun<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(run.image.to_owned()),
        entrypoint: Some(vec!["sleep".to_owned(), (run.bound.as_secs() * 2).to_string()]),
        cmd: Some(Vec::new()),
        env: Some(run.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        host_config: Some(HostConfig {
            // Registries are reached as this machine reaches them.
            network_mode: Some("host".to_owned()),
            auto_remove: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("kedge-tool-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
