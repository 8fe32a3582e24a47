//! Requests of the vSphere API.

use kedge_sdk::prelude::*;

use super::properties::Reference;
use super::xml::{Element, escaped};

const OPEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#;
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";
/// The version of the API that requests are written for. Later servers answer it, and so does 7.0, the oldest in use.
const ACTION: &str = "urn:vim25/7.0";

/// A method call: what is sent, and the method whose answer comes back.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(super) method: &'static str,
    pub(crate) request: Request,
}

fn empty() -> Request {
    Request::post("/sdk").header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", ACTION)
}

fn call(method: &'static str, this: &Reference, arguments: &str) -> Call {
    let element = format!("<{method} xmlns=\"urn:vim25\">{}{arguments}</{method}>", this.as_element("_this"));
    Call { method, request: empty().text(format!("{OPEN}{element}{CLOSE}")) }
}

pub(super) fn retrieve_service_content() -> Call {
    call("RetrieveServiceContent", &Reference::new("ServiceInstance", "ServiceInstance"), "")
}

/// The only request with secrets in it: the host puts them in, escaped for XML.
pub(super) fn login(session_manager: &Reference, username: &str, password: &str) -> Call {
    let open = format!("{OPEN}<Login xmlns=\"urn:vim25\">{}<userName>", session_manager.as_element("_this"));
    let request = empty()
        .text(open)
        .secret(username, Encoding::Xml)
        .text("</userName><password>")
        .secret(password, Encoding::Xml)
        .text(format!("</password></Login>{CLOSE}"));
    Call { method: "Login", request }
}

pub(super) fn logout(session_manager: &Reference) -> Call {
    call("Logout", session_manager, "")
}

pub(super) fn find_by_inventory_path(search_index: &Reference, path: &str) -> Call {
    let arguments = format!("<inventoryPath>{}</inventoryPath>", escaped(path.trim_start_matches('/')));
    call("FindByInventoryPath", search_index, &arguments)
}

pub(super) fn find_child(search_index: &Reference, parent: &Reference, name: &str) -> Call {
    let arguments = format!("{}<name>{}</name>", parent.as_element("entity"), escaped(name));
    call("FindChild", search_index, &arguments)
}

