//! Compiled plugins, kept where only their user can write.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::error::PluginError;
use crate::native;

/// Changes when what is checked before compiling changes, so that nothing unchecked stays in the cache.
const POLICY: u32 = 2;

/// Bytes of the checksum at the start of a file.
const SUM: usize = 32;

/// A folder of native code by digest and engine.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, or makes it with mode 0700. One that others own or can write to is refused.
    pub(crate) fn open(folder: &Path) -> Result<Self, PluginError> {
        let bad = |why: String| PluginError::Cache { path: folder.to_owned(), why };
        if !folder.exists() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder).map_err(|e| bad(format!("it can't be made: {e}")))?;
        }
        let meta = fs::symlink_metadata(folder).map_err(|e| bad(e.to_string()))?;
        if !meta.is_dir() {
            return Err(bad("it is not a folder (symbolic links are not followed)".to_owned()));
        }
        private(&meta).map_err(bad)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn file(&self, digest: &str, engine: &Engine) -> PathBuf {
        self.folder.join(format!("{digest}-{}-{POLICY}.cwasm", engine.compatibility()))
    }

    /// What is there, if anything. A file that does not load is removed: it will be made again.
    pub(crate) fn get(&self, digest: &str, engine: &Engine) -> Result<Option<Component>, PluginError> {
        let path = self.file(digest, engine);
        let Ok(meta) = fs::symlink_metadata(&path) else { return Ok(None) };
        let bad = |why: String| PluginError::Cache { path: path.clone(), why };
        if !meta.is_file() {
            return Err(bad("it is not a file (symbolic links are not followed)".to_owned()));
        }
        private(&meta).map_err(bad)?;
        let loaded = read(&path).and_then(|code| {
            native::trusted_code(&engine.engine, &code).map_err(|error| format!("it is of no use here: {error:#}"))
        });
        match loaded {
            Ok(component) => Ok(Some(component)),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "a compiled plugin is made again");
                let _ = fs::remove_file(&path);
                Ok(None)
            }
        }
    }

    /// Keeps a component's code. Written beside and renamed, so that nobody ever sees half of it.
    pub(crate) fn put(&self, digest: &str, engine: &Engine, code: &[u8]) -> Result<(), PluginError> {
        let path = self.file(digest, engine);
        let bad = |why: String| PluginError::Cache { path: path.clone(), why };
        let temporary = self.folder.join(format!(".{digest}.{}.tmp", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // What a killed process left behind.
        let _ = fs::remove_file(&temporary);
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(&Sha256::digest(code))?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        });
        written.map_err(|e| {
            let _ = fs::remove_file(&temporary);
            bad(format!("it can't be written: {e}"))
        })
    }
}

/// The code in a file, after its checksum was compared: a disk that forgets a bit must not run. What is checked is what
/// is loaded, not the file once more.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    // Between the look at the file and here it may have become a link.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default(),
    );
    let mut bytes = Vec::new();
    options.open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|e| e.to_string())?;
    let Some((sum, code)) = bytes.split_at_checked(SUM) else { return Err("it is cut off".to_owned()) };
    if Sha256::digest(code).as_slice() != sum {
        return Err("its checksum is wrong".to_owned());
    }
    Ok(code.to_vec())
}

#[cfg(unix)]
fn private(meta: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(format!("it belongs to user {}, not to the one who runs kedge ({me})", meta.uid()));
    }
    if meta.mode() & 0o022 != 0 {
        return Err("others can write to it".to_owned());
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &fs::Metadata) -> Result<(), String> {
    // The profile folder of a user is private there.
    Ok(())
}
