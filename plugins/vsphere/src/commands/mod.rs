//! `kedge vsphere …`: what operators otherwise write scripts for.

mod generate;
pub(crate) mod import_template;
mod inventory;
pub(crate) mod session;
mod setup_user;

#[cfg(test)]
mod tests;

use kedge_sdk::prelude::*;

use crate::describe::VCENTER;

pub(crate) fn list() -> Vec<Command> {
    vec![inventory::describe(), setup_user::describe(), import_template::describe(), generate::describe()]
}

pub(crate) fn run(
    command: &str,
    arguments: &Arguments,
    documents: &Documents,
    host: &mut dyn Host,
) -> Result<Answer, Failure> {
    let answer = match command {
        inventory::NAME => inventory::run(arguments, host),
        setup_user::NAME => setup_user::run(arguments, documents, host),
        import_template::NAME => import_template::run(arguments, host),
        generate::NAME => generate::run(arguments, host),
        other => return Err(Failure::Unsupported(format!("there is no command `{other}`"))),
    };
    Ok(answer.unwrap_or_else(|refusal| Answer::failed(*refusal)))
}

/// The vCenter, where a spec does not name it.
fn vcenter(name: &str) -> Argument {
    Argument::new(name, ArgumentKind::Server(VCENTER.into()), "The vCenter")
}

/// Why a command does not do its work.
pub(crate) type Refusal = Box<Finding>;

/// Something about the command line, not about a document.
fn wrong(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Refusal {
    Box::new(Finding::error(code, message).remedy(remedy))
}
