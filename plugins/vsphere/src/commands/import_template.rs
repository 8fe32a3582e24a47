//! `import-template`: an appliance becomes a template that machines can be cloned from.

use kedge_sdk::prelude::*;

use super::session::{Visit, failed, visit};
use super::{Refusal, vcenter, wrong};
use crate::appliance;
use crate::paths::{self, Branch};
use crate::preflight::inventory::{DATACENTERS, DATASTORES, FOLDERS, Kinds, NETWORKS, POOLS, suggest};
use crate::rest::{Place, Rest, RestError, Transfer};
use crate::soap::client::Client;
use crate::soap::{Call, Reference};

pub(super) const NAME: &str = "import-template";
/// The library that EKS Anywhere keeps templates in.
const LIBRARY: &str = "eks-a-templates";
const KIB_IN_GIB: i64 = 1 << 20;
/// How often, and for how long, is looked at what the vCenter does by itself.
const PAUSE_MS: u32 = 2_000;
const PATIENCE_MS: u64 = 14 * 60 * 1_000;

pub(super) fn describe() -> Command {
    let text = Argument::text;
    let systems = ["bottlerocket", "ubuntu", "redhat"].map(str::to_owned).to_vec();
    Command::new(NAME, "Make a template of an operating system's appliance (OVA)")
        .details(
            "The vCenter fetches the appliance itself, into the content library eks-a-templates; of it a virtual machine is made, \
             with a snapshot for linked clones, and marked as a template with the tags that a create looks for. What is there \
             already is not made again.",
        )
        .changes()
        .argument(vcenter("vcenter").required())
        .argument(text("url", "Where the vCenter fetches the appliance from").required())
        .argument(text("name", "The template's name").required())
        .argument(text("eksd-release", "The release it is made for, such as kubernetes-1-34-eks-19").required())
        .argument(Argument::new("os-family", ArgumentKind::Choice(systems), "Its operating system").default("bottlerocket"))
        .argument(text("datacenter", "The datacenter").required())
        .argument(text("datastore", "The datastore of library and template").required())
        .argument(text("resource-pool", "The resource pool it is made in").required())
        .argument(text("network", "A network of the machines").required())
        .argument(text("folder", "The template's folder; it is made if it is missing").default("Templates"))
}

/// What was found of the places that the arguments name.
struct Found {
    pool: Reference,
    datastore: Reference,
    network: Reference,
    /// None if it has to be made, in the other.
    folder: Option<Reference>,
    root: Reference,
    folder_path: String,
}

pub(super) fn run(arguments: &Arguments, host: &mut dyn Host) -> Result<Answer, Refusal> {
    let dry = arguments.is_set("dry-run");
    visit(host, |visit, host| {
        let found = find(arguments, visit)?;
        let path = format!("{}/{}", found.folder_path, arguments.text("name"));
        match there(visit, &path)? {
            Some((_, true)) => {
                let text = format!("The template {path} is there\n");
                return Ok(Answer::new(text, json!({"template": path, "made": false})));
            }
            // Somebody's machine must not become a template because of its name.
            Some((_, false)) => {
                let message = format!("`{path}` is there, and it is no template");
                return Err(wrong("not-a-template", message, "Remove it, or give the template another name"));
            }
            None => {}
        }
        if dry {
            let tags = tags(arguments).map(|(_, tag)| tag).join(" and ");
            let text = format!(
                "Would do:\n- have the vCenter fetch {} into the library {LIBRARY}\n- make {path} of it, with a snapshot\n\
                 - mark it as a template, with the tags {tags}\n",
                arguments.text("url")
            );
            return Ok(Answer::new(text, json!({"template": path, "made": false, "dryRun": true})));
        }
        import(arguments, visit, host)?;
        Ok(Answer::new(format!("Made the template {path}\n"), json!({"template": path, "made": true})))
    })
}

/// Makes the template that the arguments describe, if it is not there, or goes on where an earlier try ended: only what is
/// whole is a template. Whether there was anything to do.
pub(crate) fn import(arguments: &Arguments, visit: &Visit<'_>, host: &mut dyn Host) -> Result<bool, Refusal> {
    let found = find(arguments, visit)?;
    let path = format!("{}/{}", found.folder_path, arguments.text("name"));
    let there = there(visit, &path)?;
    if matches!(there, Some((_, true))) {
        return Ok(false);
    }
    let rest = visit.rest.as_ref().map_err(|error| refused("The REST API", error))?;
    let machine = match there {
        Some((machine, _)) => machine,
        None => deploy(arguments, visit, rest, &found, host)?,
    };
    finish(arguments, visit, rest, &machine, host)?;
    Ok(true)
}

