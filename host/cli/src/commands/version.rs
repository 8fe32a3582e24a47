//! `kedge version`.

use serde::Serialize;

use crate::args::Output;
use crate::printer::Printer;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    /// The versions of the plugin contract that this program speaks, newest first.
    contracts: Vec<&'static str>,
    platform: String,
}

pub(crate) fn run(output: Output, printer: &Printer) {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        contracts: kedge_plugin::contracts(),
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    printer.report(output.output, &version, || {
        format!(
            "kedge {}\nplugin contracts: {}\nplatform: {}\n",
            version.version,
            version.contracts.join(", "),
            version.platform
        )
    });
}
