//! OCI image layouts: what a registry holds, in a folder or an archive of one, for machines that reach none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::artifact::{Descriptor, INDEX, Index, LONGEST_MANIFEST, MANIFEST, Manifest, digest};
use crate::attached::{self, COSIGN_SIGNATURE, SIMPLE_SIGNING, Signature, cosign_tag};
use crate::error::RegistryError;
use crate::pull::Pulled;
use crate::reference::{Reference, is_digest};

/// What others call a manifest in a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// How cosign marks a manifest with signatures in a layout.
const COSIGN_KIND: &str = "kind";
const COSIGN_SIGNATURES: &str = "dev.cosignproject.cosign/sigs";
/// The most files of an archive that are looked at.
const MOST_FILES: usize = 10_000;
/// What makes a folder a layout.
const MARK: &str = "oci-layout";

/// A layout.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    /// Where in the archive a file is, with its size; none if this is a folder.
    archive: Option<BTreeMap<String, (u64, u64)>>,
    index: Index,
}

impl Layout {
    /// Opens a folder or an archive. Nothing is unpacked: an archive is read where it is.
    ///
    /// # Errors
    /// It is no layout.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let path = path.into();
        let bad = |why: String| RegistryError::Layout { path: path.clone(), why };
        let archive = if path.is_dir() { None } else { Some(contents(&path).map_err(|e| bad(e.to_string()))?) };
        let empty = Index { schema_version: 2, media_type: None, manifests: Vec::new() };
        let mut layout = Self { path: path.clone(), archive, index: empty };
        layout.file(MARK, LONGEST_MANIFEST)?;
        let index = layout.file("index.json", LONGEST_MANIFEST)?;
        layout.index =
            serde_json::from_slice(&index).map_err(|e| bad(format!("its `index.json` can't be read: {e}")))?;
        Ok(layout)
    }

    /// Folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn bad(&self, why: String) -> RegistryError {
        RegistryError::Layout { path: self.path.clone(), why }
    }

    fn file(&self, name: &str, most: u64) -> Result<Vec<u8>, RegistryError> {
        let unreadable = |e: std::io::Error| self.bad(format!("`{name}` can't be read: {e}"));
        let (mut file, size) = match &self.archive {
            None => {
                let file = File::open(self.path.join(name)).map_err(unreadable)?;
                let size = file.metadata().map_err(unreadable)?.len();
                (file, size)
            }
            Some(contents) => {
                let (at, size) = *contents.get(name).ok_or_else(|| self.bad(format!("it has no `{name}`")))?;
                let mut file = File::open(&self.path).map_err(unreadable)?;
                file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
                (file, size)
            }
        };
        if size > most {
            return Err(self.bad(format!("`{name}` has {size} bytes, of {most} that are taken")));
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(size).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    pub(crate) fn blob(&self, wanted: &str, most: u64) -> Result<Vec<u8>, RegistryError> {
        // A digest is checked before it becomes a part of a path.
        let hex = wanted.strip_prefix("sha256:").filter(|_| is_digest(wanted));
        let hex = hex.ok_or_else(|| self.bad(format!("`{wanted}` is no digest")))?;
        self.file(&format!("blobs/sha256/{hex}"), most)
    }

    /// The manifest of a name, or the only one of a plugin.
    pub(crate) fn manifest(&self, reference: Option<&Reference>, named: &str) -> Result<Vec<u8>, RegistryError> {
        let listed = &self.index.manifests;
        let fits = |entry: &&Descriptor| {
            let Some(reference) = reference else { return !is_apart(entry) };
            let name = entry.annotations.get(REF_NAME).map(String::as_str);
            match reference.digest() {
                Some(digest) => entry.digest == digest,
                None => name == Some(named) || (name.is_some() && name == reference.tag.as_deref()),
            }
        };
        let found: Vec<&Descriptor> = listed.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => self.blob(&one.digest, LONGEST_MANIFEST),
            [] => Err(RegistryError::Missing { reference: format!("{named} (in {})", self.path.display()) }),
            _ => Err(self.bad("it holds several plugins: name the one to take by its digest".to_owned())),
        }
    }

    /// The manifest with cosign's signatures of a manifest.
    pub(crate) fn cosign(&self, of: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        let tag = cosign_tag(of, ".sig");
        let found = self.index.manifests.iter().find(|entry| {
            let named = entry.annotations.get(REF_NAME).is_some_and(|name| name.ends_with(&tag));
            // cosign's own layouts hold one image, and say no more than that these are its signatures.
            named || entry.annotations.get(COSIGN_KIND).is_some_and(|kind| kind == COSIGN_SIGNATURES)
        });
        found.map(|entry| self.blob(&entry.digest, LONGEST_MANIFEST)).transpose()
    }

    /// What refers to a manifest.
    pub(crate) fn referrers(&self, of: &str) -> Result<Vec<Descriptor>, RegistryError> {
        let mut found = Vec::new();
        for entry in self.index.manifests.iter().filter(|e| e.digest != of).take(attached::MOST) {
            let bytes = self.blob(&entry.digest, LONGEST_MANIFEST)?;
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { continue };
            if manifest.subject.is_some_and(|subject| subject.digest == of) {
                let artifact_type = entry.artifact_type.clone().or(manifest.artifact_type);
                found.push(Descriptor { artifact_type, ..entry.clone() });
            }
        }
        Ok(found)
    }

    /// Writes a plugin with its signatures: into a folder, or into an archive if the path ends with `.tar`.
    ///
    /// # Errors
    /// It can't be written, or is there already.
    pub fn write(path: &Path, pulled: &Pulled) -> Result<(), RegistryError> {
        let bad = |why: String| RegistryError::Layout { path: path.to_owned(), why };
        let failed = |e: std::io::Error| bad(e.to_string());
        let files = files(pulled).map_err(|e| bad(e.to_string()))?;
        if path.extension().is_some_and(|e| e == "tar") {
            let file = File::options().write(true).create_new(true).open(path).map_err(failed)?;
            let mut archive = tar::Builder::new(file);
            for (name, bytes) in files {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o644);
                archive.append_data(&mut header, name, bytes.as_slice()).map_err(failed)?;
            }
            return archive.into_inner().and_then(|mut file| file.flush()).map_err(failed);
        }
        std::fs::create_dir(path).map_err(failed)?;
        std::fs::create_dir_all(path.join("blobs/sha256")).map_err(failed)?;
        for (name, bytes) in files {
            std::fs::write(path.join(name), bytes).map_err(failed)?;
        }
        Ok(())
    }
}

