//! One session with a vCenter.

use std::cell::RefCell;

use kedge_sdk::prelude::*;
use kedge_sdk::{EndpointError, Response};

use super::envelope::{self, Call, Wanted};
use super::properties::{self, Found, Reference};
use super::reply::{self, Fault, SoapError};
use super::xml::Element;
use crate::{clock, wire};

const NOT_AUTHENTICATED: &str = "NotAuthenticated";
const NOT_FOUND: &str = "ManagedObjectNotFound";

/// What a vCenter says about itself before anybody is logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// `VMware vCenter Server 8.0.2 build-22617221`
    pub(crate) full_name: String,
    /// `VirtualCenter`; an ESXi host says `HostAgent`.
    pub(crate) api_type: String,
    /// The version of its API, which is its own with one number more: `8.0.2.0`.
    pub(crate) version: String,
    /// When it said so, by its own clock: seconds since 1970.
    pub(crate) time: Option<i64>,
}

/// A client, not necessarily logged in. It knows where the services are.
#[derive(Debug)]
pub(crate) struct Client<'e> {
    endpoint: &'e Endpoint,
    pub(crate) about: About,
    /// The top of the inventory.
    pub(crate) root_folder: Reference,
    session_manager: Reference,
    property_collector: Reference,
    search_index: Reference,
    view_manager: Reference,
    pub(crate) authorization_manager: Reference,
    pub(crate) license_manager: Reference,
    session: RefCell<Session>,
}

/// A look at everything of some types below an object, and at some objects more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survey<'s> {
    pub(crate) from: &'s Reference,
    pub(crate) kinds: &'s [&'s str],
    pub(crate) more: &'s [Reference],
    pub(crate) wanted: Wanted<'s>,
    /// How many objects are to come at once; 0 leaves that to the server.
    pub(crate) most: usize,
}

/// Who is logged in, and how often.
#[derive(Debug, Default)]
struct Session {
    /// The names of the two secrets.
    username: String,
    password: String,
    /// Names the session to the vCenter. It does not open it: that is the cookie, which the host keeps.
    key: String,
    lost: bool,
}

impl<'e> Client<'e> {
    /// Asks who is there. No login is needed for that.
    pub(crate) fn connect(endpoint: &'e Endpoint) -> Result<Self, SoapError> {
        let call = envelope::retrieve_service_content();
        let sent = endpoint.send(&call.request);
        let time = sent.as_ref().ok().and_then(|response| clock::http(response.header("Date")?));
        let answer = reply::read(sent, call.method)?;
        let content = returned(&answer)?;
        let about = content.child("about").cloned().unwrap_or_default();
        let service = |name: &str| {
            content
                .child(name)
                .and_then(Reference::read)
                .ok_or_else(|| SoapError::Reply(format!("it offers no `{name}`")))
        };
        let text = |name: &str| about.text_of(name).to_owned();
        let about = About { full_name: text("fullName"), api_type: text("apiType"), version: text("apiVersion"), time };
        // A host without a vCenter lacks some of these, and is told apart by its type.
        let optional = |name: &str| service(name).unwrap_or_default();
        Ok(Self {
            endpoint,
            about,
            root_folder: service("rootFolder")?,
            session_manager: service("sessionManager")?,
            property_collector: service("propertyCollector")?,
            search_index: optional("searchIndex"),
            view_manager: optional("viewManager"),
            authorization_manager: optional("authorizationManager"),
            license_manager: optional("licenseManager"),
            session: RefCell::default(),
        })
    }

    /// Logs in with two secrets of the host.
    pub(crate) fn login(&self, username: &str, password: &str) -> Result<(), SoapError> {
        let call = envelope::login(&self.session_manager, username, password);
        // Once: a password that is tried over and over locks its user out.
        let answer = reply::read(self.endpoint.send(&call.request), call.method)?;
        let key = answer.child("returnval").map_or("", |session| session.text_of("key")).to_owned();
        let mut session = self.session.borrow_mut();
        *session = Session { username: username.into(), password: password.into(), key, lost: session.lost };
        Ok(())
    }

    /// What ends the session; what it holds open goes with it.
    pub(crate) fn logout(&self) -> Call {
        envelope::logout(&self.session_manager)
    }

