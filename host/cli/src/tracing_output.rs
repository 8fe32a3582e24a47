//! Where log lines go: standard error, as text or JSON, as much of it as `-v` asks for.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::args::{Global, LogFormat};

/// What each verbosity shows, from 0 on.
fn filter(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "off",
        1..=2 => {
            "kedge=info,kedge_workflow=info,kedge_plugin=info,kedge_cluster_api=info,kedge_bootstrap=info,plugin=info"
        }
        3..=5 => {
            "kedge=debug,kedge_workflow=debug,kedge_plugin=debug,kedge_cluster_api=debug,kedge_bootstrap=debug,plugin=debug"
        }
        6..=8 => "debug,hyper=info,hyper_util=info,rustls=info,h2=info,tower=info",
        _ => "trace",
    }
}

/// Sets up the one subscriber of the process.
pub(crate) fn install(global: &Global) {
    if global.verbosity == 0 && global.log_format == LogFormat::Text {
        return;
    }
    let verbosity = global.verbosity.max(u8::from(global.log_format == LogFormat::Json));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(verbosity)))
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    // A second subscriber in one process is a mistake of a caller, and no reason to end it.
    let _ = match global.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
}
