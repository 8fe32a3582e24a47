//! Documents of a spec, read and completed by field paths.

use serde_json::Value;

use crate::bindings::exports::kedge::provider::config::Change;
use crate::{Failure, Finding, ObjectRef, Role, path};

/// A field that was read, or what is wrong with it.
pub type Read<T> = Result<T, Box<Finding>>;

/// One document of the user's spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// The whole document.
    pub body: Value,
}

impl Document {
    /// From the whole document; kind and name are read from it and empty where it has none.
    pub fn from_value(body: Value) -> Self {
        let text = |path| path::get(&body, path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind, name) = (text("apiVersion"), text("kind"), text("metadata.name"));
        Self { api_version, kind, name, body }
    }

    /// Its kind and name, for findings.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef { kind: self.kind.clone(), name: self.name.clone() }
    }

    /// The value at a path; none where the field is missing or null.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path::get(&self.body, path)
    }

    /// A text field, or the empty text where it is missing or no text.
    pub fn text(&self, path: &str) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text field that may be missing.
    pub fn str(&self, path: &str) -> Read<Option<&str>> {
        self.read(path, "text", Value::as_str)
    }

    /// A whole number that may be missing.
    pub fn int(&self, path: &str) -> Read<Option<i64>> {
        self.read(path, "a whole number", Value::as_i64)
    }

    /// A boolean that may be missing.
    pub fn bool(&self, path: &str) -> Read<Option<bool>> {
        self.read(path, "`true` or `false`", Value::as_bool)
    }

    /// A list; a missing one is empty.
    pub fn list(&self, path: &str) -> Read<&[Value]> {
        Ok(self.read(path, "a list", Value::as_array)?.map_or(&[], Vec::as_slice))
    }

    /// A list of texts; a missing one is empty.
    pub fn strings(&self, path: &str) -> Read<Vec<&str>> {
        let item = |(index, value): (usize, &'_ Value)| {
            value
                .as_str()
                .map(|_| ())
                .ok_or_else(|| Box::new(self.wrong_type(&format!("{path}[{index}]"), "text", value)))
        };
        let list = self.list(path)?;
        list.iter().enumerate().try_for_each(item)?;
        Ok(list.iter().filter_map(Value::as_str).collect())
    }

    /// A text field that has to be there and not empty.
    pub fn required_str(&self, path: &str) -> Read<&str> {
        self.str(path)?.filter(|text| !text.trim().is_empty()).ok_or_else(|| Box::new(self.missing(path)))
    }

    /// A whole number that has to be there.
    pub fn required_int(&self, path: &str) -> Read<i64> {
        self.int(path)?.ok_or_else(|| Box::new(self.missing(path)))
    }

    /// A finding about a field of this document.
    pub fn error(&self, path: &str, code: &str, message: impl Into<String>) -> Finding {
        Finding::error(code, message).at(self.reference(), path)
    }

    /// A warning about a field of this document.
    pub fn warning(&self, path: &str, code: &str, message: impl Into<String>) -> Finding {
        Finding::warning(code, message).at(self.reference(), path)
    }

    /// That a required field is missing or empty.
    pub fn missing(&self, path: &str) -> Finding {
        let field = path.rsplit('.').next().unwrap_or(path);
        self.error(path, "required", format!("`{path}` of {} `{}` is not set or is empty", self.kind, self.name))
            .remedy(format!("Set `{field}`"))
    }

    fn wrong_type(&self, path: &str, wanted: &str, found: &Value) -> Finding {
        let found = match found {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.error(path, "wrong-type", format!("`{path}` has to be {wanted} and is {found}"))
    }

    fn read<'d, T>(&'d self, path: &str, wanted: &str, read: impl Fn(&'d Value) -> Option<T>) -> Read<Option<T>> {
        let Some(value) = self.at(path) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| Box::new(self.wrong_type(path, wanted, value)))
    }
}

impl From<&Document> for ObjectRef {
    fn from(document: &Document) -> Self {
        document.reference()
    }
}

/// A group of machines of the Cluster: its control plane, its external etcd, or one worker node group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What its machines are for.
    pub role: Role,
    /// How many; the highest number where an autoscaler decides.
    pub count: i64,
    /// Where the Cluster describes it: `spec.workerNodeGroupConfigurations[0]`.
    pub path: String,
    /// The document its `machineGroupRef` names.
    pub machine: Option<ObjectRef>,
}

/// The documents of a spec: the Cluster, and those of the kinds that the provider claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents(Vec<Document>);

impl Documents {
    /// In the order of the spec.
    pub fn new(documents: Vec<Document>) -> Self {
        Self(documents)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.0.iter()
    }

    /// The Cluster.
    pub fn cluster(&self) -> Result<&Document, Failure> {
        self.of_kind("Cluster")
            .next()
            .ok_or_else(|| Finding::error("cluster-missing", "the spec has no Cluster").into())
    }

    /// Those of a kind.
    pub fn of_kind<'d>(&'d self, kind: &'d str) -> impl Iterator<Item = &'d Document> {
        self.0.iter().filter(move |document| document.kind == kind)
    }

