//! The vCenter's single sign-on: users and groups, which the vSphere API itself does not know.
//!
//! A token of the security token service opens a session of the administration service. Sources: OASIS WS-Trust 1.4 and
//! the vCenter Single Sign-On programming guide, "Bearer tokens".

use kedge_sdk::prelude::*;

use crate::clock;
use crate::commands::Refusal;
use crate::commands::session::failed;
use crate::describe::{NEW_PASSWORD, PASSWORD, USERNAME};
use crate::soap::reply::read_in;
use crate::soap::xml::escaped;
use crate::soap::{Element, Reference};

const NAMESPACE: &str = "urn:sso";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue";
/// A token that is used at once need not last.
const LIFETIME_MS: u64 = 300_000;

/// A session of the administration service.
pub(crate) struct Sso<'e> {
    endpoint: &'e Endpoint,
    domain: String,
    people: Reference,
    discovery: Reference,
    sessions: Reference,
}

impl<'e> Sso<'e> {
    /// Logs in with the user's own name and password. `now` is in milliseconds since 1970.
    pub(crate) fn login(endpoint: &'e Endpoint, domain: &str, now: u64) -> Result<Self, Refusal> {
        let token = token(endpoint, domain, now)?;
        let service = Reference::new("SsoAdminServiceInstance", "SsoAdminServiceInstance");
        let mut sso = Self {
            endpoint,
            domain: domain.to_owned(),
            people: Reference::default(),
            discovery: Reference::default(),
            sessions: Reference::default(),
        };
        let answer = sso.call("SsoAdminServiceInstance", &service, "", "")?;
        let content = answer.child("returnval").cloned().unwrap_or_default();
        let part = |name: &str| content.child(name).and_then(Reference::read).unwrap_or_default();
        sso.people = part("principalManagementService");
        sso.discovery = part("principalDiscoveryService");
        sso.sessions = part("sessionManager");
        let security = format!("<wsse:Security xmlns:wsse=\"{WSSE}\">{}{token}</wsse:Security>", stamp(now));
        sso.call("Login", &sso.sessions.clone(), &security, "")?;
        Ok(sso)
    }

    /// Sees to it that a user and a group are there and the one is in the other. Says what was done; ends the session.
    pub(crate) fn user_in_group(self, user: &str, group: &str) -> Result<Vec<String>, Refusal> {
        let done = self.make(user, group);
        // It ends by itself too.
        let _ = self.call("Logout", &self.sessions, "", "");
        done
    }

    fn make(&self, user: &str, group: &str) -> Result<Vec<String>, Refusal> {
        let mut done = vec![];
        let (domain, name) = (&self.domain, escaped(user));
        if self.is_there("FindPersonUser", "userId", user)? {
            done.push(format!("user {user}@{domain} was there"));
        } else {
            self.create_user(&name)?;
            done.push(format!("user {user}@{domain} made"));
        }
        if self.is_there("FindGroup", "groupId", group)? {
            done.push(format!("group {group}@{domain} was there"));
        } else {
            let arguments = format!(
                "<groupName>{}</groupName><groupDetails><description>Users of EKS Anywhere clusters</description></groupDetails>",
                escaped(group)
            );
            self.call("CreateLocalGroup", &self.people, "", &arguments)?;
            done.push(format!("group {group}@{domain} made"));
        }
        let member = format!("<userIds><name>{name}</name><domain>{}</domain></userIds>", escaped(domain));
        let arguments = format!("{member}<groupName>{}</groupName>", escaped(group));
        self.call("AddUsersToLocalGroup", &self.people, "", &arguments)?;
        done.push(format!("{user} is in {group}"));
        Ok(done)
    }

    fn is_there(&self, method: &'static str, field: &str, name: &str) -> Result<bool, Refusal> {
        let (name, domain) = (escaped(name), escaped(&self.domain));
        let arguments = format!("<{field}><name>{name}</name><domain>{domain}</domain></{field}>");
        Ok(self.call(method, &self.discovery, "", &arguments)?.child("returnval").is_some())
    }

    /// The only request with the new password in it.
    fn create_user(&self, name: &str) -> Result<(), Refusal> {
        let this = self.people.as_element("_this");
        let request = self
            .request()
            .text(format!(
                "{}<CreateLocalPersonUser xmlns=\"{NAMESPACE}\">{this}<userName>{name}</userName><userDetails>\
                 <description>Made for EKS Anywhere clusters</description></userDetails><password>",
                open("")
            ))
            .secret(NEW_PASSWORD, Encoding::Xml)
            .text(format!("</password></CreateLocalPersonUser>{CLOSE}"));
        self.read(&request, "CreateLocalPersonUser").map(|_| ())
    }

    fn request(&self) -> Request {
        let path: String = format!("/sso-adminserver/sdk/{}", self.domain);
        Request::post(&path).header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", "urn:sso/version2")
    }

