//! How certificates are judged: by roots, by thumbprint, not at all; always with the signatures of the handshake.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::{Certificate, EndpointError, Tls};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The verifier for a setting.
pub(super) fn verifier(tls: &Tls) -> Result<Arc<dyn ServerCertVerifier>, EndpointError> {
    let roots = match tls {
        Tls::Insecure => return Ok(Arc::new(Handshake { provider: provider(), pinned: None, first: OnceLock::new() })),
        Tls::Thumbprint(text) => {
            let pinned = parse_thumbprint(text).ok_or_else(|| {
                EndpointError::Refused(format!(
                    "`{text}` is not a SHA-1 thumbprint: forty hexadecimal digits, with or without colons"
                ))
            })?;
            return Ok(Arc::new(Handshake { provider: provider(), pinned: Some(pinned), first: OnceLock::new() }));
        }
        Tls::Ca(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate =
                    certificate.map_err(|e| EndpointError::Other(format!("the CA certificate can't be read: {e}")))?;
                roots
                    .add(certificate)
                    .map_err(|e| EndpointError::Other(format!("the CA certificate can't be used: {e}")))?;
            }
            roots
        }
        Tls::System => {
            let mut roots = RootCertStore::empty();
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    if roots.is_empty() {
        return Err(EndpointError::Untrusted("there is not one root certificate to judge the server by".to_owned()));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|e| EndpointError::Other(format!("the root certificates can't be used: {e}")))?;
    Ok(verifier)
}

/// A client configuration around a verifier. HTTP/1.1 only; no session is resumed, so that every connection shows a
/// certificate.
pub(super) fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, EndpointError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| EndpointError::Other(format!("TLS can't be set up: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn parse_thumbprint(text: &str) -> Option<[u8; 20]> {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b':' | b' ' | b'-')).collect();
    if digits.len() != 40 {
        return None;
    }
    let mut out = [0; 20];
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

/// Checks that the server holds the key of the certificate it shows, and that it is the pinned one if one is pinned.
#[derive(Debug)]
struct Handshake {
    provider: Arc<CryptoProvider>,
    pinned: Option<[u8; 20]>,
    /// SHA-256 of what the session's first connection showed: where nothing else vouches for a server, it must at least
    /// stay the same one.
    first: OnceLock<[u8; 32]>,
}

impl ServerCertVerifier for Handshake {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(pinned) = self.pinned else {
            let shown: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
            if *self.first.get_or_init(|| shown) == shown {
                return Ok(ServerCertVerified::assertion());
            }
            return Err(CertificateError::Other(rustls::OtherError(Arc::new(AnotherCertificate))).into());
        };
        let found: [u8; 20] = Sha1::digest(end_entity.as_ref()).into();
        if found == pinned {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(rustls::OtherError(Arc::new(WrongThumbprint {
            pinned: hex(&pinned),
            found: hex(&found),
        })))
        .into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("its thumbprint is {found}, not {pinned}")]
struct WrongThumbprint {
    pinned: String,
    found: String,
}

#[derive(Debug, thiserror::Error)]
#[error("it is another certificate than the one that the server showed before in this session")]
struct AnotherCertificate;

/// Lets every certificate through, and remembers it with what `inner` thinks of it.
#[derive(Debug)]
pub(super) struct Recording {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Option<(CertificateDer<'static>, bool)>>,
}

impl Recording {
    pub(super) fn new(inner: Arc<dyn ServerCertVerifier>) -> Self {
        Self { inner, seen: Mutex::new(None) }
    }

    /// What was shown, in words.
    pub(super) fn certificate(&self) -> Result<Certificate, EndpointError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (der, trusted) =
            seen.as_ref().ok_or_else(|| EndpointError::Other("the server showed no certificate".to_owned()))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(der)
            .map_err(|e| EndpointError::Other(format!("the server's certificate can't be read: {e}")))?;
        let not_after = jiff::Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|e| EndpointError::Other(format!("the server's certificate can't be read: {e}")))?;
        Ok(Certificate {
            sha1_thumbprint: hex(&Sha1::digest(der)),
            sha256_thumbprint: hex(&Sha256::digest(der)),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_after: not_after.to_string(),
            trusted: *trusted,
        })
    }
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let trusted = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now).is_ok();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((end_entity.clone().into_owned(), trusted));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What a failed handshake means: the certificate, or something else.
pub(super) fn handshake_error(server: &str, error: &std::io::Error) -> EndpointError {
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            EndpointError::Untrusted(format!("the certificate of `{server}`: {}", certificate_words(why)))
        }
        Some(other) => EndpointError::Unreachable(format!("`{server}` does not speak TLS as it should: {other}")),
        None => EndpointError::Unreachable(format!("the TLS handshake with `{server}` broke off: {error}")),
    }
}

fn certificate_words(why: &CertificateError) -> String {
    match why {
        // An authority of the same name with another key is another authority.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is issued by an authority that is not trusted here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        CertificateError::Other(other) => other.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_come_with_and_without_colons() {
        let bytes: Vec<u8> = (0..20).collect();
        let text = hex(&bytes);
        assert_eq!(text.get(..8), Some("00:01:02"));
        assert_eq!(parse_thumbprint(&text).unwrap().to_vec(), bytes);
        assert_eq!(parse_thumbprint(&text.replace(':', "").to_lowercase()).unwrap().to_vec(), bytes);
        assert!(parse_thumbprint("AA:BB").is_none());
        assert!(parse_thumbprint(&"zz".repeat(20)).is_none());
        assert!(verifier(&Tls::Thumbprint("nonsense".into())).is_err());
    }
}
