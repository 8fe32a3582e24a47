//! What a create makes in the vCenter before its machines: folders that the spec names and nobody has made yet.

use kedge_sdk::prelude::*;

use crate::commands::session::{failed, visit};
use crate::facts::Facts;
use crate::preflight::inventory::FOLDERS;
use crate::soap::SoapError;
use crate::soap::client::Client;

/// The step that makes what the cluster's objects rely on.
pub(crate) const STEP: &str = "provider-setup";

/// Makes the folders that preflight found missing. A preflight alone changes nothing.
pub(crate) fn before(input: &Input, host: &mut dyn Host) -> Result<(), Failure> {
    let wanted = Facts::of(input)?.folders_to_make;
    if wanted.is_empty() {
        return Ok(());
    }
    let made = visit(host, |visit, host| {
        for path in &wanted {
            if visit.inventory.at(FOLDERS, path).is_some() {
                continue;
            }
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let parent = visit.inventory.at(FOLDERS, above).ok_or_else(|| {
                let message = format!("There is no folder `{above}` to make `{name}` in");
                let finding = Finding::error("folder-missing", message);
                Box::new(finding.remedy("Make it in the vCenter, then run the command again"))
            })?;
            match visit.client.change(&Client::create_folder(&parent, name)) {
                Ok(_) => host.log(Level::Info, &format!("made the folder `{path}`")),
                // Somebody was faster: it is there.
                Err(SoapError::Fault(fault)) if fault.kind == "DuplicateName" => {}
                Err(error) => return Err(failed(&format!("Making the folder `{path}`"), &error)),
            }
        }
        Ok(())
    });
    made.map_err(|finding| Failure::Invalid(vec![*finding]))
}
