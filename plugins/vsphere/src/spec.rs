//! The provider's documents, read into types. What can't be read becomes findings.

use kedge_sdk::prelude::*;

use crate::appliance::{self, Appliance};
use crate::{DATACENTER, MACHINE};

/// Machines in GiB, MiB and pieces, as the spec has them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) datastore: String,
    pub(crate) folder: String,
    pub(crate) resource_pool: String,
    pub(crate) template: String,
    /// What the template is made of where the spec names none.
    pub(crate) appliance: Option<Appliance>,
    pub(crate) disk_gib: i64,
    pub(crate) num_cpus: i64,
    pub(crate) memory_mib: i64,
    pub(crate) os_family: String,
    pub(crate) storage_policy: String,
    pub(crate) clone_mode: String,
    pub(crate) users: Vec<User>,
    pub(crate) tags: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) ntp_servers: Vec<String>,
    pub(crate) cert_bundles: Vec<CertBundle>,
    pub(crate) bottlerocket: Option<Value>,
}

/// A user of a machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) keys: Vec<String>,
}

/// Certificates that a machine trusts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CertBundle {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// A vCenter and the place in it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the spec's field has the name of its kind")]
pub(crate) struct Datacenter {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) datacenter: String,
    pub(crate) network: String,
    pub(crate) thumbprint: String,
    pub(crate) insecure: bool,
    pub(crate) failure_domains: Vec<FailureDomain>,
}

/// A place for worker node groups.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailureDomain {
    pub(crate) name: String,
    pub(crate) compute_cluster: String,
    pub(crate) resource_pool: String,
    pub(crate) datastore: String,
    pub(crate) folder: String,
    pub(crate) network: String,
}

/// Reads the fields of one document; what can't be read is empty and a finding.
struct Fields<'d> {
    document: &'d Document,
    findings: &'d mut Findings,
}

impl Fields<'_> {
    fn text(&mut self, path: &str) -> String {
        self.findings.take(self.document.str(path)).flatten().unwrap_or_default().to_owned()
    }

    fn int(&mut self, path: &str) -> i64 {
        self.findings.take(self.document.int(path)).flatten().unwrap_or_default()
    }

    fn bool(&mut self, path: &str) -> bool {
        self.findings.take(self.document.bool(path)).flatten().unwrap_or_default()
    }

    fn strings(&mut self, path: &str) -> Vec<String> {
        let read = self.findings.take(self.document.strings(path)).unwrap_or_default();
        read.into_iter().map(str::to_owned).collect()
    }

    fn count(&mut self, path: &str) -> usize {
        self.findings.take(self.document.list(path)).unwrap_or_default().len()
    }

    fn each<T>(&mut self, path: &str, mut read: impl FnMut(&mut Self, &str) -> T) -> Vec<T> {
        (0..self.count(path)).map(|index| read(self, &format!("{path}[{index}]"))).collect()
    }
}

impl Machine {
    pub(crate) fn read(document: &Document, findings: &mut Findings) -> Self {
        let mut fields = Fields { document, findings };
        Self {
            name: document.name.clone(),
            datastore: fields.text("spec.datastore"),
            folder: fields.text("spec.folder"),
            resource_pool: fields.text("spec.resourcePool"),
            template: fields.text("spec.template"),
            appliance: None,
            disk_gib: fields.int("spec.diskGiB"),
            num_cpus: fields.int("spec.numCPUs"),
            memory_mib: fields.int("spec.memoryMiB"),
            os_family: fields.text("spec.osFamily"),
            storage_policy: fields.text("spec.storagePolicyName"),
            clone_mode: fields.text("spec.cloneMode"),
            users: fields.each("spec.users", |fields, path| User {
                name: fields.text(&format!("{path}.name")),
                keys: fields.strings(&format!("{path}.sshAuthorizedKeys")),
            }),
            tags: fields.strings("spec.tags"),
            networks: fields.strings("spec.networks"),
            ntp_servers: fields.strings("spec.hostOSConfiguration.ntpConfiguration.servers"),
            cert_bundles: fields.each("spec.hostOSConfiguration.certBundles", |fields, path| CertBundle {
                name: fields.text(&format!("{path}.name")),
                data: fields.text(&format!("{path}.data")),
            }),
            bottlerocket: document.at("spec.hostOSConfiguration.bottlerocketConfiguration").cloned(),
        }
    }
}

