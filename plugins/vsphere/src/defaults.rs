//! What the user may leave out. What only the vCenter knows (whole paths, clone mode, the template's disk) is found out
//! by preflight.

use kedge_sdk::prelude::*;

use crate::{DATACENTER, MACHINE};

const MEMORY_DEFAULT: i64 = 8192;
const MEMORY_MINIMUM: i64 = 2048;
const ETCD_MEMORY_MINIMUM: i64 = 8192;
const CPUS_DEFAULT: i64 = 2;
const DISK_MINIMUM: i64 = 20;

pub(crate) fn defaults(documents: &mut Defaulting) -> Result<(), Failure> {
    for name in documents.names(DATACENTER) {
        datacenter(documents, &name);
    }
    let etcd: Vec<String> = documents
        .documents()
        .groups()?
        .into_iter()
        .filter(|group| group.role == Role::Etcd)
        .filter_map(|group| group.machine.map(|machine| machine.name))
        .collect();
    for name in documents.names(MACHINE) {
        machine(documents, &name, etcd.contains(&name));
    }
    Ok(())
}

fn datacenter(documents: &mut Defaulting, name: &str) {
    let Some(document) = documents.find(DATACENTER, name) else { return };
    let insecure = document.at("spec.insecure") == Some(&json!(true));
    if insecure && !document.text("spec.thumbprint").is_empty() {
        let reason = "insecure is true: any certificate is accepted, so the thumbprint is not used";
        documents.set(DATACENTER, name, "spec.thumbprint", json!(""), reason);
    }
}

fn machine(documents: &mut Defaulting, name: &str, etcd: bool) {
    let Some(document) = documents.find(MACHINE, name) else { return };
    let number = |path: &str| match document.at(path) {
        None => Some(0),
        Some(value) => value.as_i64(),
    };
    let text = |path: &str| document.text(path).to_owned();
    let (memory, cpus, disk) = (number("spec.memoryMiB"), number("spec.numCPUs"), number("spec.diskGiB"));
    let os_family = text("spec.osFamily");
    let users = document.list("spec.users").map_or(usize::MAX, <[Value]>::len);
    let (user, has_keys) = (text("spec.users[0].name"), document.at("spec.users[0].sshAuthorizedKeys[0]").is_some());
    let mut set = |path: &str, value: Value, reason: String| documents.set(MACHINE, name, path, value, reason);

    match memory {
        Some(0) => set("spec.memoryMiB", json!(MEMORY_DEFAULT), format!("memoryMiB was not set: {MEMORY_DEFAULT}")),
        Some(given) if etcd && given < ETCD_MEMORY_MINIMUM => set(
            "spec.memoryMiB",
            json!(ETCD_MEMORY_MINIMUM),
            format!("memoryMiB was {given}; etcd machines need at least {ETCD_MEMORY_MINIMUM}"),
        ),
        Some(given) if given < MEMORY_MINIMUM => set(
            "spec.memoryMiB",
            json!(MEMORY_MINIMUM),
            format!("memoryMiB was {given}; at least {MEMORY_MINIMUM} is needed"),
        ),
        _ => {}
    }
    if let Some(given) = cpus.filter(|given| *given <= 0) {
        set("spec.numCPUs", json!(CPUS_DEFAULT), format!("numCPUs was {given}: {CPUS_DEFAULT}"));
    }
    if let Some(given) = disk.filter(|given| *given < DISK_MINIMUM) {
        set("spec.diskGiB", json!(DISK_MINIMUM), format!("diskGiB was {given}; at least {DISK_MINIMUM} is needed"));
    }
    if os_family.is_empty() {
        set("spec.osFamily", json!("bottlerocket"), "osFamily was not set".into());
    }
    let login = if matches!(os_family.as_str(), "" | "bottlerocket") { "ec2-user" } else { "capv" };
    let reason = || format!("the user of this operating system is {login}");
    if users == 0 {
        set("spec.users", json!([{"name": login, "sshAuthorizedKeys": [""]}]), reason());
    } else if users != usize::MAX {
        if user.is_empty() {
            set("spec.users[0].name", json!(login), reason());
        }
        if !has_keys {
            set("spec.users[0].sshAuthorizedKeys", json!([""]), "no key was set".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::documents;

    use super::*;
    use crate::testing::{edit, spec};

    fn defaulted(text: &str) -> (Documents, Vec<String>) {
        let mut defaulting = Defaulting::new(documents(text));
        defaults(&mut defaulting).unwrap();
        let (documents, changes) = defaulting.finish();
        let changes =
            changes.iter().map(|change| format!("{} {}: {}", change.document.name, change.path, change.reason));
        (documents, changes.collect())
    }

    #[test]
    fn a_complete_spec_stays_as_it_is() {
        let (documents_after, changes) = defaulted(spec());
        assert_eq!(documents_after, documents(spec()));
        assert_eq!(changes, Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_filled_in_and_said() {
        let bare =
            edit(spec(), &[("  memoryMiB: 8192\n", ""), ("  numCPUs: 2\n", ""), ("  diskGiB: 25\n", "  diskGiB: 5\n")]);
        let (documents, changes) = defaulted(&bare);
        let machine = documents.find(MACHINE, "prod-cp").unwrap();
        assert_eq!(machine.int("spec.memoryMiB"), Ok(Some(8192)));
        assert_eq!(machine.int("spec.numCPUs"), Ok(Some(2)));
        assert_eq!(machine.int("spec.diskGiB"), Ok(Some(20)));
        assert!(
            changes.contains(&"prod-cp spec.diskGiB: diskGiB was 5; at least 20 is needed".to_owned()),
            "{changes:?}"
        );
    }

    #[test]
    fn etcd_gets_more_memory_than_others() {
        let (documents, _) = defaulted(&edit(spec(), &[("memoryMiB: 8192", "memoryMiB: 1024")]));
        assert_eq!(documents.find(MACHINE, "prod-etcd").unwrap().int("spec.memoryMiB"), Ok(Some(8192)));
        assert_eq!(documents.find(MACHINE, "prod-cp").unwrap().int("spec.memoryMiB"), Ok(Some(2048)));
    }

    #[test]
    fn the_user_follows_the_operating_system() {
        let (documents, _) =
            defaulted(&edit(spec(), &[("  - name: capv\n    sshAuthorizedKeys:", "  - sshAuthorizedKeys:")]));
        assert_eq!(documents.find(MACHINE, "prod-cp").unwrap().text("spec.users[0].name"), "capv");
        let bottlerocket = edit(
            spec(),
            &[("  - name: capv\n    sshAuthorizedKeys:", "  - sshAuthorizedKeys:"), ("  osFamily: ubuntu\n", "")],
        );
        let (documents, _) = defaulted(&bottlerocket);
        assert_eq!(documents.find(MACHINE, "prod-cp").unwrap().text("spec.users[0].name"), "ec2-user");
    }

    #[test]
    fn an_insecure_connection_uses_no_thumbprint() {
        let text = edit(spec(), &[("  insecure: false\n", "  insecure: true\n")]);
        let (documents, changes) = defaulted(&text);
        assert_eq!(documents.datacenter().unwrap().text("spec.thumbprint"), "");
        assert_eq!(changes.len(), 1, "{changes:?}");
    }
}
