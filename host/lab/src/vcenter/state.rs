//! What a running vCenter knows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::collector::Source;
use super::data::{self, Data, Ref};
use super::fill::Contents;
use super::schema;
use super::session::{Credentials, Session, Sessions};
use crate::kube::Clock;

/// The state that all connections share.
pub(crate) struct State {
    pub(crate) contents: Contents,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) credentials: Credentials,
    /// Every login is refused.
    pub(crate) refuse_logins: bool,
    /// What every answer is delayed by.
    pub(crate) delay: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The managed objects that are there once: their types and identifiers.
const SINGLETONS: &[(&str, &str, &str)] = &[
    ("rootFolder", "Folder", "group-d1"),
    ("propertyCollector", "PropertyCollector", "propertyCollector"),
    ("viewManager", "ViewManager", "ViewManager"),
    ("setting", "OptionManager", "VpxSettings"),
    ("userDirectory", "UserDirectory", "UserDirectory"),
    ("sessionManager", "SessionManager", "SessionManager"),
    ("authorizationManager", "AuthorizationManager", "AuthorizationManager"),
    ("serviceManager", "ServiceManager", "ServiceMgr"),
    ("taskManager", "TaskManager", "TaskManager"),
    ("eventManager", "EventManager", "EventManager"),
    ("customFieldsManager", "CustomFieldsManager", "CustomFieldsManager"),
    ("licenseManager", "LicenseManager", "LicenseManager"),
    ("searchIndex", "SearchIndex", "SearchIndex"),
    ("fileManager", "FileManager", "FileManager"),
    ("virtualDiskManager", "VirtualDiskManager", "virtualDiskManager"),
    ("ovfManager", "OvfManager", "OvfManager"),
    ("storageResourceManager", "StorageResourceManager", "StorageResourceManager"),
    ("guestOperationsManager", "GuestOperationsManager", "guestOperationsManager"),
];

/// Every privilege that this vCenter knows.
pub(crate) fn privileges() -> impl Iterator<Item = &'static str> {
    include_str!("privileges.txt").lines()
}

impl State {
    pub(crate) fn login_is_right(&self, username: &str, password: &str) -> bool {
        !self.refuse_logins && self.credentials.match_with(username, password)
    }

