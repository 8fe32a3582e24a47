//! Whether cert-manager works.

use serde_json::json;

use crate::api::Api;
use crate::error::Error;
use crate::object::kinds;
use crate::progress::Progress;

/// Has cert-manager check a certificate that is never made: its webhook has to answer for that. The request is repeated
/// while the webhook does not answer yet.
pub(super) async fn prove(api: &Api, namespace: &str, progress: &dyn Progress) -> Result<(), Error> {
    let certificate = json!({
        "apiVersion": kinds::CERTIFICATE.api_version,
        "kind": kinds::CERTIFICATE.kind,
        "metadata": {"name": "kedge-proof", "namespace": namespace},
        "spec": {
            "dnsNames": ["kedge-proof.invalid"],
            "secretName": "kedge-proof",
            "issuerRef": {"name": "kedge-proof", "kind": "Issuer"},
        },
    });
    progress.waiting("Certificate of a trial", "cert-manager's webhook to answer");
    match api.create(&certificate, true).await {
        Ok(_) => Ok(()),
        Err(error) if error.reason() == "AlreadyExists" => Ok(()),
        Err(error) => Err(error),
    }
}
