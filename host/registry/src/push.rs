//! Putting plugins into registries, and signing what was put there.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::json;

use crate::Registry;
use crate::artifact::{self, Component, Descriptor, MANIFEST, Manifest, digest};
use crate::attached::{COSIGN_SIGNATURE, SIMPLE_SIGNING, cosign_tag};
use crate::error::RegistryError;
use crate::exchange::{Access, Ask, location, refused};
use crate::reference::Reference;

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// Where, by digest: what to give to others.
    pub reference: String,
    /// The manifest's digest.
    pub manifest: String,
    /// The component's digest.
    pub digest: String,
    /// Whether its manifest was signed.
    pub signed: bool,
}

/// A private key that signs what is pushed, as `cosign sign --key` does.
pub struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    /// Reads a PEM file with a P-256 key.
    ///
    /// # Errors
    /// It holds none.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let bad = |why: String| RegistryError::Key { path: path.to_owned(), why };
        let pem = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .map_err(|_| bad("it holds no private key without a password as PKCS #8 in PEM".to_owned()))?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.secret_pkcs8_der(), &SystemRandom::new())
            .map(Self)
            .map_err(|e| bad(format!("it is not a key on the curve P-256 ({e})")))
    }

    fn sign(&self, bytes: &[u8]) -> Option<String> {
        self.0.sign(&SystemRandom::new(), bytes).ok().map(|signature| BASE64.encode(signature.as_ref()))
    }
}

impl Registry {
    /// Puts a plugin into a registry, never into a mirror.
    ///
    /// # Errors
    /// The registry does not take it, or has something else there afterwards.
    pub async fn push(
        &self,
        reference: &Reference,
        wasm: &[u8],
        component: &Component,
        signature: Option<&str>,
        key: Option<&SigningKey>,
    ) -> Result<Pushed, RegistryError> {
        let unwritable =
            |e: serde_json::Error| RegistryError::Reference { text: reference.to_string(), why: e.to_string() };
        let (manifest, config) = artifact::write(wasm, component, signature).map_err(unwritable)?;
        let manifest_digest = digest(&manifest);
        if reference.digest().is_some_and(|wanted| wanted != manifest_digest) {
            return Err(RegistryError::Reference {
                text: reference.to_string(),
                why: format!("the digest of what is pushed is {manifest_digest}"),
            });
        }
        self.put_blob(reference, wasm).await?;
        self.put_blob(reference, &config).await?;
        self.put_manifest(reference, &manifest).await?;
        // What is there is what counts.
        let there = self.manifest(&reference.at(&manifest_digest)).await?;
        if there != manifest {
            let why = "the registry has another manifest than was pushed".to_owned();
            return Err(RegistryError::Lie { reference: reference.to_string(), why });
        }
        if let Some(key) = key {
            self.sign(reference, &manifest_digest, key).await?;
        }
        Ok(Pushed {
            reference: reference.at(&manifest_digest).to_string(),
            manifest: manifest_digest,
            digest: digest(wasm),
            signed: key.is_some(),
        })
    }

    /// Signs a manifest that is there, in the form that every cosign verifies. Signatures of others stay.
    async fn sign(&self, reference: &Reference, of: &str, key: &SigningKey) -> Result<(), RegistryError> {
        let failed = |why: &str| RegistryError::Lie { reference: reference.to_string(), why: why.to_owned() };
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": format!("{}/{}", reference.registry, reference.repository)},
                "image": {"docker-manifest-digest": of},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let signature = key.sign(&payload).ok_or_else(|| failed("the key does not sign"))?;
        let place = reference.at(&cosign_tag(of, ".sig"));
        let mut layers = match self.manifest(&place).await {
            Ok(bytes) => serde_json::from_slice::<Manifest>(&bytes).map(|m| m.layers).unwrap_or_default(),
            Err(RegistryError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut layer = Descriptor::of(SIMPLE_SIGNING, &payload);
        layer.annotations.insert(COSIGN_SIGNATURE.to_owned(), signature);
        layers.push(layer);
        let diff_ids: Vec<&str> = layers.iter().map(|l| l.digest.as_str()).collect();
        let config = json!({
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config: Some(Descriptor::of("application/vnd.oci.image.config.v1+json", &config)),
            layers,
            subject: None,
            annotations: std::collections::BTreeMap::new(),
        };
        let manifest = serde_json::to_vec(&manifest).map_err(|e| failed(&e.to_string()))?;
        self.put_blob(reference, &payload).await?;
        self.put_blob(reference, &config).await?;
        self.put_manifest(&place, &manifest).await
    }

    async fn put_blob(&self, place: &Reference, bytes: &[u8]) -> Result<(), RegistryError> {
        let wanted = digest(bytes);
        let push = |method: Method, url| Ask { method, access: Access::Push, ..Ask::get(url) };
        let url = self.exchange.url(place, &format!("blobs/{wanted}"))?;
        let there = self.exchange.send(place, &push(Method::HEAD, url)).await?;
        if there.status() == StatusCode::OK {
            return Ok(());
        }
        let url = self.exchange.url(place, "blobs/uploads/")?;
        let begun = self.exchange.send(place, &push(Method::POST, url.clone())).await?;
        if begun.status() != StatusCode::ACCEPTED {
            return Err(refused(place, begun).await);
        }
        let mut url = location(place, &url, &begun)?;
        url.query_pairs_mut().append_pair("digest", &wanted);
        let body = Some(bytes.to_vec());
        let put = Ask { content_type: "application/octet-stream", body, ..push(Method::PUT, url) };
        let done = self.exchange.send(place, &put).await?;
        if done.status() != StatusCode::CREATED {
            return Err(refused(place, done).await);
        }
        Ok(())
    }

    async fn put_manifest(&self, place: &Reference, manifest: &[u8]) -> Result<(), RegistryError> {
        // By its tag, so that it has one.
        let wanted = place.tag.as_deref().unwrap_or_else(|| place.wanted());
        let url = self.exchange.url(place, &format!("manifests/{wanted}"))?;
        let ask = Ask {
            method: Method::PUT,
            content_type: MANIFEST,
            body: Some(manifest.to_vec()),
            access: Access::Push,
            ..Ask::get(url)
        };
        let done = self.exchange.send(place, &ask).await?;
        if !done.status().is_success() {
            return Err(refused(place, done).await);
        }
        Ok(())
    }
}