    /// Reads the answer to that.
    pub(crate) fn ended(sent: Result<Response, EndpointError>, call: &Call) -> Result<(), SoapError> {
        match reply::read(sent, call.method) {
            // Nobody is logged in any more: that is all that was wanted.
            Err(SoapError::Fault(fault)) if fault.kind == NOT_AUTHENTICATED => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// What makes the view that a survey needs. It goes with the session.
    pub(crate) fn view_for(&self, survey: Survey<'_>) -> Call {
        envelope::create_view(&self.view_manager, survey.from, survey.kinds)
    }

    /// The question for what such a view shows, from the answer to that.
    pub(crate) fn survey(&self, view: &Element, survey: Survey<'_>) -> Result<Call, SoapError> {
        let view = view
            .child("returnval")
            .and_then(Reference::read)
            .ok_or_else(|| SoapError::Reply("it returned no view".into()))?;
        Ok(envelope::view(&self.property_collector, &view, survey.more, survey.wanted, survey.most))
    }

    /// Reads what came back for it: the first page. The view is made again if it went with a session that ended.
    pub(crate) fn surveyed(
        &self,
        sent: Result<Response, EndpointError>,
        call: &Call,
        survey: Survey<'_>,
    ) -> Result<Element, SoapError> {
        match self.read(sent, call) {
            Err(SoapError::Fault(fault)) if fault.kind == NOT_FOUND => match self.look(survey) {
                // It went again: no session lasts long enough here.
                Err(SoapError::Fault(fault)) if fault.kind == NOT_FOUND => {
                    let message = "The session does not last.".to_owned();
                    Err(SoapError::Fault(Fault { kind: NOT_AUTHENTICATED.to_owned(), message }))
                }
                answer => answer,
            },
            answer => answer,
        }
    }

    /// All of that, one after the other.
    pub(crate) fn look(&self, survey: Survey<'_>) -> Result<Element, SoapError> {
        let view = self.ask(&self.view_for(survey))?;
        self.ask(&self.survey(&view, survey)?)
    }

    /// The question for properties of some objects.
    pub(crate) fn properties(&self, objects: &[Reference], wanted: Wanted<'_>) -> Call {
        envelope::retrieve_properties(&self.property_collector, objects, wanted)
    }

    /// The question which of some privileges the user has on some objects.
    pub(crate) fn has_privileges(&self, objects: &[Reference], privileges: &[&str]) -> Call {
        let session = self.session.borrow();
        envelope::has_privileges(&self.authorization_manager, objects, &session.key, privileges)
    }

    /// The question for the permissions that hold on an object.
    pub(crate) fn permissions(&self, object: &Reference) -> Call {
        envelope::entity_permissions(&self.authorization_manager, object)
    }

    /// What makes a role.
    pub(crate) fn add_role(&self, name: &str, privileges: &[&str]) -> Call {
        envelope::add_role(&self.authorization_manager, name, privileges)
    }

    /// What gives a role its privileges.
    pub(crate) fn update_role(&self, id: &str, name: &str, privileges: &[&str]) -> Call {
        envelope::update_role(&self.authorization_manager, id, name, privileges)
    }

    /// What gives a group a role on an object.
    pub(crate) fn permit(&self, object: &Reference, group: &str, role: &str, propagate: bool) -> Call {
        envelope::permit(&self.authorization_manager, object, group, role, propagate)
    }

    /// What makes a folder.
    pub(crate) fn create_folder(parent: &Reference, name: &str) -> Call {
        envelope::create_folder(parent, name)
    }

    /// What makes a snapshot, as a task.
    pub(crate) fn create_snapshot(machine: &Reference, name: &str) -> Call {
        envelope::create_snapshot(machine, name)
    }

    /// What makes a template of a virtual machine.
    pub(crate) fn mark_as_template(machine: &Reference) -> Call {
        envelope::mark_as_template(machine)
    }

    /// What gives a disk another size, as a task.
    pub(crate) fn resize_disk(machine: &Reference, disk: &Element, kib: i64) -> Call {
        envelope::resize_disk(machine, disk, kib)
    }

    /// Changes something: asked once, because nobody knows what came of a change whose answer got lost.
    pub(crate) fn change(&self, call: &Call) -> Result<Element, SoapError> {
        reply::read(self.endpoint.send(&call.request), call.method)
    }

    /// Asks.
    pub(crate) fn ask(&self, call: &Call) -> Result<Element, SoapError> {
        self.read(wire::ask(self.endpoint, &call.request), call)
    }

    /// Reads what came back for a call. A session that ended midway is opened again, once, and the call repeated.
    pub(crate) fn read(&self, sent: Result<Response, EndpointError>, call: &Call) -> Result<Element, SoapError> {
        self.read_or(sent, call, || call.clone())
    }

    /// The same for a call that names the session: it has to be made anew.
    pub(crate) fn read_or(
        &self,
        sent: Result<Response, EndpointError>,
        call: &Call,
        again: impl FnOnce() -> Call,
    ) -> Result<Element, SoapError> {
        let answer = read(sent, call);
        let lost = matches!(&answer, Err(SoapError::Fault(fault)) if fault.kind == NOT_AUTHENTICATED);
        let (username, password, first) = {
            let mut session = self.session.borrow_mut();
            if !lost || session.username.is_empty() {
                return answer;
            }
            let first = !std::mem::replace(&mut session.lost, true);
            (session.username.clone(), session.password.clone(), first)
        };
        // What was asked beside the question that found it out is asked again in the new session.
        if first {
            self.login(&username, &password)?;
        }
        let call = again();
        read(wire::ask(self.endpoint, &call.request), &call)
    }

    /// The question for the object at a path of the inventory.
    pub(crate) fn find_at(&self, path: &str) -> Call {
        envelope::find_by_inventory_path(&self.search_index, path)
    }

    /// Reads the answer to it; none where the path leads nowhere.
    pub(crate) fn found(
        &self,
        sent: Result<Response, EndpointError>,
        call: &Call,
    ) -> Result<Option<Reference>, SoapError> {
        Ok(self.read(sent, call)?.child("returnval").and_then(Reference::read))
    }

    /// The objects at some paths of the inventory, in their order.
    pub(crate) fn find(&self, paths: &[&str]) -> Vec<Result<Option<Reference>, SoapError>> {
        let calls: Vec<Call> = paths.iter().map(|path| self.find_at(path)).collect();
        self.references(&calls)
    }

    /// The objects of some names in some folders, in their order.
    pub(crate) fn children(&self, wanted: &[(&Reference, &str)]) -> Vec<Result<Option<Reference>, SoapError>> {
        let calls: Vec<Call> =
            wanted.iter().map(|(parent, name)| envelope::find_child(&self.search_index, parent, name)).collect();
        self.references(&calls)
    }

    fn references(&self, calls: &[Call]) -> Vec<Result<Option<Reference>, SoapError>> {
        let requests: Vec<Request> = calls.iter().map(|call| call.request.clone()).collect();
        let sent = wire::ask_all(self.endpoint, &requests);
        sent.into_iter().zip(calls).map(|(sent, call)| self.found(sent, call)).collect()
    }

    /// The first page of a retrieval, and the token for the rest.
    pub(crate) fn page(answer: &Element) -> (Vec<Found>, Option<String>) {
        properties::read(answer)
    }

    /// All pages of a retrieval whose first one is there.
    pub(crate) fn all_pages(&self, first: &Element) -> Result<Vec<Found>, SoapError> {
        let (mut objects, mut token) = properties::read(first);
        while let Some(more) = token {
            let answer = self.ask(&envelope::continue_retrieve(&self.property_collector, &more))?;
            let (page, next) = properties::read(&answer);
            objects.extend(page);
            token = next;
        }
        Ok(objects)
    }

    /// Gives up the pages that are left.
    pub(crate) fn forget_pages(&self, token: &str) {
        // It makes room on the server; nothing depends on it.
        let _ = self.ask(&envelope::cancel_retrieve(&self.property_collector, token));
    }
}

/// What came back for a call. Some servers answer a retrieval without a session by saying of each property that it is
/// missing: that is the fault that others answer with.
fn read(sent: Result<Response, EndpointError>, call: &Call) -> Result<Element, SoapError> {
    let answer = reply::read(sent, call.method)?;
    if properties::lacks_session(&answer) {
        let message = "The session is not authenticated.".to_owned();
        return Err(SoapError::Fault(Fault { kind: NOT_AUTHENTICATED.to_owned(), message }));
    }
    Ok(answer)
}

fn returned(answer: &Element) -> Result<&Element, SoapError> {
    answer.child("returnval").ok_or_else(|| SoapError::Reply("it returned nothing".into()))
}
