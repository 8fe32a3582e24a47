//! Everything that can be said about a spec without asking the vCenter.

mod datacenter;
mod groups;
mod hosts;
mod machine;

use kedge_sdk::prelude::*;

use crate::spec::{Datacenter, Machine};
use crate::{DATACENTER, MACHINE};

pub(crate) fn check(documents: &Documents, findings: &mut Findings) {
    // The one that the Cluster names says which datacenter the paths of all machines lie in.
    let mut home = String::new();
    let named = documents.cluster().map(|cluster| cluster.text("spec.datacenterRef.name")).unwrap_or_default();
    for document in documents.of_kind(DATACENTER) {
        let read = Datacenter::read(document, findings);
        datacenter::check(document, &read, findings);
        if document.name == named {
            home = read.datacenter;
        }
    }
    let mut machines = vec![];
    for document in documents.of_kind(MACHINE) {
        let read = Machine::read(document, findings);
        machine::check(document, &read, &home, findings);
        machines.push(read);
    }
    groups::check(documents, &machines, findings);
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::documents;

    use super::*;

    /// `code path` of everything said about a spec, but the thumbprint of the example.
    pub(crate) fn codes(text: &str) -> Vec<String> {
        let mut findings = Findings::new();
        check(&documents(text), &mut findings);
        findings
            .iter()
            .filter(|finding| finding.code != "thumbprint-shape")
            .map(|finding| format!("{} {}", finding.code, finding.path))
            .collect()
    }
}
