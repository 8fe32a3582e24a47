//! The checks of the real environment, and their lines.

pub(crate) mod management;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kedge_plugin::Environment;
use kedge_spec::provider::{Check, CheckOutcome, CheckStatus};
use kedge_spec::{Finding, ObjectRef, Severity};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::bootstrap;
use crate::error::WorkflowError;
use crate::event::{CheckMark, Event, Reporter, ReporterExt};
use crate::load::{Prepared, plugin_error};
use crate::management::Ground;
use crate::options::Options;
use crate::outcome::{CheckReport, FindingReport, PreflightOutcome};

/// What the checks came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    /// Every check, in order.
    pub(crate) checks: Vec<CheckReport>,
    /// What rendering needs to know of the environment.
    pub(crate) facts: Value,
}

/// The id of the one check that the host does itself.
const ADDRESS_CHECK: &str = "control-plane-address";
/// A run that is told to stop may end the sessions it holds open, for this long.
const GOODBYE: Duration = Duration::from_secs(10);
/// An address that nobody answers at takes this long to find out.
const ADDRESS_PATIENCE: Duration = Duration::from_millis(800);

/// Runs the checks and reports each as its result comes. `begun` says whether an earlier run began to make the cluster.
pub(crate) async fn run(
    prepared: &Prepared,
    options: &Options,
    environment: &Environment,
    ground: Option<&Ground>,
    begun: bool,
    reporter: &dyn Reporter,
) -> Result<Checked, WorkflowError> {
    let name = prepared.description().name.clone();
    let mut checked = Checked { checks: Vec::new(), facts: json!({}) };
    if prepared.plugin.has_preflight() {
        let input = prepared.input(&Value::Null);
        let failed = |e| plugin_error(&name, e);
        let plan = prepared.plugin.preflight_plan(&input, environment).await.map_err(failed)?;
        unknown_skips(&plan, options, reporter);
        let titles: BTreeMap<&str, &Check> = plan.iter().map(|check| (check.id.as_str(), check)).collect();
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let run = prepared.plugin.preflight_run(&input, &options.skip, environment, sender);
        let hear = async {
            let mut heard = Vec::new();
            let mut last = Instant::now();
            while let Some(outcome) = outcomes.recv().await {
                let check = titles.get(outcome.check.as_str()).copied();
                let report = report(prepared, check, &outcome, last.elapsed());
                last = Instant::now();
                if !options.interrupt.is_asked() {
                    tell(&report, reporter);
                }
                heard.push(report);
            }
            heard
        };
        let both = futures::future::join(run, hear);
        futures::pin_mut!(both);
        let Some((facts, heard)) = options.interrupt.unless_asked(both.as_mut()).await else {
            // Dropped where it stands, a plugin could not log out: sessions would stay behind, and those are few.
            let _ = tokio::time::timeout(GOODBYE, both).await;
            return Err(interrupted());
        };
        checked.checks = heard;
        match facts {
            Ok(facts) => checked.facts = facts,
            // A failed check says more than that the run could not answer.
            Err(_) if failures(&checked.checks).next().is_some() => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if let Some(report) = address(prepared, options, reporter).await {
        tell(&report, reporter);
        checked.checks.push(report);
    }
    if let Some(driver) = &options.bootstrap
        && ground.is_none_or(|ground| ground.management.is_none())
    {
        for report in bootstrap::checks(prepared, options, driver.as_ref()).await? {
            tell(&report, reporter);
            checked.checks.push(report);
        }
    }
    if failures(&checked.checks).next().is_none() {
        reporter.line(format!("✅ {} Provider setup is valid", prepared.description().title));
    }
    if let Some(ground) = ground
        && let Some(management) = &ground.management
    {
        // What can't be rendered is said where rendering is the matter.
        let manifests = prepared.render(&checked.facts).await.ok();
        let looked = management::Looked {
            prepared,
            ground,
            management,
            begun,
            manifests: manifests.as_ref(),
            skip: &options.skip,
        };
        let hear = |report: &CheckReport| tell(report, reporter);
        let looking = options.interrupt.unless_asked(management::run(&looked, &hear)).await;
        let Some(more) = looking else { return Err(interrupted()) };
        checked.checks.extend(more);
    }
    if failures(&checked.checks).next().is_none() {
        return Ok(checked);
    }
    let outcome = PreflightOutcome { cluster: prepared.name().to_owned(), checks: checked.checks };
    Err(WorkflowError::Preflight { outcome })
}

pub(crate) fn interrupted() -> WorkflowError {
    WorkflowError::Interrupted { at: None, resume: "nothing was touched; run the same command again".to_owned() }
}

fn failures(checks: &[CheckReport]) -> impl Iterator<Item = &CheckReport> {
    checks.iter().filter(|c| c.outcome == CheckMark::Failed)
}

fn unknown_skips(plan: &[Check], options: &Options, reporter: &dyn Reporter) {
    for id in &options.skip {
        // A prefix up to the colon stands for all checks of that sort.
        let known = plan.iter().any(|c| c.id == *id || c.id.split(':').next() == Some(id))
            || id == ADDRESS_CHECK
            || management::IDS.contains(&id.as_str())
            || id.starts_with("bootstrap-");
        if !known {
            reporter.warning(format!("there is no check `{id}` to skip"));
        }
    }
}

fn report(prepared: &Prepared, check: Option<&Check>, outcome: &CheckOutcome, took: Duration) -> CheckReport {
    let (mark, skipped) = match &outcome.status {
        CheckStatus::Passed => (CheckMark::Passed, None),
        CheckStatus::Failed => (CheckMark::Failed, None),
        CheckStatus::Warned => (CheckMark::Warned, None),
        CheckStatus::Skipped(why) => (CheckMark::Skipped, Some(why.clone())),
    };
    CheckReport {
        id: outcome.check.clone(),
        title: check.map_or_else(|| outcome.check.clone(), |c| c.title.clone()),
        object: check.and_then(|c| c.document.as_ref()).map_or_else(String::new, shown),
        outcome: mark,
        expected: outcome.expected.clone(),
        found: outcome.found.clone(),
        skipped,
        remedy: remedy(&outcome.findings),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        findings: prepared.spec.diagnose(&outcome.findings).iter().map(FindingReport::from).collect(),
        quiet: check.is_some_and(|c| c.quiet),
    }
}

fn shown(document: &ObjectRef) -> String {
    format!("{}/{}", document.kind, document.name)
}

/// The remedies, each once.
pub(crate) fn remedy(findings: &[Finding]) -> String {
    let mut all: Vec<&str> = findings.iter().map(|f| f.remedy.as_str()).filter(|r| !r.is_empty()).collect();
    all.dedup();
    all.join("; ")
}

fn tell(report: &CheckReport, reporter: &dyn Reporter) {
    let details = if report.outcome == CheckMark::Passed { Vec::new() } else { report.details() };
    reporter.event(Event::Check {
        id: report.id.clone(),
        outcome: report.outcome,
        title: report.title.clone(),
        details,
        quiet: report.quiet,
    });
}

/// Whether somebody answers at the address that the control plane is to have. No plugin can look: it has no sockets.
/// Nothing is said of an address that is free, as the workflow document has no line for it.
async fn address(prepared: &Prepared, options: &Options, reporter: &dyn Reporter) -> Option<CheckReport> {
    let endpoint = prepared.cluster().spec.control_plane_configuration.endpoint.as_ref()?;
    let skipped = options.skip_ip_check || options.skip.iter().any(|s| s == ADDRESS_CHECK);
    // Where servers are stood in for, the network around them is not the spec's either.
    if skipped || !prepared.description().user_endpoint || !options.endpoints.is_empty() {
        return None;
    }
    let (host, port) = endpoint.host.rsplit_once(':').unwrap_or((&endpoint.host, "6443"));
    let address: SocketAddr = format!("{host}:{port}").parse().ok()?;
    let started = Instant::now();
    let answered = tokio::time::timeout(ADDRESS_PATIENCE, TcpStream::connect(address)).await;
    let found = match answered {
        Ok(Ok(_)) => "something accepts connections there",
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "a machine is there and refuses connections"
        }
        _ => {
            reporter.note(format!("nothing answers at {address}, where the control plane will be"));
            return None;
        }
    };
    let finding = Finding {
        severity: Severity::Error,
        code: "control-plane-address-in-use".into(),
        document: Some(prepared.spec.cluster_ref()),
        path: "spec.controlPlaneConfiguration.endpoint.host".into(),
        message: format!("the control plane's address {address} is in use: {found}"),
        remedy: "choose a free address outside the DHCP range, or pass `--skip-ip-check` if you know better".into(),
        link: None,
    };
    Some(CheckReport {
        id: ADDRESS_CHECK.into(),
        title: "Control plane address free".into(),
        object: shown(&prepared.spec.cluster_ref()),
        outcome: CheckMark::Failed,
        expected: "no answer".into(),
        found: found.into(),
        skipped: None,
        remedy: finding.remedy.clone(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        findings: prepared.spec.diagnose(&[finding]).iter().map(FindingReport::from).collect(),
        quiet: true,
    })
}