    /// The one of a kind with a name.
    pub fn find(&self, kind: &str, name: &str) -> Option<&Document> {
        self.0.iter().find(|document| document.kind == kind && document.name == name)
    }

    /// The document that `spec.datacenterRef` of the Cluster names.
    pub fn datacenter(&self) -> Result<&Document, Failure> {
        let cluster = self.cluster()?;
        let (kind, name) = (cluster.text("spec.datacenterRef.kind"), cluster.text("spec.datacenterRef.name"));
        self.find(kind, name).ok_or_else(|| {
            cluster
                .error("spec.datacenterRef", "reference-missing", format!("{kind} `{name}` is not in the spec"))
                .remedy(format!("Add a document of kind {kind} named `{name}`"))
                .into()
        })
    }

    /// The groups of machines, in this order: control plane, etcd, workers as the spec has them.
    pub fn groups(&self) -> Result<Vec<Group>, Failure> {
        let cluster = self.cluster()?;
        let mut groups = vec![group(cluster, Role::ControlPlane, "spec.controlPlaneConfiguration")];
        if cluster.at("spec.externalEtcdConfiguration").is_some() {
            groups.push(group(cluster, Role::Etcd, "spec.externalEtcdConfiguration"));
        }
        let workers = cluster.list("spec.workerNodeGroupConfigurations")?.len();
        groups.extend((0..workers).map(|index| {
            let path = format!("spec.workerNodeGroupConfigurations[{index}]");
            let name = cluster.text(&format!("{path}.name"));
            let name = if name.is_empty() && index == 0 { "md-0" } else { name };
            group(cluster, Role::Worker(name.to_owned()), &path)
        }));
        Ok(groups)
    }

    /// The group of a role.
    pub fn group(&self, role: &Role) -> Result<Group, Failure> {
        self.groups()?.into_iter().find(|group| group.role == *role).ok_or_else(|| Failure::unknown_role(role))
    }

    /// The machine document of a group.
    pub fn machine(&self, group: &Group) -> Result<&Document, Failure> {
        let cluster = self.cluster()?;
        let path = format!("{}.machineGroupRef", group.path);
        let Some(machine) = &group.machine else {
            return Err(cluster.missing(&path).into());
        };
        self.find(&machine.kind, &machine.name).ok_or_else(|| {
            cluster
                .error(&path, "reference-missing", format!("{} `{}` is not in the spec", machine.kind, machine.name))
                .remedy(format!(
                    "Add a document of kind {} named `{}`, or change the reference",
                    machine.kind, machine.name
                ))
                .into()
        })
    }

    /// The documents themselves.
    pub fn into_vec(self) -> Vec<Document> {
        self.0
    }
}

fn group(cluster: &Document, role: Role, path: &str) -> Group {
    let number = |field: &str| cluster.at(&format!("{path}.{field}")).and_then(Value::as_i64);
    let text = |field: &str| cluster.text(&format!("{path}.machineGroupRef.{field}")).to_owned();
    let named = cluster.at(&format!("{path}.machineGroupRef.name")).is_some();
    Group {
        role,
        count: number("autoscalingConfiguration.maxCount").or_else(|| number("count")).unwrap_or(1),
        path: path.to_owned(),
        machine: named.then(|| ObjectRef { kind: text("kind"), name: text("name") }),
    }
}

/// Documents while they get their defaults; every change is written down with its reason.
#[derive(Debug)]
pub struct Defaulting {
    documents: Documents,
    changes: Vec<Change>,
}

impl Defaulting {
    /// Starts with the documents as the user wrote them.
    pub fn new(documents: Documents) -> Self {
        Self { documents, changes: vec![] }
    }

    /// As they are now.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// The document of a kind and name, as it is now.
    pub fn find(&self, kind: &str, name: &str) -> Option<&Document> {
        self.documents.find(kind, name)
    }

    /// Names of the documents of a kind.
    pub fn names(&self, kind: &str) -> Vec<String> {
        self.documents.of_kind(kind).map(|document| document.name.clone()).collect()
    }

    /// Sets a field and writes down why.
    pub fn set(&mut self, kind: &str, name: &str, path: &str, value: Value, reason: impl Into<String>) {
        let found = self.documents.0.iter_mut().find(|document| document.kind == kind && document.name == name);
        let Some(document) = found else { return };
        if path::set(&mut document.body, path, value) {
            let document = document.reference();
            self.changes.push(Change { document, path: path.to_owned(), reason: reason.into() });
        }
    }

    /// Sets a field where it is missing or null.
    pub fn set_missing(&mut self, kind: &str, name: &str, path: &str, value: Value, reason: impl Into<String>) {
        if self.find(kind, name).is_some_and(|document| document.at(path).is_none()) {
            self.set(kind, name, path, value, reason);
        }
    }

    /// The documents, and what was changed.
    pub fn finish(self) -> (Documents, Vec<Change>) {
        (self.documents, self.changes)
    }
}
