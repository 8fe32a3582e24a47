//! Who the provider is and what it asks for.

use kedge_sdk::prelude::*;

use crate::{DATACENTER, MACHINE};

/// The endpoint's name: the vCenter of the spec.
pub(crate) const VCENTER: &str = "vcenter";
/// The user that reads the inventory and that Cluster API clones with.
pub(crate) const USERNAME: &str = "username";
/// Its password.
pub(crate) const PASSWORD: &str = "password";
/// The password of a user that is to be made.
pub(crate) const NEW_PASSWORD: &str = "new-user-password";
/// The user of the cloud provider on the cluster's nodes; the same user unless the environment names another.
pub(crate) const CP_USERNAME: &str = "cp-username";
/// Its password.
pub(crate) const CP_PASSWORD: &str = "cp-password";

const API_VERSION: &str = "anywhere.eks.amazonaws.com/v1alpha1";

pub(crate) fn describe() -> Description {
    let infrastructure = Infrastructure::new("vsphere", "infrastructure.cluster.x-k8s.io")
        .release_key("vSphere")
        .namespace("capv-system")
        .kinds("VSphereCluster", "VSphereMachineTemplate")
        .versions(&["v1beta1"]);
    let vcenter = EndpointNeed::new(
        VCENTER,
        "Check inventory, templates, tags and free space before a create",
        DATACENTER,
        "spec.server",
    )
    .insecure_field("spec.insecure")
    .thumbprint_field("spec.thumbprint");
    let user = |name, purpose, environment| SecretNeed::required(name, purpose, environment);
    Description::new("vsphere", "Vsphere", env!("CARGO_PKG_VERSION"), infrastructure)
        .datacenter(DATACENTER, &[API_VERSION])
        .machine(MACHINE, &[API_VERSION])
        .endpoint(vcenter)
        .secret(user(USERNAME, "The vCenter user", &["EKSA_VSPHERE_USERNAME"]).for_endpoint(VCENTER))
        .secret(user(PASSWORD, "Its password", &["EKSA_VSPHERE_PASSWORD"]).for_endpoint(VCENTER))
        .secret(
            SecretNeed::optional(
                NEW_PASSWORD,
                "The password of the user that setup-user makes",
                &["EKSA_VSPHERE_NEW_USER_PASSWORD"],
            )
            .for_endpoint(VCENTER),
        )
        .secret(SecretNeed::optional(
            CP_USERNAME,
            "The vCenter user of the cloud provider on the nodes",
            &["EKSA_VSPHERE_CP_USERNAME", "EKSA_VSPHERE_USERNAME"],
        ))
        .secret(SecretNeed::optional(
            CP_PASSWORD,
            "Its password",
            &["EKSA_VSPHERE_CP_PASSWORD", "EKSA_VSPHERE_PASSWORD"],
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_but_the_vcenters_may_go_to_it() {
        let description = describe();
        for secret in &description.secrets {
            let sent = matches!(secret.name.as_str(), USERNAME | PASSWORD | NEW_PASSWORD);
            assert_eq!(secret.endpoint.is_some(), sent, "{}", secret.name);
        }
        assert_eq!(description.endpoints[0].default_port, 443);
        assert!(description.machine_documents && description.user_endpoint);
        assert_eq!(description.infrastructure.api_version(), "infrastructure.cluster.x-k8s.io/v1beta1");
    }
}
