//! The making of the one node: container, kubeadm, CNI, storage, Ready.

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, LogsOptions, RemoveContainerOptions, StartContainerOptions,
};
use futures::StreamExt;

use super::address::Lookup;
use super::container::{self, Plan, Rights, node_name};
use super::engine::Engine;
use super::exec::{Node, last_lines};
use super::failure::{self, Trouble, trouble_in};
use super::kubeadm::{self, API_PORT, POD_SUBNET};
use super::{image, kubeconfig, mirror, network, ready};
use crate::{Bootstrap, BootstrapError, Identity, Progress, Wanted};

/// Marks on the node: kubeadm is through; all is.
const INITIALISED: &str = "/kind/kedge-initialised";
const DONE: &str = "/kind/kedge-done";
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// systemd is up in seconds.
const BOOT: Duration = Duration::from_mins(2);
/// kubeadm's own waits end before.
const INIT: Duration = Duration::from_mins(15);
/// Anything else on the node.
const SHORT: Duration = Duration::from_mins(2);
/// Another program may take the port between the look and the start.
const PORT_TRIES: u32 = 4;

/// Waits inside the node until its container runtime answers.
const RUNTIME: &str = "i=0; until ctr version >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 600 ] || { systemctl status containerd --no-pager >&2; exit 1; }; sleep 0.1; done; cat /kind/version";

/// CNI and storage as the image brings them along, applied by its own kubectl.
const ADDONS: &str = r#"set -e
mkdir -p /kind/kedge
sed "s#{{ *\.PodSubnet *}}#$1#g" /kind/manifests/default-cni.yaml > /kind/kedge/cni.yaml
files="-f /kind/kedge/cni.yaml"
[ ! -s /kind/manifests/default-storage.yaml ] || files="$files -f /kind/manifests/default-storage.yaml"
kubectl --kubeconfig=/etc/kubernetes/admin.conf apply $files
kubectl --kubeconfig=/etc/kubernetes/admin.conf label nodes --all node.kubernetes.io/exclude-from-external-load-balancers-
"#;

fn quiet(_: &str) {}

/// Makes the bootstrap cluster from nothing.
pub(super) async fn make(
    engine: &Engine,
    identity: &Identity,
    wanted: &Wanted,
    lookup: Lookup<'_>,
    progress: &dyn Progress,
) -> Result<Bootstrap, BootstrapError> {
    let name = node_name(&identity.cluster);
    let Some(image) = &wanted.image else {
        return Err(BootstrapError::NoImage { cluster: identity.cluster.clone() });
    };
    image::ensure(engine, image, lookup, progress).await?;
    let own_network = lookup("KIND_EXPERIMENTAL_DOCKER_NETWORK").filter(|n| !n.is_empty());
    let (network, subnets) = network::ensure(engine, own_network.as_deref().unwrap_or(network::USUAL)).await?;
    progress.waiting(&format!("container {name}"), "the engine to start it");
    let rights = start(engine, identity, wanted, lookup, &network, &subnets, progress).await?;
    let node = Node { engine, container: &name, rights };
    boot(&node, progress).await?;
    if let Some(mirror) = &wanted.mirror {
        node.must("set up the registry mirror", &["sh", "-s"], Some(&mirror::script(mirror)), SHORT, &quiet).await?;
    }
    let version = node.must("start the container runtime", &["sh", "-c", RUNTIME], None, SHORT, &quiet).await?;
    initialise(&node, identity, version.trim(), &network, progress).await?;
    finish(&node, progress).await
}

