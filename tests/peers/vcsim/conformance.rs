//! The lab's vCenter beside this one: the same questions, the same answers. Where they differ, the lab is wrong.

use serde_json::Value;

use super::{PASSWORD, PREFLIGHT, USER, Vcsim, sandbox};
use crate::harness::{Sandbox, ServedLab};

#[test]
fn a_preflight_finds_the_same_in_the_lab() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let (theirs, _) = vcsim.preflight(&sandbox, &[], 0);

    let lab_sandbox = Sandbox::new();
    let spec = lab_sandbox.spec("vsphere-external-etcd.yaml");
    let lab = ServedLab::start(&lab_sandbox, &spec, &[]);
    let mut args: Vec<String> =
        PREFLIGHT.iter().map(|a| (*a).replace("spec.yaml", "vsphere-external-etcd.yaml")).collect();
    args.push(lab.flag());
    let ran = lab_sandbox.run(&args).expect(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();

    // Who the server is and how its certificate is known differs by design.
    let shown = |checks: &[Value]| -> Vec<String> {
        checks
            .iter()
            .map(|check| match check["id"].as_str().unwrap() {
                id @ ("server" | "certificate" | "clock") => format!("{id}: {}", check["outcome"]),
                id => format!("{id}: {} {} {}", check["outcome"], check["found"], check["findings"]),
            })
            .collect()
    };
    assert_eq!(shown(&theirs.0), shown(report["checks"].as_array().unwrap()));
}

/// A client that keeps the session of either.
struct Client {
    http: reqwest::Client,
    base: String,
    user: String,
    password: String,
    cookie: String,
    token: String,
}

/// What came back, as far as a client can depend on it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: u16,
    /// A fault's type, or the names of the elements inside the answer, each once.
    what: Vec<String>,
}

