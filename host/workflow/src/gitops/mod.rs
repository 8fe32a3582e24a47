//! GitOps: the cluster's files in a git repository, and Flux, which flux itself installs from there.
//!
//! `git` and `flux` of PATH do the work. Tokens and passphrases go to them in their environment alone: arguments can be
//! seen by everybody on the machine.

mod files;
mod flux;
mod repository;

use std::path::PathBuf;

use kedge_spec::DefaultedSpec;
use kedge_spec::cluster::{FLUX_NAMESPACE, GIT_BRANCH, SSH_KEY_ALGORITHM};
use thiserror::Error;

pub(crate) use files::all as files;
pub(crate) use flux::Flux;
pub(crate) use repository::Repository;

use crate::load::Prepared;
use crate::options::Options;
use crate::tools::ToolError;

/// Why GitOps can't be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GitOpsError {
    /// The spec says too little.
    #[error("{object} {problem}")]
    Spec {
        /// Kind and name.
        object: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A credential is missing or can't be used.
    #[error("{0}")]
    Credential(String),
    /// The repository has something in the place of the cluster.
    #[error("the branch `{branch}` of `{url}` has files in `{path}` already")]
    Taken {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The path in it.
        path: String,
    },
    /// A file can't be written.
    #[error("`{}` can't be written", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// git or flux is missing or failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

impl GitOpsError {
    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Spec { .. } => "correct it and run the same command again".to_owned(),
            Self::Credential(_) => "set the variable and run the same command again".to_owned(),
            Self::Taken { .. } => {
                "set another `clusterConfigPath`, or remove these files if no cluster follows them any more".to_owned()
            }
            Self::File { path, .. } => format!("check that `{}` can be written and has room", path.display()),
            Self::Tool(error) => error.remedy(),
        }
    }
}

/// Who hosts the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// GitHub, reached with a token.
    GitHub {
        /// User or organisation.
        owner: String,
        /// The repository's name.
        repository: String,
        /// Whether the owner is a user.
        personal: bool,
    },
    /// Any git server, reached by SSH with a key.
    Git {
        /// `ssh://…`.
        url: String,
        /// Of the key: `ecdsa`, `rsa` or `ed25519`.
        algorithm: String,
    },
}

/// What the spec asks for, with defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) host: Host,
    pub(crate) namespace: String,
    pub(crate) branch: String,
    /// Where in the repository, without slashes at its ends.
    pub(crate) path: String,
}

impl Config {
    /// What a spec asks for; none if it asks for no GitOps.
    pub(crate) fn of(spec: &DefaultedSpec) -> Result<Option<Self>, GitOpsError> {
        let cluster = &spec.cluster().spec;
        let Some(reference) = &cluster.git_ops_ref else { return Ok(None) };
        let wrong = |problem: &str| GitOpsError::Spec {
            object: format!("{} `{}`", reference.kind, reference.name),
            problem: problem.to_owned(),
        };
        let flux = spec.flux().ok_or_else(|| wrong("is not in the spec, or can't be read"))?;
        let or = |text: String, usual: &str| if text.is_empty() { usual.to_owned() } else { text };
        let host = match (flux.github, flux.git) {
            (Some(github), None) => {
                Host::GitHub { owner: github.owner, repository: github.repository, personal: github.personal }
            }
            (None, Some(git)) => {
                Host::Git { url: git.repository_url, algorithm: or(git.ssh_key_algorithm, SSH_KEY_ALGORITHM) }
            }
            _ => return Err(wrong("has to name either `github` or `git`")),
        };
        let path = or(flux.cluster_config_path, &format!("clusters/{}", cluster.management_cluster.name));
        Ok(Some(Self {
            host,
            namespace: or(flux.system_namespace, FLUX_NAMESPACE),
            branch: or(flux.branch, GIT_BRANCH),
            path: path.trim_matches('/').to_owned(),
        }))
    }

    /// The repository as git knows it.
    pub(crate) fn url(&self) -> String {
        match &self.host {
            Host::GitHub { owner, repository, .. } => format!("https://github.com/{owner}/{repository}.git"),
            Host::Git { url, .. } => url.clone(),
        }
    }
}

/// What can be known before anything is touched: the programs, the credentials, the repository. `own` says that an earlier
/// run of this program may have put files there.
pub(crate) async fn check(prepared: &Prepared, options: &Options, own: bool) -> Result<(), GitOpsError> {
    let Some(config) = Config::of(&prepared.spec)?.filter(|_| !options.rehearsal) else { return Ok(()) };
    let credential = Credential::of(&config, options)?;
    let self_managed = prepared.cluster().is_self_managed();
    // Flux is where the management cluster is, and there already for the others.
    if self_managed {
        Flux::find(options)?;
    }
    Repository::new(&config, &credential, options)?.check(self_managed, own).await
}

/// What opens the repository.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// GitHub's.
    Token(String),
    /// For SSH.
    Key {
        /// The private key.
        file: PathBuf,
        /// Whose host keys are trusted.
        known_hosts: PathBuf,
        /// What opens the key, if it is locked.
        passphrase: Option<String>,
    },
}

// It is a secret.
impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credential").finish_non_exhaustive()
    }
}

impl Credential {
    /// Takes it from the environment, by the names that EKS Anywhere gave it.
    pub(crate) fn of(config: &Config, options: &Options) -> Result<Self, GitOpsError> {
        let get = |name: &str| (options.environment)(name).filter(|value| !value.is_empty());
        match &config.host {
            Host::GitHub { owner, repository, .. } => get("EKSA_GITHUB_TOKEN").map(Self::Token).ok_or_else(|| {
                GitOpsError::Credential(format!(
                    "`EKSA_GITHUB_TOKEN` is not set: the spec wants GitOps in the GitHub repository {owner}/{repository}, and its \
                     personal access token is needed for that"
                ))
            }),
            Host::Git { url, .. } => {
                let file = |name: &str, what: &str| {
                    let path = get(name).map(PathBuf::from).ok_or_else(|| {
                        GitOpsError::Credential(format!(
                            "`{name}` is not set: the spec wants GitOps in `{url}`, and {what} is needed for that"
                        ))
                    })?;
                    // git and flux run elsewhere than this program does.
                    let path = std::path::absolute(&path).unwrap_or(path);
                    match std::fs::metadata(&path) {
                        Ok(found) if found.is_file() && found.len() > 0 => Ok(path),
                        Ok(_) => Err(GitOpsError::Credential(format!(
                            "`{}`, which `{name}` names, is empty or no file",
                            path.display()
                        ))),
                        Err(error) => Err(GitOpsError::Credential(format!(
                            "`{}`, which `{name}` names, can't be read: {error}",
                            path.display()
                        ))),
                    }
                };
                Ok(Self::Key {
                    file: file("EKSA_GIT_PRIVATE_KEY", "the file of a private SSH key")?,
                    known_hosts: file("EKSA_GIT_KNOWN_HOSTS", "a file with the server's host keys (`ssh-keyscan`)")?,
                    passphrase: get("EKSA_GIT_SSH_KEY_PASSPHRASE"),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