impl Datacenter {
    pub(crate) fn read(document: &Document, findings: &mut Findings) -> Self {
        let mut fields = Fields { document, findings };
        Self {
            name: document.name.clone(),
            server: fields.text("spec.server"),
            datacenter: fields.text("spec.datacenter"),
            network: fields.text("spec.network"),
            thumbprint: fields.text("spec.thumbprint"),
            insecure: fields.bool("spec.insecure"),
            failure_domains: fields.each("spec.failureDomains", |fields, path| FailureDomain {
                name: fields.text(&format!("{path}.name")),
                compute_cluster: fields.text(&format!("{path}.computeCluster")),
                resource_pool: fields.text(&format!("{path}.resourcePool")),
                datastore: fields.text(&format!("{path}.datastore")),
                folder: fields.text(&format!("{path}.folder")),
                network: fields.text(&format!("{path}.network")),
            }),
        }
    }
}

/// A spec whose documents could be read: what rendering and preflight work with.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) datacenter: Datacenter,
    /// Those that a group names, in the order of the spec.
    pub(crate) machines: Vec<Machine>,
    pub(crate) groups: Vec<Group>,
}

impl Spec {
    /// Reads the documents of an input; what they leave to the release is filled in.
    pub(crate) fn of(input: &Input) -> Result<Self, Failure> {
        let mut spec = Self::read(&input.documents)?;
        appliance::fill(input, &mut spec);
        Ok(spec)
    }

    /// Reads documents as they are.
    pub(crate) fn read(documents: &Documents) -> Result<Self, Failure> {
        let mut findings = Findings::new();
        let datacenter = Datacenter::read(documents.datacenter()?, &mut findings);
        let groups = documents.groups()?;
        for group in &groups {
            documents.machine(group)?;
        }
        let named = |document: &&Document| {
            groups.iter().any(|group| group.machine.as_ref().is_some_and(|machine| machine.name == document.name))
        };
        let machines =
            documents.of_kind(MACHINE).filter(named).map(|document| Machine::read(document, &mut findings)).collect();
        if findings.has_errors() {
            return Err(Failure::Invalid(findings.into_vec()));
        }
        Ok(Self { datacenter, machines, groups })
    }

    /// The group of a role.
    pub(crate) fn group(&self, role: &Role) -> Result<&Group, Failure> {
        self.groups.iter().find(|group| group.role == *role).ok_or_else(|| Failure::unknown_role(role))
    }

    /// The machines of a group.
    pub(crate) fn machine(&self, group: &Group) -> Result<&Machine, Failure> {
        let name = group.machine.as_ref().map(|machine| machine.name.as_str());
        self.machines
            .iter()
            .find(|machine| Some(machine.name.as_str()) == name)
            .ok_or_else(|| Failure::unknown_role(&group.role))
    }

    /// The groups whose machines a document describes.
    pub(crate) fn groups_of<'s>(&'s self, machine: &'s str) -> impl Iterator<Item = &'s Group> {
        self.groups.iter().filter(move |group| group.machine.as_ref().is_some_and(|named| named.name == machine))
    }
}

/// Names the datacenter document.
pub(crate) fn datacenter_ref(name: &str) -> ObjectRef {
    ObjectRef { kind: DATACENTER.into(), name: name.into() }
}

/// Names a machine document.
pub(crate) fn machine_ref(name: &str) -> ObjectRef {
    ObjectRef { kind: MACHINE.into(), name: name.into() }
}
