//! The vCenter over SOAP: typed requests, and replies read with their namespaces.
//!
//! What goes out is written here and nowhere else; what comes back is read by local name and namespace, never by
//! prefix: every implementation chooses its own.

pub(crate) mod client;
mod envelope;
mod properties;
pub(crate) mod reply;
pub(crate) mod xml;

pub(crate) use client::Survey;
pub(crate) use envelope::Call;
pub(crate) use properties::{Found, Reference};
pub(crate) use reply::SoapError;
pub(crate) use xml::Element;
