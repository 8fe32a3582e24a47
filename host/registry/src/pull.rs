//! Getting plugins.

use reqwest::StatusCode;

use crate::artifact::{self, Descriptor, INDEX, Index, LONGEST_MANIFEST, MANIFEST, Manifest, SIGNATURE, digest};
use crate::attached::{self, Attached, COSIGN_SIGNATURE, SIMPLE_SIGNING, Signature, cosign_tag};
use crate::error::RegistryError;
use crate::exchange::{Ask, body, refused};
use crate::layout::Layout;
use crate::reference::{Reference, is_digest};
use crate::{Registry, exchange};

/// A plugin that was pulled: every digest of it was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// As it was asked for.
    pub reference: String,
    /// The manifest, as it came.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub manifest_digest: String,
    /// The configuration, as it came.
    pub config: Vec<u8>,
    /// The component.
    pub wasm: Vec<u8>,
    /// A signature over the component's bytes, in base64, if the manifest carries one.
    pub signature: Option<String>,
    /// Signatures over the manifest.
    pub signatures: Vec<Signature>,
    /// What else is attached to it.
    pub attached: Vec<Attached>,
}

/// Where content comes from.
pub(crate) enum Place<'a> {
    Registry(&'a Registry, Reference),
    Layout(&'a Layout, Option<Reference>),
}

impl Registry {
    /// Gets a plugin: from the first mirror that has it, or the registry itself. The component has `most` bytes at most.
    ///
    /// # Errors
    /// Nobody has it, or has something else than its name or its manifest says.
    pub async fn pull(&self, reference: &Reference, most: u64) -> Result<Pulled, RegistryError> {
        let mut places = self.settings.places(reference);
        let last = places.pop();
        for place in places {
            match get(&Place::Registry(self, place.clone()), &reference.to_string(), most).await {
                // A mirror may be down, or not have it yet. One that lies is no reason to be quiet, nor to stop.
                Err(error) => tracing::warn!(mirror = %place, %error, "the mirror is passed over"),
                pulled => return pulled,
            }
        }
        let place = last.unwrap_or_else(|| reference.clone());
        get(&Place::Registry(self, place), &reference.to_string(), most).await
    }
}

impl Layout {
    /// Gets a plugin from a layout: the one of that name, or the only one there is.
    ///
    /// # Errors
    /// It is not there, or is something else than it says.
    pub async fn pull(&self, reference: Option<&Reference>, most: u64) -> Result<Pulled, RegistryError> {
        let named = reference.map_or_else(|| self.path().display().to_string(), ToString::to_string);
        get(&Place::Layout(self, reference.cloned()), &named, most).await
    }
}

async fn get(place: &Place<'_>, named: &str, most: u64) -> Result<Pulled, RegistryError> {
    let lie = |why: String| RegistryError::Lie { reference: named.to_owned(), why };
    let bytes = place.manifest(named).await?;
    let found = digest(&bytes);
    if let Some(wanted) = place.wanted().filter(|wanted| *wanted != found) {
        return Err(lie(format!("its manifest is {found} in place of {wanted}")));
    }
    let not_a_plugin = |why| RegistryError::NotAPlugin { reference: named.to_owned(), why };
    let (manifest, layer) = artifact::read(&bytes).map_err(not_a_plugin)?;
    // Before a byte of it is fetched.
    if layer.size > most {
        return Err(RegistryError::TooLarge { reference: named.to_owned(), what: "the component", most });
    }
    let config = match &manifest.config {
        Some(config) => place.checked(named, config, "the configuration", LONGEST_MANIFEST).await?,
        None => Vec::new(),
    };
    let wasm = place.checked(named, &layer, "the component", most).await?;
    let (signatures, attached) = place.attached(named, &found).await?;
    Ok(Pulled {
        reference: named.to_owned(),
        manifest: bytes,
        manifest_digest: found,
        config,
        wasm,
        signature: manifest.annotations.get(SIGNATURE).cloned(),
        signatures,
        attached,
    })
}

impl Place<'_> {
    fn wanted(&self) -> Option<&str> {
        match self {
            Self::Registry(_, reference) | Self::Layout(_, Some(reference)) => reference.digest(),
            Self::Layout(_, None) => None,
        }
    }

    async fn manifest(&self, named: &str) -> Result<Vec<u8>, RegistryError> {
        match self {
            Self::Registry(registry, place) => registry.manifest(place).await,
            Self::Layout(layout, reference) => layout.manifest(reference.as_ref(), named),
        }
    }

    /// Content by its digest, compared with it.
    async fn checked(
        &self,
        named: &str,
        wanted: &Descriptor,
        what: &'static str,
        most: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let lie = |why: String| RegistryError::Lie { reference: named.to_owned(), why };
        if !is_digest(&wanted.digest) {
            return Err(lie(format!("{what} has no SHA-256 digest")));
        }
        // Whoever sends more than he said is not listened to any longer.
        let bound = wanted.size.min(most);
        let bytes = match self {
            Self::Registry(registry, place) => registry.blob(place, &wanted.digest, what, bound).await?,
            Self::Layout(layout, _) => layout.blob(&wanted.digest, bound)?,
        };
        if bytes.len() as u64 != wanted.size {
            return Err(lie(format!("{what} has {} bytes in place of {}", bytes.len(), wanted.size)));
        }
        let found = digest(&bytes);
        if found != wanted.digest {
            return Err(lie(format!("{what} is {found} in place of {}", wanted.digest)));
        }
        Ok(bytes)
    }

    /// Signatures and what else refers to a manifest.
    async fn attached(&self, named: &str, of: &str) -> Result<(Vec<Signature>, Vec<Attached>), RegistryError> {
        let (mut signatures, mut others) = (Vec::new(), Vec::new());
        if let Some(manifest) = self.further(of, &cosign_tag(of, ".sig")).await? {
            for layer in attached::layers(&manifest, SIMPLE_SIGNING).take(attached::MOST) {
                let Some(signature) = layer.annotations.get(COSIGN_SIGNATURE) else { continue };
                let payload = self.checked(named, layer, "a signature", attached::LARGEST).await?;
                let payload = String::from_utf8_lossy(&payload).into_owned();
                signatures.push(Signature::Cosign { payload, signature: signature.clone() });
            }
        }
        for referrer in self.referrers(of).await?.into_iter().take(attached::MOST) {
            if !attached::is_bundle(&referrer) {
                others.push(Attached {
                    kind: crate::error::shown(referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type)),
                    digest: referrer.digest,
                    size: referrer.size,
                });
                continue;
            }
            let bytes = self.referrer(named, &referrer).await?;
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { continue };
            if manifest.subject.as_ref().is_none_or(|subject| subject.digest != of) {
                continue;
            }
            for layer in attached::layers(&manifest, attached::BUNDLE) {
                let bundle = self.checked(named, layer, "a signature", attached::LARGEST).await?;
                let Ok(bundle) = String::from_utf8(bundle) else { continue };
                if let Some(kind) = attached::statement(&bundle) {
                    others.push(Attached { kind, digest: layer.digest.clone(), size: layer.size });
                }
                signatures.push(Signature::Bundle(bundle));
            }
        }
        Ok((signatures, others))
    }

    /// A manifest that a tag beside the plugin's names; none if there is no such tag.
    async fn further(&self, of: &str, tag: &str) -> Result<Option<Manifest>, RegistryError> {
        let bytes = match self {
            Self::Registry(registry, place) => match registry.manifest(&place.at(tag)).await {
                Ok(bytes) => bytes,
                Err(RegistryError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
            Self::Layout(layout, _) => match layout.cosign(of)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        Ok(serde_json::from_slice(&bytes).ok())
    }

    async fn referrers(&self, of: &str) -> Result<Vec<Descriptor>, RegistryError> {
        match self {
            Self::Registry(registry, place) => registry.referrers(place, of).await,
            Self::Layout(layout, _) => layout.referrers(of),
        }
    }

    async fn referrer(&self, named: &str, descriptor: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        match self {
            Self::Layout(..) => self.checked(named, descriptor, "a signature's manifest", LONGEST_MANIFEST).await,
            Self::Registry(registry, place) => {
                let bytes = registry.manifest(&place.at(&descriptor.digest)).await?;
                if digest(&bytes) != descriptor.digest {
                    let why = "a signature's manifest has another digest than it is listed with".to_owned();
                    return Err(RegistryError::Lie { reference: named.to_owned(), why });
                }
                Ok(bytes)
            }
        }
    }
}

impl Registry {
    pub(crate) async fn manifest(&self, place: &Reference) -> Result<Vec<u8>, RegistryError> {
        let url = self.exchange.url(place, &format!("manifests/{}", place.wanted()))?;
        let answer = self.exchange.send(place, &Ask { accept: &[MANIFEST, INDEX], ..Ask::get(url) }).await?;
        if !answer.status().is_success() {
            return Err(refused(place, answer).await);
        }
        body(place, answer, "the manifest", LONGEST_MANIFEST).await
    }

    async fn blob(
        &self,
        place: &Reference,
        wanted: &str,
        what: &'static str,
        most: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let url = self.exchange.url(place, &format!("blobs/{wanted}"))?;
        let answer = self.exchange.send(place, &Ask::get(url)).await?;
        if !answer.status().is_success() {
            return Err(refused(place, answer).await);
        }
        body(place, answer, what, most).await
    }

    /// What refers to a manifest: asked of the registry, or read from the tag that stands in for the question.
    async fn referrers(&self, place: &Reference, of: &str) -> Result<Vec<Descriptor>, RegistryError> {
        let url = self.exchange.url(place, &format!("referrers/{of}"))?;
        let answer = self.exchange.send(place, &Ask { accept: &[INDEX], ..Ask::get(url) }).await?;
        let bytes = match answer.status() {
            status if status.is_success() => body(place, answer, "the list of referrers", LONGEST_MANIFEST).await?,
            // Registries that don't know the question say so in several ways.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => {
                match self.manifest(&place.at(&cosign_tag(of, ""))).await {
                    Ok(bytes) => bytes,
                    Err(RegistryError::Missing { .. }) => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                }
            }
            _ => return Err(exchange::refused(place, answer).await),
        };
        Ok(serde_json::from_slice::<Index>(&bytes).map(|index| index.manifests).unwrap_or_default())
    }
}
