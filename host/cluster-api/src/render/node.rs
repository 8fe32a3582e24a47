//! How a node is set up: files, commands, users, time. The same for control plane and workers.

use kedge_spec::cluster::Taint;
use kedge_spec::provider::{NodeContribution, NodeFile, NodeUser};
use serde_json::{Map, Value, json};

use super::args::Args;
use super::bottlerocket;
use super::context::{Context, put};
use super::features::CIPHERS;
use super::mirror::Mirrored;
use crate::error::Error;

/// How machines of an operating system family are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Debian's tools: cloud-init, systemd.
    Ubuntu,
    /// Red Hat's tools: cloud-init, systemd.
    RedHat,
    /// Settings instead of commands.
    Bottlerocket,
    /// A container that plays a machine.
    Container,
}

impl Family {
    pub(super) fn of(node: &NodeContribution) -> Result<Self, Error> {
        match node.os_family.as_str() {
            "ubuntu" => Ok(Self::Ubuntu),
            "redhat" => Ok(Self::RedHat),
            "bottlerocket" => Ok(Self::Bottlerocket),
            "container" => Ok(Self::Container),
            other => Err(Error::render(
                format!("the provider gave `{other}` as operating system family, which is not known here"),
                "use a family of `ubuntu`, `redhat`, `bottlerocket`, `container`, or a newer kedge",
            )),
        }
    }
}

/// Files for the bootstrap data, the host's before the provider's.
pub(super) fn files(context: &Context<'_>, node: &NodeContribution, family: Family) -> Vec<NodeFile> {
    let mut files = Vec::new();
    if matches!(family, Family::Ubuntu | Family::RedHat) {
        files.extend(context.proxy.as_ref().map(super::proxy::Proxy::file));
        files.extend(context.mirror.iter().flat_map(Mirrored::files));
        let folder = trust_store(family).0;
        files.extend(node.certificates.iter().enumerate().map(|(index, certificate)| NodeFile {
            path: format!("{folder}/kedge-{}.crt", index + 1),
            owner: "root:root".to_owned(),
            permissions: "0644".to_owned(),
            content: certificate.clone(),
        }));
    }
    files.extend(node.files.iter().cloned());
    files
}

/// Commands before kubeadm, the host's before the provider's.
pub(super) fn pre_commands(context: &Context<'_>, node: &NodeContribution, family: Family) -> Vec<String> {
    let mut commands = Vec::new();
    if matches!(family, Family::Ubuntu | Family::RedHat) {
        if !node.certificates.is_empty() {
            commands.push(trust_store(family).1.to_owned());
        }
        if context.mirror.is_some() {
            commands.push(Mirrored::command());
        }
        if context.mirror.is_some() || context.proxy.is_some() {
            commands.push("sudo systemctl daemon-reload".to_owned());
            commands.push("sudo systemctl restart containerd".to_owned());
        }
    }
    commands.extend(node.pre_commands.iter().cloned());
    commands
}

/// Where certificates are put that the node shall trust, and what makes it do so.
fn trust_store(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::RedHat => ("/etc/pki/ca-trust/source/anchors", "update-ca-trust extract"),
        _ => ("/usr/local/share/ca-certificates", "update-ca-certificates"),
    }
}

/// Everything of a kubeadm config but its `…Configuration` parts.
pub(super) fn common(
    context: &Context<'_>,
    node: &NodeContribution,
    family: Family,
    more_files: Vec<NodeFile>,
    config: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut all = more_files;
    all.extend(files(context, node, family));
    if let Some(path) = twice(&all) {
        return Err(Error::render(
            format!("two files of a node are both written to `{path}`"),
            "this is a fault of the provider, or of a setting that writes the same file",
        ));
    }
    put(config, "files", all.iter().map(file).collect::<Vec<_>>());
    if family == Family::Bottlerocket {
        put(config, "format", "bottlerocket");
    }
    put(config, "preKubeadmCommands", pre_commands(context, node, family));
    put(config, "postKubeadmCommands", node.post_commands.clone());
    put(config, "users", node.users.iter().map(user).collect::<Vec<_>>());
    put(config, "ntp", ntp(node));
    Ok(())
}

fn twice(files: &[NodeFile]) -> Option<&str> {
    let mut seen = std::collections::BTreeSet::new();
    files.iter().map(|f| f.path.as_str()).find(|path| !seen.insert(*path))
}

pub(super) fn file(file: &NodeFile) -> Value {
    let mut object = Map::new();
    put(&mut object, "path", file.path.clone());
    put(&mut object, "owner", file.owner.clone());
    put(&mut object, "permissions", file.permissions.clone());
    put(&mut object, "content", file.content.clone());
    Value::Object(object)
}

pub(super) fn user(user: &NodeUser) -> Value {
    let mut object = Map::new();
    put(&mut object, "name", user.name.clone());
    put(&mut object, "sshAuthorizedKeys", user.ssh_authorized_keys.clone());
    put(&mut object, "sudo", user.sudo.clone().unwrap_or_default());
    Value::Object(object)
}

pub(super) fn ntp(node: &NodeContribution) -> Value {
    if node.ntp_servers.is_empty() { Value::Null } else { json!({"enabled": true, "servers": node.ntp_servers}) }
}

/// `nodeRegistration` of a role. No taints mean kubeadm's own choice; an empty list means none.
pub(super) fn registration<'a>(
    context: &Context<'_>,
    node: &NodeContribution,
    family: Family,
    labels: impl IntoIterator<Item = (&'a String, &'a String)>,
    taints: Option<&[Taint]>,
) -> Value {
    let mut kubelet = Args::default();
    kubelet.set("anonymous-auth", "false");
    kubelet.set("read-only-port", "0");
    kubelet.set("tls-cipher-suites", CIPHERS);
    if let Some(resolv) = context.cluster.spec.cluster_network.dns.as_ref().and_then(|d| d.resolv_conf.as_ref())
        && !resolv.path.is_empty()
        && family != Family::Bottlerocket
    {
        kubelet.set("resolv-conf", resolv.path.clone());
    }
    let labels: Vec<String> = labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    if !labels.is_empty() {
        kubelet.set("node-labels", labels.join(","));
    }
    kubelet.take("kubelet", &node.arguments);

    let mut registration = Map::new();
    put(&mut registration, "name", node.node_name.clone().unwrap_or_default());
    if family == Family::Container {
        put(&mut registration, "criSocket", "unix:///var/run/containerd/containerd.sock");
    }
    put(&mut registration, "kubeletExtraArgs", kubelet.list());
    if let Some(taints) = taints {
        registration.insert("taints".to_owned(), taints.iter().map(taint).collect());
    }
    Value::Object(registration)
}

fn taint(taint: &Taint) -> Value {
    let mut object = Map::new();
    put(&mut object, "key", taint.key.clone());
    put(&mut object, "value", taint.value.clone());
    put(&mut object, "effect", taint.effect.clone());
    put(&mut object, "timeAdded", taint.time_added.clone().unwrap_or_default());
    Value::Object(object)
}

/// `joinConfiguration` of a role.
pub(super) fn join(
    context: &Context<'_>,
    node: &NodeContribution,
    family: Family,
    registration: Value,
    group: Option<&str>,
) -> Result<Value, Error> {
    let mut join = Map::new();
    if family == Family::Bottlerocket {
        bottlerocket::settings(context, node, group, &mut join)?;
    }
    join.insert("nodeRegistration".to_owned(), registration);
    Ok(Value::Object(join))
}
