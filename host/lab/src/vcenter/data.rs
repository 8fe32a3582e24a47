//! Property values of managed objects, and how they stand in XML.

use std::fmt::Write as _;

use quick_xml::escape::escape;

/// A managed object reference: the type and the identifier of a managed object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ref {
    /// The managed object type, such as `VirtualMachine`.
    pub(crate) kind: String,
    /// The identifier, such as `vm-42`.
    pub(crate) id: String,
}

impl Ref {
    pub(crate) fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.to_owned(), id: id.to_owned() }
    }
}

/// The value of a property or of a field in one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// A number, a text, an enumeration value; with the XML type that it has on its own.
    Scalar { kind: &'static str, text: String },
    /// A reference to a managed object.
    Ref(Ref),
    /// A data object.
    Record(Record),
    /// An array; `item` is the declared type of its items.
    List { item: &'static str, items: Vec<Data> },
}

/// A data object: its type and its fields in the order of its schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: &'static str,
    /// Whether the declared type is a base type, so that the real one has to be said wherever the record stands.
    pub(crate) said: bool,
    pub(crate) fields: Vec<(&'static str, Data)>,
}

pub(crate) fn text(value: impl Into<String>) -> Data {
    Data::Scalar { kind: "xsd:string", text: value.into() }
}

pub(crate) fn int(value: i32) -> Data {
    Data::Scalar { kind: "xsd:int", text: value.to_string() }
}

pub(crate) fn long(value: i64) -> Data {
    Data::Scalar { kind: "xsd:long", text: value.to_string() }
}

pub(crate) fn boolean(value: bool) -> Data {
    Data::Scalar { kind: "xsd:boolean", text: value.to_string() }
}

pub(crate) fn time(value: jiff::Timestamp) -> Data {
    Data::Scalar { kind: "xsd:dateTime", text: value.to_string() }
}

pub(crate) fn enumeration(kind: &'static str, value: &str) -> Data {
    Data::Scalar { kind, text: value.to_owned() }
}

pub(crate) fn references(items: Vec<Ref>) -> Data {
    Data::List { item: "ManagedObjectReference", items: items.into_iter().map(Data::Ref).collect() }
}

pub(crate) fn strings(items: &[&str]) -> Data {
    Data::List { item: "string", items: items.iter().map(|item| text(*item)).collect() }
}

pub(crate) fn record(kind: &'static str, fields: Vec<(&'static str, Data)>) -> Data {
    Data::Record(Record { kind, said: false, fields })
}

/// A record where a base type is declared.
pub(crate) fn derived(kind: &'static str, fields: Vec<(&'static str, Data)>) -> Data {
    Data::Record(Record { kind, said: true, fields })
}

impl Data {
    /// What a property path below this value leads to.
    pub(crate) fn at<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> Option<&Data> {
        match path.next() {
            None => Some(self),
            Some(field) => match self {
                Self::Record(record) => record.fields.iter().find(|(name, _)| *name == field)?.1.at(path),
                _ => None,
            },
        }
    }

    /// All managed objects that this value refers to directly.
    pub(crate) fn targets(&self) -> Vec<Ref> {
        match self {
            Self::Ref(one) => vec![one.clone()],
            Self::List { items, .. } => items.iter().flat_map(Self::targets).collect(),
            _ => Vec::new(),
        }
    }
}

/// Writes a value as a field called `name`: arrays repeat it.
pub(crate) fn write_field(out: &mut String, name: &str, data: &Data) {
    match data {
        Data::Scalar { text, .. } => {
            let _ = write!(out, "<{name}>{}</{name}>", escape(text.as_str()));
        }
        Data::Ref(one) => write_ref(out, name, one),
        Data::Record(record) => {
            let _ = if record.said {
                write!(out, "<{name} xsi:type=\"{}\">", record.kind)
            } else {
                write!(out, "<{name}>")
            };
            write_fields(out, &record.fields);
            let _ = write!(out, "</{name}>");
        }
        Data::List { items, .. } => {
            for item in items {
                write_field(out, name, item);
            }
        }
    }
}

pub(crate) fn write_fields(out: &mut String, fields: &[(&'static str, Data)]) {
    for (name, data) in fields {
        write_field(out, name, data);
    }
}

pub(crate) fn write_ref(out: &mut String, name: &str, one: &Ref) {
    let _ = write!(out, "<{name} type=\"{}\">{}</{name}>", escape(one.kind.as_str()), escape(one.id.as_str()));
}

/// Writes a value where any type may stand, so that its own has to be said: `val` of a property.
pub(crate) fn write_any(out: &mut String, name: &str, data: &Data) {
    match data {
        Data::Scalar { kind, text } => {
            let _ = write!(out, "<{name} xsi:type=\"{kind}\">{}</{name}>", escape(text.as_str()));
        }
        Data::Ref(one) => {
            let (kind, id) = (escape(one.kind.as_str()), escape(one.id.as_str()));
            let _ = write!(out, "<{name} type=\"{kind}\" xsi:type=\"ManagedObjectReference\">{id}</{name}>");
        }
        Data::Record(record) => {
            let _ = write!(out, "<{name} xsi:type=\"{}\">", record.kind);
            write_fields(out, &record.fields);
            let _ = write!(out, "</{name}>");
        }
        Data::List { item, items } => {
            let mut letters = item.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase()).unwrap_or_default();
            let _ = write!(out, "<{name} xsi:type=\"ArrayOf{first}{}\">", letters.as_str());
            for one in items {
                write_field(out, item, one);
            }
            let _ = write!(out, "</{name}>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_xml_as_a_vcenter_writes_them() {
        let mut out = String::new();
        write_any(&mut out, "val", &text("a<b"));
        write_any(&mut out, "val", &references(vec![Ref::new("Folder", "group-d1")]));
        write_any(&mut out, "val", &strings(&["x"]));
        write_any(
            &mut out,
            "val",
            &record("DatastoreSummary", vec![("capacity", long(5)), ("of", Data::Ref(Ref::new("Datastore", "ds-1")))]),
        );
        assert_eq!(
            out,
            "<val xsi:type=\"xsd:string\">a&lt;b</val>\
             <val xsi:type=\"ArrayOfManagedObjectReference\"><ManagedObjectReference type=\"Folder\">group-d1</ManagedObjectReference></val>\
             <val xsi:type=\"ArrayOfString\"><string>x</string></val>\
             <val xsi:type=\"DatastoreSummary\"><capacity>5</capacity><of type=\"Datastore\">ds-1</of></val>"
        );
    }

    #[test]
    fn a_path_leads_into_records() {
        let summary = record("S", vec![("config", record("C", vec![("template", boolean(true))]))]);
        assert_eq!(summary.at(["config", "template"].into_iter()), Some(&boolean(true)));
        assert_eq!(summary.at(["config", "nothing"].into_iter()), None);
    }
}
