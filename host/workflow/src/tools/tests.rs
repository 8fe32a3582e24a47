//! Programs that the tests write themselves.

use std::sync::Arc;

use super::*;

fn options(folder: &Path) -> Options {
    let mut options = Options::new(".", "none");
    let path = folder.display().to_string();
    options.environment = Arc::new(move |name| (name == "PATH").then(|| path.clone()));
    options
}

fn program(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_goes_in_and_what_comes_out() {
    let home = tempfile::tempdir().unwrap();
    program(home.path(), "helm", "echo \"$1 $MORE\"; pwd; cat");
    let tool = Tool::find(&options(home.path()), "helm", "is tested").unwrap();
    let call = Call {
        arguments: vec!["a b".into()],
        environment: [("MORE".to_owned(), "m".to_owned())].into(),
        input: "in",
        folder: Some(home.path()),
    };
    let said = tool.run("once", call, BOUND, &Interrupt::never()).await.unwrap();
    let folder = home.path().canonicalize().unwrap();
    assert_eq!(said, format!("a b m\n{}\nin", folder.display()));
}

#[tokio::test]
async fn what_is_missing_or_fails_is_told() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("flux"), "no program").unwrap();
    let error = Tool::find(&options(home.path()), "flux", "puts files into git").unwrap_err();
    assert_eq!(error.to_string(), "`flux` is needed and not in PATH: it puts files into git");
    program(home.path(), "helm", "echo out; echo first >&2; echo 'chart  not found' >&2; exit 3");
    let tool = Tool::find(&options(home.path()), "helm", "is tested").unwrap();
    let error = tool.run("template", Call::default(), BOUND, &Interrupt::never()).await.unwrap_err().to_string();
    assert_eq!(error, "`helm template` failed (exit status: 3): first chart not found");
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended() {
    let home = tempfile::tempdir().unwrap();
    program(home.path(), "helm", "echo $$ > pid; exec sleep 600");
    let tool = Tool::find(&options(home.path()), "helm", "is tested").unwrap();
    let call = || Call { folder: Some(home.path()), ..Call::default() };
    let error = tool.run("x", call(), Duration::from_millis(300), &Interrupt::never()).await.unwrap_err();
    assert!(matches!(error, ToolError::TooLong { .. }), "{error}");
    let (interrupter, interrupt) = Interrupt::new();
    interrupter.interrupt();
    let error = tool.run("x", call(), BOUND, &interrupt).await.unwrap_err();
    assert!(matches!(error, ToolError::Interrupted { .. }), "{error}");
}

#[tokio::test]
async fn much_in_and_much_out_do_not_wait_for_each_other() {
    let home = tempfile::tempdir().unwrap();
    program(home.path(), "helm", "cat");
    let tool = Tool::find(&options(home.path()), "helm", "is tested").unwrap();
    let input = "0123456789".repeat(200_000);
    let said = tool.run("x", Call { input: &input, ..Call::default() }, BOUND, &Interrupt::never()).await.unwrap();
    assert!(said == input);
}
