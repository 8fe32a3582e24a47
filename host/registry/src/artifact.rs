//! The form of a plugin in a registry: <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::shown;
use crate::reference::is_digest;

/// Media type of a manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of a list of manifests.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of the configuration.
pub(crate) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the component.
pub const LAYER: &str = "application/wasm";
/// The annotation with a signature over the component's bytes.
pub(crate) const SIGNATURE: &str = "dev.kedge.plugin.signature";
/// The longest manifest.
pub(crate) const LONGEST_MANIFEST: u64 = 1 << 20;

/// `sha256:` and hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A pointer to content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest, as far as it counts here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Descriptor>,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A list of manifests: referrers, and the start of a layout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    pub(crate) manifests: Vec<Descriptor>,
}

/// The manifest of a plugin and its one layer; what is not a plugin's is told apart.
///
/// # Errors
/// What it is instead.
pub(crate) fn read(bytes: &[u8]) -> Result<(Manifest, Descriptor), String> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| format!("its manifest can't be read: {e}"))?;
    if manifest.schema_version != 2 || manifest.media_type.as_deref().is_some_and(|t| t != MANIFEST) {
        let found = manifest.media_type.unwrap_or_else(|| format!("schema version {}", manifest.schema_version));
        return Err(format!("its manifest is `{}`", shown(&found)));
    }
    match &manifest.config {
        Some(config) if config.media_type == CONFIG => {}
        Some(config) => return Err(format!("its configuration is `{}`", shown(&config.media_type))),
        None => return Err("it has no configuration, so it is a list of others or nothing".to_owned()),
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(format!("it has {} layers in place of one", manifest.layers.len()));
    };
    if layer.media_type != LAYER {
        return Err(format!("its layer is `{}`", shown(&layer.media_type)));
    }
    if !is_digest(&layer.digest) {
        return Err(format!("its layer has no SHA-256 digest but `{}`", shown(&layer.digest)));
    }
    let layer = layer.clone();
    Ok((manifest, layer))
}

/// The digest of the component that a manifest is of: what a signature over the manifest says, in the end.
///
/// # Errors
/// What the manifest is instead of a plugin's.
pub fn layer_of(manifest: &[u8]) -> Result<String, String> {
    read(manifest).map(|(_, layer)| layer.digest)
}

/// What a component says of itself, for its configuration and annotations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Its name, if its file says one.
    pub name: Option<String>,
    /// Its version, if its file says one.
    pub version: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    layer_digests: [String; 1],
    component: Listed<'a>,
}

#[derive(Serialize)]
struct Listed<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

/// Manifest and configuration of a component. The form wants a time; it is always the same one, so that the same component
/// is the same artifact.
pub(crate) fn write(
    wasm: &[u8],
    component: &Component,
    signature: Option<&str>,
) -> serde_json::Result<(Vec<u8>, Vec<u8>)> {
    let config = serde_json::to_vec(&Config {
        created: "1970-01-01T00:00:00Z",
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [digest(wasm)],
        component: Listed { exports: &component.exports, imports: &component.imports },
    })?;
    let mut annotations = BTreeMap::new();
    let mut note = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            annotations.insert(key.to_owned(), value.to_owned());
        }
    };
    note("org.opencontainers.image.title", component.name.as_deref());
    note("org.opencontainers.image.version", component.version.as_deref());
    note(SIGNATURE, signature.map(str::trim));
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: None,
        config: Some(Descriptor::of(CONFIG, &config)),
        layers: vec![Descriptor::of(LAYER, wasm)],
        subject: None,
        annotations,
    };
    Ok((serde_json::to_vec(&manifest)?, config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plugin_is_told_apart() {
        let (manifest, _) = write(b"wasm", &Component::default(), Some("c2ln\n")).unwrap();
        let good = String::from_utf8(manifest).unwrap();
        let (manifest, layer) = read(good.as_bytes()).unwrap();
        assert_eq!((layer.size, manifest.annotations[SIGNATURE].as_str()), (4, "c2ln"));
        assert_eq!(layer_of(good.as_bytes()).unwrap(), digest(b"wasm"));
        for (from, to, wanted) in [
            (MANIFEST, INDEX, "manifest is"),
            (CONFIG, "application/vnd.oci.image.config.v1+json", "configuration is"),
            (LAYER, "application/vnd.oci.image.layer.v1.tar+gzip", "layer is"),
            (layer.digest.as_str(), "sha512:ab", "no SHA-256"),
            ("\"schemaVersion\":2", "\"schemaVersion\":1", "manifest is"),
            ("\"size\":4", "\"size\":-4", "can't be read"),
            ("\"config\"", "\"other\"", "no configuration"),
        ] {
            let error = read(good.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        let layers = good.split("\"layers\":[").nth(1).unwrap().split(']').next().unwrap();
        assert!(read(good.replace(layers, &format!("{layers},{layers}")).as_bytes()).unwrap_err().contains("2 layers"));
        assert!(read(good.replace(layers, "").as_bytes()).unwrap_err().contains("0 layers"));
    }

    #[test]
    fn the_same_component_is_the_same_artifact() {
        let component = Component { name: Some("lab".into()), ..Component::default() };
        assert_eq!(write(b"wasm", &component, None).unwrap(), write(b"wasm", &component, None).unwrap());
    }
}
