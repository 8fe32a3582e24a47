//! What can go wrong with a registry, each with what to do about it.

use std::path::PathBuf;

/// Why a plugin can't be had from, or put into, a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Not a reference.
    #[error("`{text}` is no reference to a plugin in a registry: {why}")]
    Reference {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Settings that don't hold together.
    #[error("the settings of registries{} can't be used: {why}", of(path.as_ref()))]
    Settings {
        /// The file, if they are from one.
        path: Option<PathBuf>,
        /// Why.
        why: String,
    },
    /// The Docker configuration can't be used.
    #[error("the credentials for `{registry}` can't be read: {why}")]
    Credentials {
        /// The registry.
        registry: String,
        /// Why.
        why: String,
    },
    /// Nobody answers.
    #[error("the registry `{registry}` can't be reached: {why}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        why: String,
    },
    /// It wants a login, or another one.
    #[error("the registry `{registry}` does not let {} in: {why}", who(*logged_in))]
    Denied {
        /// The registry.
        registry: String,
        /// Whether credentials were given.
        logged_in: bool,
        /// What it said.
        why: String,
    },
    /// It does not have it.
    #[error("the registry does not have `{reference}`")]
    Missing {
        /// What was asked for.
        reference: String,
    },
    /// It answers otherwise.
    #[error("the registry `{registry}` answered with status {status}: {why}")]
    Refused {
        /// The registry.
        registry: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        why: String,
    },
    /// There is something else than a plugin.
    #[error("`{reference}` is not a plugin: {why}")]
    NotAPlugin {
        /// What was asked for.
        reference: String,
        /// What it is instead.
        why: String,
    },
    /// What came is not what was asked for.
    #[error("what came for `{reference}` is something else: {why}")]
    Lie {
        /// What was asked for.
        reference: String,
        /// How it differs.
        why: String,
    },
    /// It is more than is taken.
    #[error("{what} of `{reference}` is larger than {most} bytes")]
    TooLarge {
        /// What was asked for.
        reference: String,
        /// Which part.
        what: &'static str,
        /// The bound.
        most: u64,
    },
    /// A key that nothing can be signed with.
    #[error("the key `{}` can't be used for signing: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A folder or an archive that is no OCI layout.
    #[error("`{}` can't be used as an OCI layout: {why}", path.display())]
    Layout {
        /// Folder or archive.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

fn of(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!(" `{}`", path.display()))
}

fn who(logged_in: bool) -> &'static str {
    if logged_in { "the user of the Docker configuration" } else { "somebody without a login" }
}

impl RegistryError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Reference { .. } => {
                "Name the registry, the repository, and a tag or digest: `registry.example/acme/provider:1.0`".to_owned()
            }
            Self::Settings { .. } => "Correct the flag or the file".to_owned(),
            Self::Credentials { registry, .. } => {
                format!("Log in anew with `docker login {registry}`, or mend `~/.docker/config.json`")
            }
            Self::Unreachable { .. } => {
                "Check the name, the network and the proxy; `--registry-ca FILE` trusts an authority of your own, \
                 `--mirror` names another registry, `--offline` reads a folder or an archive"
                    .to_owned()
            }
            Self::Denied { registry, .. } => format!("Log in with `docker login {registry}`; check what you may read or write there"),
            Self::Missing { .. } => "Check the name and the tag or digest; some registries say this to whoever may not see it, too".to_owned(),
            Self::Refused { .. } => "Try again later, or ask whoever keeps the registry".to_owned(),
            Self::NotAPlugin { .. } => {
                "A plugin is one WebAssembly component in the form `kedge plugin push` gives it; check the name".to_owned()
            }
            Self::Lie { .. } => {
                "Do not use it. The registry or something on the way to it changed the content: ask whoever keeps it, and take the plugin from somewhere else".to_owned()
            }
            Self::TooLarge { .. } => {
                "Check that it is a plugin at all; if you trust one that large, set `component-bytes` under `[limits]` of a policy file (`--policy FILE`)".to_owned()
            }
            Self::Key { .. } => "Give a private key on the curve P-256 as PKCS #8 in PEM, without a password (`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`)".to_owned(),
            Self::Layout { .. } => {
                "Give a folder or a `.tar` that `kedge plugin pull --layout` wrote, or another program in the form of an OCI image layout".to_owned()
            }
        }
    }
}

/// Somebody else's words in a message: one line of bounded length, and nothing that steers a terminal.
pub(crate) fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' { c } else { '\u{fffd}' };
    let mut shown: String = text.trim().chars().take(300).map(plain).collect();
    if text.trim().chars().count() > 300 {
        shown.push('…');
    }
    shown
}

/// An error with its causes, because the outermost of an HTTP client says little.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut text = shown(&error.to_string());
    let mut cause = error.source();
    while let Some(current) = cause {
        let said = shown(&current.to_string());
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = current.source();
    }
    text
}
