//! What can go wrong with a plugin, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use kedge_spec::finding::Finding;

use crate::limits::LimitKind;

/// Why a provider could not answer, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Failure {
    /// The input can't be worked with, for these reasons.
    Invalid(Vec<Finding>),
    /// Asked for something it doesn't do.
    Unsupported(String),
    /// Its own fault, or a reason that this host has no name for.
    Internal(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(findings) => match findings.as_slice() {
                [] => f.write_str("the input can't be worked with"),
                [one] => f.write_str(&one.message),
                [first, rest @ ..] => write!(f, "{} (and {} more)", first.message, rest.len()),
            },
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Internal(what) => f.write_str(what),
        }
    }
}

/// Everything that can go wrong between a catalog entry and an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// No plugin of that name, or for that kind.
    #[error("no plugin {wanted}")]
    NotFound {
        /// `named \`x\`` or `claims the kind \`X\``.
        wanted: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The file can't be read.
    #[error("the plugin `{}` can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a component at all, or a broken one.
    #[error("`{plugin}` is not a WebAssembly component: {why}")]
    NotAComponent {
        /// Name or file.
        plugin: String,
        /// What it is instead.
        why: String,
    },
    /// It imports what no plugin gets.
    #[error("the plugin `{plugin}` asks for what no plugin gets: {}", list(imports))]
    ForbiddenImports {
        /// Name or file.
        plugin: String,
        /// The imports.
        imports: Vec<String>,
    },
    /// Built for another version of the contract.
    #[error("the plugin `{plugin}` is built for contract {built_for}; this kedge speaks {}", list(supported))]
    WrongContract {
        /// Name or file.
        plugin: String,
        /// The version it has.
        built_for: String,
        /// The versions there are.
        supported: Vec<String>,
    },
    /// A component, but not a provider as the contract has it.
    #[error("the plugin `{plugin}` does not fulfil the contract: {why}")]
    ContractViolation {
        /// Name or file.
        plugin: String,
        /// What is missing or different.
        why: String,
    },
    /// It is not the one the cluster was made with, or the one that was installed.
    #[error(
        "the plugin `{plugin}` is not the one that was locked or installed: expected sha256:{expected}, found sha256:{found}"
    )]
    Changed {
        /// Name or file.
        plugin: String,
        /// Digest of the lock.
        expected: String,
        /// Digest now.
        found: String,
    },
    /// A built-in plugin that this build has no code for.
    #[error("the built-in plugin `{plugin}` is not in this build: {why}")]
    NotBuilt {
        /// Its name.
        plugin: String,
        /// What the build said.
        why: String,
    },
    /// The lock file can't be used.
    #[error("the plugin lock `{}` can't be used: {why}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A policy does not let it be used.
    #[error("the plugin `{plugin}` may not be used: {why}, and the policy `{}` wants that", policy.display())]
    Forbidden {
        /// Name or file.
        plugin: String,
        /// What is missing.
        why: String,
        /// The file that says so.
        policy: PathBuf,
    },
    /// Nobody said yes to what it asks for.
    #[error("the plugin `{plugin}` {} and nobody granted that: {}", wants(*known), list(asks))]
    NotGranted {
        /// Its name.
        plugin: String,
        /// Everything it asks for.
        asks: Vec<String>,
        /// Whether a plugin of this name was granted something before.
        known: bool,
    },
    /// A policy file can't be used.
    #[error("the policy `{}` can't be used: {why}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A signature can't be used.
    #[error("the signature `{}` can't be used: {why}", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A key can't be used.
    #[error("the key `{}` can't be used: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The folder of installed plugins can't be used.
    #[error("the installed plugins in `{}` can't be used: {why}", path.display())]
    Installed {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A recording can't be written, read or asked again.
    #[error("the recording `{}` can't be used: {why}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The cache of compiled plugins can't be trusted or used.
    #[error("the plugin cache `{}` can't be used: {why}", path.display())]
    Cache {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It does not compile.
    #[error("the plugin `{plugin}` does not compile: {why}")]
    Compile {
        /// Name or file.
        plugin: String,
        /// Why.
        why: String,
    },
    /// It stopped in the middle.
    #[error("the plugin `{plugin}` crashed in `{function}`: {why}")]
    Trap {
        /// Name or file.
        plugin: String,
        /// The function that was called.
        function: String,
        /// The kind of crash.
        why: String,
        /// Where in the component, innermost first.
        frames: Vec<String>,
    },
    /// It did not come back.
    #[error("the plugin `{plugin}` did not come back from `{function}` within {} s", after.as_secs_f64())]
    Timeout {
        /// Name or file.
        plugin: String,
        /// The function that was called.
        function: String,
        /// The time it had.
        after: Duration,
        /// Whether it was computing (as against waiting for servers).
        computing: bool,
    },
    /// It wanted more than it may have.
    #[error("the plugin `{plugin}` went over a limit in `{function}`: {}", over(*limit, *allowed, *asked))]
    LimitExceeded {
        /// Name or file.
        plugin: String,
        /// The function that was called.
        function: String,
        /// Which limit.
        limit: LimitKind,
        /// How much there is.
        allowed: u64,
        /// How much it asked for, if that is known.
        asked: Option<u64>,
    },
    /// It answered, but not with anything that can be used.
    #[error("the plugin `{plugin}` returned nonsense from `{function}`: {why}")]
    Nonsense {
        /// Name or file.
        plugin: String,
        /// The function that was called.
        function: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// It could not do what was asked, and says why.
    #[error("the provider `{plugin}` can't do this (`{function}`): {failure}")]
    Failed {
        /// Name or file.
        plugin: String,
        /// The function that was called.
        function: String,
        /// Its reasons.
        failure: Failure,
    },
    /// An optional part of the contract that this plugin doesn't have.
    #[error("the plugin `{plugin}` has no `{interface}`")]
    NotExported {
        /// Name or file.
        plugin: String,
        /// The interface.
        interface: &'static str,
    },
    /// The spec does not say where a server is, or says it in a way that can't be used.
    #[error("the endpoint `{endpoint}` can't be set up: {why}")]
    Endpoint {
        /// The provider's name for it.
        endpoint: String,
        /// Why, with the field.
        why: String,
    },
    /// The audit file can't be written.
    #[error("the audit file `{}` can't be written", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine itself.
    #[error("the WebAssembly engine can't be set up: {why}")]
    Engine {
        /// Why.
        why: String,
    },
}

fn list(items: &[String]) -> String {
    items.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", ")
}

fn wants(known: bool) -> &'static str {
    if known { "changed and asks for this," } else { "is used for the first time, asks for this," }
}

