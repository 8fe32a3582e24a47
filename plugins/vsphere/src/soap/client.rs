//! One session with a vCenter.

use kedge_sdk::prelude::*;

use super::envelope::{self, Wanted};
use super::properties::{self, Found, Reference};
use super::reply::{self, SoapError};
use super::xml::Element;

/// What a vCenter says about itself before anybody is logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// `VMware vCenter Server 8.0.2 build-22617221`
    pub(crate) full_name: String,
    /// `VirtualCenter`; an ESXi host says `HostAgent`.
    pub(crate) api_type: String,
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
}

impl<'e> Client<'e> {
    /// Asks who is there. No login is needed for that.
    pub(crate) fn connect(endpoint: &'e Endpoint) -> Result<Self, SoapError> {
        let answer = reply::read(endpoint.send(&envelope::retrieve_service_content()), "RetrieveServiceContent")?;
        let content = returned(&answer)?;
        let about = content.child("about").cloned().unwrap_or_default();
        let service = |name: &str| {
            content
                .child(name)
                .and_then(Reference::read)
                .ok_or_else(|| SoapError::Reply(format!("it offers no `{name}`")))
        };
        Ok(Self {
            endpoint,
            about: About {
                full_name: about.text_of("fullName").to_owned(),
                api_type: about.text_of("apiType").to_owned(),
            },
            root_folder: service("rootFolder")?,
            session_manager: service("sessionManager")?,
            property_collector: service("propertyCollector")?,
            search_index: service("searchIndex")?,
            view_manager: service("viewManager")?,
        })
    }

    /// Logs in with two secrets of the host.
    pub(crate) fn login(&self, username: &str, password: &str) -> Result<(), SoapError> {
        let request = envelope::login(&self.session_manager, username, password);
        reply::read(self.endpoint.send(&request), "Login").map(|_| ())
    }

    /// Ends the session; views and collectors go with it.
    pub(crate) fn logout(&self) -> Result<(), SoapError> {
        let request = envelope::logout(&self.session_manager);
        reply::read(self.endpoint.send(&request), "Logout").map(|_| ())
    }

    /// The objects at some paths of the inventory, in their order; none where a path leads nowhere.
    pub(crate) fn find(&self, paths: &[&str]) -> Vec<Result<Option<Reference>, SoapError>> {
        let requests: Vec<Request> =
            paths.iter().map(|path| envelope::find_by_inventory_path(&self.search_index, path)).collect();
        self.endpoint
            .send_all(&requests)
            .into_iter()
            .map(|sent| {
                let answer = reply::read(sent, "FindByInventoryPath")?;
                Ok(answer.child("returnval").and_then(Reference::read))
            })
            .collect()
    }

    /// Everything of some types below an object, with some properties each.
    pub(crate) fn below(&self, container: &Reference, wanted: Wanted<'_>) -> Result<Vec<Found>, SoapError> {
        let types: Vec<&str> = wanted.iter().map(|(kind, _)| *kind).collect();
        let create = envelope::create_container_view(&self.view_manager, container, &types);
        let answer = reply::read(self.endpoint.send(&create), "CreateContainerView")?;
        let view = answer
            .child("returnval")
            .and_then(Reference::read)
            .ok_or_else(|| SoapError::Reply("it made no view".into()))?;
        self.collect(&envelope::retrieve_properties_of_view(&self.property_collector, &view, wanted))
    }

    /// Properties of some objects.
    pub(crate) fn properties(&self, objects: &[Reference], wanted: Wanted<'_>) -> Result<Vec<Found>, SoapError> {
        if objects.is_empty() {
            return Ok(vec![]);
        }
        self.collect(&envelope::retrieve_properties(&self.property_collector, objects, wanted))
    }

    /// All pages of a retrieval.
    fn collect(&self, request: &Request) -> Result<Vec<Found>, SoapError> {
        let answer = reply::read(self.endpoint.send(request), "RetrievePropertiesEx")?;
        let (mut objects, mut token) = properties::read(&answer);
        while let Some(more) = token {
            let request = envelope::continue_retrieve(&self.property_collector, &more);
            let answer = reply::read(self.endpoint.send(&request), "ContinueRetrievePropertiesEx")?;
            let (page, next) = properties::read(&answer);
            objects.extend(page);
            token = next;
        }
        Ok(objects)
    }
}

fn returned(answer: &Element) -> Result<&Element, SoapError> {
    answer.child("returnval").ok_or_else(|| SoapError::Reply("it returned nothing".into()))
}
