//! Why a command did not do what it was asked to do.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use kedge_bootstrap::BootstrapError;
use kedge_plugin::PluginError;
use kedge_spec::provider::CommandAnswer;
use kedge_spec::release::ReleaseError;
use kedge_spec::{Diagnostic, Rejected, Severity};
use thiserror::Error;

use crate::event::CheckMark;
use crate::fetch::FetchError;
use crate::folder::FolderError;
use crate::gitops::GitOpsError;
use crate::journal::JournalError;
use crate::outcome::{CheckReport, PreflightOutcome};
use crate::step::Failure;
use crate::tools::ToolError;

/// Why a command ended. [`WorkflowError::exit_code`] is what the program's exit status says of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// The spec can't be used, for all the reasons that were found.
    #[error("{file}: the spec can't be used, for {}", count(diagnostics))]
    Rejected {
        /// The file.
        file: String,
        /// Errors and warnings with their places.
        diagnostics: Vec<Diagnostic>,
    },
    /// The spec can't be read.
    #[error("the spec `{}` can't be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something that the command needs was not given or does not fit.
    #[error("{message}")]
    Input {
        /// What.
        message: String,
        /// What to do.
        help: String,
    },
    /// The release can't be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The release can't be used.
    #[error("the release can't be used")]
    Release(#[from] ReleaseError),
    /// No plugin claims the spec's datacenter.
    #[error("{message}")]
    NoPlugin {
        /// What was looked for, and where.
        message: String,
        /// What to do.
        help: String,
    },
    /// The plugin can't be used.
    #[error("the plugin `{name}` can't be used")]
    Plugin {
        /// The plugin's name or file.
        name: String,
        /// Why.
        source: Box<PluginError>,
    },
    /// GitOps can't be set up.
    #[error(transparent)]
    GitOps(#[from] GitOpsError),
    /// A program of others is missing or failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The manifests can't be rendered.
    #[error("the manifests can't be rendered")]
    Render(#[source] Box<kedge_cluster_api::Error>),
    /// An earlier run used another spec, release or plugin.
    #[error("{what} changed since the create of `{cluster}` began")]
    Changed {
        /// The cluster.
        cluster: String,
        /// `the spec`, `the release`, `the plugin`.
        what: String,
        /// What it was and is.
        difference: String,
        /// Whether the create is done.
        created: bool,
    },
    /// A cluster that manages others can't be deleted before them.
    #[error("`{cluster}` manages other clusters: {others}")]
    Manages {
        /// The cluster.
        cluster: String,
        /// The others.
        others: String,
    },
    /// The cluster's folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The journal can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Credentials are missing in the environment.
    #[error("credentials are missing: {}", missing.join("; "))]
    Credentials {
        /// What each is for and where it is looked for.
        missing: Vec<String>,
    },
    /// Checks of the environment failed.
    #[error("preflight failed: {}", titles(&outcome.checks))]
    Preflight {
        /// Every one, in order: those that passed too.
        outcome: PreflightOutcome,
    },
    /// A command of a provider's own did not do its work.
    #[error("`{command}` failed: {}", reasons(answer))]
    Command {
        /// Provider and command.
        command: String,
        /// Whether it may have changed something.
        changes: bool,
        /// What it has to say.
        answer: Box<CommandAnswer>,
    },
    /// A step failed.
    #[error("the step \"{title}\" failed: {failure}")]
    Step {
        /// Its id.
        step: String,
        /// What it does.
        title: String,
        /// Why.
        #[source]
        failure: Box<Failure>,
        /// Where the diagnosis was written.
        diagnosis: Option<PathBuf>,
        /// How to go on.
        resume: String,
    },
    /// The run was asked to stop, and did.
    #[error("interrupted {}", at.as_deref().map_or_else(|| "before anything was touched".to_owned(), |t| format!("at the step \"{t}\"")))]
    Interrupted {
        /// What the step does at which it stopped; nothing before the first.
        at: Option<String>,
        /// How to go on.
        resume: String,
    },
    /// There is no bootstrap cluster to be had.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// Clusters could not be moved.
    #[error("{source}")]
    Move {
        /// Why.
        source: Box<kedge_cluster_api::Error>,
        /// Whether anything was changed on either side.
        touched: bool,
        /// What is where now.
        aftermath: String,
    },
    /// A cluster's API is wanted and does not answer.
    #[error("{message}")]
    Api {
        /// Which, and what for.
        message: String,
        /// What to do.
        help: String,
        /// Why.
        source: Option<Box<kedge_cluster_api::Error>>,
    },
}

impl WorkflowError {
    /// The program's exit status: 3 the spec, the release or the plugin is wrong and nothing was touched; 4 preflight
    /// failed and nothing was touched; 5 a step failed, and the same command goes on; 130 interrupted, and the same
    /// command goes on.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Tool(ToolError::Interrupted { .. })
            | Self::GitOps(GitOpsError::Tool(ToolError::Interrupted { .. }))
            | Self::Interrupted { .. }
            | Self::Fetch(FetchError::Interrupted { .. }) => 130,
            Self::Credentials { .. }
            | Self::Preflight { .. }
            | Self::Manages { .. }
            | Self::Tool(_)
            | Self::GitOps(_)
            | Self::Move { touched: false, .. }
            | Self::Command { changes: false, .. } => 4,
            Self::Command { changes: true, .. }
            | Self::Step { .. }
            | Self::Move { .. }
            | Self::Journal(_)
            | Self::Bootstrap(_)
            | Self::Api { .. } => 5,
            Self::Folder(error) if error.in_use() => 5,
            _ => 3,
        }
    }

    /// What to do now.
    pub fn help_text(&self) -> Option<String> {
        let text = match self {
            Self::Rejected { .. } => "nothing was touched; correct the spec and run the same command again".to_owned(),
            Self::Unreadable { .. } => {
                "check that the file exists, that you may read it and that it is a text file".to_owned()
            }
            Self::Input { help, .. } | Self::NoPlugin { help, .. } | Self::Api { help, .. } => help.clone(),
            Self::Fetch(error) => error.remedy(),
            Self::GitOps(error) => error.remedy(),
            Self::Tool(error) => error.remedy(),
            Self::Release(_) => "check the file that `--bundles-override` names, or leave the flag out".to_owned(),
            Self::Plugin { source, .. } => format!(
                "{}\n`kedge plugin inspect` shows what a plugin is and wants; nothing was touched",
                source.remedy()
            ),
            Self::Render(error) => error.help(),
            Self::Move { source, aftermath, .. } => format!("{}\n{aftermath}", source.help()),
            Self::Changed { difference, created: true, .. } => {
                format!("{difference}; the cluster was created, and this version can't change one that is there")
            }
            Self::Changed { cluster, difference, .. } => format!(
                "{difference}; to go on, use what the create began with; to begin again, run `kedge delete cluster {cluster}` first"
            ),
            Self::Folder(error) => error.remedy(),
            Self::Journal(error) => error.remedy(),
            Self::Credentials { .. } => {
                "set the environment variables and run the same command again; nothing was touched".to_owned()
            }
            Self::Command { answer, .. } => {
                let errors = answer.findings.iter().filter(|f| f.severity == Severity::Error);
                errors.map(|f| f.remedy.as_str()).filter(|r| !r.is_empty()).collect::<Vec<_>>().join("\n")
            }
            Self::Manages { .. } => {
                "nothing was touched; delete them first, each with `kedge delete cluster NAME`, or move them to another management cluster".to_owned()
            }
            Self::Preflight { .. } => "nothing was touched; correct this and run the same command again".to_owned(),
            Self::Step { failure, resume, diagnosis, .. } => {
                let mut text = String::new();
                if !failure.remedy.is_empty() {
                    text.push_str(&failure.remedy);
                    text.push('\n');
                }
                if let Some(path) = diagnosis {
                    let path = path.display();
                    // Writing to a string can't fail.
                    let _ = writeln!(
                        text,
                        "what was found is in `{path}`, beginning with `summary.txt`; all of it in one file to send: `{path}.tar.gz`"
                    );
                }
                text.push_str(resume);
                text
            }
            Self::Interrupted { resume, .. } => resume.clone(),
            Self::Bootstrap(error) => error.remedy(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The findings about the spec, if it is about the spec.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Rejected { diagnostics, .. } => diagnostics,
            _ => &[],
        }
    }
}

impl From<Rejected> for WorkflowError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected { file: rejected.source.name, diagnostics: rejected.diagnostics }
    }
}

impl miette::Diagnostic for WorkflowError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help_text().map(|text| Box::new(text) as Box<dyn fmt::Display>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        match self {
            Self::Rejected { diagnostics, .. } => {
                Some(Box::new(diagnostics.iter().map(|d| d as &dyn miette::Diagnostic)))
            }
            _ => None,
        }
    }
}

fn count(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.iter().filter(|d| d.is_error()).count() {
        0 => format!("{} warning(s) that `--strict` takes for errors", diagnostics.len()),
        1 => "one reason".to_owned(),
        n => format!("{n} reasons"),
    }
}

fn reasons(answer: &CommandAnswer) -> String {
    let errors = answer.findings.iter().filter(|f| f.severity == Severity::Error);
    errors.map(|f| f.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn titles(checks: &[CheckReport]) -> String {
    let failed = checks.iter().filter(|check| check.outcome == CheckMark::Failed);
    failed.map(CheckReport::reason).collect::<Vec<_>>().join("; ")
}
