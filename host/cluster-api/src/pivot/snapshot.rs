//! All objects of a move on disk, in the form of `clusterctl move --to-directory`, so that stock clusterctl can put them
//! back, and what it wrote can be put back here. Secrets stand in it in the clear: only the owner can read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::found::Found;
use super::graph::Graph;
use super::journal::{make_folder, private};
use super::kinds::Movable;
use crate::error::Error;
use crate::object::{ObjectId, uid};

/// Where a move keeps its snapshot, in its own folder.
pub const FOLDER: &str = "objects";

/// How many threads bring files to the disk.
const SIDE_BY_SIDE: usize = 8;

fn failed(path: &Path, done: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Disk { path, done, source }
}

/// Files that were written and are perhaps not on the disk yet.
#[must_use = "they are not safe on the disk before `settle`"]
pub(super) struct Written(Vec<PathBuf>);

/// Writes all objects, and only then replaces what was there before.
pub(super) fn write(folder: &Path, graph: &Graph) -> Result<Written, Error> {
    let target = folder.join(FOLDER);
    let fresh = folder.join(format!("{FOLDER}.new"));
    fresh_folder(&fresh)?;
    let names = fill(&fresh, graph)?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(failed(&target, "written"))?;
    }
    fs::rename(&fresh, &target).map_err(failed(&target, "written"))?;
    let mut all: Vec<PathBuf> = names.iter().map(|name| target.join(name)).collect();
    // The names are on disk only when their folders are.
    all.extend([target, folder.to_owned()]);
    Ok(Written(all))
}

/// Makes a folder, empty also if there was one that an earlier try left behind.
pub(super) fn fresh_folder(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed(folder, "written"))?;
    }
    make_folder(folder)
}

/// Writes one file an object into a folder.
pub(super) fn fill(folder: &Path, graph: &Graph) -> Result<Vec<String>, Error> {
    let mut names = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let namespace = node.id.namespace.as_deref().unwrap_or_default();
        let name = format!("{}_{namespace}_{}.yaml", node.id.kind.kind, node.id.name).replace([':', '/'], "-");
        let path = folder.join(&name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(&path).map_err(failed(&path, "written"))?;
        let text = serde_json::to_vec_pretty(&node.object).map_err(|e| failed(&path, "written")(e.into()))?;
        file.write_all(&text).map_err(failed(&path, "written"))?;
        names.push(name);
    }
    Ok(names)
}

impl Written {
    /// Files of a folder.
    pub(super) fn of(folder: &Path, names: &[String]) -> Self {
        Self(names.iter().map(|name| folder.join(name)).chain([folder.to_owned()]).collect())
    }

    /// Returns when all is safe on the disk. Many at once: the disk writes them together then.
    pub(super) async fn settle(self) -> Result<(), Error> {
        let size = self.0.len().div_ceil(SIDE_BY_SIDE).max(1);
        let parts: Vec<_> = self
            .0
            .chunks(size)
            .map(|part| {
                let part = part.to_vec();
                tokio::task::spawn_blocking(move || {
                    part.iter().try_for_each(|path| {
                        File::open(path).and_then(|file| file.sync_all()).map_err(failed(path, "written"))
                    })
                })
            })
            .collect();
        for part in parts {
            // A thread that was taken down with the program has nobody left to tell.
            part.await.unwrap_or(Ok(()))?;
        }
        Ok(())
    }
}

/// Reads a folder of objects. What is not a file of objects is an error: half a cluster is none.
pub(super) fn read(folder: &Path) -> Result<Found, Error> {
    let mut nodes = BTreeMap::new();
    let entries = fs::read_dir(folder).map_err(failed(folder, "read"))?;
    for entry in entries {
        let path = entry.map_err(failed(folder, "read"))?.path();
        if !path.extension().is_some_and(|e| e == "yaml" || e == "json") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed(&path, "read"))?;
        let source = kedge_spec::Source::new(path.display().to_string(), text);
        let documents = kedge_spec::yaml_documents(&source)
            .map_err(|rejected| Error::pivot(rejected.to_string(), "correct the file or take it away"))?;
        for object in documents.into_iter().filter(|d| !d.is_null()) {
            let id = ObjectId::from_object(&object).filter(|_| !uid(&object).is_empty()).ok_or_else(|| {
                Error::pivot(
                    format!("`{}` is no object of a snapshot: it lacks its kind, its name or its uid", path.display()),
                    "take the file away if it does not belong there",
                )
            })?;
            nodes.insert(uid(&object).to_owned(), (movable(&id), object));
        }
    }
    if nodes.is_empty() {
        return Err(Error::pivot(
            format!("there are no objects in `{}`", folder.display()),
            "name the folder that `--to-directory` wrote, or the folder `objects` of a move",
        ));
    }
    Ok(Found { nodes, used_elsewhere: BTreeSet::new() })
}

fn movable(id: &ObjectId) -> Movable {
    Movable { global: id.namespace.is_none(), ..Movable::of(id.kind.clone()) }
}
