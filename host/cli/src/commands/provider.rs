//! `kedge PROVIDER COMMAND …`: the arguments are the plugin's, the parser is made of its description.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, ValueEnum as _};
use kedge_spec::Severity;
use kedge_spec::provider::{ArgumentKind, CommandArgument, ProviderCommand};
use kedge_workflow::commands::{self, Given, ProviderCommands, Server};

use crate::args::{Cli, Isolate, LabUse, Output, PluginSource, ReleaseSource};
use crate::failure::Failure;
use crate::labs;
use crate::printer::Printer;
use crate::setup::{self, DefaultRelease};

const FILENAME: &str = "filename";
const INSECURE: &str = "insecure";
const THUMBPRINT: &str = "thumbprint";
const DRY_RUN: &str = "dry-run";

pub(crate) async fn run(words: &[OsString], printer: &Arc<Printer>) -> Result<(), Failure> {
    let name = words.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default();
    let plugins = plugins_of(words)?;
    let mut options = setup::without_spec(&ReleaseSource::default(), &plugins, DefaultRelease::Embedded, printer)?;
    let Some(provider) = commands::provider_commands(&options, &name).await? else {
        let message = format!("`{name}` is neither a command nor a provider; `kedge plugin list` shows providers");
        Cli::command().error(ErrorKind::InvalidSubcommand, message).exit();
    };
    if provider.commands.is_empty() {
        return Err(Failure::usage(format!("the provider `{name}` has no commands of its own"), "see `kedge --help`"));
    }
    let matches = parser(&name, &provider).get_matches_from(words);
    let Some((command, matches)) = matches.subcommand() else { return Ok(()) };
    // Whatever way it was written: nobody is asked before the command runs.
    let given = PluginSource::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string(), ""))?;
    options.plugin_rules.consent = setup::consent(&given);
    let Some(known) = provider.commands.iter().find(|c| c.name == command) else { return Ok(()) };
    let arguments = read(known, matches)?;
    if known.spec
        && let Some(file) = matches.get_one::<PathBuf>(FILENAME)
    {
        options.spec = Some(setup::spec_input(file)?);
    }
    let lab = if known.spec {
        let lab = LabUse::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string(), ""))?;
        labs::open(&lab, options.spec.as_ref(), printer).await?
    } else {
        None
    };
    if let Some(lab) = &lab {
        setup::use_lab(&mut options, &lab.connection).await?;
    }
    let answer = provider.run(&options, command, &arguments).await;
    if let Some(lab) = lab {
        lab.stop().await;
    }
    let answer = answer?;
    for finding in answer.findings.iter().filter(|f| f.severity != Severity::Error) {
        printer.warning(&finding.message);
    }
    let output = Output::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string(), ""))?;
    printer.report(output.output, &answer.data, || answer.text.clone());
    Ok(())
}

/// Arguments of a provider's own behind a command of the program.
pub(crate) fn given(provider: &str, known: Option<&ProviderCommand>, words: &[OsString]) -> Result<Given, Failure> {
    let Some(known) = known else {
        return Err(Failure::usage(
            format!("the provider `{provider}` takes no arguments of its own here"),
            "see `kedge generate clusterconfig --help`",
        ));
    };
    let parser = Command::new(format!("kedge generate clusterconfig NAME -p {provider}"));
    let parser = described(with_arguments(parser, known), known);
    let matches = parser.no_binary_name(true).get_matches_from(words);
    read(known, &matches)
}

/// Plugin files decide which commands there are, and policies which plugins: both are looked for before anything else is
/// read, among words of which only the plugin can say what they mean.
fn plugins_of(words: &[OsString]) -> Result<PluginSource, Failure> {
    let mut plugins = PluginSource::default();
    let mut words = words.iter().map(|w| w.to_string_lossy());
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').map_or((word.as_ref(), None), |(flag, value)| (flag, Some(value)));
        if !["--plugin", "--policy", "--allow-address", "--audit", "--record", "--isolate"].contains(&flag) {
            continue;
        }
        let Some(value) = value.map(str::to_owned).or_else(|| words.next().map(Cow::into_owned)) else { break };
        match flag {
            "--plugin" => plugins.plugin.push(PathBuf::from(value)),
            "--policy" => plugins.policy.push(PathBuf::from(value)),
            "--audit" => plugins.audit = Some(PathBuf::from(value)),
            "--record" => plugins.record = Some(PathBuf::from(value)),
            // What it can't be is told when all of it is read.
            "--isolate" => plugins.isolate = Isolate::from_str(&value, true).ok(),
            _ => {
                let range = value.parse::<ipnet::IpNet>();
                plugins.allow_address.push(range.map_err(|e| {
                    Failure::usage(format!("`{value}` is no range of addresses: {e}"), "give one like `127.0.0.1/32`")
                })?);
            }
        }
    }
    Ok(plugins)
}