    fn call(
        &self,
        method: &'static str,
        this: &Reference,
        security: &str,
        arguments: &str,
    ) -> Result<Element, Refusal> {
        let this = this.as_element("_this");
        let body = format!("{}<{method} xmlns=\"{NAMESPACE}\">{this}{arguments}</{method}>{CLOSE}", open(security));
        self.read(&self.request().text(body), method)
    }

    fn read(&self, request: &Request, method: &str) -> Result<Element, Refusal> {
        read_in(self.endpoint.send(request), method, NAMESPACE)
            .map_err(|error| failed(&format!("Single sign-on ({method})"), &error))
    }
}

const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";

fn open(security: &str) -> String {
    let header =
        if security.is_empty() { String::new() } else { format!("<soapenv:Header>{security}</soapenv:Header>") };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">{header}<soapenv:Body>"
    )
}

fn stamp(now: u64) -> String {
    let (created, expires) = (clock::text(now), clock::text(now.saturating_add(LIFETIME_MS)));
    format!(
        "<wsu:Timestamp xmlns:wsu=\"{WSU}\"><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires>\
         </wsu:Timestamp>"
    )
}

/// A bearer token, as it stands in the answer: its signature is over these very characters.
fn token(endpoint: &Endpoint, domain: &str, now: u64) -> Result<String, Refusal> {
    let (created, expires) = (clock::text(now), clock::text(now.saturating_add(LIFETIME_MS)));
    let request = Request::post(&format!("/sts/STSService/{domain}"))
        .header("Content-Type", "text/xml; charset=utf-8")
        .header("SOAPAction", ISSUE)
        .text(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header><wsse:Security xmlns:wsse=\"{WSSE}\">\
             {}<wsse:UsernameToken><wsse:Username>",
            stamp(now)
        ))
        .secret(USERNAME, Encoding::Xml)
        .text("</wsse:Username><wsse:Password>")
        .secret(PASSWORD, Encoding::Xml)
        .text(format!(
            "</wsse:Password></wsse:UsernameToken></wsse:Security></soapenv:Header><soapenv:Body>\
             <RequestSecurityToken xmlns=\"{TRUST}\"><TokenType>urn:oasis:names:tc:SAML:2.0:assertion</TokenType>\
             <RequestType>{TRUST}/Issue</RequestType><Lifetime><wsu:Created xmlns:wsu=\"{WSU}\">{created}</wsu:Created>\
             <wsu:Expires xmlns:wsu=\"{WSU}\">{expires}</wsu:Expires></Lifetime><Renewing Allow=\"false\" OK=\"false\"/>\
             <Delegatable>false</Delegatable><KeyType>{TRUST}/Bearer</KeyType></RequestSecurityToken>{CLOSE}"
        ));
    let refused = |why: &str| {
        let remedy =
            "Check `--domain`, and that the user of EKSA_VSPHERE_USERNAME is an administrator of single sign-on";
        Box::new(Finding::error("single-sign-on", format!("Single sign-on gives no token: {why}")).remedy(remedy))
    };
    let response = endpoint.send(&request).map_err(|error| refused(&kedge_sdk::endpoint::explain(&error)))?;
    let text = response.text();
    if !response.is_success() {
        let said = Element::parse(&text).ok().and_then(|envelope| {
            let fault = envelope.child("Body")?.child("Fault")?.clone();
            Some(fault.text_of("faultstring").to_owned())
        });
        return Err(refused(&said.unwrap_or_else(|| format!("HTTP status {}", response.status))));
    }
    assertion(&text).ok_or_else(|| refused("the answer has none")).map(str::to_owned)
}

/// The element `Assertion` of a text, whatever its prefix.
fn assertion(text: &str) -> Option<&str> {
    let name = text.find("Assertion ").or_else(|| text.find("Assertion>"))?;
    let start = text.get(..name)?.rfind('<')?;
    let prefix = text.get(start + 1..name)?;
    if !prefix.is_empty() && !prefix.ends_with(':') {
        return None;
    }
    let close = format!("</{prefix}Assertion>");
    let end = text.get(start..)?.find(&close)? + close.len();
    text.get(start..start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_as_it_stands() {
        let one = "<a><saml2:Assertion xmlns:saml2=\"x\" ID=\"1\"><saml2:Issuer/> </saml2:Assertion></a>";
        assert_eq!(
            assertion(one),
            Some("<saml2:Assertion xmlns:saml2=\"x\" ID=\"1\"><saml2:Issuer/> </saml2:Assertion>")
        );
        assert_eq!(assertion("<Assertion ID=\"2\">x</Assertion>"), Some("<Assertion ID=\"2\">x</Assertion>"));
        assert_eq!(assertion("<a/>"), None);
        assert_eq!(assertion("<MyAssertion x=\"\"></MyAssertion>"), None);
    }
}
