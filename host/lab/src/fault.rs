//! Faults that a user can ask the lab for, so that a failing preflight and a failing step can be rehearsed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One thing that the lab makes missing, wrong or slow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing answers at the address of the vCenter.
    VcenterUnreachable,
    /// The vCenter refuses the lab's own credentials.
    VcenterWrongPassword,
    /// The certificate of the vCenter is signed by nobody that the client knows.
    VcenterUntrusted,
    /// Every answer of the vCenter takes this long.
    VcenterSlow(Duration),
    /// The datacenter does not exist.
    DatacenterMissing,
    /// The network of the datacenter document does not exist.
    NetworkMissing,
    /// A datastore does not exist: the one at this path, or all of them.
    DatastoreMissing(Option<String>),
    /// The datastores have next to no free space.
    DatastoreFull,
    /// The folders for virtual machines do not exist.
    FolderMissing,
    /// The resource pools do not exist.
    ResourcePoolMissing,
    /// Each resource pool exists twice.
    ResourcePoolAmbiguous,
    /// A template does not exist: the one of this name, or all of them.
    TemplateMissing(Option<String>),
    /// A template carries no tags: the one of this name, or all of them.
    TemplateUntagged(Option<String>),
    /// Machines of this role (all, if none is named) never get a node.
    MachineStuck(Option<String>),
    /// The infrastructure refuses to make machines of this role (all, if none is named), and their objects say so.
    MachineFailing(Option<String>),
    /// Machines take ten times as long.
    MachineSlow,
    /// The external etcd never becomes ready.
    EtcdStuck,
    /// The controller of this provider never becomes available.
    ProviderCrashloop(String),
    /// Nodes never become ready, because no container network is ever up.
    CniMissing,
    /// The webhooks of a provider refuse for a while after its controller is available.
    WebhookLate,
    /// The API of each cluster answers 503 this many times.
    ApiUnavailable(u32),
}

/// What an argument of a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    None,
    Optional(&'static str),
    Required(&'static str),
}

/// One line of the list of faults.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// The name, as `--lab-fault` takes it.
    pub name: &'static str,
    argument: Argument,
    /// What it does, in one line.
    pub about: &'static str,
}

impl Described {
    /// The form in which the fault is written: `NAME`, `NAME:ARGUMENT` or `NAME[:ARGUMENT]`.
    #[must_use]
    pub fn form(&self) -> String {
        match self.argument {
            Argument::None => self.name.to_owned(),
            Argument::Optional(argument) => format!("{}[:{argument}]", self.name),
            Argument::Required(argument) => format!("{}:{argument}", self.name),
        }
    }
}

const fn described(name: &'static str, argument: Argument, about: &'static str) -> Described {
    Described { name, argument, about }
}

const CATALOGUE: &[Described] = &[
    described("vcenter-unreachable", Argument::None, "nothing answers at the vCenter's address"),
    described("vcenter-wrong-password", Argument::None, "the vCenter refuses the credentials"),
    described("vcenter-untrusted", Argument::None, "the vCenter's certificate is signed by an unknown authority"),
    described("vcenter-slow", Argument::Required("MS"), "every answer of the vCenter takes MS milliseconds"),
    described("datacenter-missing", Argument::None, "the datacenter does not exist"),
    described("network-missing", Argument::None, "the network does not exist"),
    described("datastore-missing", Argument::Optional("PATH"), "the datastore at PATH, or every one, does not exist"),
    described("datastore-full", Argument::None, "the datastores have next to no free space"),
    described("folder-missing", Argument::None, "the folders for virtual machines do not exist"),
    described("resource-pool-missing", Argument::None, "the resource pools do not exist"),
    described("resource-pool-ambiguous", Argument::None, "each resource pool exists twice"),
    described("template-missing", Argument::Optional("NAME"), "the template NAME, or every one, does not exist"),
    described("template-untagged", Argument::Optional("NAME"), "the template NAME, or every one, carries no tags"),
    described(
        "machine-stuck",
        Argument::Optional("ROLE"),
        "machines never get a node; ROLE is control-plane, etcd, worker or the name of a worker node group",
    ),
    described(
        "machine-failing",
        Argument::Optional("ROLE"),
        "the infrastructure refuses to make machines, and their objects report it as an error; ROLE as above",
    ),
    described("machine-slow", Argument::None, "machines take ten times as long"),
    described("etcd-stuck", Argument::None, "the external etcd never becomes ready"),
    described(
        "provider-crashloop",
        Argument::Required("NAME"),
        "the controller of provider NAME never becomes available",
    ),
    described("cni-missing", Argument::None, "nodes never become ready: there is no container network"),
    described("webhook-late", Argument::None, "webhooks refuse for a while after their controller is available"),
    described("api-unavailable", Argument::Required("N"), "the API of each cluster answers 503 N times"),
];

