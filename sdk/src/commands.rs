//! Commands of a provider's own.

use serde_json::Value;

pub use crate::bindings::commands::exports::kedge::provider::commands::{Argument, ArgumentKind, Command};
use crate::{Documents, Failure, Finding, Host, Provider};

/// Commands for the work around clusters: `kedge PROVIDER COMMAND …`.
pub trait Commands: Provider {
    /// What there is. Constant.
    fn list(&self) -> Vec<Command>;

    /// Runs one.
    ///
    /// # Errors
    /// It can't be run. What it found to be wrong is part of its answer.
    fn run_command(
        &self,
        command: &str,
        arguments: &Arguments,
        documents: &Documents,
        host: &mut dyn Host,
    ) -> Result<Answer, Failure>;
}

/// What was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// From names and values; a repeated argument comes several times.
    pub fn new(arguments: Vec<(String, String)>) -> Self {
        Self(arguments)
    }

    /// The value of an argument, if it was given or has a default.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of an argument, empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of an argument.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag was given.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

/// What a command came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// For people.
    pub text: String,
    /// The same for programs, an object.
    pub data: Value,
    /// What else there is to say. With an error among them the command has failed.
    pub findings: Vec<Finding>,
}

impl Answer {
    /// Something for people and programs.
    pub fn new(text: impl Into<String>, data: Value) -> Self {
        Self { text: text.into(), data, findings: vec![] }
    }

    /// It failed, for this reason.
    pub fn failed(finding: Finding) -> Self {
        Self { findings: vec![finding], data: Value::Object(serde_json::Map::new()), ..Self::default() }
    }
}

impl Command {
    /// A command that changes nothing.
    pub fn new(name: &str, about: &str) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            details: String::new(),
            arguments: vec![],
            spec: false,
            changes: false,
        }
    }

    /// What else there is to know.
    #[must_use]
    pub fn details(mut self, details: &str) -> Self {
        self.details = details.into();
        self
    }

    /// It changes something outside: a run with `--dry-run` has to change nothing and say what it would do.
    #[must_use]
    pub fn changes(mut self) -> Self {
        self.changes = true;
        self
    }

    /// A spec may be given.
    #[must_use]
    pub fn spec(mut self) -> Self {
        self.spec = true;
        self
    }

    /// Takes an argument.
    #[must_use]
    pub fn argument(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }
}

impl Argument {
    /// An argument that may be left out.
    pub fn new(name: &str, kind: ArgumentKind, about: &str) -> Self {
        Self { name: name.into(), about: about.into(), kind, required: false, repeated: false, default: None }
    }

    /// Text.
    pub fn text(name: &str, about: &str) -> Self {
        Self::new(name, ArgumentKind::Text, about)
    }

    /// It has to be given.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It may be given more than once.
    #[must_use]
    pub fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    /// The value when it is not given.
    #[must_use]
    pub fn default(mut self, value: &str) -> Self {
        self.default = Some(value.into());
        self
    }
}
