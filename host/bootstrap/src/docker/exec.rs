//! Programs run on a node.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures::StreamExt;
use tokio::io::AsyncWriteExt;

use super::container::Rights;
use super::engine::Engine;
use super::failure::{Trouble, trouble_in};
use crate::BootstrapError;

/// The end of what a program said is what matters when it failed.
const LINES: usize = 12;

/// A node to run programs on.
pub(super) struct Node<'a> {
    pub(super) engine: &'a Engine,
    pub(super) container: &'a str,
    pub(super) rights: Rights,
}

/// How a program ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) code: i64,
    pub(super) out: String,
    pub(super) err: String,
}

impl Node<'_> {
    /// Runs a program and hands `line` each line of its output as it comes. What it says is kept.
    pub(super) async fn run(
        &self,
        command: &[&str],
        input: Option<&str>,
        bound: Duration,
        line: &(dyn Fn(&str) + Sync),
    ) -> Result<Ended, BootstrapError> {
        let action = format!("run `{}` on the node `{}`", command.first().unwrap_or(&""), self.container);
        let failed = |error| self.engine.failed(action.clone(), error);
        let options = CreateExecOptions {
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            // As the node, so the program: a privileged node has no rights to hand out one by one.
            privileged: Some(self.rights == Rights::Privileged),
            ..Default::default()
        };
        let work = async {
            let exec = self.engine.client.create_exec(self.container, options).await.map_err(failed)?;
            let started = self.engine.client.start_exec(&exec.id, None::<StartExecOptions>).await.map_err(failed)?;
            let mut ended = Ended::default();
            if let StartExecResults::Attached { mut output, input: mut stdin } = started {
                let write = async {
                    let Some(text) = input else { return };
                    let written = async {
                        stdin.write_all(text.as_bytes()).await?;
                        stdin.shutdown().await
                    };
                    // A program need not read its input to the end: how it ends tells what that means.
                    if let Err(error) = written.await {
                        tracing::debug!(%error, "input that a program did not read");
                    }
                };
                let read = async {
                    while let Some(piece) = output.next().await {
                        let (text, to) = match piece.map_err(failed)? {
                            LogOutput::StdErr { message } => (message, &mut ended.err),
                            LogOutput::StdOut { message } | LogOutput::Console { message } => (message, &mut ended.out),
                            LogOutput::StdIn { .. } => continue,
                        };
                        let text = String::from_utf8_lossy(&text);
                        text.lines().for_each(line);
                        to.push_str(&text);
                    }
                    Ok(())
                };
                let ((), read) = futures::future::join(write, read).await;
                read?;
            }
            let inspected = self.engine.client.inspect_exec(&exec.id).await.map_err(failed)?;
            ended.code = inspected.exit_code.unwrap_or(-1);
            Ok(ended)
        };
        tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
            Err(BootstrapError::Node {
                node: self.container.to_owned(),
                action: command.join(" "),
                reason: format!("it is not done after {} s", bound.as_secs()),
                trouble: Trouble::Silent,
            })
        })
    }

    /// Runs a program that has to end well, and gives what it wrote to its standard output.
    pub(super) async fn must(
        &self,
        what: &str,
        command: &[&str],
        input: Option<&str>,
        bound: Duration,
        line: &(dyn Fn(&str) + Sync),
    ) -> Result<String, BootstrapError> {
        let ended = self.run(command, input, bound, line).await?;
        if ended.code == 0 {
            return Ok(ended.out);
        }
        let said = if ended.err.trim().is_empty() { &ended.out } else { &ended.err };
        Err(BootstrapError::Node {
            node: self.container.to_owned(),
            action: what.to_owned(),
            reason: format!("exit code {}: {}", ended.code, last_lines(said)),
            trouble: trouble_in(said),
        })
    }
}

/// The last lines of a text that say something, as one.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).copied().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_end_of_a_long_text_is_kept() {
        let text = (0..30).map(|n| format!("line {n}\n\n")).collect::<Vec<_>>().concat();
        let last = last_lines(&text);
        assert!(last.starts_with("line 18; ") && last.ends_with("; line 29"), "{last}");
        assert_eq!(last_lines(""), "");
    }
}