/// A `--lab-fault` that the lab does not know or that is not written as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a fault of the lab: {reason}\n{known}", known = known())]
pub struct UnknownFault {
    given: String,
    reason: String,
}

impl Fault {
    /// All faults there are, in the order in which help shows them.
    #[must_use]
    pub fn catalogue() -> &'static [Described] {
        CATALOGUE
    }

    fn parts(&self) -> (&'static str, Option<String>) {
        match self {
            Self::VcenterUnreachable => ("vcenter-unreachable", None),
            Self::VcenterWrongPassword => ("vcenter-wrong-password", None),
            Self::VcenterUntrusted => ("vcenter-untrusted", None),
            Self::VcenterSlow(delay) => ("vcenter-slow", Some(delay.as_millis().to_string())),
            Self::DatacenterMissing => ("datacenter-missing", None),
            Self::NetworkMissing => ("network-missing", None),
            Self::DatastoreMissing(path) => ("datastore-missing", path.clone()),
            Self::DatastoreFull => ("datastore-full", None),
            Self::FolderMissing => ("folder-missing", None),
            Self::ResourcePoolMissing => ("resource-pool-missing", None),
            Self::ResourcePoolAmbiguous => ("resource-pool-ambiguous", None),
            Self::TemplateMissing(name) => ("template-missing", name.clone()),
            Self::TemplateUntagged(name) => ("template-untagged", name.clone()),
            Self::MachineStuck(role) => ("machine-stuck", role.clone()),
            Self::MachineFailing(role) => ("machine-failing", role.clone()),
            Self::MachineSlow => ("machine-slow", None),
            Self::EtcdStuck => ("etcd-stuck", None),
            Self::ProviderCrashloop(name) => ("provider-crashloop", Some(name.clone())),
            Self::CniMissing => ("cni-missing", None),
            Self::WebhookLate => ("webhook-late", None),
            Self::ApiUnavailable(times) => ("api-unavailable", Some(times.to_string())),
        }
    }
}

/// The list of faults as text, one a line, for help and for the error.
#[must_use]
pub fn known() -> String {
    let width = CATALOGUE.iter().map(|one| one.form().len()).max().unwrap_or(0);
    let lines: Vec<String> = CATALOGUE.iter().map(|one| format!("  {:width$}  {}", one.form(), one.about)).collect();
    lines.join("\n")
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (name, Some(argument)) => write!(out, "{name}:{argument}"),
            (name, None) => out.write_str(name),
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: String| UnknownFault { given: text.to_owned(), reason };
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument.trim()).filter(|argument| !argument.is_empty())),
            None => (text, None),
        };
        let described = CATALOGUE
            .iter()
            .find(|one| one.name == name.trim())
            .ok_or_else(|| refuse("there is none of that name; the faults are".to_owned()))?;
        match (described.argument, argument) {
            (Argument::None, Some(_)) => {
                return Err(refuse(format!("`{}` takes no argument; the faults are", described.name)));
            }
            (Argument::Required(wanted), None) => {
                return Err(refuse(format!("`{}` needs `:{wanted}` after it; the faults are", described.name)));
            }
            _ => {}
        }
        let number = || -> Result<u32, UnknownFault> {
            let given = argument.unwrap_or_default();
            given.parse().map_err(|_| refuse(format!("`{given}` is not a whole number; the faults are")))
        };
        let text = || argument.map(str::to_owned);
        Ok(match described.name {
            "vcenter-unreachable" => Self::VcenterUnreachable,
            "vcenter-wrong-password" => Self::VcenterWrongPassword,
            "vcenter-untrusted" => Self::VcenterUntrusted,
            "vcenter-slow" => Self::VcenterSlow(Duration::from_millis(number()?.into())),
            "datacenter-missing" => Self::DatacenterMissing,
            "network-missing" => Self::NetworkMissing,
            "datastore-missing" => Self::DatastoreMissing(text()),
            "datastore-full" => Self::DatastoreFull,
            "folder-missing" => Self::FolderMissing,
            "resource-pool-missing" => Self::ResourcePoolMissing,
            "resource-pool-ambiguous" => Self::ResourcePoolAmbiguous,
            "template-missing" => Self::TemplateMissing(text()),
            "template-untagged" => Self::TemplateUntagged(text()),
            "machine-stuck" => Self::MachineStuck(text()),
            "machine-failing" => Self::MachineFailing(text()),
            "machine-slow" => Self::MachineSlow,
            "etcd-stuck" => Self::EtcdStuck,
            "provider-crashloop" => Self::ProviderCrashloop(text().unwrap_or_default()),
            "cni-missing" => Self::CniMissing,
            "webhook-late" => Self::WebhookLate,
            "api-unavailable" => Self::ApiUnavailable(number()?),
            _ => return Err(refuse("there is none of that name; the faults are".to_owned())),
        })
    }
}