fn over(limit: LimitKind, allowed: u64, asked: Option<u64>) -> String {
    match asked {
        Some(asked) => format!("{asked} {limit}, of {allowed} allowed"),
        None => format!("more than {allowed} {limit}"),
    }
}

/// How a limit is raised.
pub(crate) fn raise(key: &str) -> String {
    format!("if you trust it with more, set `{key}` under `[limits]` of a policy file (`--policy FILE`)")
}

impl PluginError {
    /// What to do about it, in a sentence or two for the user.
    pub fn remedy(&self) -> String {
        const REPORT: &str = "This is a fault of the plugin: report it to its author together with this message";
        match self {
            Self::NotFound { known, .. } if known.is_empty() => {
                "Name a plugin's file with `--plugin PATH`".to_owned()
            }
            Self::NotFound { known, .. } => {
                format!("There are {}. Name another one's file with `--plugin PATH`", list(known))
            }
            Self::Unreadable { .. } => "Check the path and that you may read the file".to_owned(),
            Self::NotAComponent { .. } => {
                "A plugin is a WebAssembly component, for example what `cargo build --target wasm32-wasip2` makes. Check that the file is complete and the right one".to_owned()
            }
            Self::ForbiddenImports { .. } => {
                "Plugins reach servers through `kedge:provider/endpoints` alone. Build the plugin without these imports, or with the WASI parts it doesn't use stubbed out".to_owned()
            }
            Self::WrongContract { .. } => {
                "Use a version of the plugin that was built for this kedge, or a kedge that speaks the plugin's contract".to_owned()
            }
            Self::ContractViolation { .. } => {
                "Build the plugin with the SDK of this kedge; `kedge plugin inspect FILE` shows what it has".to_owned()
            }
            Self::Changed { .. } => {
                "Use the plugin that the cluster was made with (if the change is meant, remove its entry from the lock), or install it again: `kedge plugin install`".to_owned()
            }
            Self::NotBuilt { .. } => "Mend the plugin's code and build kedge again".to_owned(),
            Self::Forbidden { policy, .. } => format!(
                "Use a plugin that `{}` allows, or ask whoever keeps that file", policy.display()
            ),
            Self::NotGranted { .. } => {
                "Read what it asks for; `--yes` grants it, and so does a policy file that names its digest or publisher (`--policy FILE`). `kedge plugin inspect` shows more".to_owned()
            }
            Self::Policy { .. } => "Correct the file, or name another one with `--policy FILE`".to_owned(),
            Self::Signature { .. } => {
                "Get the plugin and its signature again, or remove the signature to use the plugin unsigned".to_owned()
            }
            Self::Key { .. } => "Give a public key in PEM: P-256 or Ed25519".to_owned(),
            Self::Installed { .. } => {
                "Check that the folder is yours and whole, or remove it and install anew".to_owned()
            }
            Self::Recording { .. } => {
                "Name a new file for `--record`, or one that it wrote for `kedge plugin replay`".to_owned()
            }
            Self::Lock { .. } => "Restore the file, or remove it to lock the plugins anew".to_owned(),
            Self::Cache { .. } => {
                "Remove the folder, or make it yours alone: `chmod 700`, owned by the user who runs kedge".to_owned()
            }
            Self::Timeout { computing: false, .. } => format!(
                "Check that the servers it talks to answer, and try again; {}", raise("session-time")
            ),
            Self::Timeout { computing: true, .. } => format!("{REPORT}; {}", raise("compute-time")),
            Self::LimitExceeded { limit, .. } => match limit.key() {
                Some(key) => format!("{REPORT}; {}", raise(key)),
                None => REPORT.to_owned(),
            },
            Self::Compile { .. }
            | Self::Trap { .. }
            | Self::Nonsense { .. } => REPORT.to_owned(),
            Self::Failed { failure, .. } => match failure {
                Failure::Invalid(findings) => {
                    findings.iter().map(|f| f.remedy.as_str()).find(|r| !r.is_empty()).unwrap_or("Change the spec accordingly").to_owned()
                }
                Failure::Unsupported(_) => "Check the plugin's documentation for what it supports".to_owned(),
                Failure::Internal(_) => REPORT.to_owned(),
            },
            Self::NotExported { .. } => "Use a version of the plugin that has it".to_owned(),
            Self::Endpoint { .. } => "Correct the field in the spec".to_owned(),
            Self::Audit { .. } => {
                "Check that the folder exists and make room on the disk; a file that is no whole audit is best moved away, and kept".to_owned()
            }
            Self::Engine { .. } => "Check that the machine allows programs to make memory executable".to_owned(),
        }
    }

