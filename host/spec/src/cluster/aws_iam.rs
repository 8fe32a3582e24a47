//! The typed `AWSIamConfig` document.

use serde::{Deserialize, Serialize};

/// The kind.
pub const AWS_IAM_KIND: &str = "AWSIamConfig";

/// The partition of an AWSIamConfig that names none.
pub const AWS_PARTITION: &str = "aws";

/// How the API server trusts AWS IAM, through aws-iam-authenticator: `AWSIamConfig.spec`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsIamConfig {
    /// A region of the partition.
    pub aws_region: String,
    /// Where mappings are looked up, in this order: `EKSConfigMap`, `CRD` …
    pub backend_mode: Vec<String>,
    /// Roles and who they are in the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub map_roles: Vec<MapRole>,
    /// Users and who they are in the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub map_users: Vec<MapUser>,
    /// `aws` after defaults.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
}

/// One of `AWSIamConfig.spec.mapRoles`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MapRole {
    /// The role.
    #[serde(rename = "roleARN")]
    pub role_arn: String,
    /// Its user name in the cluster.
    pub username: String,
    /// Its groups in the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// One of `AWSIamConfig.spec.mapUsers`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MapUser {
    /// The user.
    #[serde(rename = "userARN")]
    pub user_arn: String,
    /// Its user name in the cluster.
    pub username: String,
    /// Its groups in the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}
