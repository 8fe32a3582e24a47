//! Requests as a tree of elements. Prefixes are resolved: clients differ in where and how they declare namespaces.

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const DEEPEST: usize = 200;

/// One element of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The local name.
    pub(crate) name: String,
    /// `xsi:type`, without its prefix.
    pub(crate) xsi_type: Option<String>,
    /// The attribute `type`, which says the type of a managed object.
    pub(crate) kind: Option<String>,
    /// The text directly inside.
    pub(crate) text: String,
    /// The elements inside.
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the child of this name; empty if there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// A text as it was given, spaces included: passwords.
    pub(crate) fn exact_text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.text_of(name), "true" | "1")
    }

    /// This element as a managed object reference.
    pub(crate) fn reference(&self) -> super::data::Ref {
        super::data::Ref::new(self.kind.as_deref().unwrap_or_default(), self.text.trim())
    }
}

/// Reads one document.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                if open.len() > DEEPEST {
                    return Err(format!("elements are nested more than {DEEPEST} deep"));
                }
                open.push(element(&start, reader.resolver())?);
            }
            Event::Empty(start) => {
                let empty = element(&start, reader.resolver())?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(empty);
                }
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { break };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Err("an element ends that never began".to_owned()),
                }
            }
            Event::Text(inside) => append(&mut open, &inside.xml10_content()),
            Event::CData(inside) => append(&mut open, &inside.xml10_content()),
            Event::GeneralRef(reference) => {
                let letter = reference.resolve_char_ref().map_err(|error| error.to_string())?;
                let resolved = if let Some(letter) = letter {
                    letter.to_string()
                } else {
                    let name = reference.xml10_content();
                    let known = quick_xml::escape::resolve_predefined_entity(&name);
                    known.ok_or_else(|| format!("the entity `{name}` is not known"))?.to_owned()
                };
                append(&mut open, &resolved);
            }
            Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    let mut top = open.pop().unwrap_or_default();
    if !open.is_empty() {
        return Err("the document ends inside an element".to_owned());
    }
    top.children.pop().ok_or_else(|| "there is no element".to_owned())
}

fn append(open: &mut [Element], text: &str) {
    if let Some(current) = open.last_mut() {
        current.text.push_str(text);
    }
}

fn element(start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Element, String> {
    let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let (namespace, local) = resolver.resolve_attribute(attribute.key);
        if local.as_ref() != "type" {
            continue;
        }
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?.into_owned();
        match namespace {
            ResolveResult::Bound(bound) if bound.as_ref() == INSTANCE => {
                let local = value.rsplit(':').next().unwrap_or_default().to_owned();
                element.xsi_type = Some(local);
            }
            _ => element.kind = Some(value),
        }
    }
    Ok(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_entities_are_resolved() {
        let parsed = parse(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
             <Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this><password> a&amp;b&#x3c; <![CDATA[&]]></password>\
             <selectSet xmlns:q=\"http://www.w3.org/2001/XMLSchema-instance\" q:type=\"x:TraversalSpec\"><type>Folder</type></selectSet></Login></s:Body></s:Envelope>",
        )
        .unwrap();
        let login = &parsed.child("Body").unwrap().children[0];
        assert_eq!(login.name, "Login");
        assert_eq!(
            login.child("_this").unwrap().reference(),
            crate::vcenter::data::Ref::new("SessionManager", "SessionManager")
        );
        assert_eq!(login.exact_text_of("password"), " a&b< &");
        assert_eq!(login.child("selectSet").unwrap().xsi_type.as_deref(), Some("TraversalSpec"));
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        for text in ["", "x", "<a>", "<a></b>", "<a>&nonsense;</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"<a>".repeat(10_000)).is_err());
    }
}