/// Whether a fault for the machines of `which` concerns a machine of this role and worker node group.
fn concerns(which: Option<&str>, role: &str, group: Option<&str>) -> bool {
    which.is_none_or(|which| which == role || Some(which) == group)
}

/// The faults of one lab. A clone is a handle to the same faults.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    faults: Vec<Fault>,
    refused: Mutex<BTreeMap<String, u32>>,
}

impl Faults {
    /// The faults that were asked for.
    #[must_use]
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { inner: Arc::new(Inner { faults: faults.into_iter().collect(), refused: Mutex::default() }) }
    }

    /// A lab in which nothing is wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// All of them, in the order in which they were asked for.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.inner.faults
    }

    /// Whether exactly this fault was asked for.
    #[must_use]
    pub fn has(&self, fault: &Fault) -> bool {
        self.inner.faults.contains(fault)
    }

    fn any(&self, test: impl Fn(&Fault) -> bool) -> bool {
        self.inner.faults.iter().any(test)
    }

    /// How long each answer of the vCenter has to take.
    #[must_use]
    pub fn vcenter_delay(&self) -> Option<Duration> {
        self.inner.faults.iter().find_map(|fault| match fault {
            Fault::VcenterSlow(delay) => Some(*delay),
            _ => None,
        })
    }

    /// Whether the datastore at this inventory path is to be left out.
    #[must_use]
    pub fn datastore_missing(&self, path: &str) -> bool {
        self.any(|fault| matches!(fault, Fault::DatastoreMissing(which) if names(which.as_deref(), path)))
    }

    /// Whether the template at this inventory path is to be left out.
    #[must_use]
    pub fn template_missing(&self, path: &str) -> bool {
        self.any(|fault| matches!(fault, Fault::TemplateMissing(which) if names(which.as_deref(), path)))
    }

    /// Whether the template at this inventory path is to have no tags.
    #[must_use]
    pub fn template_untagged(&self, path: &str) -> bool {
        self.any(|fault| matches!(fault, Fault::TemplateUntagged(which) if names(which.as_deref(), path)))
    }

    /// Whether a machine never gets a node. `role` is `control-plane`, `etcd` or `worker`; `group` is the name of its worker node group.
    #[must_use]
    pub fn machine_stuck(&self, role: &str, group: Option<&str>) -> bool {
        self.any(|fault| matches!(fault, Fault::MachineStuck(which) if concerns(which.as_deref(), role, group)))
    }

    /// Whether the infrastructure refuses to make a machine. `role` and `group` as for [`Self::machine_stuck`].
    #[must_use]
    pub fn machine_failing(&self, role: &str, group: Option<&str>) -> bool {
        self.any(|fault| matches!(fault, Fault::MachineFailing(which) if concerns(which.as_deref(), role, group)))
    }

    /// How many times longer than usual a machine takes: 1 or 10.
    #[must_use]
    pub fn machine_slowness(&self) -> u32 {
        if self.has(&Fault::MachineSlow) { 10 } else { 1 }
    }

    /// Whether the controller of the provider of this name (`cert-manager`, `cluster-api`, `etcdadm-controller`, …) never becomes available.
    #[must_use]
    pub fn provider_crashes(&self, name: &str) -> bool {
        self.any(|fault| matches!(fault, Fault::ProviderCrashloop(which) if which == name))
    }

    /// Counts one request to the API of `cluster`; true if it has to be answered 503. Only the first requests to each cluster are refused.
    #[must_use]
    pub fn refuse_request(&self, cluster: &str) -> bool {
        let Some(limit) = self.inner.faults.iter().find_map(|fault| match fault {
            Fault::ApiUnavailable(times) => Some(*times),
            _ => None,
        }) else {
            return false;
        };
        let mut refused = self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let so_far = refused.entry(cluster.to_owned()).or_insert(0);
        if *so_far >= limit {
            return false;
        }
        *so_far += 1;
        true
    }
}

