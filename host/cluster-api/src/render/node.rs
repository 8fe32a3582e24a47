//! How a node is set up: files, commands, users, time. The same for control plane and workers.

use kedge_spec::cluster::Taint;
use kedge_spec::provider::{NodeContribution, NodeUser};
use serde_json::{Map, Value, json};

use super::bottlerocket::{self, KUBEADM};
use super::context::{Context, put};
use super::file::{self, File};
use super::kubelet::Kubelet;
use super::mirror::Mirrored;
use crate::error::Error;

const SOCKET: &str = "unix:///var/run/containerd/containerd.sock";

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

    /// Where a file that is written to `/etc/kubernetes` stands on the node: Bottlerocket's bootstrap container writes it to
    /// a folder of its own.
    pub(super) fn kubernetes_file(self, name: &str) -> String {
        if self == Self::Bottlerocket { format!("{KUBEADM}/{name}") } else { format!("/etc/kubernetes/{name}") }
    }

    /// The form of the bootstrap data; none where the bootstrap provider's own choice is good.
    pub(super) fn format(self) -> Option<&'static str> {
        match self {
            Self::Ubuntu | Self::RedHat => Some("cloud-config"),
            Self::Bottlerocket => Some("bottlerocket"),
            Self::Container => None,
        }
    }

    /// Whether containerd's files are ours to write.
    fn has_containerd_files(self) -> bool {
        self != Self::Bottlerocket
    }
}

/// Files for the bootstrap data, the host's before the provider's.
fn files(context: &Context<'_>, node: &NodeContribution, family: Family) -> Vec<File> {
    let mut files = Vec::new();
    if family.has_containerd_files() {
        if family != Family::Container {
            files.extend(context.proxy.as_ref().map(super::proxy::Proxy::file));
        }
        files.extend(context.mirror.iter().flat_map(|mirror| mirror.files(context)));
    }
    files.extend(trusted(node, family));
    files.extend(node.files.iter().map(File::from));
    files
}

/// Certificates that the node trusts, as files.
pub(super) fn trusted(node: &NodeContribution, family: Family) -> Vec<File> {
    let Some((folder, _)) = trust_store(family) else { return Vec::new() };
    let file = |(index, certificate): (usize, &String)| {
        File::new(format!("{folder}/kedge-{}.crt", index + 1), certificate.clone()).mode("0644")
    };
    node.certificates.iter().enumerate().map(file).collect()
}

/// Commands before kubeadm, the host's before the provider's.
fn pre_commands(context: &Context<'_>, node: &NodeContribution, family: Family) -> Vec<String> {
    let mut commands = Vec::new();
    if !node.certificates.is_empty()
        && let Some((_, update)) = trust_store(family)
    {
        commands.push(update.to_owned());
    }
    if family.has_containerd_files() {
        if context.mirror.is_some() {
            commands.push(Mirrored::command());
        }
        let proxy = context.proxy.is_some() && family != Family::Container;
        if context.mirror.is_some() || proxy {
            let root = if family == Family::Container { "" } else { "sudo " };
            commands.push(format!("{root}systemctl daemon-reload"));
            commands.push(format!("{root}systemctl restart containerd"));
        }
    }
    commands.extend(node.pre_commands.iter().cloned());
    commands
}

/// Where certificates are put that the node shall trust, and what makes it do so.
pub(super) fn trust_store(family: Family) -> Option<(&'static str, &'static str)> {
    match family {
        Family::RedHat => Some(("/etc/pki/ca-trust/source/anchors", "update-ca-trust extract")),
        Family::Ubuntu | Family::Container => Some(("/usr/local/share/ca-certificates", "update-ca-certificates")),
        Family::Bottlerocket => None,
    }
}

/// Everything of a kubeadm config but its `…Configuration` parts.
pub(super) fn common(
    context: &Context<'_>,
    node: &NodeContribution,
    family: Family,
    more_files: Vec<File>,
    config: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut all = more_files;
    all.extend(files(context, node, family));
    if let Some(path) = file::twice(&all) {
        return Err(Error::render(
            format!("two files of a node are both written to `{path}`"),
            "this is a fault of the provider, or of a setting that writes the same file",
        ));
    }
    put(config, "files", all.iter().map(File::to_value).collect::<Vec<_>>());
    put(config, "format", family.format().unwrap_or_default());
    put(config, "preKubeadmCommands", pre_commands(context, node, family));
    put(config, "postKubeadmCommands", node.post_commands.clone());
    put(config, "users", node.users.iter().map(user).collect::<Vec<_>>());
    put(config, "ntp", ntp(node));
    Ok(())
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
pub(super) fn registration(node: &NodeContribution, kubelet: &Kubelet, taints: Option<&[Taint]>) -> Value {
    let mut registration = Map::new();
    put(&mut registration, "name", node.node_name.clone().unwrap_or_default());
    put(&mut registration, "criSocket", SOCKET);
    put(&mut registration, "kubeletExtraArgs", kubelet.args.list());
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
    kubelet: &Kubelet,
    registration: Value,
    group: Option<&str>,
) -> Result<Value, Error> {
    let mut join = Map::new();
    put(&mut join, "patches", kubelet.patches());
    if family == Family::Bottlerocket {
        bottlerocket::settings(context, node, kubelet, group, &mut join)?;
        put(&mut join, "bottlerocketCustomBootstrapContainers", bottlerocket::bootstrap_containers(node)?);
    }
    join.insert("nodeRegistration".to_owned(), registration);
    Ok(Value::Object(join))
}
