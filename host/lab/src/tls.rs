//! The certificates of the lab: certificate authorities made on the spot, and what they sign.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::LabError;

/// A certificate with its private key, both as PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, without its issuer.
    pub cert_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: String,
}

/// A certificate authority of the lab. A clone is the same authority.
#[derive(Clone)]
pub struct CertificateAuthority {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    cert_pem: String,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

fn failed(name: &str) -> impl FnOnce(rcgen::Error) -> LabError + '_ {
    move |error| LabError::Certificate { name: name.to_owned(), reason: error.to_string() }
}

fn subject(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        subject.push(DnType::OrganizationName, organization);
    }
    subject
}

impl CertificateAuthority {
    /// A fresh authority called `common_name`, with an ECDSA P-256 key.
    ///
    /// # Errors
    /// [`LabError::Certificate`] when no key can be made.
    pub fn new(common_name: &str) -> Result<Self, LabError> {
        let key = KeyPair::generate().map_err(failed(common_name))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(common_name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert_pem = params.self_signed(&key).map_err(failed(common_name))?.pem();
        let key_pem = key.serialize_pem();
        Ok(Self {
            inner: Arc::new(Inner {
                name: common_name.to_owned(),
                cert_pem,
                key_pem,
                issuer: Issuer::new(params, key),
            }),
        })
    }

    /// An authority that exists already, for instance one that a Secret `<cluster>-ca` holds.
    ///
    /// # Errors
    /// [`LabError::Certificate`] when either part cannot be read.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, LabError> {
        let name = "an existing certificate authority";
        let key = KeyPair::from_pem(key_pem).map_err(failed(name))?;
        let issuer = Issuer::from_ca_cert_pem(cert_pem, key).map_err(failed(name))?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                cert_pem: cert_pem.to_owned(),
                key_pem: key_pem.to_owned(),
                issuer,
            }),
        })
    }

    /// The authority's own certificate.
    pub fn cert_pem(&self) -> &str {
        &self.inner.cert_pem
    }

    /// The authority's private key.
    pub fn key_pem(&self) -> &str {
        &self.inner.key_pem
    }

    /// A server certificate for these DNS names and addresses; the first name (or address) is its common name.
    ///
    /// # Errors
    /// [`LabError::Certificate`] when a name is no DNS name.
    pub fn issue_server(&self, names: &[&str], addresses: &[IpAddr]) -> Result<Certificate, LabError> {
        let common_name = names.first().map_or_else(
            || addresses.first().map_or_else(|| "server".to_owned(), ToString::to_string),
            |name| (*name).to_owned(),
        );
        let mut alternatives = Vec::new();
        for name in names {
            let name = rcgen::string::Ia5String::try_from(*name).map_err(failed(name))?;
            alternatives.push(SanType::DnsName(name));
        }
        alternatives.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        self.issue(&common_name, None, alternatives, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate: to Kubernetes the common name is the user and the organization a group.
    ///
    /// # Errors
    /// [`LabError::Certificate`] when no key can be made.
    pub fn issue_client(&self, common_name: &str, organization: &str) -> Result<Certificate, LabError> {
        self.issue(common_name, Some(organization), Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        common_name: &str,
        organization: Option<&str>,
        alternatives: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Certificate, LabError> {
        let key = KeyPair::generate().map_err(failed(common_name))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(common_name, organization);
        params.subject_alt_names = alternatives;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &self.inner.issuer).map_err(failed(common_name))?;
        Ok(Certificate { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }
}

fn parse_chain(pem: &str, name: &str) -> Result<Vec<CertificateDer<'static>>, LabError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| LabError::Certificate { name: name.to_owned(), reason: error.to_string() })
}

/// TLS for a listener that presents `certificate`, speaks HTTP/2 and HTTP/1.1, and, given an authority for clients, asks
/// for a client certificate without insisting on one.
///
/// # Errors
/// [`LabError::Certificate`] or [`LabError::Tls`] when the parts do not fit together.
pub fn server_config(
    certificate: &Certificate,
    clients: Option<&CertificateAuthority>,
) -> Result<Arc<rustls::ServerConfig>, LabError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in parse_chain(authority.cert_pem(), "the authority for clients")? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| LabError::Certificate {
                    name: "the authority for clients".to_owned(),
                    reason: error.to_string(),
                })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = parse_chain(&certificate.cert_pem, "a server")?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())
        .map_err(|error| LabError::Certificate { name: "a server".to_owned(), reason: error.to_string() })?;
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