fn parser(name: &str, provider: &ProviderCommands) -> Command {
    let credentials: Vec<String> =
        provider.credentials().iter().map(|(v, purpose)| format!("  {v}  {purpose}")).collect();
    let whole = Command::new(name.to_owned())
        .bin_name(format!("kedge {name}"))
        .about(format!("Commands of the provider {}", provider.title()))
        .after_help(format!("Credentials come from the environment:\n{}", credentials.join("\n")))
        .max_term_width(110)
        .subcommand_required(true)
        .arg_required_else_help(true);
    provider.commands.iter().fold(whole, |whole, known| {
        let mut command = with_arguments(Command::new(known.name.clone()), known);
        if known.spec {
            let file = Arg::new(FILENAME).short('f').long(FILENAME).value_name("FILE");
            let file = file.value_parser(clap::value_parser!(PathBuf));
            command = LabUse::augment_args(command.arg(file.help("A cluster spec; `-` is standard input")));
        }
        whole.subcommand(described(PluginSource::augment_args(Output::augment_args(command)), known))
    })
}

fn with_arguments(command: Command, known: &ProviderCommand) -> Command {
    let mut command = known.arguments.iter().fold(command, |command, one| command.arg(argument(one)));
    if known.arguments.iter().any(|one| matches!(one.kind, ArgumentKind::Server(_))) {
        let insecure = Arg::new(INSECURE).long(INSECURE).action(ArgAction::SetTrue);
        let thumbprint = Arg::new(THUMBPRINT).long(THUMBPRINT).value_name("SHA1").conflicts_with(INSECURE);
        command = command
            .arg(insecure.help("Take any certificate of the server"))
            .arg(thumbprint.help("Take the certificate with this SHA-1 thumbprint alone"));
    }
    if known.changes {
        let dry = Arg::new(DRY_RUN).long(DRY_RUN).action(ArgAction::SetTrue);
        command = command.arg(dry.help("Change nothing, and say what would be done"));
    }
    command
}

/// What the command is for. Groups of arguments that are added to it bring descriptions of their own, so this comes last.
fn described(command: Command, known: &ProviderCommand) -> Command {
    let command = command.about(known.about.clone());
    if known.details.is_empty() {
        return command.long_about(known.about.clone());
    }
    command.long_about(format!("{}\n\n{}", known.about, known.details))
}

fn argument(one: &CommandArgument) -> Arg {
    let arg = Arg::new(one.name.clone()).long(one.name.clone()).help(one.about.clone()).required(one.required);
    let mut arg = match &one.kind {
        ArgumentKind::Flag => return arg.action(ArgAction::SetTrue),
        ArgumentKind::Choice(values) => arg.value_parser(values.clone()),
        ArgumentKind::File => arg.value_name("FILE"),
        ArgumentKind::Server(_) => arg.value_name("HOST[:PORT]"),
        ArgumentKind::Text => arg.value_name("TEXT"),
    };
    arg = arg.action(if one.repeated { ArgAction::Append } else { ArgAction::Set });
    match &one.default {
        Some(default) => arg.default_value(default.clone()),
        None => arg,
    }
}

