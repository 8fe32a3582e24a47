//! What the Cluster asks of the control plane beyond the ordinary: identities, tokens, address ranges.

use serde_json::Value;

use super::args::Args;
use super::context::Context;
use super::{aws_iam, encryption};
use crate::error::Error;
use crate::object::{items, text};

/// The one cipher suite of every component, as EKS Anywhere has it.
pub(super) const CIPHERS: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

/// Arguments of the API server that the Cluster asks for. What the user writes out wins over what follows from elsewhere.
pub(super) fn api_server(context: &Context<'_>, minor: u32, args: &mut Args) -> Result<(), Error> {
    let spec = &context.cluster.spec;
    for reference in spec.identity_provider_refs.iter().filter(|r| r.kind == "OIDCConfig") {
        let document = context.input.spec.document(&reference.kind, &reference.name).ok_or_else(|| {
            Error::render(
                format!("`identityProviderRefs` names the OIDCConfig `{}`, which is not in the spec", reference.name),
                "add the document, or remove the reference",
            )
        })?;
        oidc(&document.body, args);
    }
    if aws_iam::wanted(context) {
        aws_iam::argument(args);
    }
    if encryption::wanted(context) {
        encryption::arguments(minor, args);
    }
    for (name, value) in &spec.control_plane_configuration.api_server_extra_args {
        if !value.is_empty() {
            args.set(name, value.clone());
        }
    }
    // Tokens of every issuer that is listed are good; the first one makes them.
    if let Some(pod_iam) = &spec.pod_iam_config
        && !pod_iam.service_account_issuer.is_empty()
    {
        args.join("service-account-issuer", &pod_iam.service_account_issuer);
    }
    Ok(())
}

/// Arguments of the controller manager that the Cluster asks for.
pub(super) fn controller_manager(context: &Context<'_>, args: &mut Args) {
    if let Some(size) = context.cluster.spec.cluster_network.nodes.as_ref().and_then(|n| n.cidr_mask_size) {
        args.set("node-cidr-mask-size", size.to_string());
    }
}

fn oidc(document: &Value, args: &mut Args) {
    for (field, argument) in [
        ("clientId", "oidc-client-id"),
        ("issuerUrl", "oidc-issuer-url"),
        ("groupsClaim", "oidc-groups-claim"),
        ("groupsPrefix", "oidc-groups-prefix"),
        ("usernameClaim", "oidc-username-claim"),
        ("usernamePrefix", "oidc-username-prefix"),
    ] {
        if let Some(value) = text(document, &format!("/spec/{field}")).filter(|v| !v.is_empty()) {
            args.set(argument, value);
        }
    }
    let claims: Vec<String> = items(document, "/spec/requiredClaims")
        .iter()
        .filter_map(|c| Some(format!("{}={}", text(c, "/claim")?, text(c, "/value")?)))
        .collect();
    if !claims.is_empty() {
        args.set("oidc-required-claim", claims.join(","));
    }
}