    pub(crate) fn with_sessions<T>(&self, act: impl FnOnce(&mut Sessions) -> T) -> T {
        act(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `ServiceContent`: what this server is and where its managers are.
    pub(crate) fn service_content(&self) -> Data {
        let about = data::record(
            "AboutInfo",
            vec![
                ("name", data::text("VMware vCenter Server")),
                ("fullName", data::text("VMware vCenter Server 8.0.2 build-22385739 (simulated by kedge)")),
                ("vendor", data::text("VMware, Inc.")),
                ("version", data::text("8.0.2")),
                ("build", data::text("22385739")),
                ("localeVersion", data::text("INTL")),
                ("localeBuild", data::text("000")),
                ("osType", data::text("linux-x64")),
                ("productLineId", data::text("vpx")),
                ("apiType", data::text("VirtualCenter")),
                ("apiVersion", data::text("8.0.2.0")),
                ("instanceUuid", data::text(self.contents.inventory.uuid("instance"))),
                ("licenseProductName", data::text("VMware VirtualCenter Server")),
                ("licenseProductVersion", data::text("8.0")),
            ],
        );
        let mut fields = Vec::with_capacity(SINGLETONS.len() + 1);
        for (at, (field, kind, id)) in SINGLETONS.iter().enumerate() {
            if at == 3 {
                fields.push(("about", about.clone()));
            }
            fields.push((*field, Data::Ref(Ref::new(kind, id))));
        }
        data::record("ServiceContent", fields)
    }
}

/// What one session can read through the property collector.
pub(crate) struct Readable<'a> {
    pub(crate) state: &'a State,
    pub(crate) sessions: &'a Sessions,
    pub(crate) session: Option<&'a Session>,
}

/// The roles that every vCenter has.
/// One licence, an evaluation that has not begun to run out.
fn licences() -> Data {
    let property =
        |key: &str, value: Data| data::record("KeyAnyValue", vec![("key", data::text(key)), ("value", value)]);
    let feature = |key: &str, name: &str| {
        let value = data::derived("KeyValue", vec![("key", data::text(key)), ("value", data::text(name))]);
        property("feature", value)
    };
    let properties = vec![
        feature("dvs", "vSphere Distributed Switch"),
        feature("drs:1", "vSphere DRS"),
        property("expirationHours", data::long(1440)),
    ];
    let fields = vec![
        ("licenseKey", data::text("00000-00000-00000-00000-00000")),
        ("editionKey", data::text("eval")),
        ("name", data::text("Evaluation Mode")),
        ("total", data::int(0)),
        ("properties", Data::List { item: "KeyAnyValue", items: properties }),
    ];
    Data::List { item: "LicenseManagerLicenseInfo", items: vec![data::record("LicenseManagerLicenseInfo", fields)] }
}

fn roles() -> Data {
    let role = |id: i32, name: &str, label: &str, summary: &str, privileges: Vec<&str>| {
        data::record(
            "AuthorizationRole",
            vec![
                ("roleId", data::int(id)),
                ("system", data::boolean(true)),
                ("name", data::text(name)),
                (
                    "info",
                    data::derived("Description", vec![("label", data::text(label)), ("summary", data::text(summary))]),
                ),
                ("privilege", data::strings(&privileges)),
            ],
        )
    };
    let read = vec!["System.Anonymous", "System.Read", "System.View"];
    let items = vec![
        role(-5, "NoAccess", "No access", "Used for restricting granted access", Vec::new()),
        role(-4, "Anonymous", "Anonymous", "Not logged-in user (cannot be granted)", vec!["System.Anonymous"]),
        role(-3, "View", "View", "Visibility access (cannot be granted)", vec!["System.Anonymous", "System.View"]),
        role(-2, "ReadOnly", "Read-only", "See details of objects, but not make changes", read),
        role(-1, "Admin", "Administrator", "Full access rights", privileges().collect()),
    ];
    Data::List { item: "AuthorizationRole", items }
}

impl Source for Readable<'_> {
    fn exists(&self, object: &Ref) -> bool {
        match object.kind.as_str() {
            "ContainerView" => self.session.is_some_and(|session| session.views.contains_key(&object.id)),
            "ServiceInstance" => object.id == "ServiceInstance",
            _ => {
                self.state.contents.inventory.get(object).is_some()
                    || SINGLETONS.iter().any(|(_, kind, id)| *kind == object.kind && *id == object.id)
            }
        }
    }

    fn property(&self, object: &Ref, name: &str) -> Option<Data> {
        if let Some(entity) = self.state.contents.inventory.get(object) {
            return entity.property(name);
        }
        match (object.kind.as_str(), name) {
            ("ContainerView", "view") => Some(data::references(self.session?.views.get(&object.id)?.clone())),
            ("SessionManager", "currentSession") => Some(self.session?.to_data()),
            ("SessionManager", "sessionList") => {
                self.session?;
                let items = self.sessions.soap.values().map(Session::to_data).collect();
                Some(Data::List { item: "UserSession", items })
            }
            ("SessionManager", "messageLocaleList" | "supportedLocaleList") => Some(data::strings(&["en"])),
            ("SessionManager", "defaultLocale") => Some(data::text("en")),
            ("ServiceInstance", "content") => Some(self.state.service_content()),
            ("ServiceInstance", "serverClock") => Some(data::time(self.state.clock.now())),
            ("AuthorizationManager", "roleList") => Some(roles()),
            ("LicenseManager", "licenses") => Some(licences()),
            ("CustomFieldsManager", "field") => Some(Data::List { item: "CustomFieldDef", items: Vec::new() }),
            ("OptionManager", "setting") => Some(Data::List { item: "OptionValue", items: Vec::new() }),
            _ => None,
        }
    }

    fn set_properties(&self, object: &Ref) -> Vec<&'static str> {
        if let Some(entity) = self.state.contents.inventory.get(object) {
            return entity.set_properties();
        }
        let names = [
            "view",
            "sessionList",
            "currentSession",
            "messageLocaleList",
            "supportedLocaleList",
            "defaultLocale",
            "content",
            "serverClock",
            "roleList",
            "licenses",
            "field",
            "setting",
        ];
        names
            .into_iter()
            .filter(|name| schema::has_property(&object.kind, name) && self.property(object, name).is_some())
            .collect()
    }
}
