//! A client for the tests: it speaks HTTP/1.1 over TLS and trusts the lab's authority.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls_pki_types::ServerName;
use serde_json::{Value, json};

use crate::control::client::{exchange, status_code};
use crate::fault::{Fault, Faults};
use crate::kube::StepClock;
use crate::vcenter::xml::{self, Element};
use crate::vcenter::{Credentials, Vcenter, VcenterOptions};

pub(crate) const USERNAME: &str = "administrator@vsphere.local";
/// Everything that has to be escaped somewhere.
pub(crate) const PASSWORD: &str = "p&<w>\"'é d";

/// A spec with three machine configs that name things in different ways.
pub(crate) fn documents() -> Vec<Value> {
    let machine =
        |name: &str, spec: Value| json!({"kind": "VSphereMachineConfig", "metadata": {"name": name}, "spec": spec});
    vec![
        json!({"kind": "Cluster", "metadata": {"name": "prod"}, "spec": {
            "kubernetesVersion": "1.34",
            "controlPlaneConfiguration": {"count": 3, "machineGroupRef": {"name": "cp"}},
            "externalEtcdConfiguration": {"count": 3, "machineGroupRef": {"name": "etcd"}},
            "workerNodeGroupConfigurations": [{"name": "md-0", "count": 2, "machineGroupRef": {"name": "md"}}],
        }}),
        json!({"kind": "VSphereDatacenterConfig", "metadata": {"name": "prod"}, "spec": {
            "datacenter": "SDDC-Datacenter", "network": "sddc-net", "server": "vcenter.example.com",
        }}),
        machine(
            "cp",
            json!({"datastore": "WorkloadDatastore", "folder": "Workloads", "resourcePool": "*/Compute",
            "template": "Templates/ubuntu-1-34", "osFamily": "ubuntu", "diskGiB": 25}),
        ),
        machine(
            "etcd",
            json!({"datastore": "WorkloadDatastore", "folder": "/SDDC-Datacenter/vm/Etcd/Deep", "resourcePool": "Compute",
            "template": "ubuntu-1-34", "osFamily": "ubuntu", "diskGiB": 40}),
        ),
        machine(
            "md",
            json!({"datastore": "/SDDC-Datacenter/datastore/Fast/Store", "folder": "Workloads",
            "resourcePool": "/SDDC-Datacenter/host/Cluster-A/Resources/Compute", "template": "/SDDC-Datacenter/vm/Images/bottlerocket-1-34",
            "osFamily": "bottlerocket", "networks": ["/SDDC-Datacenter/network/worker-net"],
            "tags": ["urn:vmomi:InventoryServiceTag:11111111-2222-3333-4444-555555555555:GLOBAL"]}),
        ),
    ]
}

pub(crate) async fn start() -> Vcenter {
    start_with([]).await
}

pub(crate) async fn start_with(faults: impl IntoIterator<Item = Fault>) -> Vcenter {
    let eksd = BTreeMap::from([("1.34".to_owned(), "kubernetes-1-34-eks-19".to_owned())]);
    let options = VcenterOptions {
        documents: &documents(),
        faults: &Faults::new(faults),
        eksd_releases: &eksd,
        listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
        credentials: Credentials { username: USERNAME.to_owned(), password: PASSWORD.to_owned() },
        clock: Arc::new(StepClock::default()),
        seed: 7,
    };
    Vcenter::start(options).await.unwrap().unwrap()
}