/// The properties of some objects: by type, which ones.
pub(crate) type Wanted<'w> = &'w [(&'w str, &'w [&'w str])];

fn property_sets(wanted: Wanted<'_>) -> String {
    let set = |(kind, paths): &(&str, &[&str])| {
        let paths: String = paths.iter().flat_map(|path| ["<pathSet>", path, "</pathSet>"]).collect();
        format!("<propSet><type>{kind}</type>{paths}</propSet>")
    };
    wanted.iter().map(set).collect()
}

/// Makes a view: a list that the server keeps of everything of some types below an object. A server fills it without
/// looking at each object that is not wanted, of which there may be thousands.
pub(super) fn create_view(manager: &Reference, from: &Reference, kinds: &[&str]) -> Call {
    let kinds: String = kinds.iter().flat_map(|kind| ["<type>", kind, "</type>"]).collect();
    let arguments = format!("{}{kinds}<recursive>true</recursive>", from.as_element("container"));
    call("CreateContainerView", manager, &arguments)
}

/// Properties of what a view shows and of some objects more, `most` objects at a time; 0 leaves that to the server.
pub(super) fn view(
    collector: &Reference,
    view: &Reference,
    more: &[Reference],
    wanted: Wanted<'_>,
    most: usize,
) -> Call {
    let most = if most == 0 { String::new() } else { format!("<maxObjects>{most}</maxObjects>") };
    let arguments = format!(
        "<specSet>{}<objectSet>{}<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><name>view</name>\
         <type>ContainerView</type><path>view</path><skip>false</skip></selectSet></objectSet>{}</specSet>\
         <options>{most}</options>",
        property_sets(wanted),
        view.as_element("obj"),
        object_sets(more),
    );
    call("RetrievePropertiesEx", collector, &arguments)
}

fn object_sets(objects: &[Reference]) -> String {
    objects
        .iter()
        .flat_map(|object| ["<objectSet>".to_owned(), object.as_element("obj"), "</objectSet>".to_owned()])
        .collect()
}

pub(super) fn retrieve_properties(collector: &Reference, objects: &[Reference], wanted: Wanted<'_>) -> Call {
    let arguments = format!("<specSet>{}{}</specSet><options/>", property_sets(wanted), object_sets(objects));
    call("RetrievePropertiesEx", collector, &arguments)
}

pub(super) fn continue_retrieve(collector: &Reference, token: &str) -> Call {
    call("ContinueRetrievePropertiesEx", collector, &format!("<token>{}</token>", escaped(token)))
}

pub(super) fn cancel_retrieve(collector: &Reference, token: &str) -> Call {
    call("CancelRetrievePropertiesEx", collector, &format!("<token>{}</token>", escaped(token)))
}

/// Which of some privileges the user of a session has on some objects.
pub(super) fn has_privileges(manager: &Reference, objects: &[Reference], session: &str, privileges: &[&str]) -> Call {
    let objects: String = objects.iter().map(|object| object.as_element("entity")).collect();
    let privileges: String = privileges.iter().flat_map(|id| ["<privId>", id, "</privId>"]).collect();
    let arguments = format!("{objects}<sessionId>{}</sessionId>{privileges}", escaped(session));
    call("HasPrivilegeOnEntities", manager, &arguments)
}

/// The permissions that hold on an object, those of the objects above it included.
pub(super) fn entity_permissions(manager: &Reference, object: &Reference) -> Call {
    let arguments = format!("{}<inherited>true</inherited>", object.as_element("entity"));
    call("RetrieveEntityPermissions", manager, &arguments)
}

fn privilege_ids(privileges: &[&str]) -> String {
    privileges.iter().flat_map(|id| ["<privIds>", id, "</privIds>"]).collect()
}

pub(super) fn add_role(manager: &Reference, name: &str, privileges: &[&str]) -> Call {
    let arguments = format!("<name>{}</name>{}", escaped(name), privilege_ids(privileges));
    call("AddAuthorizationRole", manager, &arguments)
}

pub(super) fn update_role(manager: &Reference, id: &str, name: &str, privileges: &[&str]) -> Call {
    let (id, name) = (escaped(id), escaped(name));
    let arguments = format!("<roleId>{id}</roleId><newName>{name}</newName>{}", privilege_ids(privileges));
    call("UpdateAuthorizationRole", manager, &arguments)
}

/// Gives a group a role on an object, in place of the one that it may have there.
pub(super) fn permit(manager: &Reference, object: &Reference, group: &str, role: &str, propagate: bool) -> Call {
    let arguments = format!(
        "{}<permission><principal>{}</principal><group>true</group><roleId>{}</roleId><propagate>{propagate}</propagate>\
         </permission>",
        object.as_element("entity"),
        escaped(group),
        escaped(role),
    );
    call("SetEntityPermissions", manager, &arguments)
}

pub(super) fn create_folder(parent: &Reference, name: &str) -> Call {
    call("CreateFolder", parent, &format!("<name>{}</name>", escaped(name)))
}

pub(super) fn create_snapshot(machine: &Reference, name: &str) -> Call {
    let arguments = format!("<name>{}</name><memory>false</memory><quiesce>false</quiesce>", escaped(name));
    call("CreateSnapshot_Task", machine, &arguments)
}

pub(super) fn mark_as_template(machine: &Reference) -> Call {
    call("MarkAsTemplate", machine, "")
}

/// Gives a disk, as the vCenter describes it, another size.
pub(super) fn resize_disk(machine: &Reference, disk: &Element, kib: i64) -> Call {
    let text = |name: &str| escaped(disk.text_of(name));
    let backing = disk.child("backing").cloned().unwrap_or_default();
    let part = |name: &str| escaped(backing.text_of(name));
    let arguments = format!(
        "<spec><deviceChange><operation>edit</operation><device xsi:type=\"VirtualDisk\"><key>{}</key>\
         <backing xsi:type=\"{}\"><fileName>{}</fileName><diskMode>{}</diskMode></backing>\
         <controllerKey>{}</controllerKey><unitNumber>{}</unitNumber><capacityInKB>{kib}</capacityInKB></device>\
         </deviceChange></spec>",
        text("key"),
        escaped(&backing.kind),
        part("fileName"),
        part("diskMode"),
        text("controllerKey"),
        text("unitNumber"),
    );
    call("ReconfigVM_Task", machine, &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_a_reference() {
        let request = login(&Reference::new("SessionManager", "SessionManager"), "username", "password");
        let preview = request.request.body_preview();
        assert!(preview.contains("<userName>${kedge.secret/username|xml}</userName>"), "{preview}");
        assert!(preview.contains("<password>${kedge.secret/password|xml}</password>"), "{preview}");
        assert!(Element::parse(&preview).is_ok());
    }

    #[test]
    fn names_of_the_spec_are_escaped() {
        let index = Reference::new("SearchIndex", "SearchIndex");
        let preview = find_by_inventory_path(&index, "/R&D <1>/vm/a").request.body_preview();
        assert!(preview.contains("<inventoryPath>R&amp;D &lt;1&gt;/vm/a</inventoryPath>"), "{preview}");
    }

    #[test]
    fn every_request_is_xml() {
        let reference = Reference::new("PropertyCollector", "propertyCollector");
        for request in [
            retrieve_service_content(),
            logout(&reference),
            create_view(&reference, &reference, &["Folder"]),
            view(&reference, &reference, std::slice::from_ref(&reference), &[("VirtualMachine", &["name"])], 100),
            find_child(&reference, &reference, "a<b"),
            has_privileges(&reference, std::slice::from_ref(&reference), "52<", &["Network.Assign"]),
            entity_permissions(&reference, &reference),
            cancel_retrieve(&reference, "a<b"),
            retrieve_properties(&reference, std::slice::from_ref(&reference), &[("Datastore", &["summary.freeSpace"])]),
            continue_retrieve(&reference, "a<b"),
        ] {
            let envelope = Element::parse(&request.request.body_preview()).unwrap();
            assert_eq!(envelope.name, "Envelope");
            assert_eq!(envelope.children[0].children[0].namespace, "urn:vim25");
        }
    }
}
