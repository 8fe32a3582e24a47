//! What a create makes in the vCenter before its machines: folders that the spec names and nobody has made yet, and the
//! template that it leaves to the release.

use kedge_sdk::prelude::*;

use crate::appliance;
use crate::commands::import_template;
use crate::commands::session::{failed, visit};
use crate::facts::{Facts, TemplateFacts};
use crate::preflight::inventory::FOLDERS;
use crate::soap::SoapError;
use crate::soap::client::Client;

/// The step that makes what the cluster's objects rely on.
pub(crate) const STEP: &str = "provider-setup";

/// Makes what preflight found missing. A preflight alone changes nothing.
pub(crate) fn before(input: &Input, host: &mut dyn Host) -> Result<(), Failure> {
    let Facts { folders_to_make: folders, templates_to_make: templates, .. } = Facts::of(input)?;
    if folders.is_empty() && templates.is_empty() {
        return Ok(());
    }
    let made = visit(host, |visit, host| {
        for path in &folders {
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
        for template in &templates {
            let made = import_template::import(&arguments(template), visit, host)?;
            host.log(Level::Info, &format!("{} the template `{}`", if made { "made" } else { "found" }, template.name));
        }
        Ok(())
    });
    made.map_err(|finding| Failure::Invalid(vec![*finding]))
}

/// What the command would be given.
fn arguments(template: &TemplateFacts) -> Arguments {
    let given = [
        ("url", &template.url),
        ("name", &template.name),
        ("eksd-release", &template.release),
        ("datacenter", &template.datacenter),
        ("datastore", &template.datastore),
        ("resource-pool", &template.resource_pool),
        ("network", &template.network),
    ];
    let mut all: Vec<(String, String)> =
        given.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    all.push(("os-family".into(), "bottlerocket".into()));
    all.push(("folder".into(), appliance::FOLDER.into()));
    Arguments::new(all)
}
