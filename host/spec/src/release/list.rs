//! The list of releases: which there are, and where the bundles of each are.

use serde_json::Value;

use super::ReleaseError;
use super::bundles::read_one;

/// One of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRelease {
    /// `v0.26.1`.
    pub version: String,
    /// When it was made, as the list has it.
    pub date: String,
    /// The commit it was made of.
    pub git_commit: String,
    /// Where its `Bundles` manifest is; may be relative to the list.
    pub bundles_url: String,
}

/// The releases in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseList {
    name: String,
    latest: String,
    releases: Vec<ListedRelease>,
}

impl ReleaseList {
    /// Whether a text is such a list, by its first lines: that spares reading a large manifest twice.
    pub fn is_one(text: &str) -> bool {
        text.lines().take(50).any(|line| line.trim_end() == "kind: Release")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// When it is not YAML, or lacks a field.
    pub fn parse(text: &str, name: &str) -> Result<Self, ReleaseError> {
        let list = read_one(text, name, "Release")?;
        let wrong = |field: String| ReleaseError::Field { name: name.to_owned(), field };
        let latest = list.pointer("/spec/latestVersion").and_then(Value::as_str);
        let latest = latest.ok_or_else(|| wrong("spec.latestVersion".into()))?.to_owned();
        let entries = list.pointer("/spec/releases").and_then(Value::as_array);
        let entries = entries.filter(|e| !e.is_empty()).ok_or_else(|| wrong("spec.releases".into()))?;
        let releases = entries.iter().enumerate().map(|(index, entry)| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let needed = |key: &str| match text(key) {
                empty if empty.is_empty() => Err(wrong(format!("spec.releases[{index}].{key}"))),
                text => Ok(text),
            };
            Ok(ListedRelease {
                version: needed("version")?,
                date: text("date"),
                git_commit: text("gitCommit"),
                bundles_url: needed("bundleManifestUrl")?,
            })
        });
        Ok(Self { name: name.to_owned(), latest, releases: releases.collect::<Result<_, _>>()? })
    }

    /// The release of a version; the latest one where none is asked for.
    ///
    /// # Errors
    /// When the list does not have it: with those that it has.
    pub fn find(&self, version: Option<&str>) -> Result<&ListedRelease, ReleaseError> {
        let wanted = version.unwrap_or(&self.latest);
        self.releases.iter().find(|r| r.version == wanted).ok_or_else(|| ReleaseError::NotListed {
            name: self.name.clone(),
            version: wanted.to_owned(),
            known: self
                .releases
                .iter()
                .rev()
                .take(5)
                .map(|r| format!("`{}`", r.version))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Release
spec:
  latestVersion: v0.26.1
  releases:
  - {version: v0.25.0, number: 99, date: '2026-01-01', gitCommit: abc, bundleManifestUrl: https://a/99.yaml}
  - {version: v0.26.1, number: 100, date: '2026-02-01', gitCommit: def, bundleManifestUrl: https://a/100.yaml}
";

    #[test]
    fn the_latest_and_the_one_that_is_asked_for() {
        assert!(ReleaseList::is_one(LIST) && !ReleaseList::is_one("kind: Bundles\n"));
        let list = ReleaseList::parse(LIST, "list").unwrap();
        assert_eq!(list.find(None).unwrap().bundles_url, "https://a/100.yaml");
        let asked = list.find(Some("v0.25.0")).unwrap();
        assert_eq!((asked.git_commit.as_str(), asked.date.as_str()), ("abc", "2026-01-01"));
        let error = list.find(Some("v0.1.0")).unwrap_err().to_string();
        assert!(error.contains("`v0.1.0`") && error.contains("`v0.26.1`, `v0.25.0`"), "{error}");
    }

    #[test]
    fn a_list_that_lacks_something_is_refused() {
        for (from, to, expected) in [
            ("  latestVersion: v0.26.1\n", "", "spec.latestVersion"),
            ("version: v0.25.0, ", "", "spec.releases[0].version"),
            (", bundleManifestUrl: https://a/100.yaml", "", "spec.releases[1].bundleManifestUrl"),
        ] {
            let error = ReleaseList::parse(&LIST.replacen(from, to, 1), "list").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(ReleaseList::parse("kind: Release\nspec: {latestVersion: v1, releases: []}", "l").is_err());
        assert!(matches!(ReleaseList::parse("kind: Bundles", "l"), Err(ReleaseError::WrongKind { .. })));
    }
}
