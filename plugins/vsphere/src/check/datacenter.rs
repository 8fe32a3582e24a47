//! The vCenter and its datacenter.

use kedge_sdk::prelude::*;

use crate::paths::{self, Branch};
use crate::spec::{Datacenter, FailureDomain};

pub(super) fn check(document: &Document, read: &Datacenter, findings: &mut Findings) {
    for path in ["spec.server", "spec.datacenter", "spec.network"] {
        findings.take(document.required_str(path));
    }
    if read.server.contains("://") || read.server.contains('/') {
        findings.push(
            document
                .error(
                    "spec.server",
                    "server-with-scheme",
                    format!("`{}` is an address of a page, not of a server", read.server),
                )
                .remedy("Write the host, or host:port, alone"),
        );
    }
    under(document, "spec.network", &read.datacenter, Branch::Network, &read.network, findings);
    if !read.thumbprint.is_empty() && !is_thumbprint(&read.thumbprint) {
        findings.push(
            document
                .warning(
                    "spec.thumbprint",
                    "thumbprint-shape",
                    format!("`{}` does not look like a SHA-1 thumbprint", read.thumbprint),
                )
                .remedy("It has 20 pairs of hexadecimal digits with colons between them"),
        );
    }
    if read.insecure {
        findings.push(
            document
                .warning(
                    "spec.insecure",
                    "insecure",
                    "VSphereDatacenterConfig configured in insecure mode: any certificate is accepted",
                )
                .remedy("Set `insecure: false`, and `thumbprint` if the vCenter's certificate is self-signed"),
        );
    }
    for (index, domain) in read.failure_domains.iter().enumerate() {
        failure_domain(document, &format!("spec.failureDomains[{index}]"), &read.datacenter, domain, findings);
        if read.failure_domains.iter().take(index).any(|other| other.name == domain.name) {
            let message = format!("There is a failure domain `{}` before this one", domain.name);
            findings.push(document.error(&format!("spec.failureDomains[{index}].name"), "duplicate", message));
        }
    }
}

fn failure_domain(document: &Document, path: &str, datacenter: &str, domain: &FailureDomain, findings: &mut Findings) {
    for field in ["name", "computeCluster", "resourcePool", "datastore", "folder", "network"] {
        findings.take(document.required_str(&format!("{path}.{field}")));
    }
    if !domain.network.is_empty() && !domain.network.starts_with('/') {
        findings.push(
            document
                .error(
                    &format!("{path}.network"),
                    "path-relative",
                    format!("A failure domain names its network by the whole path, and `{}` is none", domain.network),
                )
                .remedy(format!("Write `{}/{}`", paths::root(datacenter, Branch::Network), domain.network)),
        );
    }
    for (field, branch, given) in [
        ("network", Branch::Network, &domain.network),
        ("datastore", Branch::Datastore, &domain.datastore),
        ("folder", Branch::Folder, &domain.folder),
    ] {
        under(document, &format!("{path}.{field}"), datacenter, branch, given, findings);
    }
}

/// An absolute path has to lie in its branch of the datacenter.
pub(super) fn under(
    document: &Document,
    path: &str,
    datacenter: &str,
    branch: Branch,
    given: &str,
    findings: &mut Findings,
) {
    if !datacenter.is_empty() && !paths::belongs(datacenter, branch, given) {
        let root = paths::root(datacenter, branch);
        findings.push(
            document
                .error(path, "path-outside", format!("`{given}` does not lie under `{root}`"))
                .remedy(format!("Use a path below `{root}`, or the name alone")),
        );
    }
}

fn is_thumbprint(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 40 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
}

#[cfg(test)]
mod tests {
    use crate::check::tests::codes;
    use crate::testing::{edit, spec};

    #[test]
    fn required_fields_are_asked_for_all_at_once() {
        let text = edit(
            spec(),
            &[("  server: vcenter.example.com\n", ""), ("  network: sddc-cgw-network-1\n", "  network: ''\n")],
        );
        let codes = codes(&text);
        assert!(codes.contains(&"required spec.server".to_owned()), "{codes:?}");
        assert!(codes.contains(&"required spec.network".to_owned()), "{codes:?}");
    }

    #[test]
    fn a_scheme_does_not_belong_into_the_server() {
        let text = edit(spec(), &[("server: vcenter.example.com", "server: https://vcenter.example.com")]);
        assert_eq!(codes(&text), ["server-with-scheme spec.server"]);
    }

    #[test]
    fn a_network_of_another_datacenter_is_refused() {
        let text = edit(spec(), &[("network: sddc-cgw-network-1", "network: /Other/network/net")]);
        assert_eq!(codes(&text), ["path-outside spec.network"]);
    }

    #[test]
    fn a_failure_domain_has_the_whole_path_of_its_network() {
        let domain = "  failureDomains:\n  - name: a\n    computeCluster: c\n    resourcePool: p\n    datastore: d\n    folder: f\n    network: n\n";
        let text = edit(spec(), &[("  insecure: false\n", &format!("  insecure: false\n{domain}"))]);
        assert_eq!(codes(&text), ["path-relative spec.failureDomains[0].network"]);
    }

    #[test]
    fn a_failure_domain_needs_all_its_fields() {
        let domain = "  failureDomains:\n  - name: a\n    computeCluster: c\n    resourcePool: p\n    datastore: d\n    folder: /x/vm/f\n";
        let text = edit(spec(), &[("  insecure: false\n", &format!("  insecure: false\n{domain}"))]);
        assert_eq!(
            codes(&text),
            ["required spec.failureDomains[0].network", "path-outside spec.failureDomains[0].folder"]
        );
    }
}