/// What is at a path, and whether it is a template.
fn there(visit: &Visit<'_>, path: &str) -> Result<Option<(Reference, bool)>, Refusal> {
    let looking = |error| failed("Looking for the template", &error);
    let Some(found) = visit.client.find(&[path]).pop() else { return Ok(None) };
    let Some(machine) = found.map_err(looking)? else { return Ok(None) };
    let wanted = &[("VirtualMachine", &["config.template"][..])];
    let answer = visit.client.ask(&visit.client.properties(std::slice::from_ref(&machine), wanted)).map_err(looking)?;
    let (objects, _) = Client::page(&answer);
    let template = objects.iter().any(|object| object.text("config.template") == "true");
    Ok(Some((machine, template)))
}

fn refused(doing: &str, error: &RestError) -> Refusal {
    wrong("vcenter-rest", format!("{doing} failed: {error}"), "Look at the vCenter's tasks, then run the command again")
}

/// The tags that a create looks for, each with its category.
fn tags(arguments: &Arguments) -> [(&'static str, String); 2] {
    [
        ("os", format!("os:{}", arguments.text("os-family"))),
        ("eksdRelease", format!("eksdRelease:{}", arguments.text("eksd-release"))),
    ]
}

fn find(arguments: &Arguments, visit: &Visit<'_>) -> Result<Found, Refusal> {
    let home = arguments.text("datacenter");
    let inventory = &visit.inventory;
    if inventory.at(DATACENTERS, &format!("/{}", home.trim_matches('/'))).is_none() {
        let known = inventory.all(DATACENTERS);
        return Err(wrong("datacenter-missing", format!("There is no datacenter `{home}`"), suggest(home, &known)));
    }
    let missing = |what: &str, given: &str, kinds: Kinds| {
        let message = format!("There is no {what} `{given}`, or more than one");
        wrong(&format!("{}-missing", what.replace(' ', "-")), message, suggest(given, &inventory.all(kinds)))
    };
    let named = |what: &str, argument: &str, branch: Branch, kinds: Kinds| {
        let given = arguments.text(argument);
        inventory.at(kinds, &paths::full(home, branch, given)).ok_or_else(|| missing(what, given, kinds))
    };
    let given = arguments.text("resource-pool");
    let mut pools = inventory.meant(POOLS, given);
    let (Some((pool, _)), true) = (pools.pop(), pools.is_empty()) else {
        return Err(missing("resource pool", given, POOLS));
    };
    let root_path = paths::root(home, Branch::Folder);
    let folder_path = paths::full(home, Branch::Folder, arguments.text("folder"));
    let root = inventory.at(FOLDERS, &root_path).ok_or_else(|| missing("folder", &root_path, FOLDERS))?;
    let folder = inventory.at(FOLDERS, &folder_path);
    if folder.is_none() && folder_path.rsplit_once('/').map(|(above, _)| above) != Some(root_path.as_str()) {
        return Err(missing("folder", &folder_path, FOLDERS));
    }
    Ok(Found {
        pool,
        datastore: named("datastore", "datastore", Branch::Datastore, DATASTORES)?,
        network: named("network", "network", Branch::Network, NETWORKS)?,
        folder,
        root,
        folder_path,
    })
}

/// Makes a virtual machine of the appliance, which the library keeps.
fn deploy(
    arguments: &Arguments,
    visit: &Visit<'_>,
    rest: &Rest<'_>,
    found: &Found,
    host: &mut dyn Host,
) -> Result<Reference, Refusal> {
    let client = visit.client;
    let (name, url) = (arguments.text("name"), arguments.text("url"));
    let said = |doing: &'static str| move |error: RestError| refused(doing, &error);
    let library = rest.library(LIBRARY, &found.datastore).map_err(said("The library"))?;
    let item = if let Some(item) = rest.item(&library, name).map_err(said("The library"))? {
        item
    } else {
        let (item, session) = rest.fetch(&library, name, url).map_err(said("The library's item"))?;
        wait(host, "fetching the appliance", || match rest.transfer(&session).map_err(said("The transfer"))? {
            Transfer::Running => Ok(false),
            Transfer::Done => Ok(true),
            Transfer::Failed(why) => {
                // Without its file it would pass for one that is there. That it can't be removed changes nothing here.
                let _ = rest.remove_item(&item);
                let message = format!("The vCenter can't fetch {url}: {why}");
                Err(wrong("transfer", message, "Check that the vCenter reaches that address"))
            }
        })?;
        item
    };
    let folder = if let Some(folder) = &found.folder {
        folder.clone()
    } else {
        let folder = paths::base(&found.folder_path);
        let answer = client
            .change(&Client::create_folder(&found.root, folder))
            .map_err(|error| failed("Making the folder", &error))?;
        answer.child("returnval").and_then(Reference::read).unwrap_or_default()
    };
    let place = Place { pool: &found.pool, folder: &folder, datastore: &found.datastore, network: &found.network };
    rest.deploy(&item, name, &place).map_err(said("The deployment"))?.map_err(|why| {
        wrong("deployment", format!("The vCenter can't make a machine of it: {why}"), "Look at its tasks")
    })
}

/// Makes a template of the virtual machine: with a disk that is large enough, a snapshot, and the tags that a create looks
/// for.
fn finish(
    arguments: &Arguments,
    visit: &Visit<'_>,
    rest: &Rest<'_>,
    machine: &Reference,
    host: &mut dyn Host,
) -> Result<(), Refusal> {
    let client = visit.client;
    if arguments.text("os-family") == "bottlerocket" {
        disk(client, machine, host)?;
    }
    let call = client.properties(std::slice::from_ref(machine), &[("VirtualMachine", &["snapshot"])]);
    let answer = client.ask(&call).map_err(|error| failed("Looking for the snapshot", &error))?;
    let (objects, _) = Client::page(&answer);
    if !objects.iter().any(|object| object.property("snapshot").is_some_and(|snapshot| !snapshot.children.is_empty())) {
        task(client, &Client::create_snapshot(machine, "root"), "making the snapshot", host)?;
    }
    for (category, tag) in tags(arguments) {
        rest.attach(category, &tag, machine).map_err(|error| refused("The tag", &error))?;
    }
    client
        .change(&Client::mark_as_template(machine))
        .map(|_| ())
        .map_err(|error| failed("Marking it as a template", &error))
}

/// Bottlerocket comes with a disk that is smaller than what it wants.
fn disk(client: &Client<'_>, machine: &Reference, host: &mut dyn Host) -> Result<(), Refusal> {
    let call = client.properties(std::slice::from_ref(machine), &[("VirtualMachine", &["config.hardware.device"])]);
    let answer = client.ask(&call).map_err(|error| failed("Reading the machine's disks", &error))?;
    let (found, _) = Client::page(&answer);
    let devices = found.iter().find_map(|machine| machine.property("config.hardware.device"));
    let disks: Vec<_> =
        devices.into_iter().flat_map(|list| &list.children).filter(|device| device.kind == "VirtualDisk").collect();
    let [disk] = disks.as_slice() else { return Ok(()) };
    let kib = appliance::DISK_GIB * KIB_IN_GIB;
    if disk.text_of("capacityInKB").parse::<i64>().is_ok_and(|there| there >= kib) {
        return Ok(());
    }
    task(client, &Client::resize_disk(machine, disk, kib), "making the disk larger", host)
}

/// Starts something and waits until it is done.
fn task(client: &Client<'_>, call: &Call, doing: &str, host: &mut dyn Host) -> Result<(), Refusal> {
    let answer = client.change(call).map_err(|error| failed(&capital(doing), &error))?;
    let task = answer.child("returnval").and_then(Reference::read).unwrap_or_default();
    let question = client.properties(std::slice::from_ref(&task), &[("Task", &["info.state", "info.error"])]);
    wait(host, doing, || {
        let answer = client.ask(&question).map_err(|error| failed(&capital(doing), &error))?;
        let (found, _) = Client::page(&answer);
        match found.first().map(|task| task.text("info.state")) {
            Some("success") => Ok(true),
            Some("error") => {
                let why = found.first().and_then(|task| task.property("info.error"));
                let why = why.map_or("", |error| error.text_of("localizedMessage"));
                Err(wrong("task", format!("{} failed: {why}", capital(doing)), "Look at the vCenter's tasks"))
            }
            _ => Ok(false),
        }
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Looks again and again until it is done.
fn wait(host: &mut dyn Host, doing: &str, mut done: impl FnMut() -> Result<bool, Refusal>) -> Result<(), Refusal> {
    let end = host.now() + PATIENCE_MS;
    let mut told = false;
    loop {
        if done()? {
            return Ok(());
        }
        if host.now() >= end {
            let message = format!("The vCenter is still {doing} after {} min", PATIENCE_MS / 60_000);
            return Err(wrong("patience", message, "Look at its tasks; run the command again when it is done"));
        }
        if !told {
            host.log(Level::Info, &format!("waiting: {doing}"));
            told = true;
        }
        host.pause(PAUSE_MS);
    }
}