/// A fault without an argument means everything; one with an argument means that path, or what has that name at the end of its path.
fn names(which: Option<&str>, path: &str) -> bool {
    which.is_none_or(|which| {
        let which = which.trim_start_matches('/');
        let path = path.trim_start_matches('/');
        path == which || path.strip_suffix(which).is_some_and(|rest| rest.ends_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_list_parses_and_prints_as_it_was_written() {
        for one in Fault::catalogue() {
            let text = match one.argument {
                Argument::None => one.name.to_owned(),
                Argument::Optional(_) => format!("{}:some-name", one.name),
                Argument::Required(_) => format!("{}:7", one.name),
            };
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            if matches!(one.argument, Argument::Optional(_)) {
                assert_eq!(one.name.parse::<Fault>().unwrap().to_string(), one.name);
            }
        }
    }

    #[test]
    fn an_unknown_fault_is_refused_with_the_list() {
        let error = "vcenter-gone".parse::<Fault>().unwrap_err().to_string();
        assert!(error.starts_with("`vcenter-gone` is not a fault of the lab"), "{error}");
        for one in Fault::catalogue() {
            assert!(error.contains(&one.form()), "{} is not in {error}", one.name);
        }
    }

    #[test]
    fn arguments_are_checked() {
        let refused = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        assert!(refused("vcenter-slow").contains("needs `:MS`"));
        assert!(refused("vcenter-slow:soon").contains("`soon` is not a whole number"));
        assert!(refused("machine-slow:3").contains("takes no argument"));
        assert!(refused("provider-crashloop:").contains("needs `:NAME`"));
    }

    #[test]
    fn a_path_means_itself_or_what_ends_in_it() {
        let faults = Faults::new([
            "template-missing:ubuntu".parse().unwrap(),
            "datastore-missing:/dc/datastore/a".parse().unwrap(),
        ]);
        assert!(faults.template_missing("/dc/vm/Templates/ubuntu"));
        assert!(!faults.template_missing("/dc/vm/Templates/kubuntu"));
        assert!(faults.datastore_missing("/dc/datastore/a"));
        assert!(!faults.datastore_missing("/dc/datastore/b"));
        assert!(!faults.template_untagged("/dc/vm/Templates/ubuntu"));
    }

    #[test]
    fn only_the_first_requests_to_each_cluster_are_refused() {
        let faults = Faults::new([Fault::ApiUnavailable(2)]);
        let count = |cluster: &str| (0..5).filter(|_| faults.refuse_request(cluster)).count();
        assert_eq!((count("a"), count("b"), count("a")), (2, 2, 0));
        assert!(!Faults::none().refuse_request("a"));
    }

    #[test]
    fn machines_are_stuck_by_role_or_group() {
        let faults = Faults::new([Fault::MachineStuck(Some("md-0".to_owned()))]);
        assert!(faults.machine_stuck("worker", Some("md-0")));
        assert!(!faults.machine_stuck("control-plane", None));
        assert!(Faults::new([Fault::MachineStuck(None)]).machine_stuck("etcd", None));
        let failing = Faults::new(["machine-failing:control-plane".parse().unwrap()]);
        assert!(failing.machine_failing("control-plane", None) && !failing.machine_failing("worker", Some("md-0")));
        assert!(!failing.machine_stuck("control-plane", None));
    }
}
