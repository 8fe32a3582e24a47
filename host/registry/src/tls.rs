//! TLS towards registries: the operating system's trust, and authorities that the user names besides.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::error::RegistryError;
use crate::settings::Settings;

pub(crate) fn config(settings: &Settings) -> Result<rustls::ClientConfig, RegistryError> {
    let bad = |why: String| RegistryError::Settings { path: None, why };
    let mut roots = Vec::new();
    for pem in &settings.authorities {
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.push(certificate.map_err(|e| bad(format!("an authority's certificate can't be read: {e}")))?);
            found += 1;
        }
        if found == 0 {
            return Err(bad("an authority's file holds no certificate in PEM".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?;
    match Verifier::new_with_extra_roots(roots.clone(), provider) {
        Ok(verifier) => {
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
        }
        // A machine that trusts nobody can still ask those that the user names, and registries of its own.
        Err(error) => {
            tracing::debug!(%error, "the operating system's authorities can't be used");
            let mut store = rustls::RootCertStore::empty();
            for root in roots {
                store.add(root).map_err(|e| bad(format!("an authority's certificate can't be used: {e}")))?;
            }
            Ok(builder.with_root_certificates(store).with_no_client_auth())
        }
    }
}
