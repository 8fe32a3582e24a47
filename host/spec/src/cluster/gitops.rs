//! The typed `FluxConfig` and `GitOpsConfig` documents. The second is the old form of the first.

use serde::{Deserialize, Serialize};

/// The kind.
pub const FLUX_KIND: &str = "FluxConfig";

/// The kind of the old form.
pub const GITOPS_KIND: &str = "GitOpsConfig";

/// The branch of a document that names none.
pub const GIT_BRANCH: &str = "main";

/// Flux' namespace of a document that names none.
pub const FLUX_NAMESPACE: &str = "flux-system";

/// The kind of a private key that is not described.
pub const SSH_KEY_ALGORITHM: &str = "ecdsa";

/// The repository that a cluster is kept in: `FluxConfig.spec`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FluxConfig {
    /// Flux' namespace; `flux-system` after defaults.
    pub system_namespace: String,
    /// The folder of the repository; `clusters/MANAGEMENT-CLUSTER` after defaults.
    pub cluster_config_path: String,
    /// The branch; `main` after defaults.
    pub branch: String,
    /// A repository at GitHub, reached with a token. Either this or `git`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<GithubRepository>,
    /// A repository anywhere, reached over SSH. Either this or `github`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitRepository>,
}

/// `FluxConfig.spec.github`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GithubRepository {
    /// A user or an organisation.
    pub owner: String,
    /// The repository's name.
    pub repository: String,
    /// Whether the owner is a user.
    pub personal: bool,
}

/// `FluxConfig.spec.git`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepository {
    /// `ssh://…`.
    pub repository_url: String,
    /// `rsa`, `ecdsa` or `ed25519`: that of the private key. `ecdsa` after defaults.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ssh_key_algorithm: String,
}

/// `GitOpsConfig.spec`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GitOpsConfig {
    /// Flux.
    pub flux: GitOpsFlux,
}

/// `GitOpsConfig.spec.flux`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GitOpsFlux {
    /// The repository, at GitHub.
    pub github: GitOpsGithub,
}

/// `GitOpsConfig.spec.flux.github`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitOpsGithub {
    /// A user or an organisation.
    pub owner: String,
    /// The repository's name.
    pub repository: String,
    /// Flux' namespace; `flux-system` after defaults.
    pub flux_system_namespace: String,
    /// The branch; `main` after defaults.
    pub branch: String,
    /// The folder of the repository; `clusters/MANAGEMENT-CLUSTER` after defaults.
    pub cluster_config_path: String,
    /// Whether the owner is a user.
    pub personal: bool,
}

impl From<GitOpsConfig> for FluxConfig {
    fn from(config: GitOpsConfig) -> Self {
        let from = config.flux.github;
        Self {
            system_namespace: from.flux_system_namespace,
            cluster_config_path: from.cluster_config_path,
            branch: from.branch,
            github: Some(GithubRepository { owner: from.owner, repository: from.repository, personal: from.personal }),
            git: None,
        }
    }
}