/// A client of one vCenter, with the cookie and the header of its sessions.
pub(crate) struct Client<'a> {
    vcenter: &'a Vcenter,
    cookie: Option<String>,
    pub(crate) rest_session: Option<String>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(vcenter: &'a Vcenter) -> Self {
        Self { vcenter, cookie: None, rest_session: None }
    }

    /// A client that has logged in over SOAP.
    pub(crate) async fn logged_in(vcenter: &'a Vcenter) -> Self {
        let mut client = Self::new(vcenter);
        let (code, _) = client.login(USERNAME, PASSWORD).await;
        assert_eq!(code, 200);
        client
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let cookie = self.cookie.as_ref().map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
        let session =
            self.rest_session.as_ref().map(|key| format!("vmware-api-session-id: {key}\r\n")).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: vcenter.example.com\r\n{cookie}{session}{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let server = ServerName::try_from("vcenter.example.com").unwrap();
        let (head, body) = exchange(self.vcenter.address(), server, self.vcenter.ca_pem(), &request).await.unwrap();
        (status_code(&head).unwrap(), head, body)
    }

    /// Calls a SOAP method; the status and what stands in the body of the envelope.
    pub(crate) async fn soap(&self, inside: &str) -> (u16, Element) {
        let (code, _, body) = self.soap_raw(inside).await;
        let envelope = xml::parse(&body).unwrap();
        (code, envelope.child("Body").unwrap().children[0].clone())
    }

    async fn soap_raw(&self, inside: &str) -> (u16, String, String) {
        let envelope =
            format!("<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>{inside}</Body></Envelope>");
        self.request("POST", "/sdk", "content-type: text/xml\r\n", &envelope).await
    }

    pub(crate) async fn login(&mut self, username: &str, password: &str) -> (u16, Element) {
        let (username, password) = (quick_xml::escape::escape(username), quick_xml::escape::escape(password));
        let call = format!(
            "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this>\
             <userName>{username}</userName><password>{password}</password></Login>"
        );
        let (code, head, body) = self.soap_raw(&call).await;
        let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        if let Some(set) = set {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        (code, xml::parse(&body).unwrap().child("Body").unwrap().children[0].clone())
    }

    /// Calls a method that has to succeed.
    pub(crate) async fn ok(&self, inside: &str) -> Element {
        let (code, answer) = self.soap(inside).await;
        assert_eq!(code, 200, "{answer:?}");
        answer
    }

    /// The kind of the fault that a method ends in.
    pub(crate) async fn fault(&self, inside: &str) -> String {
        let (code, answer) = self.soap(inside).await;
        assert_eq!((code, answer.name.as_str()), (500, "Fault"), "{answer:?}");
        answer.child("detail").unwrap().children[0].xsi_type.clone().unwrap()
    }

    /// The identifier of what is at an inventory path.
    pub(crate) async fn find(&self, path: &str) -> Option<Element> {
        let call = format!(
            "<FindByInventoryPath xmlns=\"urn:vim25\"><_this type=\"SearchIndex\">SearchIndex</_this>\
             <inventoryPath>{path}</inventoryPath></FindByInventoryPath>"
        );
        self.ok(&call).await.child("returnval").cloned()
    }

    pub(crate) async fn exists(&self, path: &str) -> bool {
        self.find(path).await.is_some()
    }

    /// Properties of one object, by path.
    pub(crate) async fn properties(&self, object: &Element, paths: &[&str]) -> BTreeMap<String, Element> {
        let kind = object.kind.as_deref().unwrap();
        let sets = format!("<pathSet>{}</pathSet>", paths.join("</pathSet><pathSet>"));
        let call = format!(
            "<RetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this><specSet>\
             <propSet><type>{kind}</type>{sets}</propSet><objectSet><obj type=\"{kind}\">{}</obj></objectSet></specSet><options/></RetrievePropertiesEx>",
            object.text
        );
        let answer = self.ok(&call).await;
        let objects = answer.child("returnval").unwrap().child("objects").unwrap().clone();
        objects.all("propSet").map(|set| (set.text_of("name").to_owned(), set.child("val").unwrap().clone())).collect()
    }

    /// Calls the REST API; the status and the JSON of the answer.
    pub(crate) async fn rest(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (code, _, answer) = self.request(method, path, "content-type: application/json\r\n", &body).await;
        (code, serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    pub(crate) async fn rest_login(&self, path: &str, password: &str) -> (u16, Value) {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USERNAME}:{password}"));
        let (code, _, answer) = self.request("POST", path, &format!("authorization: Basic {pair}\r\n"), "").await;
        (code, serde_json::from_str(&answer).unwrap_or(Value::Null))
    }
}