/// Starts the container: with all privileges, or where the host has not all to give, with those that it has.
async fn start(
    engine: &Engine,
    identity: &Identity,
    wanted: &Wanted,
    lookup: Lookup<'_>,
    network: &str,
    subnets: &[String],
    progress: &dyn Progress,
) -> Result<Rights, BootstrapError> {
    let name = node_name(&identity.cluster);
    let reference = wanted.image.as_ref().map(|i| i.reference.as_str()).unwrap_or_default();
    let config = engine.client.inspect_image(reference).await;
    let config = config.map_err(|e| engine.failed(format!("look at the image `{reference}`"), e))?.config;
    let (entrypoint, command) = config.map(|c| (c.entrypoint, c.cmd)).unwrap_or_default();
    let starts: Vec<String> = entrypoint.into_iter().flatten().chain(command.into_iter().flatten()).collect();
    let (runtime, socket) = (lookup("KEDGE_BOOTSTRAP_RUNTIME").filter(|r| !r.is_empty()), engine.socket());
    let pass: Vec<(String, String)> = ["KIND_EXPERIMENTAL_CONTAINERD_SNAPSHOTTER", "KIND_DNS_SEARCH"]
        .into_iter()
        .filter_map(|variable| Some((variable.to_owned(), lookup(variable)?)))
        .collect();
    let mut rights = Rights::Privileged;
    let mut ports = 0;
    loop {
        let plan = Plan {
            identity,
            wanted,
            info: &engine.info,
            image: reference,
            starts: &starts,
            network,
            subnets,
            socket: &socket,
            listen: if engine.address.remote_host().is_some() { "0.0.0.0" } else { "127.0.0.1" },
            // Picked here and not by the engine, so that it stays when the container is started again.
            port: free_port(engine),
            rights,
            runtime: runtime.as_deref(),
            pass: &pass,
        };
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        let created = engine.client.create_container(Some(options), container::body(&plan)).await;
        created.map_err(|error| engine.failed(format!("make the container `{name}`"), error))?;
        let Err(error) = engine.client.start_container(&name, None::<StartContainerOptions>).await else {
            return Ok(rights);
        };
        let trouble = failure::trouble(&error);
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        if let Err(left) = engine.client.remove_container(&name, Some(options)).await {
            tracing::debug!(%left, "a container that did not start stays");
        }
        ports += 1;
        match trouble {
            Trouble::Privileges if rights == Rights::Privileged => {
                progress.note(
                    "the container engine can't start privileged containers here: the node gets each right by itself",
                );
                rights = Rights::Listed;
            }
            Trouble::PortTaken if ports < PORT_TRIES => {}
            _ => return Err(engine.failed(format!("start the container `{name}`"), error)),
        }
    }
}

/// A port that nobody has at the moment. On another machine that can't be known from here.
fn free_port(engine: &Engine) -> u16 {
    if engine.address.remote_host().is_some() {
        return 0;
    }
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_or(0, |at| at.port())
}