/// Signatures and other things about a plugin.
fn is_apart(entry: &Descriptor) -> bool {
    entry.artifact_type.is_some()
        || entry.annotations.contains_key(COSIGN_KIND)
        || entry.annotations.get(REF_NAME).is_some_and(|name| {
            let tag = name.rsplit(':').next().unwrap_or_default();
            tag.starts_with("sha256-")
        })
}

/// Where in an archive its files are. Only the names of a layout count, and only plain files.
fn contents(path: &Path) -> std::io::Result<BTreeMap<String, (u64, u64)>> {
    let mut found = BTreeMap::new();
    let mut archive = tar::Archive::new(File::open(path)?);
    for entry in archive.entries_with_seek()?.take(MOST_FILES) {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() {
            found.insert(name, (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(found)
}

/// The files of a layout with one plugin.
fn files(pulled: &Pulled) -> serde_json::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut put = |bytes: Vec<u8>| {
        let hex = digest(&bytes).trim_start_matches("sha256:").to_owned();
        files.insert(format!("blobs/sha256/{hex}"), bytes);
    };
    let mut plugin = Descriptor::of(MANIFEST, &pulled.manifest);
    plugin.annotations.insert(REF_NAME.to_owned(), pulled.reference.clone());
    let mut manifests = vec![plugin.clone()];
    for bytes in [&pulled.manifest, &pulled.config, &pulled.wasm] {
        put(bytes.clone());
    }
    let empty = b"{}".to_vec();
    let manifest = |layers: Vec<Descriptor>, artifact_type: Option<String>, subject: Option<Descriptor>| Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type,
        config: Some(Descriptor::of("application/vnd.oci.empty.v1+json", &empty)),
        layers,
        subject,
        annotations: BTreeMap::new(),
    };
    let mut cosign = Vec::new();
    for signature in &pulled.signatures {
        put(empty.clone());
        match signature {
            Signature::Cosign { payload, signature } => {
                let mut layer = Descriptor::of(SIMPLE_SIGNING, payload.as_bytes());
                layer.annotations.insert(COSIGN_SIGNATURE.to_owned(), signature.clone());
                cosign.push(layer);
                put(payload.clone().into_bytes());
            }
            Signature::Bundle(bundle) => {
                let kind = format!("{}.v0.3+json", attached::BUNDLE);
                let layer = Descriptor::of(&kind, bundle.as_bytes());
                let subject = Descriptor { annotations: BTreeMap::new(), ..plugin.clone() };
                let bytes = serde_json::to_vec(&manifest(vec![layer], Some(kind.clone()), Some(subject)))?;
                let listed = Descriptor { artifact_type: Some(kind), ..Descriptor::of(MANIFEST, &bytes) };
                manifests.push(listed);
                put(bundle.clone().into_bytes());
                put(bytes);
            }
        }
    }
    if !cosign.is_empty() {
        let bytes = serde_json::to_vec(&manifest(cosign, None, None))?;
        let mut listed = Descriptor::of(MANIFEST, &bytes);
        listed.annotations.insert(REF_NAME.to_owned(), cosign_tag(&pulled.manifest_digest, ".sig"));
        manifests.push(listed);
        put(bytes);
    }
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests };
    files.insert("index.json".to_owned(), serde_json::to_vec(&index)?);
    files.insert(MARK.to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    Ok(files)
}
