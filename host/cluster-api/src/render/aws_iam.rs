//! AWS IAM as an identity provider: the API server asks an authenticator on its own node, over a certificate that comes
//! from a Secret.

use serde_json::{Value, json};

use super::args::Args;
use super::context::Context;
use super::file::File;

/// The kind that `identityProviderRefs` names.
pub(super) const KIND: &str = "AWSIamConfig";

const NODE: &str = "/var/lib/kubeadm/aws-iam-authenticator";
const API_SERVER: &str = "/etc/kubernetes/aws-iam-authenticator";
const CERTIFICATES: &str = "/var/aws-iam-authenticator";

/// How the API server reaches the authenticator. 21362 is the authenticator's own port.
const WEBHOOK: &str = include_str!("aws-iam-webhook.yaml");

/// Whether the spec asks for it: the Cluster names a document that is there.
pub(super) fn wanted(context: &Context<'_>) -> bool {
    let references = context.cluster.spec.identity_provider_refs.iter();
    references
        .filter(|reference| reference.kind == KIND)
        .any(|reference| context.input.spec.document(&reference.kind, &reference.name).is_some())
}

/// The Secret with the authenticator's certificate and key.
pub fn secret_name(cluster: &str) -> String {
    format!("{cluster}-aws-iam-authenticator-ca")
}

pub(super) fn files(context: &Context<'_>) -> Vec<File> {
    let secret = secret_name(context.name());
    let mut files = vec![File::new(format!("{NODE}/kubeconfig.yaml"), WEBHOOK).mode("0640")];
    for key in ["cert.pem", "key.pem"] {
        files.push(File::secret(format!("{NODE}/pki/{key}"), secret.clone(), key));
    }
    files
}

pub(super) fn argument(api_server: &mut Args) {
    api_server.set("authentication-token-webhook-config-file", format!("{API_SERVER}/kubeconfig.yaml"));
}

/// What the API server has to see of the node.
pub(super) fn volumes() -> [Value; 2] {
    [
        json!({"name": "authconfig", "hostPath": format!("{NODE}/"), "mountPath": format!("{API_SERVER}/"), "readOnly": false}),
        json!({"name": "awsiamcert", "hostPath": format!("{NODE}/pki/"), "mountPath": format!("{CERTIFICATES}/"), "readOnly": false}),
    ]
}
