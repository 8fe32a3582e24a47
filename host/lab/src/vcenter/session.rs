//! Who is logged in, over SOAP and over REST, and what belongs to a session.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::collector::FilterSpec;
use super::data::{self, Data, Ref};

/// The credentials that the vCenter takes.
#[derive(Clone)]
pub struct Credentials {
    /// `administrator@vsphere.local`
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// As a vCenter does, takes the name of the single sign-on domain with or without the domain.
    pub(crate) fn match_with(&self, username: &str, password: &str) -> bool {
        let bare = |name: &str| name.strip_suffix("@vsphere.local").unwrap_or(name).to_ascii_lowercase();
        bare(username) == bare(&self.username) && password == self.password
    }
}

/// A SOAP session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: String,
    pub(crate) user: String,
    pub(crate) login: Timestamp,
    pub(crate) active: Timestamp,
    pub(crate) address: String,
    pub(crate) agent: String,
    pub(crate) calls: i64,
    /// Container views by identifier: what is in them.
    pub(crate) views: BTreeMap<String, Vec<Ref>>,
    /// Property collectors by identifier: the filters of each and whether they have been reported.
    pub(crate) collectors: BTreeMap<String, Collector>,
    /// What is left of a retrieval, by token.
    pub(crate) continuations: BTreeMap<String, Vec<String>>,
}

/// A property collector's filters.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) filters: BTreeMap<String, FilterSpec>,
}

impl Session {
    pub(crate) fn new(key: String, user: &str, now: Timestamp, address: String, agent: String) -> Self {
        Self {
            key,
            user: user.to_owned(),
            login: now,
            active: now,
            address,
            agent,
            calls: 0,
            views: BTreeMap::new(),
            collectors: BTreeMap::new(),
            continuations: BTreeMap::new(),
        }
    }

    /// The session as a `UserSession`.
    pub(crate) fn to_data(&self) -> Data {
        data::record(
            "UserSession",
            vec![
                ("key", data::text(&self.key)),
                ("userName", data::text(&self.user)),
                ("fullName", data::text(&self.user)),
                ("loginTime", data::time(self.login)),
                ("lastActiveTime", data::time(self.active)),
                ("locale", data::text("en")),
                ("messageLocale", data::text("en")),
                ("extensionSession", data::boolean(false)),
                ("ipAddress", data::text(&self.address)),
                ("userAgent", data::text(&self.agent)),
                ("callCount", data::long(self.calls)),
            ],
        )
    }
}

/// A REST session.
#[derive(Debug, Clone)]
pub(crate) struct RestSession {
    pub(crate) user: String,
    pub(crate) created: Timestamp,
    pub(crate) accessed: Timestamp,
}

/// All sessions of the vCenter.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) soap: BTreeMap<String, Session>,
    pub(crate) rest: BTreeMap<String, RestSession>,
    /// Folders that were made since the inventory was: in which folder, by which name.
    pub(crate) folders: BTreeSet<(Ref, String)>,
    /// How many logins have succeeded.
    pub(crate) logins: u64,
    /// How many logins have been refused.
    pub(crate) refused: u64,
}
