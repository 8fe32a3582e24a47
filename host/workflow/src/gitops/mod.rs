//! GitOps: the cluster's files in a git repository, and Flux, which flux itself installs from there.
//!
//! `git` and `flux` of PATH do the work. Tokens and passphrases go to them in their environment alone: arguments can be
//! seen by everybody on the machine.

mod files;
mod flux;
mod repository;

use std::path::PathBuf;

use kedge_spec::DefaultedSpec;
use serde_json::Value;
use thiserror::Error;

pub(crate) use files::all as files;
pub(crate) use flux::Flux;
pub(crate) use repository::Repository;

use crate::load::Prepared;
use crate::options::Options;
use crate::tools::ToolError;

/// Where Flux lives, and which branch it follows, when the spec does not say.
const NAMESPACE: &str = "flux-system";
const BRANCH: &str = "main";

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
        let Some(reference) = &spec.cluster().spec.git_ops_ref else { return Ok(None) };
        let object = format!("{} `{}`", reference.kind, reference.name);
        let wrong = |problem: &str| GitOpsError::Spec { object: object.clone(), problem: problem.to_owned() };
        let document = spec.document(&reference.kind, &reference.name);
        let body = document.map(|d| d.body.clone()).ok_or_else(|| wrong("is not in the spec"))?;
        // The older kind has all in one place.
        let (common, github, git, namespace) = if reference.kind == "GitOpsConfig" {
            let github = body.pointer("/spec/flux/github").cloned();
            (github.clone().unwrap_or_default(), github, None, "fluxSystemNamespace")
        } else {
            let spec = body.get("spec").cloned().unwrap_or_default();
            (spec.clone(), spec.get("github").cloned(), spec.get("git").cloned(), "systemNamespace")
        };
        let github = github.filter(|v| !v.is_null());
        let git = git.filter(|v| !v.is_null());
        let host = match (github, git) {
            (Some(github), None) => Host::GitHub {
                owner: text(&github, "owner").ok_or_else(|| wrong("names no `owner` of the repository"))?,
                repository: text(&github, "repository").ok_or_else(|| wrong("names no `repository`"))?,
                personal: github.get("personal").and_then(Value::as_bool).unwrap_or_default(),
            },
            (None, Some(git)) => Host::Git {
                url: text(&git, "repositoryUrl").ok_or_else(|| wrong("has no `repositoryUrl`"))?,
                algorithm: text(&git, "sshKeyAlgorithm").unwrap_or_else(|| "ecdsa".to_owned()),
            },
            (None, None) => return Err(wrong("names neither `github` nor `git`")),
            (Some(_), Some(_)) => return Err(wrong("names both `github` and `git`")),
        };
        let manager = &spec.cluster().spec.management_cluster.name;
        let path = text(&common, "clusterConfigPath").unwrap_or_else(|| format!("clusters/{manager}"));
        Ok(Some(Self {
            host,
            namespace: text(&common, namespace).unwrap_or_else(|| NAMESPACE.to_owned()),
            branch: text(&common, "branch").unwrap_or_else(|| BRANCH.to_owned()),
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
    if self_managed {
        Flux::find(options)?;
    }
    Repository::new(&config, &credential, options)?.check(self_managed, own).await
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
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
