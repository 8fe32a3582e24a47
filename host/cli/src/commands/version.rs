//! `kedge version`.

use serde::Serialize;

use crate::args::Output;
use crate::printer::Printer;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    /// The plugin contract that this program speaks.
    contract: &'static str,
    platform: String,
}

pub(crate) fn run(output: Output, printer: &Printer) {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        contract: kedge_plugin::CONTRACT,
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    printer.report(output.output, &version, || {
        format!("kedge {}\nplugin contract {}\nplatform {}\n", version.version, version.contract, version.platform)
    });
}