impl Client {
    fn new(address: &str, user: &str, password: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        Self {
            http,
            base: format!("https://{address}"),
            user: user.into(),
            password: password.into(),
            cookie: String::new(),
            token: String::new(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, body: String, basic: bool) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body);
        if path == "/sdk" {
            request = request.header("Content-Type", "text/xml").header("SOAPAction", "urn:vim25/7.0");
        } else {
            request = request.header("Content-Type", "application/json");
        }
        if !self.cookie.is_empty() {
            request = request.header("Cookie", &self.cookie);
        }
        if !self.token.is_empty() {
            request = request.header("vmware-api-session-id", &self.token);
        }
        if basic {
            request = request.basic_auth(&self.user, Some(&self.password));
        }
        let answer = request.send().await.unwrap();
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    async fn soap(&mut self, inside: &str) -> Said {
        let envelope = format!(
            "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
        );
        let (status, body) = self.send("POST", "/sdk", envelope, false).await;
        let what = match body.split_once("<detail>") {
            Some((_, detail)) => {
                let kind = detail.split_once("type=\"").map_or("", |(_, rest)| rest.split('"').next().unwrap());
                vec![format!("fault {}", kind.rsplit(':').next().unwrap())]
            }
            // A vCenter refuses the whole of such a call, as its API's reference says; the simulator says it of the property.
            None if body.contains("type=\"InvalidProperty\"") => {
                return Said { status: 500, what: vec!["fault InvalidProperty".into()] };
            }
            None => elements(&body),
        };
        Said { status, what }
    }

    async fn login(&mut self, password: &str) -> Said {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let (user, password) = (escaped(&self.user), escaped(password));
        let said = self
            .soap(&format!(
                "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this><userName>{user}</userName>\
                 <password>{password}</password></Login>"
            ))
            .await;
        // Which fields a session has is the server's business; that there is a key is not.
        if said.status == 200 {
            let what =
                said.what.into_iter().filter(|name| ["LoginResponse", "returnval", "key"].contains(&name.as_str()));
            return Said { status: 200, what: what.collect() };
        }
        said
    }

    async fn rest(&mut self, method: &str, path: &str, body: &str) -> Said {
        let (status, body) = self.send(method, path, body.to_owned(), false).await;
        let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let what = match value.get("value") {
            Some(Value::Object(map)) if status == 200 => map.keys().cloned().collect(),
            Some(Value::Array(_)) => vec!["a list".to_owned()],
            _ => vec![],
        };
        Said { status, what }
    }
}

/// The names of the elements inside the body, each once, in the order of the alphabet.
fn elements(body: &str) -> Vec<String> {
    let inside = body.split_once("Body>").map_or("", |(_, rest)| rest);
    let mut names: Vec<String> = inside
        .split('<')
        .skip(1)
        .filter(|tag| !tag.starts_with('/'))
        .map(|tag| tag.split([' ', '>', '/']).next().unwrap().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A conversation that touches everything the plugin relies on. Ids are looked up, so that they may differ.
async fn conversation(mut client: Client) -> Vec<(String, Said)> {
    let mut said = vec![];
    let search = "<_this type=\"SearchIndex\">SearchIndex</_this>";
    let find = |path: &str| {
        format!(
            "<FindByInventoryPath xmlns=\"urn:vim25\">{search}<inventoryPath>{path}</inventoryPath></FindByInventoryPath>"
        )
    };
    let collector = "<_this type=\"PropertyCollector\">propertyCollector</_this>";
    let read = |object: &str, kind: &str, path: &str| {
        format!(
            "<RetrievePropertiesEx xmlns=\"urn:vim25\">{collector}<specSet><propSet><type>{kind}</type><pathSet>{path}</pathSet>\
             </propSet><objectSet><obj type=\"{kind}\">{object}</obj></objectSet></specSet><options/></RetrievePropertiesEx>"
        )
    };
    let right = client.password.clone();
    said.push(("a question before the login".into(), client.soap(&find("SDDC-Datacenter")).await));
    said.push(("a wrong password".into(), client.login("wrong").await));
    said.push(("the right one".into(), client.login(&right).await));
    said.push(("a second login".into(), client.login(&right).await));
    for path in ["SDDC-Datacenter", "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35", "SDDC-Datacenter/nothing"] {
        said.push((format!("find {path}"), client.soap(&find(path)).await));
    }
    said.push(("an unknown property".into(), client.soap(&read("group-d1", "Folder", "nothing")).await));
    said.push(("an unknown object".into(), client.soap(&read("group-v99999", "Folder", "name")).await));
    said.push(("the name of the root folder".into(), client.soap(&read("group-d1", "Folder", "name")).await));
    said.push((
        "the server's clock".into(),
        client.soap(&read("ServiceInstance", "ServiceInstance", "serverClock")).await,
    ));
    let token = format!(
        "<ContinueRetrievePropertiesEx xmlns=\"urn:vim25\">{collector}<token>x</token></ContinueRetrievePropertiesEx>"
    );
    said.push(("a token that is none".into(), Said { what: vec![], ..client.soap(&token).await }));
    let child = format!(
        "<FindChild xmlns=\"urn:vim25\">{search}<entity type=\"Folder\">group-d1</entity><name>SDDC-Datacenter</name></FindChild>"
    );
    said.push(("a child".into(), client.soap(&child).await));

    said.push(("tags before the login".into(), client.rest("GET", "/rest/com/vmware/cis/tagging/tag", "").await));
    let (status, body) = client.send("POST", "/rest/com/vmware/cis/session", String::new(), true).await;
    let token: Value = serde_json::from_str(&body).unwrap();
    client.token = token["value"].as_str().unwrap().to_owned();
    said.push(("the login".into(), Said { status, what: vec![] }));
    said.push(("tags".into(), client.rest("GET", "/rest/com/vmware/cis/tagging/tag", "").await));
    let unknown = "/rest/com/vmware/cis/tagging/tag/id:urn:vmomi:InventoryServiceTag:x:GLOBAL";
    said.push(("an unknown tag".into(), Said { what: vec![], ..client.rest("GET", unknown, "").await }));
    let attached = "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags-on-objects";
    let objects = r#"{"object_ids":[{"type":"Folder","id":"group-d1"}]}"#;
    said.push((
        "tags of an object without".into(),
        Said { what: vec![], ..client.rest("POST", attached, objects).await },
    ));
    said.push((
        "the logout".into(),
        Said { what: vec![], ..client.rest("DELETE", "/rest/com/vmware/cis/session", "").await },
    ));
    said.push(("tags after it".into(), client.rest("GET", "/rest/com/vmware/cis/tagging/tag", "").await));

    let logout = "<Logout xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this></Logout>";
    said.push(("the other logout".into(), client.soap(logout).await));
    said.push(("a question after it".into(), client.soap(&find("SDDC-Datacenter")).await));
    said
}

#[test]
fn the_same_questions_have_the_same_answers_in_the_lab() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let lab_sandbox = Sandbox::new();
    let spec = lab_sandbox.spec("vsphere-external-etcd.yaml");
    let lab = ServedLab::start(&lab_sandbox, &spec, &[]);
    let connection: Value = serde_json::from_str(&std::fs::read_to_string(&lab.connection).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let address = text(&connection["endpoints"]["vcenter.example.com"]["address"]);
    let user = text(&connection["credentials"]["EKSA_VSPHERE_USERNAME"]);
    let password = text(&connection["credentials"]["EKSA_VSPHERE_PASSWORD"]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let theirs = runtime.block_on(conversation(Client::new(&vcsim.address, USER, PASSWORD)));
    let ours = runtime.block_on(conversation(Client::new(&address, &user, &password)));
    let differences: Vec<String> = theirs
        .iter()
        .zip(&ours)
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("{}: vcsim {:?}, lab {:?}", theirs.0, theirs.1, ours.1))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(theirs.len() == ours.len() && theirs.len() > 20);
}
