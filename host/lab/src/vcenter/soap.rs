//! SOAP envelopes and faults as a vCenter writes them.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::data::{self, Ref};

/// A fault that a method ends in. HTTP status 500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoapFault {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    fields: String,
}

impl SoapFault {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), fields: String::new() }
    }

    fn with(mut self, write: impl FnOnce(&mut String)) -> Self {
        write(&mut self.fields);
        self
    }

    pub(crate) fn invalid_login() -> Self {
        Self::new("InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
    }

    pub(crate) fn not_authenticated(object: &Ref) -> Self {
        Self::new("NotAuthenticated", "The session is not authenticated.").with(|out| {
            data::write_ref(out, "object", object);
            out.push_str("<privilegeId>System.View</privilegeId>");
        })
    }

    pub(crate) fn object_not_found(object: &Ref) -> Self {
        let message = format!(
            "The object '{}:{}' has already been deleted or has not been completely created",
            object_type(object),
            object.id
        );
        Self::new("ManagedObjectNotFound", message).with(|out| data::write_ref(out, "obj", object))
    }

    pub(crate) fn invalid_property(path: &str) -> Self {
        Self::new("InvalidProperty", "").with(|out| {
            let _ = write!(out, "<name>{}</name>", escape(path));
        })
    }

    pub(crate) fn invalid_type(name: &str) -> Self {
        Self::new("InvalidType", "A specified parameter was not correct: propSet.type").with(|out| {
            let _ = write!(out, "<argument>{}</argument>", escape(name));
        })
    }

    pub(crate) fn invalid_argument(name: &str) -> Self {
        Self::new("InvalidArgument", format!("A specified parameter was not correct: {name}")).with(|out| {
            let _ = write!(out, "<invalidProperty>{}</invalidProperty>", escape(name));
        })
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", message)
    }

    pub(crate) fn duplicate_name(name: &str) -> Self {
        Self::new("DuplicateName", format!("The name '{name}' already exists.")).with(|out| {
            let _ = write!(out, "<name>{}</name>", escape(name));
        })
    }

    pub(crate) fn not_supported(method: &str) -> Self {
        Self::new(
            "NotSupported",
            format!("The lab's vCenter does not do `{method}`: it is there to look at, not to change"),
        )
    }
}

fn object_type(object: &Ref) -> String {
    format!("vim.{}", object.kind)
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n\
         <soapenv:Body>\n{body}\n</soapenv:Body>\n</soapenv:Envelope>"
    )
}

/// The answer of a method: what stands inside its response element.
pub(crate) fn response(method: &str, inside: &str) -> String {
    envelope(&format!("<{method}Response xmlns=\"urn:vim25\">{inside}</{method}Response>"))
}

pub(crate) fn fault(fault: &SoapFault) -> String {
    let SoapFault { kind, message, fields } = fault;
    let message = escape(message.as_str());
    envelope(&format!(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>{message}</faultstring><detail>\
         <{kind}Fault xmlns=\"urn:vim25\" xsi:type=\"{kind}\">{fields}</{kind}Fault></detail></soapenv:Fault>"
    ))
}

/// What a client reads to learn which versions of the API it may ask for.
pub(crate) const SERVICE_VERSIONS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<namespaces version=\"1.0\">
 <namespace>
  <name>urn:vim25</name>
  <version>8.0.2.0</version>
  <priorVersions>
   <version>8.0.1.0</version>
   <version>8.0.0.0</version>
   <version>7.0.3.0</version>
   <version>7.0.2.0</version>
   <version>7.0.1.0</version>
   <version>7.0.0.0</version>
   <version>6.7.3</version>
   <version>6.7</version>
   <version>6.5</version>
   <version>6.0</version>
   <version>5.5</version>
  </priorVersions>
 </namespace>
</namespaces>
";
