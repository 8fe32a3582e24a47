//! The typed fields of `Cluster.spec.packages`: the controller of curated packages.

use serde::{Deserialize, Serialize};

/// `spec.packages`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageConfiguration {
    /// Whether the cluster does without curated packages.
    #[serde(skip_serializing_if = "is_false")]
    pub disable: bool,
    /// The package controller; management clusters only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<PackageController>,
    /// The job that refreshes the registry's token; management clusters only.
    #[serde(rename = "cronjob", skip_serializing_if = "Option::is_none")]
    pub cron_job: Option<PackageCronJob>,
}

/// `spec.packages.controller`. An image that is not named is the release's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageController {
    /// The image without tag and digest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// The image's tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The image's digest, `sha256:…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Whether it goes without admission webhooks.
    #[serde(skip_serializing_if = "is_false")]
    pub disable_webhooks: bool,
    /// Environment variables, each `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What its container asks for and may use.
    #[serde(skip_serializing_if = "PackageResources::is_empty")]
    pub resources: PackageResources,
}

/// `spec.packages.controller.resources`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PackageResources {
    /// Asked for.
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub requests: Amounts,
    /// At most.
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub limits: Amounts,
}

/// Kubernetes quantities (`100m`, `200Mi`); empty where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Of processors.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cpu: String,
    /// Of memory.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub memory: String,
}

/// `spec.packages.cronjob`. An image that is not named is the release's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PackageCronJob {
    /// The image without tag and digest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// The image's tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The image's digest, `sha256:…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Whether the token is not refreshed at all.
    #[serde(skip_serializing_if = "is_false")]
    pub disable: bool,
}

impl PackageResources {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

impl Amounts {
    fn is_empty(&self) -> bool {
        self.cpu.is_empty() && self.memory.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
