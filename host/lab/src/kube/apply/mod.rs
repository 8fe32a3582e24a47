//! Server-side apply: who owns which field, and what an apply does to the object.
//!
//! Source: the structured merge and diff of Kubernetes (`sigs.k8s.io/structured-merge-diff`), whose rules for sets, merging,
//! conflicts and removal these are.

mod compare;
mod fields;
mod managed;
mod merge;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use managed::{Owner, track, track_half};

use super::error::{ApiError, Cause, Reason};
use super::resource::Resource;
use super::schema::Schema;
use fields::FieldSet;
use managed::Managers;

/// Why an object could not be applied.
#[derive(Debug)]
pub(crate) enum ApplyError {
    /// Other managers own fields that the applied object wants different.
    Conflicts(Vec<(Owner, FieldSet)>),
    /// The applied object cannot be merged.
    Malformed(String),
}

impl ApplyError {
    pub(crate) fn for_object(self, resource: &Resource, name: &str) -> ApiError {
        match self {
            Self::Malformed(why) => ApiError::new(
                Reason::InternalError,
                format!(
                    "failed to create typed patch object ({name}; {}, Kind={}): {why}",
                    resource.api_version(&resource.storage),
                    resource.kind
                ),
            ),
            Self::Conflicts(conflicts) => {
                let mut causes = Vec::new();
                let mut lines = Vec::new();
                for (owner, set) in &conflicts {
                    let who = owner.describe();
                    let paths = set.paths();
                    for path in &paths {
                        causes.push(Cause {
                            reason: "FieldManagerConflict".to_owned(),
                            message: format!("conflict with {who}"),
                            field: path.clone(),
                        });
                    }
                    lines.push((who, paths));
                }
                let message = if let ([(who, paths)], 1) = (lines.as_slice(), causes.len()) {
                    let only = paths.first().map(String::as_str).unwrap_or_default();
                    format!("Apply failed with 1 conflict: conflict with {who}: {only}")
                } else {
                    let mut text = format!("Apply failed with {} conflicts:", causes.len());
                    for (who, paths) in &lines {
                        use std::fmt::Write as _;
                        let _ = write!(text, " conflicts with {who}:");
                        for path in paths {
                            let _ = write!(text, "\n- {path}");
                        }
                        text.push('\n');
                    }
                    text.trim_end().to_owned()
                };
                // Kubernetes answers this conflict without saying which object it is about.
                let mut error = ApiError::new(Reason::Conflict, message);
                error.causes = causes;
                error
            }
        }
    }
}

/// What `wanted`, applied by `owner`, makes of `live`: the new object with its `managedFields`.
///
/// # Errors
/// [`ApplyError::Conflicts`] unless `force`.
pub(crate) fn apply(
    live: Option<&Value>,
    wanted: &Value,
    schema: &Schema,
    owner: &Owner,
    force: bool,
    now: &str,
) -> Result<Value, ApplyError> {
    let empty = Value::Object(serde_json::Map::new());
    let base = live.unwrap_or(&empty);
    let mut managers = Managers::of(base);
    if live.is_some() && managers.is_empty() {
        managers.everything_before(base, schema, now);
    }
    let before = managers.clone();
    merge::check(wanted, schema).map_err(ApplyError::Malformed)?;
    let set = owner.half(FieldSet::of(wanted, schema).without_identity());
    let mut applied = wanted.clone();
    managed::strip(&mut applied);
    let mut base_object = base.clone();
    managed::strip(&mut base_object);
    let mut merged = if owner.subresource.is_empty() {
        merge::merge(&base_object, &applied, schema)
    } else {
        // Only the subresource's part of what is applied counts.
        let mut part = serde_json::Map::new();
        if let Some(value) = applied.get(&owner.subresource) {
            part.insert(owner.subresource.clone(), value.clone());
        }
        merge::merge(&base_object, &Value::Object(part), schema)
    };

    // Conflicts, before anything is removed.
    let changes = compare::compare(&base_object, &merged, schema);
    let mut conflicts = Vec::new();
    for (other, fields) in managers.others(owner) {
        let overlap = fields.intersection(&changes.set_or_added());
        if !overlap.is_empty() {
            conflicts.push((other, overlap));
        }
    }
    if !conflicts.is_empty() {
        if !force {
            return Err(ApplyError::Conflicts(conflicts));
        }
        for (other, overlap) in conflicts {
            managers.take_from(&other, &overlap);
        }
    }

    // What this manager has applied before and no longer does goes, unless somebody else owns it.
    let last = managers.fields_of(owner);
    managers.set(owner, set.clone(), now);
    let mut kept = FieldSet::default();
    for fields in managers.all_fields() {
        kept = kept.union(&fields);
    }
    merge::remove(&mut merged, &last, &kept, schema);
    let removed = compare::compare(&base_object, &merged, schema).removed;
    managers.forget(owner, &removed);

    let different = live.is_none() || merged != base_object;
    managers.settle_times(&before, owner, different);
    managers.write(&mut merged);
    managed::restore(base, &mut merged);
    Ok(merged)
}
