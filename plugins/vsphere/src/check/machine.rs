//! One machine config.

use kedge_sdk::prelude::*;
use x509_cert::Certificate;

use super::datacenter::under;
use super::hosts;
use crate::appliance;
use crate::paths::Branch;
use crate::spec::Machine;
use crate::ssh;

const OS_FAMILIES: [&str; 3] = ["bottlerocket", "ubuntu", "redhat"];

pub(super) fn check(document: &Document, read: &Machine, datacenter: &str, findings: &mut Findings) {
    for path in ["spec.datastore", "spec.resourcePool"] {
        findings.take(document.required_str(path));
    }
    under(document, "spec.datastore", datacenter, Branch::Datastore, &read.datastore, findings);
    under(document, "spec.folder", datacenter, Branch::Folder, &read.folder, findings);
    under(document, "spec.resourcePool", datacenter, Branch::Host, &read.resource_pool, findings);
    under(document, "spec.template", datacenter, Branch::Folder, &read.template, findings);
    for (index, network) in read.networks.iter().enumerate() {
        under(document, &format!("spec.networks[{index}]"), datacenter, Branch::Network, network, findings);
    }
    if read.networks.len() > 2 {
        let message = format!("{} networks are listed, machines have at most 2", read.networks.len());
        findings.push(document.error("spec.networks", "too-many-networks", message).remedy("Keep two of them"));
    }
    if read.template.trim().is_empty() && !appliance::is_left_out(read) {
        let remedy = "Import the operating system's template into the vCenter and name it in `template`; only Bottlerocket's \
                      is imported by a create";
        findings.push(document.missing("spec.template").remedy(remedy));
    }
    if read.folder.is_empty() {
        let message = "No folder is set: machines go into the datacenter's root folder";
        findings.push(document.warning("spec.folder", "folder-default", message).remedy("Set `folder`"));
    }
    os_family(document, read, findings);
    clone_mode(document, read, findings);
    users(document, read, findings);
    tags(document, read, findings);
    host_os(document, read, findings);
}

fn os_family(document: &Document, read: &Machine, findings: &mut Findings) {
    if !OS_FAMILIES.contains(&read.os_family.as_str()) {
        let message = format!("The osFamily `{}` is not supported", read.os_family);
        findings.push(
            document
                .error("spec.osFamily", "os-family", message)
                .remedy(format!("Use one of {}", OS_FAMILIES.join(", "))),
        );
    }
}

fn clone_mode(document: &Document, read: &Machine, findings: &mut Findings) {
    if !matches!(read.clone_mode.as_str(), "" | "fullClone" | "linkedClone") {
        let message = format!("The cloneMode `{}` is not supported", read.clone_mode);
        findings.push(
            document
                .error("spec.cloneMode", "clone-mode", message)
                .remedy("Use fullClone or linkedClone, or remove the field"),
        );
    }
}

fn users(document: &Document, read: &Machine, findings: &mut Findings) {
    if read.os_family == "bottlerocket" && read.users.first().is_some_and(|user| user.name != "ec2-user") {
        findings.push(
            document
                .error("spec.users[0].name", "user-name", "The user of Bottlerocket is `ec2-user`")
                .remedy("Set `name: ec2-user`"),
        );
    }
    for (user_index, user) in read.users.iter().enumerate() {
        let path = format!("spec.users[{user_index}].sshAuthorizedKeys");
        if user.keys.iter().all(String::is_empty) {
            // The host fills the first one in: EKS Anywhere makes a key pair where there is none.
            let what = if user_index == 0 { "the create makes a key pair" } else { "nobody can log in as it" };
            let message = format!("The user `{}` has no SSH key: {what}", user.name);
            findings.push(document.warning(&path, "ssh-key-missing", message).remedy("Add a public key of your own"));
        }
        for (index, key) in user.keys.iter().enumerate().filter(|(_, key)| !key.is_empty()) {
            let path = format!("{path}[{index}]");
            match ssh::without_comment(key) {
                Err(why) => findings.push(
                    document
                        .error(&path, "ssh-key", format!("This is no SSH public key: {why}"))
                        .remedy("Paste the content of a `.pub` file"),
                ),
                Ok(key) if !ssh::is_complete(&key) => findings.push(
                    document
                        .warning(
                            &path,
                            "ssh-key-incomplete",
                            "This SSH key is a placeholder or cut off: nobody can log in with it",
                        )
                        .remedy("Paste the content of a `.pub` file"),
                ),
                Ok(_) => {}
            }
        }
    }
}

fn tags(document: &Document, read: &Machine, findings: &mut Findings) {
    for (index, tag) in read.tags.iter().enumerate().filter(|(_, tag)| !tag.starts_with("urn:vmomi:")) {
        let message = format!("`{tag}` is no tag id");
        findings.push(
            document
                .error(&format!("spec.tags[{index}]"), "tag-id", message)
                .remedy("Use the tag's id, in the form urn:vmomi:InventoryServiceTag:…:GLOBAL"),
        );
    }
}

