//! The SOAP methods.

use std::fmt::Write as _;
use std::time::Duration;

use quick_xml::escape::escape;

use super::collector::{self, FilterSpec, ObjectContent};
use super::data::{self, Data, Ref};
use super::schema;
use super::session::{Collector, Session, Sessions};
use super::soap::SoapFault;
use super::state::{Readable, State, privileges};
use super::xml::Element;

/// Who calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// The value of the session cookie.
    pub(crate) session: Option<String>,
    /// The address of the client.
    pub(crate) address: String,
    /// Its user agent.
    pub(crate) agent: String,
}

/// What a method answers.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What stands inside the response element.
    pub(crate) inside: String,
    /// A new session to hand to the client.
    pub(crate) login: Option<String>,
    /// How long the answer has to wait: a client asked to be told of changes and there are none.
    pub(crate) wait: Option<Duration>,
}

impl Answer {
    fn new(inside: String) -> Self {
        Self { inside, ..Self::default() }
    }

    fn value(value: &Data) -> Self {
        let mut out = String::new();
        data::write_field(&mut out, "returnval", value);
        Self::new(out)
    }
}

/// How long a client waits for changes that says no limit. A vCenter ends the wait after half an hour.
const LONGEST_WAIT: Duration = Duration::from_mins(30);

/// Calls a method.
pub(crate) fn call(state: &State, method: &Element, caller: &Caller) -> Result<Answer, SoapFault> {
    let this = method.child("_this").map_or_else(|| Ref::new("", ""), Element::reference);
    match method.name.as_str() {
        "RetrieveServiceContent" => return Ok(Answer::value(&state.service_content())),
        "Login" => return login(state, method, caller),
        _ => {}
    }
    state.with_sessions(|sessions| {
        let now = state.clock.now();
        let key = caller.session.as_deref().filter(|key| sessions.soap.contains_key(*key)).map(str::to_owned);
        if let Some(session) = key.as_ref().and_then(|key| sessions.soap.get_mut(key)) {
            session.active = now;
            session.calls += 1;
        }
        let mut call = Call { state, sessions, key, method, this };
        call.run()
    })
}

fn login(state: &State, method: &Element, caller: &Caller) -> Result<Answer, SoapFault> {
    let (username, password) = (method.exact_text_of("userName"), method.exact_text_of("password"));
    state.with_sessions(|sessions| {
        let already = caller.session.as_ref().is_some_and(|key| sessions.soap.contains_key(key));
        if already || !state.login_is_right(username, password) {
            sessions.refused += 1;
            return Err(SoapFault::invalid_login());
        }
        let key = uuid::Uuid::new_v4().to_string();
        let session =
            Session::new(key.clone(), username, state.clock.now(), caller.address.clone(), caller.agent.clone());
        let answer = Answer { login: Some(key.clone()), ..Answer::value(&session.to_data()) };
        sessions.soap.insert(key, session);
        sessions.logins += 1;
        Ok(answer)
    })
}

struct Call<'a> {
    state: &'a State,
    sessions: &'a mut Sessions,
    key: Option<String>,
    method: &'a Element,
    this: Ref,
}