    /// The limit that ended it, by its name in a policy file.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::LimitExceeded { limit, .. } => Some(limit.key().unwrap_or("stack")),
            Self::Timeout { computing: true, .. } => Some("compute-time"),
            Self::Timeout { computing: false, .. } => Some("session-time"),
            _ => None,
        }
    }

    /// The findings of a provider that refused its input.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Failed { failure: Failure::Invalid(findings), .. } => findings,
            _ => &[],
        }
    }

    /// Whether the plugin itself (its file, version or behaviour) is at fault, as against spec or environment.
    pub fn is_plugins_fault(&self) -> bool {
        !matches!(self, Self::Failed { failure: Failure::Invalid(_), .. } | Self::Endpoint { .. } | Self::Audit { .. })
    }
}

/// Why a secret reference can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The provider's description doesn't list it.
    #[error("the secret `{0}` is not one that the provider declares")]
    Undeclared(String),
    /// It is listed, but the user gave no value.
    #[error("the secret `{name}` has no value; set {}", list(environment))]
    Missing {
        /// Its name.
        name: String,
        /// Environment variables that would give it one.
        environment: Vec<String>,
    },
    /// It belongs to another endpoint, or to none.
    #[error("the secret `{name}` does not belong to the endpoint `{endpoint}`")]
    WrongEndpoint {
        /// Its name.
        name: String,
        /// Where it was to go.
        endpoint: String,
    },
    /// An encoding that this host doesn't have.
    #[error("the encoding `{0}` is not known; there are `plain`, `xml`, `json` and `base64`")]
    UnknownEncoding(String),
    /// A reference outside `stringData` of a Secret.
    #[error("a secret is referred to at `{0}`; that is possible in `stringData` of a Secret alone")]
    Misplaced(String),
    /// `${kedge.secret/` without its end.
    #[error("the secret reference at `{0}` has no closing brace")]
    Unclosed(String),
}