fn host_os(document: &Document, read: &Machine, findings: &mut Findings) {
    let ntp = "spec.hostOSConfiguration.ntpConfiguration";
    if document.at(ntp).is_some() && read.ntp_servers.is_empty() {
        findings.push(document.missing(&format!("{ntp}.servers")));
    }
    for (index, server) in read.ntp_servers.iter().enumerate().filter(|(_, server)| !hosts::is_host(server)) {
        let message = format!("The NTP server `{server}` is neither an IP address nor a host name");
        findings.push(document.error(&format!("{ntp}.servers[{index}]"), "ntp-server", message));
    }
    let only_bottlerocket = |field: &str| {
        document
            .error(
                &format!("spec.hostOSConfiguration.{field}"),
                "bottlerocket-only",
                format!("`{field}` is for Bottlerocket alone"),
            )
            .remedy("Remove it, or set `osFamily: bottlerocket`")
    };
    let bottlerocket = read.os_family == "bottlerocket";
    if !read.cert_bundles.is_empty() && !bottlerocket {
        findings.push(only_bottlerocket("certBundles"));
    }
    for (index, bundle) in read.cert_bundles.iter().enumerate() {
        let path = format!("spec.hostOSConfiguration.certBundles[{index}]");
        if bundle.name.is_empty() {
            findings.push(document.missing(&format!("{path}.name")));
        }
        if let Err(why) = certificates(&bundle.data) {
            let message = format!("The bundle `{}` can't be read: {why}", bundle.name);
            findings.push(document.error(&format!("{path}.data"), "certificate", message).remedy(
                "Paste all of it, from the first `-----BEGIN CERTIFICATE-----` to the last `-----END CERTIFICATE-----`",
            ));
        }
    }
    if read.bottlerocket.is_some() {
        if !bottlerocket {
            findings.push(only_bottlerocket("bottlerocketConfiguration"));
        }
        bottlerocket_settings(document, findings);
    }
}

/// Whether a text holds certificates and nothing that looks like one and is none.
fn certificates(text: &str) -> Result<(), String> {
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err("it holds no certificate in PEM".into());
    }
    Certificate::load_pem_chain(text.as_bytes()).map(drop).map_err(|error| error.to_string())
}

fn bottlerocket_settings(document: &Document, findings: &mut Findings) {
    let root = "spec.hostOSConfiguration.bottlerocketConfiguration";
    let path = format!("{root}.kubernetes.clusterDNSIPs");
    let addresses = findings.take(document.strings(&path)).unwrap_or_default();
    for (index, address) in addresses.iter().enumerate().filter(|(_, address)| !hosts::is_ip(address)) {
        let message = format!("`{address}` is no IP address");
        findings.push(document.error(&format!("{path}[{index}]"), "address", message));
    }
    let path = format!("{root}.kubernetes.maxPods");
    if findings.take(document.int(&path)).flatten().is_some_and(|count| count < 0) {
        findings.push(document.error(&path, "negative", "maxPods can't be negative"));
    }
    let path = format!("{root}.kubernetes.allowedUnsafeSysctls");
    let sysctls = findings.take(document.strings(&path)).unwrap_or_default();
    for (index, _) in sysctls.iter().enumerate().filter(|(_, sysctl)| sysctl.is_empty()) {
        findings.push(document.missing(&format!("{path}[{index}]")));
    }
    for map in ["kernel.sysctlSettings", "boot.bootKernelParameters"] {
        let path = format!("{root}.{map}");
        let empty = |map: &serde_json::Map<String, Value>| map.keys().any(String::is_empty);
        if document.at(&path).and_then(Value::as_object).is_some_and(empty) {
            findings.push(document.error(&path, "empty-key", format!("`{map}` has an empty key")));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::codes;
    use crate::testing::{edit, spec};

    fn with(from: &str, to: &str) -> Vec<String> {
        codes(&edit(spec(), &[(from, to)]))
    }

    #[test]
    fn a_whole_spec_has_nothing_wrong() {
        assert_eq!(codes(spec()), Vec::<String>::new());
    }

    #[test]
    fn each_field_is_looked_at() {
        assert_eq!(with("resourcePool: '*/Compute-ResourcePool'", "resourcePool: ''"), ["required spec.resourcePool"]);
        assert_eq!(with("template: Templates/ubuntu-2204-kube-v1-34", "template: ''"), ["required spec.template"]);
        assert_eq!(
            with("template: Templates/ubuntu", "cloneMode: halfClone\n  template: Templates/ubuntu"),
            ["clone-mode spec.cloneMode"]
        );
        assert_eq!(
            with("template: Templates/ubuntu", "tags: [team]\n  template: Templates/ubuntu"),
            ["tag-id spec.tags[0]"]
        );
        assert_eq!(
            with("datastore: /SDDC-Datacenter/datastore", "datastore: /SDDC-Datacenter/vm"),
            ["path-outside spec.datastore"]
        );
    }

    #[test]
    fn settings_of_bottlerocket_are_its_own() {
        let config = "hostOSConfiguration:\n    ntpConfiguration:\n      servers: ['not a host']\n    certBundles:\n    - name: a\n      data: x\n  template: Templates/ubuntu";
        assert_eq!(
            with("template: Templates/ubuntu", config),
            [
                "ntp-server spec.hostOSConfiguration.ntpConfiguration.servers[0]",
                "bottlerocket-only spec.hostOSConfiguration.certBundles",
                "certificate spec.hostOSConfiguration.certBundles[0].data",
            ]
        );
    }

    #[test]
    fn a_wrong_type_is_said_in_words() {
        assert_eq!(
            with("template: Templates/ubuntu", "tags: team\n  template: Templates/ubuntu"),
            ["wrong-type spec.tags"]
        );
    }
}
