//! The property collector: which objects a filter selects and which of their properties it shows.
//!
//! Source: the vSphere Web Services SDK programming guide, "Retrieving inventory objects with the property collector".

use std::collections::{BTreeMap, BTreeSet};

use super::data::{Data, Ref};
use super::schema;
use super::soap::SoapFault;
use super::xml::Element;

/// A `PropertyFilterSpec`.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilterSpec {
    properties: Vec<PropertySpec>,
    objects: Vec<ObjectSpec>,
}

#[derive(Debug, Clone)]
struct PropertySpec {
    kind: String,
    all: bool,
    paths: Vec<String>,
}

#[derive(Debug, Clone)]
struct ObjectSpec {
    object: Ref,
    skip: bool,
    selects: Vec<Select>,
}

#[derive(Debug, Clone)]
enum Select {
    Named(String),
    Traverse(Traversal),
}

#[derive(Debug, Clone)]
struct Traversal {
    name: String,
    kind: String,
    path: String,
    skip: bool,
    selects: Vec<Select>,
}

impl FilterSpec {
    pub(crate) fn parse(element: &Element) -> Self {
        let properties = element.all("propSet").map(|set| PropertySpec {
            kind: set.text_of("type").to_owned(),
            all: set.is_true("all"),
            paths: set.all("pathSet").map(|path| path.text.trim().to_owned()).collect(),
        });
        let objects = element.all("objectSet").map(|set| ObjectSpec {
            object: set.child("obj").map_or_else(|| Ref::new("", ""), Element::reference),
            skip: set.is_true("skip"),
            selects: selects(set),
        });
        Self { properties: properties.collect(), objects: objects.collect() }
    }
}

fn selects(of: &Element) -> Vec<Select> {
    of.all("selectSet")
        .map(|set| {
            // The type may be left out by clients that only ever send one or the other: only a traversal has a path.
            if set.xsi_type.as_deref() == Some("TraversalSpec") || set.child("path").is_some() {
                Select::Traverse(Traversal {
                    name: set.text_of("name").to_owned(),
                    kind: set.text_of("type").to_owned(),
                    path: set.text_of("path").to_owned(),
                    skip: set.is_true("skip"),
                    selects: selects(set),
                })
            } else {
                Select::Named(set.text_of("name").to_owned())
            }
        })
        .collect()
}

/// What a collector can read.
pub(crate) trait Source {
    /// Whether the object exists.
    fn exists(&self, object: &Ref) -> bool;
    /// A property by its first name; nothing if it is unset.
    fn property(&self, object: &Ref, name: &str) -> Option<Data>;
    /// The names of all properties that are set.
    fn set_properties(&self, object: &Ref) -> Vec<&'static str>;
}

/// An object with the properties that a filter shows.
#[derive(Debug, Clone)]
pub(crate) struct ObjectContent {
    pub(crate) object: Ref,
    pub(crate) properties: Vec<(String, Data)>,
}

/// What the filters select, each object once per filter.
pub(crate) fn retrieve(specs: &[FilterSpec], source: &dyn Source) -> Result<Vec<ObjectContent>, SoapFault> {
    let mut contents = Vec::new();
    for spec in specs {
        for set in &spec.properties {
            check(set)?;
        }
        let mut walk = Walk {
            source,
            names: BTreeMap::new(),
            selected: Vec::new(),
            known: BTreeSet::new(),
            walked: BTreeSet::new(),
        };
        for object in &spec.objects {
            if !source.exists(&object.object) {
                return Err(SoapFault::object_not_found(&object.object));
            }
            walk.names.clear();
            walk.learn(&object.selects);
            if !object.skip {
                walk.select(&object.object);
            }
            walk.follow(&object.object, &object.selects)?;
        }
        for object in walk.selected {
            if let Some(properties) = show(&spec.properties, &object, source)? {
                contents.push(ObjectContent { object, properties });
            }
        }
    }
    Ok(contents)
}

fn check(set: &PropertySpec) -> Result<(), SoapFault> {
    if !schema::is_known(&set.kind) {
        return Err(SoapFault::invalid_type(&set.kind));
    }
    let unknown = set.paths.iter().find(|path| !schema::has_property(&set.kind, first(path)));
    unknown.map_or(Ok(()), |path| Err(SoapFault::invalid_property(path)))
}

fn first(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

fn show(sets: &[PropertySpec], object: &Ref, source: &dyn Source) -> Result<Option<Vec<(String, Data)>>, SoapFault> {
    let mut matching = sets.iter().filter(|set| schema::is_a(&object.kind, &set.kind)).peekable();
    if matching.peek().is_none() {
        return Ok(None);
    }
    let mut shown: Vec<(String, Data)> = Vec::new();
    for set in matching {
        let all = if set.all { source.set_properties(object) } else { Vec::new() };
        for path in all.into_iter().chain(set.paths.iter().map(String::as_str)) {
            if shown.iter().any(|(there, _)| there == path) {
                continue;
            }
            if !schema::has_property(&object.kind, first(path)) {
                return Err(SoapFault::invalid_property(path));
            }
            if let Some(value) = value_at(object, path, source) {
                shown.push((path.to_owned(), value));
            }
        }
    }
    Ok(Some(shown))
}

fn value_at(object: &Ref, path: &str, source: &dyn Source) -> Option<Data> {
    let mut parts = path.split('.');
    let value = source.property(object, parts.next()?)?;
    value.at(parts).cloned()
}

struct Walk<'a> {
    source: &'a dyn Source,
    names: BTreeMap<&'a str, &'a Traversal>,
    selected: Vec<Ref>,
    known: BTreeSet<Ref>,
    walked: BTreeSet<(Ref, *const Traversal)>,
}

impl<'a> Walk<'a> {
    fn select(&mut self, object: &Ref) {
        if self.known.insert(object.clone()) {
            self.selected.push(object.clone());
        }
    }

    fn learn(&mut self, selects: &'a [Select]) {
        for select in selects {
            if let Select::Traverse(traversal) = select {
                if !traversal.name.is_empty() {
                    self.names.insert(&traversal.name, traversal);
                }
                self.learn(&traversal.selects);
            }
        }
    }

    fn follow(&mut self, from: &Ref, selects: &'a [Select]) -> Result<(), SoapFault> {
        let mut waiting: Vec<(Ref, &'a [Select])> = vec![(from.clone(), selects)];
        while let Some((object, selects)) = waiting.pop() {
            let mut found = Vec::new();
            for select in selects {
                let traversal = match select {
                    Select::Traverse(traversal) => traversal,
                    Select::Named(name) => match self.names.get(name.as_str()) {
                        Some(traversal) => *traversal,
                        None => return Err(SoapFault::invalid_argument("selectSet")),
                    },
                };
                let applies = schema::is_a(&object.kind, &traversal.kind);
                if !applies || !self.walked.insert((object.clone(), std::ptr::from_ref(traversal))) {
                    continue;
                }
                if !schema::has_property(&object.kind, first(&traversal.path)) {
                    return Err(SoapFault::invalid_property(&traversal.path));
                }
                let targets =
                    value_at(&object, &traversal.path, self.source).map(|value| value.targets()).unwrap_or_default();
                for target in targets.into_iter().filter(|target| self.source.exists(target)) {
                    if !traversal.skip {
                        self.select(&target);
                    }
                    found.push((target, traversal.selects.as_slice()));
                }
            }
            // The last pushed is walked first: reversed, the order is that of the properties.
            waiting.extend(found.into_iter().rev());
        }
        Ok(())
    }
}
