//! The template that a create makes by itself: a machine config of Bottlerocket need not name one.

use kedge_sdk::prelude::*;

use crate::paths::{self, Branch};
use crate::spec::{Machine, Spec};

/// The folder of such templates, below the datacenter's folder of machines.
pub(crate) const FOLDER: &str = "Templates";
/// The disk that Bottlerocket wants: GiB.
pub(crate) const DISK_GIB: i64 = 22;
const BOTTLEROCKET: &str = "bottlerocket";

/// What a template is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appliance {
    /// The template's name: the one that EKS Anywhere gives it, so that either finds what the other has made.
    pub(crate) name: String,
    /// Where the vCenter fetches it from.
    pub(crate) url: String,
    /// The release it is made for: `kubernetes-1-34-eks-19`.
    pub(crate) release: String,
}

/// Whether a machine config leaves its template to the create.
pub(crate) fn is_left_out(machine: &Machine) -> bool {
    machine.template.trim().is_empty() && machine.os_family == BOTTLEROCKET
}

/// Gives each machine config that leaves its template out the one that the release brings.
pub(crate) fn fill(input: &Input, spec: &mut Spec) {
    let root = paths::root(&spec.datacenter.datacenter, Branch::Folder);
    let appliances: Vec<Option<Appliance>> = spec.machines.iter().map(|machine| of(input, spec, machine)).collect();
    for (machine, appliance) in spec.machines.iter_mut().zip(appliances) {
        if let Some(appliance) = appliance {
            machine.template = format!("{root}/{FOLDER}/{}", appliance.name);
            machine.appliance = Some(appliance);
        }
    }
}

fn of(input: &Input, spec: &Spec, machine: &Machine) -> Option<Appliance> {
    if !is_left_out(machine) {
        return None;
    }
    let group = spec.groups_of(&machine.name).next()?;
    let release = input.release_for(&group.role);
    let text = |path: &str| release.bundle(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let url = text("eksD.ova.bottlerocket.uri")?.to_owned();
    let name = text("eksD.name")?.to_owned();
    let version = text("eksD.kubeVersion")?;
    let sum: String = text("eksD.ova.bottlerocket.sha256")?.chars().take(7).collect();
    let arch = release.bundle("eksD.ova.bottlerocket.arch").and_then(Value::as_array);
    let arch: Vec<&str> = arch.into_iter().flatten().filter_map(Value::as_str).collect();
    Some(Appliance { name: format!("{BOTTLEROCKET}-{version}-{name}-{}-{sum}", arch.join("-")), url, release: name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bottlerocket, input_of, spec};

    #[test]
    fn only_what_is_left_out_is_filled_in() {
        let read = Spec::of(&input_of(spec())).unwrap();
        assert!(read.machines.iter().all(|machine| machine.appliance.is_none()));
        let read = Spec::of(&input_of(&bottlerocket())).unwrap();
        let name = "bottlerocket-v1.34.1-kubernetes-1-34-eks-19-amd64-0123456";
        for machine in &read.machines {
            assert_eq!(machine.template, format!("/SDDC-Datacenter/vm/Templates/{name}"));
            assert_eq!(machine.appliance.as_ref().unwrap().url, "https://example.com/bottlerocket.ova");
        }
    }

    #[test]
    fn a_release_without_an_appliance_fills_nothing_in() {
        let mut input = input_of(&bottlerocket());
        input.release = Release::new(json!({"eksdName": "kubernetes-1-34-eks-19"}));
        assert!(Spec::of(&input).unwrap().machines.iter().all(|machine| machine.template.is_empty()));
    }
}