fn read(known: &ProviderCommand, matches: &ArgMatches) -> Result<Given, Failure> {
    let mut given = Given::default();
    let mut servers = BTreeMap::new();
    for one in &known.arguments {
        if one.kind == ArgumentKind::Flag {
            if matches.get_flag(&one.name) {
                given.arguments.push((one.name.clone(), "true".to_owned()));
            }
            continue;
        }
        for value in matches.get_many::<String>(&one.name).into_iter().flatten() {
            let value = match &one.kind {
                ArgumentKind::File => content(value)?,
                ArgumentKind::Server(endpoint) => {
                    // People paste addresses of pages.
                    let address = value.strip_prefix("https://").unwrap_or(value).trim_end_matches('/');
                    let server = Server {
                        address: address.to_owned(),
                        insecure: matches.get_flag(INSECURE),
                        thumbprint: matches.get_one::<String>(THUMBPRINT).cloned(),
                    };
                    servers.insert(endpoint.clone(), server);
                    address.to_owned()
                }
                _ => value.clone(),
            };
            given.arguments.push((one.name.clone(), value));
        }
    }
    if known.changes && matches.get_flag(DRY_RUN) {
        given.arguments.push((DRY_RUN.to_owned(), "true".to_owned()));
    }
    given.servers = servers;
    // The plugin may want to say the same settings in what it writes.
    if known.arguments.iter().any(|one| matches!(one.kind, ArgumentKind::Server(_))) {
        if matches.get_flag(INSECURE) {
            given.arguments.push((INSECURE.to_owned(), "true".to_owned()));
        }
        if let Some(thumbprint) = matches.get_one::<String>(THUMBPRINT) {
            given.arguments.push((THUMBPRINT.to_owned(), thumbprint.clone()));
        }
    }
    Ok(given)
}

fn content(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::environment(format!("`{path}` can't be read: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected ends, and says where")]

    use super::*;

    fn command() -> ProviderCommand {
        let argument = |name: &str, kind| CommandArgument {
            name: name.into(),
            about: "about".into(),
            kind,
            required: false,
            repeated: name == "also",
            default: None,
        };
        ProviderCommand {
            name: "look".into(),
            about: "Looks".into(),
            details: String::new(),
            arguments: vec![
                argument("hub", ArgumentKind::Server("hub".into())),
                argument("also", ArgumentKind::Text),
                argument("loud", ArgumentKind::Flag),
                argument("how", ArgumentKind::Choice(vec!["fast".into(), "slow".into()])),
            ],
            spec: false,
            changes: true,
        }
    }

    fn parsed(words: &[&str]) -> Result<Given, clap::Error> {
        let known = command();
        let matches = with_arguments(Command::new("look"), &known).no_binary_name(true).try_get_matches_from(words)?;
        Ok(read(&known, &matches).unwrap())
    }

    #[test]
    fn arguments_are_those_of_the_description() {
        let given =
            parsed(&["--hub", "https://hub.example:1/", "--insecure", "--also", "a", "--also", "b", "--dry-run"])
                .unwrap();
        assert_eq!(given.servers["hub"], Server { address: "hub.example:1".into(), insecure: true, thumbprint: None });
        let pairs: Vec<(&str, &str)> = given.arguments.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [("hub", "hub.example:1"), ("also", "a"), ("also", "b"), ("dry-run", "true"), ("insecure", "true")]
        );
    }

    #[test]
    fn what_is_not_in_the_description_is_refused() {
        for words in
            [["--nothing"].as_slice(), &["--how", "sideways"], &["--hub", "h", "--insecure", "--thumbprint", "A"]]
        {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_says_which_plugins_there_are_is_found_among_all_words() {
        let words: Vec<OsString> = [
            "x",
            "--plugin",
            "a.wasm",
            "look",
            "--plugin=b.wasm",
            "--policy=p.toml",
            "--audit",
            "a.jsonl",
            "--yes",
            "--allow-address=127.0.0.1/32",
            "--record=r.jsonl",
        ]
        .map(Into::into)
        .to_vec();
        let plugins = plugins_of(&words).unwrap();
        assert_eq!(plugins.plugin, [PathBuf::from("a.wasm"), PathBuf::from("b.wasm")]);
        assert_eq!(plugins.policy, [PathBuf::from("p.toml")]);
        assert_eq!(plugins.audit, Some(PathBuf::from("a.jsonl")));
        assert_eq!(plugins.record, Some(PathBuf::from("r.jsonl")));
        assert_eq!(plugins.allow_address.len(), 1);
        assert!(plugins_of(&["x".into(), "--allow-address".into(), "all".into()]).is_err());
        assert!(plugins_of(&["x".into(), "--plugin".into()]).unwrap().plugin.is_empty());
    }
}
