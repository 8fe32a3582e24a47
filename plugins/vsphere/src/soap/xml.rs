//! XML as a tree of elements with resolved namespaces.

use std::fmt;

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// The namespace of `xsi:type`.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// How deep elements may nest: far deeper than any reply, and far less than the stack holds.
const DEPTH: usize = 64;

/// An element without its prefixes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The local part of `xsi:type`, empty if it has none.
    pub(crate) kind: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// The text directly inside.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Why a text is no XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoXml(pub(crate) String);

impl fmt::Display for NoXml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Element {
    /// Reads a whole document.
    pub(crate) fn parse(text: &str) -> Result<Self, NoXml> {
        let mut reader = NsReader::from_str(text);
        let mut open: Vec<Element> = vec![];
        loop {
            let event = reader.read_event().map_err(|error| NoXml(error.to_string()))?;
            let closed = match event {
                Event::Start(start) => {
                    if open.len() >= DEPTH {
                        return Err(NoXml(format!("elements nest deeper than {DEPTH}")));
                    }
                    let element = element(&reader, &start)?;
                    open.push(element);
                    continue;
                }
                Event::Empty(start) => element(&reader, &start)?,
                Event::End(_) => open.pop().ok_or_else(|| NoXml("an element ends that did not start".into()))?,
                Event::Text(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::CData(text) => {
                    push(&mut open, &text.xml10_content());
                    continue;
                }
                Event::GeneralRef(reference) => {
                    push(&mut open, &resolve(&reference)?);
                    continue;
                }
                Event::Eof => return Err(NoXml("it ends before its root element does".into())),
                Event::DocType(_) => return Err(NoXml("a document type is not accepted".into())),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => return Ok(closed),
            }
        }
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of a name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of a name, empty if there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// An attribute by its local name, empty if there is none.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, NoXml> {
    let resolver = reader.resolver();
    let (namespace, name) = resolver.resolve_element(start.name());
    let mut element =
        Element { namespace: bound(&namespace).to_owned(), name: name.into_inner().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| NoXml(error.to_string()))?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, name) = resolver.resolve_attribute(attribute.key);
        let value =
            attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| NoXml(error.to_string()))?;
        if bound(&namespace) == INSTANCE && name.into_inner() == "type" {
            // The prefix stands for a namespace again, and all types of a reply are of the one that the reply has.
            value.rsplit(':').next().unwrap_or_default().clone_into(&mut element.kind);
        } else {
            element.attributes.push((name.into_inner().to_owned(), value.into_owned()));
        }
    }
    Ok(element)
}

fn bound<'n>(namespace: &'n ResolveResult<'_>) -> &'n str {
    match namespace {
        ResolveResult::Bound(Namespace(name)) => name,
        ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, NoXml> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| NoXml(error.to_string()))? {
        return Ok(character.into());
    }
    quick_xml::escape::resolve_predefined_entity(reference)
        .map(str::to_owned)
        .ok_or_else(|| NoXml(format!("the entity `{}` is unknown", reference.as_ref())))
}

/// A text as it stands between tags.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_do_not_matter() {
        let a = Element::parse(
            r#"<a xmlns="urn:x"><v xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="VirtualDisk">t</v></a>"#,
        )
        .unwrap();
        let b = Element::parse(
            r#"<?xml version="1.0"?><q:a xmlns:q="urn:x" xmlns:y="urn:y"><q:v xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="q:VirtualDisk">t</q:v></q:a>"#,
        )
        .unwrap();
        assert_eq!(a, b);
        assert_eq!(a.child("v").unwrap().kind, "VirtualDisk");
    }

    #[test]
    fn an_attribute_called_type_is_not_the_type() {
        let element = Element::parse(r#"<obj type="Datastore">datastore-1</obj>"#).unwrap();
        assert_eq!((element.kind.as_str(), element.attribute("type")), ("", "Datastore"));
    }

    #[test]
    fn text_is_unescaped() {
        assert_eq!(Element::parse("<a>R&amp;D &lt;&#x41;&gt;<![CDATA[<b>]]></a>").unwrap().text, "R&D <A><b>");
        assert_eq!(escaped("R&D <\"'>"), "R&amp;D &lt;&quot;&apos;&gt;");
    }

    #[test]
    fn bad_documents_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        for bad in ["", "hello", "<a>", "<a></b>", "<a>&unknown;</a>", "<!DOCTYPE a><a/>", &deep] {
            assert!(Element::parse(bad).is_err(), "{bad}");
        }
    }
}