/// Follows the log of the container until systemd is up.
async fn boot(node: &Node<'_>, progress: &dyn Progress) -> Result<(), BootstrapError> {
    progress.waiting(&format!("container {}", node.container), "systemd to come up");
    let options = LogsOptions { follow: true, stdout: true, stderr: true, tail: "all".into(), ..Default::default() };
    let mut log = node.engine.client.logs(node.container, Some(options));
    let mut text = String::new();
    let follow = async {
        while let Some(piece) = log.next().await {
            let piece = piece.map_err(|e| node.engine.failed("follow the log of a container", e))?;
            let (LogOutput::StdErr { message }
            | LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message }) = piece;
            text.push_str(&String::from_utf8_lossy(&message));
            // With version 1 of control groups, systemd writes its own log elsewhere.
            let up = text.contains("detected cgroup v1")
                || text.lines().any(|l| l.contains("Reached target") && l.contains("Multi-User System"));
            if up {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let reason = match tokio::time::timeout(BOOT, follow).await {
        Ok(Ok(true)) => return Ok(()),
        Ok(Err(error)) => return Err(error),
        Ok(Ok(false)) => "it ended",
        Err(_) => "systemd is not up after 2 minutes",
    };
    Err(BootstrapError::Node {
        node: node.container.to_owned(),
        action: "boot".into(),
        reason: format!("{reason}: {}", last_lines(&text)),
        trouble: trouble_in(&text),
    })
}

async fn inspect(node: &Node<'_>) -> Result<ContainerInspectResponse, BootstrapError> {
    let found = node.engine.client.inspect_container(node.container, None::<InspectContainerOptions>).await;
    found.map_err(|error| node.engine.failed(format!("look at the container `{}`", node.container), error))
}

async fn initialise(
    node: &Node<'_>,
    identity: &Identity,
    version: &str,
    network: &str,
    progress: &dyn Progress,
) -> Result<(), BootstrapError> {
    let broken = |action: &str, reason: String| BootstrapError::Node {
        node: node.container.to_owned(),
        action: action.to_owned(),
        reason,
        trouble: Trouble::Other,
    };
    let found = inspect(node).await?;
    let networks = found.network_settings.and_then(|s| s.networks).unwrap_or_default();
    let on = networks.iter().find(|(name, at)| *name == network || at.network_id.as_deref() == Some(network));
    let at = on.map(|(_, at)| at).or_else(|| networks.values().next());
    let address = at.and_then(|a| a.ip_address.clone().filter(|ip| !ip.is_empty()).or(a.global_ipv6_address.clone()));
    let address = address
        .filter(|a| !a.is_empty())
        .ok_or_else(|| broken("get an address", "the engine put it on no network".into()))?;
    let host = node.engine.address.remote_host().unwrap_or("127.0.0.1");
    let info = &node.engine.info;
    let cluster = container::cluster_name(&identity.cluster);
    let configuration = kubeadm::configuration(&kubeadm::Node {
        cluster: &cluster,
        name: node.container,
        address: &address,
        version,
        reached_at: &[host.trim_matches(['[', ']']).to_owned()],
        cgroup_v1: info.cgroup_v1,
        rootless: info.rootless,
        confined: node.rights == Rights::Listed,
    })
    .ok_or_else(|| broken("say its Kubernetes version", format!("`/kind/version` of its image says `{version}`")))?;
    let object = format!("node {}", node.container);
    progress.waiting(&object, &format!("kubeadm to make a control plane of Kubernetes {version}"));
    let said = Mutex::new(String::new());
    let line = |line: &str| {
        // `[etcd] Creating static Pod …`: one word for each phase.
        let Some((phase, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return };
        let mut said = said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *said != phase {
            progress.waiting(&object, &format!("kubeadm, at `{phase}`"));
            phase.clone_into(&mut said);
        }
    };
    let script = format!(
        "cat > /kind/kubeadm.conf && kubeadm init --config=/kind/kubeadm.conf --skip-token-print && touch {INITIALISED}"
    );
    let ended = node.run(&["sh", "-c", &script], Some(&configuration), INIT, &line).await?;
    if ended.code == 0 {
        return Ok(());
    }
    // What kubeadm waited for in vain is usually in the log of the kubelet.
    let journal = ["journalctl", "-u", "kubelet", "-n", "40", "--no-pager", "-o", "cat"];
    let kubelet = node.run(&journal, None, SHORT, &quiet).await.map(|e| e.out + &e.err).unwrap_or_default();
    let trouble = match trouble_in(&kubelet) {
        Trouble::Other | Trouble::RegistryUnreachable => trouble_in(&ended.err),
        found => found,
    };
    let complaints: Vec<&str> = kubelet.lines().filter(|l| l.starts_with('E') || l.contains("err=")).collect();
    let last = complaints.last().map(|l| format!("; the kubelet says: {l}")).unwrap_or_default();
    Err(BootstrapError::Node {
        node: node.container.to_owned(),
        action: "make a control plane (`kubeadm init`)".into(),
        reason: format!("exit code {}: {}{last}", ended.code, last_lines(&ended.err)),
        trouble,
    })
}

/// Whether kubeadm is through.
pub(super) async fn initialised(node: &Node<'_>) -> bool {
    node.run(&["test", "-e", INITIALISED], None, SHORT, &quiet).await.is_ok_and(|ended| ended.code == 0)
}

/// All that comes after kubeadm. May find some of it done.
pub(super) async fn finish(node: &Node<'_>, progress: &dyn Progress) -> Result<Bootstrap, BootstrapError> {
    let kubeconfig = read(node, &["cat", ADMIN]).await?.ok_or_else(|| BootstrapError::Node {
        node: node.container.to_owned(),
        action: "hand out its kubeconfig".into(),
        reason: format!("there is no `{ADMIN}`"),
        trouble: Trouble::Other,
    })?;
    progress.waiting(&format!("node {}", node.container), "its network and storage to be set up");
    node.must("set up its network and storage", &["sh", "-c", ADDONS, "addons", POD_SUBNET], None, SHORT, &quiet)
        .await?;
    ready::node(&kubeconfig, node.container, progress).await?;
    node.must("be marked as done", &["touch", DONE], None, SHORT, &quiet).await?;
    Ok(Bootstrap { kubeconfig })
}

/// The bootstrap cluster, if it was made to the end.
pub(super) async fn whole(node: &Node<'_>) -> Result<Option<Bootstrap>, BootstrapError> {
    let script = format!("test -e {DONE} && cat {ADMIN}");
    Ok(read(node, &["sh", "-c", &script]).await?.map(|kubeconfig| Bootstrap { kubeconfig }))
}

/// The kubeconfig that a command on the node prints, as it is used from here. None if the command does not end well, or
/// the node can't run any.
async fn read(node: &Node<'_>, command: &[&str]) -> Result<Option<String>, BootstrapError> {
    let found = inspect(node).await?;
    if !found.state.as_ref().and_then(|s| s.running).unwrap_or_default() {
        return Ok(None);
    }
    let ended = node.run(command, None, SHORT, &quiet).await?;
    if ended.code != 0 {
        return Ok(None);
    }
    let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
    let cluster = labels.get(container::CLUSTER_LABEL).cloned().unwrap_or_default();
    let ports = found.network_settings.and_then(|s| s.ports).unwrap_or_default();
    let published = ports.get(&format!("{API_PORT}/tcp")).cloned().flatten().unwrap_or_default();
    let port = published.iter().find_map(|p| p.host_port.clone()).ok_or_else(|| BootstrapError::Node {
        node: node.container.to_owned(),
        action: "be reached".into(),
        reason: "the engine publishes no port of its API server".into(),
        trouble: Trouble::Other,
    })?;
    let host = node.engine.address.remote_host().unwrap_or("127.0.0.1");
    kubeconfig::outside(&cluster, &ended.out, &format!("https://{host}:{port}")).map(Some)
}

/// What there is to see of a node that did not come up.
pub(super) async fn evidence(node: &Node<'_>) -> Vec<(String, String)> {
    const LOOK: Duration = Duration::from_secs(10);
    let mut files = Vec::new();
    if let Ok(found) = inspect(node).await {
        files.push((format!("{}-state.txt", node.container), format!("{:#?}\n", found.state)));
    }
    let options = LogsOptions { stdout: true, stderr: true, tail: "200".into(), ..Default::default() };
    let log = node
        .engine
        .client
        .logs(node.container, Some(options))
        .take(2000)
        .filter_map(|piece| async move { piece.ok().map(|piece| piece.to_string()) });
    let log = tokio::time::timeout(LOOK, log.collect::<Vec<_>>()).await.unwrap_or_default();
    files.push((format!("{}-log.txt", node.container), log.concat()));
    let commands: [(&str, &[&str]); 3] = [
        ("kubelet", &["journalctl", "-u", "kubelet", "-n", "200", "--no-pager"]),
        ("containerd", &["journalctl", "-u", "containerd", "-n", "100", "--no-pager"]),
        ("containers", &["crictl", "ps", "-a"]),
    ];
    for (name, command) in commands {
        let text = match node.run(command, None, LOOK, &quiet).await {
            Ok(ended) => format!("{}{}", ended.out, ended.err),
            Err(error) => format!("{error}\n"),
        };
        files.push((format!("{}-{name}.txt", node.container), text));
    }
    files
}
