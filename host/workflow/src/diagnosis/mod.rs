//! What was found when a step failed, on the disk: a failed create leaves a diagnosis, never a mystery.

mod look;
mod mask;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use kedge_cluster_api::api::Retry;

use crate::folder::{DIAGNOSIS, JOURNAL, Readers};
use crate::run::{Run, Side};
use crate::step::Failure;

use mask::Mask;

/// Looking must not take longer than doing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first page.
const SUMMARY: &str = "summary.txt";

/// What one side of a create is called in file names.
type Named<'a> = (&'a str, Result<Side, Failure>);

/// Writes the diagnosis of a failed step: `summary.txt` with what is wrong, where and what to try; for each API that answers
/// the objects, their conditions, the events and the logs of the controllers; what the bootstrap cluster's driver
/// knows; the journal. Secrets are masked. The same stands in one archive beside the folder, to be sent to somebody. The
/// folder's path comes back.
pub(crate) async fn write(run: &Run, step: &str, failure: &Failure) -> Result<PathBuf, Failure> {
    let mut pages = Vec::new();
    let (mut mask, mut worst) = (Mask::default(), None);
    let manager = if run.management.is_some() { "management" } else { "bootstrap" };
    let sides: [Named<'_>; 2] = [(manager, run.bootstrap_side().await), ("workload", run.workload_side().await)];
    for (name, side) in sides {
        match side {
            Ok(Side::There(api)) => {
                let api = api.retrying(Retry { budget: PATIENCE, request: PATIENCE, ..Retry::default() });
                let found = look::look(run, &api, &mut mask).await;
                pages.push((format!("{name}-conditions.txt"), found.conditions));
                pages.push((format!("{name}-objects.yaml"), found.objects));
                pages.push((format!("{name}-events.txt"), found.events));
                pages.extend(found.logs.into_iter().map(|(file, text)| (format!("{name}-logs/{file}"), text)));
                worst = worst.or(found.worst);
            }
            Ok(Side::Silent(error)) => pages.push((format!("{name}-unreachable.txt"), format!("{error}\n"))),
            Ok(Side::Absent) => {}
            Err(error) => pages.push((format!("{name}-unreachable.txt"), format!("{error}\n"))),
        }
    }
    let engine = run.driver.evidence(&run.identity).await;
    pages.extend(engine.into_iter().map(|(file, text)| (format!("engine/{file}"), text)));
    if let Ok(Some(journal)) = run.folder.read(JOURNAL) {
        pages.push(("journal.jsonl".to_owned(), journal));
    }
    pages.insert(0, (SUMMARY.to_owned(), summary(step, failure, worst.as_deref())));

    let at = run.options.clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let folder = format!("{DIAGNOSIS}/{at}");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (file, text) in pages {
        let text = mask.clean(&run.secrets.redact(&text));
        run.folder.write(&format!("{folder}/{file}"), &text, Readers::Owner)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(run.options.clock.now().as_second()).unwrap_or_default());
        archive.append_data(&mut header, format!("{}-{at}/{file}", run.name()), text.as_bytes()).map_err(packing)?;
    }
    let packed = archive.into_inner().and_then(GzEncoder::finish).map_err(packing)?;
    let file = format!("{folder}.tar.gz");
    run.folder.write(&file, &packed, Readers::Owner)?;
    Ok(run.folder.path_of(&folder))
}

#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
fn packing(error: std::io::Error) -> Failure {
    Failure::new(format!("the archive can't be packed: {error}"), "look into the folder beside it")
}

/// Three lines: what is wrong, where, what to try. Then what the objects themselves report, and the causes.
fn summary(step: &str, failure: &Failure, worst: Option<&str>) -> String {
    let place = failure
        .object
        .as_ref()
        .map_or_else(|| format!("at the step \"{step}\""), |o| format!("{o}, at the step \"{step}\""));
    let remedy = if failure.remedy.is_empty() { "run the same command again" } else { &failure.remedy };
    let mut text =
        format!("what is wrong: {}\nwhere: {place}\nwhat to try: {remedy}\n", failure.message.replace('\n', " "));
    if let Some(worst) = worst.filter(|worst| !failure.message.contains(worst)) {
        let _ = writeln!(text, "\nwhat reports an error: {}", worst.replace('\n', " "));
    }
    let mut cause = failure.source.as_ref().map(|s| s.as_ref() as &dyn std::error::Error);
    while let Some(error) = cause {
        let _ = writeln!(text, "because: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_three_lines_and_the_causes() {
        let failure = Failure::new("Machine eksa-system/prod-1 never got a node", "look at its console")
            .about("Machine eksa-system/prod-1");
        let first = "what is wrong: Machine eksa-system/prod-1 never got a node\n\
             where: Machine eksa-system/prod-1, at the step \"Creating new workload cluster\"\n\
             what to try: look at its console\n";
        assert_eq!(summary("Creating new workload cluster", &failure, None), first);
        let more = summary("Creating new workload cluster", &failure, Some("Machine eksa-system/prod-1: no template"));
        assert_eq!(more, format!("{first}\nwhat reports an error: Machine eksa-system/prod-1: no template\n"));
    }
}
