//! What a change of the spec means for a running cluster.

use std::collections::BTreeSet;

use kedge_sdk::prelude::*;

use crate::paths::{self, Branch};
use crate::spec::Spec;
use crate::{DATACENTER, MACHINE};

pub(crate) fn compare(old: &Documents, new: &Documents) -> Result<Vec<Compared>, Failure> {
    let groups = Spec::read(new)?.groups;
    let mut compared = vec![];
    for kind in [DATACENTER, MACHINE] {
        for after in new.of_kind(kind) {
            // A document under a new name is a new place or a new machine; the Cluster's reference to it says so.
            let Some(before) = old.find(kind, &after.name) else { continue };
            for path in changed(before, after) {
                let verdict = if kind == DATACENTER {
                    datacenter(&path, before, after, &groups)
                } else {
                    Some(machine(&path, after, &groups))
                };
                compared.extend(verdict.map(|verdict| Compared { document: after.reference(), path, verdict }));
            }
        }
    }
    Ok(compared)
}

/// Fields below `spec` that differ, in the order of their names.
fn changed(before: &Document, after: &Document) -> BTreeSet<String> {
    let fields = |document: &Document| -> Vec<String> {
        document.at("spec").and_then(Value::as_object).map(|spec| spec.keys().cloned().collect()).unwrap_or_default()
    };
    let all = fields(before).into_iter().chain(fields(after)).map(|field| format!("spec.{field}"));
    all.filter(|path| !same(before.at(path), after.at(path))).collect()
}

/// A field that is empty means as much as one that is not there.
fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let given = |value: Option<&Value>| {
        value
            .filter(|value| match value {
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                Value::Object(map) => !map.is_empty(),
                Value::Bool(set) => *set,
                _ => true,
            })
            .cloned()
    };
    given(a) == given(b)
}

fn refused(path: &str, before: &Document, after: &Document) -> Verdict {
    let field = path.trim_start_matches("spec.");
    Verdict::Refused(format!(
        "`{field}` can't be changed; it was `{}` and is `{}`",
        before.text(path),
        after.text(path)
    ))
}

fn datacenter(path: &str, before: &Document, after: &Document, groups: &[Group]) -> Option<Verdict> {
    match path {
        "spec.network" => {
            let full = |document: &Document| {
                paths::full(document.text("spec.datacenter"), Branch::Network, document.text("spec.network"))
            };
            (full(before) != full(after)).then(|| refused(path, before, after))
        }
        "spec.server" | "spec.datacenter" => Some(refused(path, before, after)),
        "spec.failureDomains" => {
            let workers = groups.iter().filter(|group| matches!(group.role, Role::Worker(_)));
            Some(Verdict::Rolls(workers.map(|group| group.role.clone()).collect()))
        }
        _ => Some(Verdict::Allowed),
    }
}

fn machine(path: &str, after: &Document, groups: &[Group]) -> Verdict {
    match path {
        "spec.osFamily" | "spec.storagePolicyName" => {
            let field = path.trim_start_matches("spec.");
            Verdict::Refused(format!("`{field}` of a machine config can't be changed; use a new machine config"))
        }
        _ => {
            let users =
                groups.iter().filter(|group| group.machine.as_ref().is_some_and(|named| named.name == after.name));
            let roles: Vec<Role> = users.map(|group| group.role.clone()).collect();
            if roles.is_empty() { Verdict::Allowed } else { Verdict::Rolls(roles) }
        }
    }
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::documents;

    use super::*;
    use crate::testing::{edit, spec};

    fn verdicts(edits: &[(&str, &str)]) -> Vec<(String, Verdict)> {
        let compared = compare(&documents(spec()), &documents(&edit(spec(), edits))).unwrap();
        compared.into_iter().map(|c| (format!("{} {}", c.document.name, c.path), c.verdict)).collect()
    }

    #[test]
    fn nothing_changed_says_nothing() {
        assert_eq!(verdicts(&[]), []);
        // The same network, said with its whole path.
        assert_eq!(
            verdicts(&[("network: sddc-cgw-network-1", "network: /SDDC-Datacenter/network/sddc-cgw-network-1")]),
            []
        );
    }

    #[test]
    fn a_machine_config_rolls_those_who_use_it() {
        assert_eq!(
            verdicts(&[("template: ubuntu-2204-kube-v1-34", "template: ubuntu-2204-kube-v1-35")]),
            [("prod-etcd spec.template".to_owned(), Verdict::Rolls(vec![Role::Etcd]))]
        );
    }

    #[test]
    fn the_place_can_not_be_changed() {
        let verdicts = verdicts(&[
            ("server: vcenter.example.com", "server: other.example.com"),
            ("thumbprint: AA:BB:CC", "thumbprint: DD"),
        ]);
        assert!(
            matches!(&verdicts[0], (path, Verdict::Refused(why)) if path == "prod spec.server" && why.contains("other.example.com"))
        );
        assert_eq!(verdicts[1], ("prod spec.thumbprint".to_owned(), Verdict::Allowed));
    }

    #[test]
    fn the_operating_system_needs_a_new_machine_config() {
        let verdicts = verdicts(&[("osFamily: ubuntu", "osFamily: redhat")]);
        assert_eq!(verdicts.len(), 3);
        assert!(verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Refused(_))));
    }
}
