//! `generate`: a spec that is filled in with what is really there.

use kedge_sdk::prelude::*;

use super::inventory::{self, Datacenter};
use super::session::visit;
use super::{Refusal, wrong};
use crate::describe::VCENTER;
use crate::generate::{Choices, with};

pub(super) const NAME: &str = "generate";

pub(super) fn describe() -> Command {
    let text = Argument::text;
    let systems = ["bottlerocket", "ubuntu", "redhat"].map(str::to_owned).to_vec();
    Command::new(NAME, "Write a spec that is filled in with what a vCenter has")
        .details(
            "What there is one of is filled in. Where there are several, the field stays blank and its comment lists them; \
             an argument chooses.",
        )
        .argument(
            Argument::new("from-vcenter", ArgumentKind::Server(VCENTER.into()), "The vCenter to look into").required(),
        )
        .argument(text("name", "The cluster's name").default("my-cluster"))
        .argument(text("kubernetes-version", "Such as 1.34 [default: that of the newest template]"))
        .argument(text("datacenter", "The datacenter"))
        .argument(text("network", "The machines' network"))
        .argument(text("datastore", "The machines' datastore [default: the one with the most free space]"))
        .argument(text("resource-pool", "The machines' resource pool"))
        .argument(text("folder", "The machines' folder; it is made if it is missing"))
        .argument(text("template", "The template"))
        .argument(
            Argument::new("os-family", ArgumentKind::Choice(systems), "The machines' operating system").default("ubuntu"),
        )
        .argument(text("endpoint-host", "The control plane's address"))
        .argument(Argument::new("ssh-key", ArgumentKind::File, "The public key that may log in"))
}

pub(super) fn run(arguments: &Arguments, host: &mut dyn Host) -> Result<Answer, Refusal> {
    visit(host, |visit, _| {
        let datacenters = inventory::read(visit)?;
        let datacenter = choose_datacenter(arguments, &datacenters)?;
        let mut choices = Choices {
            server: quoted(&visit.endpoint.server()),
            datacenter: quoted(&datacenter.name),
            ..Choices::default()
        };
        security(arguments, visit.endpoint, &mut choices);
        places(arguments, datacenter, &mut choices);
        let version = template(arguments, datacenter, &mut choices);
        if let Some(host) = arguments.get("endpoint-host") {
            choices.endpoint = quoted(host);
        }
        if let Some(key) = arguments.get("ssh-key") {
            key.trim().clone_into(&mut choices.key);
        }
        let spec = with(arguments.text("name"), &version, &choices);
        Ok(Answer::new(spec.clone(), json!({ "spec": spec })))
    })
}

fn choose_datacenter<'d>(arguments: &Arguments, all: &'d [Datacenter]) -> Result<&'d Datacenter, Refusal> {
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    let list = names.join(", ");
    match (arguments.get("datacenter").map(|name| name.trim_matches('/')), all) {
        (Some(name), _) => all.iter().find(|one| one.name == name).ok_or_else(|| {
            let message = format!("There is no datacenter `{name}`");
            wrong("datacenter-missing", message, crate::preflight::inventory::suggest(name, &names))
        }),
        (None, [one]) => Ok(one),
        (None, []) => Err(wrong(
            "datacenter-missing",
            "The vCenter shows this user no datacenter",
            "Give the user of EKSA_VSPHERE_USERNAME read permission",
        )),
        (None, _) => Err(wrong(
            "datacenter-ambiguous",
            format!("The vCenter has several datacenters: {list}"),
            "Choose one with `--datacenter`",
        )),
    }
}

/// A certificate that this machine does not know is pinned.
fn security(arguments: &Arguments, endpoint: &Endpoint, choices: &mut Choices) {
    let shown = endpoint.certificate().map(|shown| shown.sha1_thumbprint).unwrap_or_default();
    if arguments.is_set("insecure") {
        choices.insecure = "true # Any certificate is accepted: better set it to false, with the thumbprint".into();
        choices.thumbprint = format!("\"\" # {shown}, if that is the one that the vCenter shows");
    } else if let Some(thumbprint) = arguments.get("thumbprint") {
        choices.thumbprint = quoted(thumbprint);
    }
}

fn places(arguments: &Arguments, datacenter: &Datacenter, choices: &mut Choices) {
    let networks: Vec<&str> = datacenter.networks.iter().map(|(path, _)| path.as_str()).collect();
    choices.network = pick(arguments.get("network"), &networks, "the machines' network, with DHCP");
    let roomiest = datacenter.datastores.iter().max_by_key(|store| store.free).map(|store| store.path.as_str());
    choices.datastore = arguments.get("datastore").or(roomiest).map_or_else(|| choices.datastore.clone(), quoted);
    let pools: Vec<&str> = datacenter.pools.iter().map(String::as_str).collect();
    choices.resource_pool = pick(arguments.get("resource-pool"), &pools, "the machines' resource pool");
    let folders: Vec<&str> = datacenter.folders.iter().map(String::as_str).collect();
    if let Some(folder) = arguments.get("folder") {
        choices.folder = quoted(folder);
    } else if !folders.is_empty() {
        choices.folder = format!("\"\" # The machines' folder, such as {}", some(&folders));
    }
}

/// The template, and the Kubernetes version that goes with it.
fn template(arguments: &Arguments, datacenter: &Datacenter, choices: &mut Choices) -> String {
    let os = arguments.get("os-family").unwrap_or("ubuntu");
    os.clone_into(&mut choices.os_family);
    let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let wanted = arguments.get("kubernetes-version");
    let named = |path: &str, given: &str| crate::paths::meant(given, path);
    let fitting = |version: Option<&str>| {
        let all = datacenter.templates.iter().filter(|one| match arguments.get("template") {
            Some(given) => named(&one.path, given),
            None => one.os == os && !one.kubernetes.is_empty(),
        });
        all.filter(|one| version.is_none_or(|version| one.kubernetes == version)).collect::<Vec<_>>()
    };
    let mut templates = fitting(wanted);
    if templates.is_empty() {
        // The version of the release has no template here: one that has is better than none.
        templates = fitting(None);
        let newest = templates.iter().filter_map(|one| minor(&one.kubernetes)).max();
        templates.retain(|one| minor(&one.kubernetes) == newest);
    }
    let paths: Vec<&str> = templates.iter().map(|one| one.path.as_str()).collect();
    let what = format!("the imported template, tagged os:{os} and eksdRelease:RELEASE");
    choices.template = pick(arguments.get("template").filter(|_| paths.is_empty()), &paths, &what);
    let version = templates.first().map(|one| one.kubernetes.as_str()).filter(|version| !version.is_empty());
    version.or(wanted).unwrap_or("1.34").to_owned()
}

/// What was asked for, or the only one there is, or a blank that says what there is.
fn pick(given: Option<&str>, there: &[&str], what: &str) -> String {
    match (given, there) {
        (Some(given), _) => quoted(given),
        (None, [one]) => quoted(one),
        (None, []) => format!("\"\" # Required: {what}; this user sees none"),
        (None, several) => format!("\"\" # Required: {what}: {}", some(several)),
    }
}

fn some(all: &[&str]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<&str> = all.iter().take(SHOWN).copied().collect();
    let more = if all.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A text as YAML: JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
