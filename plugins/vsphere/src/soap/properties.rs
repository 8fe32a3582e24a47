//! Objects of the inventory and their properties.

use std::collections::BTreeMap;

use super::xml::{Element, escaped};

/// Names one object of the vCenter: its type and its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) id: String,
}

impl Reference {
    pub(crate) fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }

    /// From an element whose attribute `type` and text say it; none if it has no id.
    pub(crate) fn read(element: &Element) -> Option<Self> {
        let id = element.text.trim();
        (!id.is_empty()).then(|| Self::new(element.attribute("type"), id))
    }

    /// As an element of a request.
    pub(crate) fn as_element(&self, name: &str) -> String {
        format!("<{name} type=\"{}\">{}</{name}>", escaped(&self.kind), escaped(&self.id))
    }
}

/// An object with the properties that were asked for and could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) reference: Reference,
    properties: BTreeMap<String, Element>,
    /// Properties that the user may not read, or that failed: why.
    pub(crate) missing: BTreeMap<String, String>,
}

impl Found {
    /// A property, if it could be read and is set.
    pub(crate) fn property(&self, path: &str) -> Option<&Element> {
        self.properties.get(path)
    }

    /// The text of a property, empty if there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.property(path).map_or("", |value| value.text.trim())
    }

    /// A number.
    pub(crate) fn int(&self, path: &str) -> Option<i64> {
        self.text(path).parse().ok()
    }

    /// The object that a property names.
    pub(crate) fn reference_at(&self, path: &str) -> Option<Reference> {
        self.property(path).and_then(Reference::read)
    }
}

/// The objects of a reply, and the token for the rest of them.
pub(super) fn read(answer: &Element) -> (Vec<Found>, Option<String>) {
    // A reply without objects has no `returnval`.
    let Some(result) = answer.child("returnval") else { return (vec![], None) };
    let token = Some(result.text_of("token")).filter(|token| !token.is_empty()).map(str::to_owned);
    (result.all("objects").filter_map(object).collect(), token)
}

/// Whether a retrieval says of its properties that nobody is logged in.
pub(super) fn lacks_session(answer: &Element) -> bool {
    let objects = answer.child("returnval").into_iter().flat_map(|result| result.all("objects"));
    objects.flat_map(|object| object.all("missingSet")).any(|missing| why(missing) == "NotAuthenticated")
}

/// The fault's type of a missing property.
fn why(missing: &Element) -> &str {
    missing.child("fault").and_then(|fault| fault.child("fault")).map_or("", |fault| fault.kind.as_str())
}

fn object(element: &Element) -> Option<Found> {
    let reference = element.child("obj").and_then(Reference::read)?;
    let mut found = Found { reference, ..Found::default() };
    for property in element.all("propSet") {
        if let Some(value) = property.child("val") {
            found.properties.insert(property.text_of("name").to_owned(), value.clone());
        }
    }
    for missing in element.all("missingSet") {
        found.missing.insert(missing.text_of("path").to_owned(), why(missing).to_owned());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_what_is_missing_are_told_apart() {
        let answer = Element::parse(
            r#"<RetrievePropertiesExResponse xmlns="urn:vim25" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
                 <returnval><token>1</token>
                   <objects><obj type="Datastore">datastore-1</obj>
                     <propSet><name>name</name><val i:type="xsd:string">A &amp; B</val></propSet>
                     <missingSet><path>summary</path><fault><fault i:type="NoPermission"/></fault></missingSet>
                   </objects>
                   <objects><obj type="Folder">group-1</obj>
                     <propSet><name>parent</name><val type="Datacenter" i:type="ManagedObjectReference">datacenter-2</val></propSet>
                   </objects>
                 </returnval></RetrievePropertiesExResponse>"#,
        )
        .unwrap();
        let (found, token) = read(&answer);
        assert_eq!(token.as_deref(), Some("1"));
        assert_eq!(found[0].text("name"), "A & B");
        assert_eq!(found[0].missing["summary"], "NoPermission");
        assert_eq!(found[1].reference_at("parent"), Some(Reference::new("Datacenter", "datacenter-2")));
    }

    #[test]
    fn an_empty_reply_has_no_objects() {
        let answer = Element::parse(r#"<RetrievePropertiesExResponse xmlns="urn:vim25"/>"#).unwrap();
        assert_eq!(read(&answer), (vec![], None));
    }
}
