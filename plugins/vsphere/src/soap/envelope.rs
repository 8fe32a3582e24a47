//! Requests of the vSphere API.

use kedge_sdk::prelude::*;

use super::properties::Reference;
use super::xml::escaped;

const OPEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#;
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";
/// The version of the API that requests are written for. Later servers answer it, and so does 7.0, the oldest in use.
const ACTION: &str = "urn:vim25/7.0";

fn empty() -> Request {
    Request::post("/sdk").header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", ACTION)
}

fn call(method: &str, this: &Reference, arguments: &str) -> Request {
    empty().text(format!("{OPEN}{}{CLOSE}", element(method, this, arguments)))
}

fn element(method: &str, this: &Reference, arguments: &str) -> String {
    format!("<{method} xmlns=\"urn:vim25\">{}{arguments}</{method}>", this.as_element("_this"))
}

pub(super) fn retrieve_service_content() -> Request {
    call("RetrieveServiceContent", &Reference::new("ServiceInstance", "ServiceInstance"), "")
}

/// The only request with secrets in it: the host puts them in, escaped for XML.
pub(super) fn login(session_manager: &Reference, username: &str, password: &str) -> Request {
    let open = format!("{OPEN}<Login xmlns=\"urn:vim25\">{}<userName>", session_manager.as_element("_this"));
    empty()
        .text(open)
        .secret(username, Encoding::Xml)
        .text("</userName><password>")
        .secret(password, Encoding::Xml)
        .text(format!("</password></Login>{CLOSE}"))
}

pub(super) fn logout(session_manager: &Reference) -> Request {
    call("Logout", session_manager, "")
}

pub(super) fn find_by_inventory_path(search_index: &Reference, path: &str) -> Request {
    let arguments = format!("<inventoryPath>{}</inventoryPath>", escaped(path.trim_start_matches('/')));
    call("FindByInventoryPath", search_index, &arguments)
}

pub(super) fn create_container_view(manager: &Reference, container: &Reference, types: &[&str]) -> Request {
    let types: String = types.iter().flat_map(|kind| ["<type>", kind, "</type>"]).collect();
    let arguments = format!("{}{types}<recursive>true</recursive>", container.as_element("container"));
    call("CreateContainerView", manager, &arguments)
}

/// The properties of some objects: by type, which ones.
pub(super) type Wanted<'w> = &'w [(&'w str, &'w [&'w str])];

fn property_sets(wanted: Wanted<'_>) -> String {
    let set = |(kind, paths): &(&str, &[&str])| {
        let paths: String = paths.iter().flat_map(|path| ["<pathSet>", path, "</pathSet>"]).collect();
        format!("<propSet><type>{kind}</type>{paths}</propSet>")
    };
    wanted.iter().map(set).collect()
}

pub(super) fn retrieve_properties_of_view(collector: &Reference, view: &Reference, wanted: Wanted<'_>) -> Request {
    let arguments = format!(
        "<specSet>{}<objectSet>{}<skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><name>view</name>\
         <type>ContainerView</type><path>view</path><skip>false</skip></selectSet></objectSet></specSet><options/>",
        property_sets(wanted),
        view.as_element("obj"),
    );
    call("RetrievePropertiesEx", collector, &arguments)
}

pub(super) fn retrieve_properties(collector: &Reference, objects: &[Reference], wanted: Wanted<'_>) -> Request {
    let objects: String = objects
        .iter()
        .flat_map(|object| ["<objectSet>".to_owned(), object.as_element("obj"), "</objectSet>".to_owned()])
        .collect();
    let arguments = format!("<specSet>{}{objects}</specSet><options/>", property_sets(wanted));
    call("RetrievePropertiesEx", collector, &arguments)
}

pub(super) fn continue_retrieve(collector: &Reference, token: &str) -> Request {
    call("ContinueRetrievePropertiesEx", collector, &format!("<token>{}</token>", escaped(token)))
}

#[cfg(test)]
mod tests {
    use super::super::xml::Element;
    use super::*;

    #[test]
    fn the_password_is_a_reference() {
        let request = login(&Reference::new("SessionManager", "SessionManager"), "username", "password");
        let preview = request.body_preview();
        assert!(preview.contains("<userName>${kedge.secret/username|xml}</userName>"), "{preview}");
        assert!(preview.contains("<password>${kedge.secret/password|xml}</password>"), "{preview}");
        assert!(Element::parse(&preview).is_ok());
    }

    #[test]
    fn names_of_the_spec_are_escaped() {
        let index = Reference::new("SearchIndex", "SearchIndex");
        let preview = find_by_inventory_path(&index, "/R&D <1>/vm/a").body_preview();
        assert!(preview.contains("<inventoryPath>R&amp;D &lt;1&gt;/vm/a</inventoryPath>"), "{preview}");
    }

    #[test]
    fn every_request_is_xml() {
        let reference = Reference::new("PropertyCollector", "propertyCollector");
        for request in [
            retrieve_service_content(),
            logout(&reference),
            create_container_view(&reference, &reference, &["Folder", "Datastore"]),
            retrieve_properties_of_view(&reference, &reference, &[("Folder", &["name", "parent"])]),
            retrieve_properties(&reference, std::slice::from_ref(&reference), &[("Datastore", &["summary.freeSpace"])]),
            continue_retrieve(&reference, "a<b"),
        ] {
            let envelope = Element::parse(&request.body_preview()).unwrap();
            assert_eq!(envelope.name, "Envelope");
            assert_eq!(envelope.children[0].children[0].namespace, "urn:vim25");
        }
    }
}
