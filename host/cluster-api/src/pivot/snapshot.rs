//! All objects of a move on disk, in the form of `clusterctl move --to-directory`, so that stock clusterctl can put them
//! back. Secrets stand in it in the clear: only the owner can read it.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::graph::Graph;
use super::journal::{make_folder, private};
use crate::error::Error;

const FOLDER: &str = "objects";

/// Writes all objects, and only then replaces what was there before.
pub(super) fn write(folder: &Path, graph: &Graph) -> Result<(), Error> {
    let target = folder.join(FOLDER);
    let fresh = folder.join(format!("{FOLDER}.new"));
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| Error::Disk { path, done: "written", source }
    };
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(failed(&fresh))?;
    }
    make_folder(&fresh)?;
    for node in graph.nodes() {
        let namespace = node.id.namespace.as_deref().unwrap_or_default();
        let name = format!("{}_{namespace}_{}.yaml", node.id.kind.kind, node.id.name).replace([':', '/'], "-");
        let path = fresh.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(&path).map_err(failed(&path))?;
        let text = serde_json::to_vec_pretty(&node.object).map_err(|e| failed(&path)(e.into()))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed(&path))?;
    }
    if target.exists() {
        fs::remove_dir_all(&target).map_err(failed(&target))?;
    }
    fs::rename(&fresh, &target).map_err(failed(&target))?;
    // The names are on disk only when their folder is.
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed(folder))
}