impl Call<'_> {
    fn run(&mut self) -> Result<Answer, SoapFault> {
        if matches!(self.method.name.as_str(), "RetrieveProperties" | "RetrievePropertiesEx") {
            return self.retrieve();
        }
        // All else needs a session.
        if self.key.is_none() {
            return Err(SoapFault::not_authenticated(&self.this));
        }
        match self.method.name.as_str() {
            "Logout" => {
                self.sessions.soap.remove(self.key.as_deref().unwrap_or_default());
                Ok(Answer::default())
            }
            "CurrentTime" => Ok(Answer::value(&data::time(self.state.clock.now()))),
            "SessionIsActive" => {
                let asked = self.sessions.soap.get(self.method.text_of("sessionID"));
                let active = asked.is_some_and(|session| session.user == self.method.text_of("userName"));
                Ok(Answer::value(&data::boolean(active)))
            }
            "TerminateSession" => {
                let ids: Vec<&str> = self.method.all("sessionId").map(|id| id.text.trim()).collect();
                self.sessions.soap.retain(|key, _| !ids.contains(&key.as_str()));
                Ok(Answer::default())
            }
            "FindByInventoryPath" => {
                let found = self.state.contents.inventory.find(self.method.text_of("inventoryPath"));
                Ok(found_or_nothing(found.map(|entity| &entity.reference)))
            }
            "FindChild" => {
                let entity = self.entity("entity")?;
                let found = self.state.contents.inventory.child(&entity, self.method.text_of("name"));
                Ok(found_or_nothing(found.map(|entity| &entity.reference)))
            }
            "CreateFolder" => self.create_folder(),
            "FindByUuid" => Ok(self.find_by_uuid()),
            "CreateContainerView" => self.create_view(),
            "DestroyView" => {
                let id = self.this.id.clone();
                let gone = self.session()?.views.remove(&id).is_some();
                if gone { Ok(Answer::default()) } else { Err(SoapFault::object_not_found(&self.this)) }
            }
            "ContinueRetrievePropertiesEx" => self.continue_retrieval(),
            "CancelRetrievePropertiesEx" => {
                let token = self.method.text_of("token").to_owned();
                self.session()?.continuations.remove(&token);
                Ok(Answer::default())
            }
            "CreatePropertyCollector" => {
                let id = self.fresh_id()?;
                self.session()?.collectors.insert(id.clone(), Collector::default());
                Ok(Answer::value(&Data::Ref(Ref::new("PropertyCollector", &id))))
            }
            "DestroyPropertyCollector" => {
                let id = self.this.id.clone();
                self.session()?.collectors.remove(&id);
                Ok(Answer::default())
            }
            "CreateFilter" => self.create_filter(),
            "DestroyPropertyFilter" => {
                let id = self.this.id.clone();
                for collector in self.session()?.collectors.values_mut() {
                    collector.filters.remove(&id);
                }
                Ok(Answer::default())
            }
            "WaitForUpdatesEx" | "WaitForUpdates" | "CheckForUpdates" => self.wait_for_updates(),
            "CancelWaitForUpdates" => Ok(Answer::default()),
            "FetchUserPrivilegeOnEntities" => self.user_privileges(),
            "HasPrivilegeOnEntities" | "HasUserPrivilegeOnEntities" => self.has_privileges(),
            "HasPrivilegeOnEntity" => {
                self.entity("entity")?;
                let granted: Vec<Data> = self.method.all("privId").map(|id| data::boolean(is_privilege(id))).collect();
                Ok(Answer::value(&Data::List { item: "boolean", items: granted }))
            }
            "RetrieveEntityPermissions" => self.permissions(),
            other => Err(SoapFault::not_supported(other)),
        }
    }

    fn session(&mut self) -> Result<&mut Session, SoapFault> {
        let key = self.key.as_deref().unwrap_or_default();
        self.sessions.soap.get_mut(key).ok_or_else(|| SoapFault::not_authenticated(&self.this))
    }

    /// An identifier for something that lives in the session, as a vCenter makes them.
    fn fresh_id(&mut self) -> Result<String, SoapFault> {
        Ok(format!("session[{}]{}", self.session()?.key, uuid::Uuid::new_v4()))
    }

    fn entity(&self, field: &str) -> Result<Ref, SoapFault> {
        let entity =
            self.method.child(field).map(Element::reference).ok_or_else(|| SoapFault::invalid_argument(field))?;
        self.known(entity)
    }

    fn known(&self, entity: Ref) -> Result<Ref, SoapFault> {
        match self.state.contents.inventory.get(&entity) {
            Some(_) => Ok(entity),
            None => Err(SoapFault::object_not_found(&entity)),
        }
    }

    fn entities(&self, field: &str) -> Result<Vec<Ref>, SoapFault> {
        self.method.all(field).map(|entity| self.known(entity.reference())).collect()
    }

    /// The inventory stays as it is; that the folder was made is remembered, so that it can be made only once.
    fn create_folder(&mut self) -> Result<Answer, SoapFault> {
        let (parent, name) = (self.known(self.this.clone())?, self.method.text_of("name").to_owned());
        if name.is_empty() {
            return Err(SoapFault::invalid_argument("name"));
        }
        let there = self.state.contents.inventory.child(&parent, &name).is_some();
        if there || !self.sessions.folders.insert((parent, name.clone())) {
            return Err(SoapFault::duplicate_name(&name));
        }
        let id = format!("group-v{}", 90_000 + self.sessions.folders.len());
        Ok(Answer::value(&Data::Ref(Ref::new("Folder", &id))))
    }

    fn find_by_uuid(&self) -> Answer {
        let (uuid, machines) = (self.method.text_of("uuid"), self.method.is_true("vmSearch"));
        let field: &[&str] = match (machines, self.method.is_true("instanceUuid")) {
            (true, true) => &["config", "instanceUuid"],
            (true, false) => &["config", "uuid"],
            (false, _) => &["hardware", "uuid"],
        };
        let kind = if machines { "VirtualMachine" } else { "HostSystem" };
        let found = self.state.contents.inventory.all().filter(|entity| entity.is_a(kind)).find(|entity| {
            let summary = entity.property("summary");
            let value = summary.as_ref().and_then(|summary| summary.at(field.iter().copied()));
            matches!(value, Some(Data::Scalar { text, .. }) if text.eq_ignore_ascii_case(uuid))
        });
        found_or_nothing(found.map(|entity| &entity.reference))
    }

    fn create_view(&mut self) -> Result<Answer, SoapFault> {
        let container = self.entity("container")?;
        let types: Vec<&str> = self.method.all("type").map(|kind| kind.text.trim()).collect();
        if let Some(unknown) = types.iter().find(|kind| !schema::is_known(kind)) {
            return Err(SoapFault::invalid_type(unknown));
        }
        let below = self.state.contents.inventory.below(&container, self.method.is_true("recursive"));
        let view =
            below.into_iter().filter(|one| types.is_empty() || types.iter().any(|kind| schema::is_a(&one.kind, kind)));
        let view: Vec<Ref> = view.collect();
        let id = self.fresh_id()?;
        self.session()?.views.insert(id.clone(), view);
        Ok(Answer::value(&Data::Ref(Ref::new("ContainerView", &id))))
    }

    fn collect(&self, specs: &[FilterSpec]) -> Result<Vec<ObjectContent>, SoapFault> {
        let session = self.key.as_ref().and_then(|key| self.sessions.soap.get(key));
        collector::retrieve(specs, &Readable { state: self.state, sessions: self.sessions, session })
    }

    fn retrieve(&mut self) -> Result<Answer, SoapFault> {
        if self.key.is_none() {
            // Without a session only the objects that a login needs may be read.
            let objects =
                self.method.all("specSet").flat_map(|spec| spec.all("objectSet")).filter_map(|set| set.child("obj"));
            let closed = objects
                .map(Element::reference)
                .find(|object| !matches!(object.kind.as_str(), "ServiceInstance" | "SessionManager"));
            if let Some(closed) = closed {
                return Err(SoapFault::not_authenticated(&closed));
            }
        }
        let specs: Vec<FilterSpec> = self.method.all("specSet").map(FilterSpec::parse).collect();
        let objects: Vec<String> = self.collect(&specs)?.iter().map(written).collect();
        if self.method.name == "RetrieveProperties" {
            let all = objects.iter().fold(String::new(), |mut out, object| {
                let _ = write!(out, "<returnval>{object}</returnval>");
                out
            });
            return Ok(Answer::new(all));
        }
        let most =
            self.method.child("options").and_then(|options| options.text_of("maxObjects").parse().ok()).unwrap_or(0);
        self.page(objects, most)
    }

    /// A page of a retrieval; what is left waits behind a token.
    fn page(&mut self, mut objects: Vec<String>, most: usize) -> Result<Answer, SoapFault> {
        if objects.is_empty() {
            return Ok(Answer::default());
        }
        let mut inside = String::from("<returnval>");
        if most > 0 && objects.len() > most && self.key.is_some() {
            let rest = objects.split_off(most);
            let token = format!("{most}:{}", uuid::Uuid::new_v4());
            let _ = write!(inside, "<token>{token}</token>");
            self.session()?.continuations.insert(token, rest);
        }
        for object in &objects {
            let _ = write!(inside, "<objects>{object}</objects>");
        }
        inside.push_str("</returnval>");
        Ok(Answer::new(inside))
    }

    fn continue_retrieval(&mut self) -> Result<Answer, SoapFault> {
        let token = self.method.text_of("token").to_owned();
        let rest = self.session()?.continuations.remove(&token).ok_or_else(|| SoapFault::invalid_argument("token"))?;
        let most = token.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        self.page(rest, most)
    }

    fn create_filter(&mut self) -> Result<Answer, SoapFault> {
        let spec = FilterSpec::parse(self.method.child("spec").ok_or_else(|| SoapFault::invalid_argument("spec"))?);
        // What is wrong with a filter is said when it is made.
        self.collect(std::slice::from_ref(&spec))?;
        let (id, collector) = (self.fresh_id()?, self.this.id.clone());
        self.session()?.collectors.entry(collector).or_default().filters.insert(id.clone(), spec);
        Ok(Answer::value(&Data::Ref(Ref::new("PropertyFilter", &id))))
    }

    /// The inventory never changes: the first answer says everything, and each later one comes when the wait is over and says nothing.
    fn wait_for_updates(&mut self) -> Result<Answer, SoapFault> {
        let collector = self.this.id.clone();
        let filters =
            self.session()?.collectors.get(&collector).map(|collector| collector.filters.clone()).unwrap_or_default();
        let version = filters.len().to_string();
        if self.method.text_of("version") == version {
            let limit = self.method.child("options").and_then(|options| options.text_of("maxWaitSeconds").parse().ok());
            let wait = match self.method.name.as_str() {
                "CheckForUpdates" => None,
                _ => Some(limit.map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT)),
            };
            return Ok(Answer { wait, ..Answer::default() });
        }
        let mut inside = format!("<returnval><version>{version}</version>");
        for (id, spec) in &filters {
            inside.push_str("<filterSet>");
            data::write_ref(&mut inside, "filter", &Ref::new("PropertyFilter", id));
            for object in self.collect(std::slice::from_ref(spec))? {
                inside.push_str("<objectSet><kind>enter</kind>");
                data::write_ref(&mut inside, "obj", &object.object);
                for (path, value) in &object.properties {
                    let _ = write!(inside, "<changeSet><name>{}</name><op>assign</op>", escape(path.as_str()));
                    data::write_any(&mut inside, "val", value);
                    inside.push_str("</changeSet>");
                }
                inside.push_str("</objectSet>");
            }
            inside.push_str("</filterSet>");
        }
        inside.push_str("</returnval>");
        Ok(Answer::new(inside))
    }

    /// The one user of the lab may do everything; nobody else may do anything.
    fn user_privileges(&self) -> Result<Answer, SoapFault> {
        let ours = self.is_our_user(self.method.text_of("userName"));
        let mut inside = String::new();
        for entity in self.entities("entities")? {
            inside.push_str("<returnval>");
            data::write_ref(&mut inside, "entity", &entity);
            for privilege in privileges().filter(|_| ours) {
                let _ = write!(inside, "<privileges>{privilege}</privileges>");
            }
            inside.push_str("</returnval>");
        }
        Ok(Answer::new(inside))
    }

    fn is_our_user(&self, name: &str) -> bool {
        // A vCenter also knows users as DOMAIN\NAME, which is how a session is called there.
        let name = name.rsplit('\\').next().unwrap_or(name);
        let credentials = &self.state.credentials;
        credentials.match_with(name, &credentials.password)
    }

    fn has_privileges(&self) -> Result<Answer, SoapFault> {
        let ours = match self.method.name.as_str() {
            "HasUserPrivilegeOnEntities" => self.is_our_user(self.method.text_of("userName")),
            _ => self.sessions.soap.contains_key(self.method.text_of("sessionId")),
        };
        let field = if self.method.child("entities").is_some() { "entities" } else { "entity" };
        let mut inside = String::new();
        for entity in self.entities(field)? {
            inside.push_str("<returnval>");
            data::write_ref(&mut inside, "entity", &entity);
            for id in self.method.all("privId") {
                let (name, granted) = (escape(id.text.trim()), ours && is_privilege(id));
                let _ = write!(
                    inside,
                    "<privAvailability><privId>{name}</privId><isGranted>{granted}</isGranted></privAvailability>"
                );
            }
            inside.push_str("</returnval>");
        }
        Ok(Answer::new(inside))
    }

    fn permissions(&self) -> Result<Answer, SoapFault> {
        let entity = self.entity("entity")?;
        let root = self.state.contents.inventory.root();
        // The one permission is on the root folder.
        if entity != *root && !self.method.is_true("inherited") {
            return Ok(Answer::default());
        }
        let name = self.state.credentials.username.split('@').next().unwrap_or_default();
        let permission = data::record(
            "Permission",
            vec![
                ("entity", Data::Ref(root.clone())),
                ("principal", data::text(format!("VSPHERE.LOCAL\\{name}"))),
                ("group", data::boolean(false)),
                ("roleId", data::int(-1)),
                ("propagate", data::boolean(true)),
            ],
        );
        Ok(Answer::value(&permission))
    }
}

fn is_privilege(id: &Element) -> bool {
    privileges().any(|known| known == id.text.trim())
}

fn found_or_nothing(found: Option<&Ref>) -> Answer {
    found.map_or_else(Answer::default, |found| Answer::value(&Data::Ref(found.clone())))
}

fn written(content: &ObjectContent) -> String {
    let mut out = String::new();
    data::write_ref(&mut out, "obj", &content.object);
    for (path, value) in &content.properties {
        let _ = write!(out, "<propSet><name>{}</name>", escape(path.as_str()));
        data::write_any(&mut out, "val", value);
        out.push_str("</propSet>");
    }
    out
}
