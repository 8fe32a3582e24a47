use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;
use serde_json::json;

use super::client::{PASSWORD, USERNAME};
use super::{Client, start, start_with};
use crate::control::client::exchange;
use crate::fault::Fault;

const UBUNTU: &str = "/SDDC-Datacenter/vm/Templates/ubuntu-1-34";
const BOTTLEROCKET: &str = "/SDDC-Datacenter/vm/Images/bottlerocket-1-34";
const POOL: &str = "/SDDC-Datacenter/host/Cluster-A/Resources/Compute";
const STORE: &str = "/SDDC-Datacenter/datastore/WorkloadDatastore";
const FAST: &str = "/SDDC-Datacenter/datastore/Fast/Store";
const NETWORK: &str = "/SDDC-Datacenter/network/sddc-net";
const FOLDER: &str = "/SDDC-Datacenter/vm/Workloads";

/// With each fault, exactly these of the paths are missing.
#[tokio::test]
async fn a_fault_takes_away_what_it_names_and_nothing_else() {
    let all = [UBUNTU, BOTTLEROCKET, POOL, STORE, FAST, NETWORK, FOLDER];
    let named = |text: &str| Some(text.to_owned());
    for (fault, missing) in [
        (Fault::NetworkMissing, vec![NETWORK]),
        (Fault::DatastoreMissing(None), vec![STORE, FAST]),
        (Fault::DatastoreMissing(named(STORE)), vec![STORE]),
        (Fault::DatastoreMissing(named("Store")), vec![FAST]),
        (Fault::FolderMissing, vec![FOLDER]),
        (Fault::ResourcePoolMissing, vec![POOL]),
        (Fault::TemplateMissing(None), vec![UBUNTU, BOTTLEROCKET]),
        (Fault::TemplateMissing(named("ubuntu-1-34")), vec![UBUNTU]),
        (Fault::DatacenterMissing, all.to_vec()),
    ] {
        let vcenter = start_with([fault.clone()]).await;
        let client = Client::logged_in(&vcenter).await;
        let mut gone = Vec::new();
        for path in all {
            if !client.exists(path).await {
                gone.push(path);
            }
        }
        assert_eq!(gone, missing, "{fault}");
        vcenter.stop().await;
    }
}

#[tokio::test]
async fn an_ambiguous_pool_exists_in_two_clusters() {
    let vcenter = start_with([Fault::ResourcePoolAmbiguous]).await;
    let client = Client::logged_in(&vcenter).await;
    assert!(client.exists(POOL).await);
    assert!(client.exists("/SDDC-Datacenter/host/Cluster-A-twin/Resources/Compute").await);
    vcenter.stop().await;
}

#[tokio::test]
async fn a_full_datastore_has_no_room_for_a_machine() {
    let vcenter = start_with([Fault::DatastoreFull]).await;
    let client = Client::logged_in(&vcenter).await;
    let datastore = client.find(STORE).await.unwrap();
    let free =
        client.properties(&datastore, &["summary.freeSpace"]).await["summary.freeSpace"].text.parse::<i64>().unwrap();
    assert!(free < 25 << 30, "{free}");
    vcenter.stop().await;
}

#[tokio::test]
async fn an_untagged_template_lacks_its_tags_and_the_tags_are_still_there() {
    let vcenter = start_with([Fault::TemplateUntagged(Some("ubuntu-1-34".to_owned()))]).await;
    let soap = Client::logged_in(&vcenter).await;
    let mut client = Client::new(&vcenter);
    let (_, key) = client.rest_login("/api/session", PASSWORD).await;
    client.rest_session = key.as_str().map(str::to_owned);
    for (path, count) in [(UBUNTU, 0), (BOTTLEROCKET, 2)] {
        let id = soap.find(path).await.unwrap().text;
        let object = json!({"object_id": {"type": "VirtualMachine", "id": id}});
        let (_, tags) =
            client.rest("POST", "/api/cis/tagging/tag-association?action=list-attached-tags", &object).await;
        assert_eq!(tags.as_array().unwrap().len(), count, "{path}");
    }
    let (_, tags) = client.rest("GET", "/api/cis/tagging/tag", &serde_json::Value::Null).await;
    assert_eq!(tags.as_array().unwrap().len(), 4);
    vcenter.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_wrong_everywhere() {
    let vcenter = start_with([Fault::VcenterWrongPassword]).await;
    let mut client = Client::new(&vcenter);
    let (code, _) = client.login(USERNAME, PASSWORD).await;
    assert_eq!(code, 500);
    assert_eq!(client.rest_login("/rest/com/vmware/cis/session", PASSWORD).await.0, 401);
    vcenter.stop().await;
}

#[tokio::test]
async fn nobody_answers_at_an_unreachable_vcenter() {
    let vcenter = start_with([Fault::VcenterUnreachable]).await;
    let refused = tokio::net::TcpStream::connect(vcenter.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(vcenter.endpoints()["vcenter.example.com"].address, vcenter.address());
    vcenter.stop().await;
}

#[tokio::test]
async fn only_an_untrusted_vcenter_keeps_its_authority_to_itself() {
    let trusted = start().await;
    let untrusted = start_with([Fault::VcenterUntrusted]).await;
    assert!(trusted.endpoints()["vcenter.example.com"].ca_pem.as_deref() == Some(trusted.ca_pem()));
    assert!(untrusted.endpoints()["vcenter.example.com"].ca_pem.is_none());
    // The certificate is for the server of the spec, and for no other.
    let wrong_name =
        exchange(trusted.address(), ServerName::try_from("other.example.com").unwrap(), trusted.ca_pem(), "").await;
    assert!(wrong_name.unwrap_err().to_string().contains("certificate"));
    let wrong_ca =
        exchange(untrusted.address(), ServerName::try_from("vcenter.example.com").unwrap(), trusted.ca_pem(), "").await;
    assert!(wrong_ca.unwrap_err().to_string().contains("certificate"));
    trusted.stop().await;
    untrusted.stop().await;
}

#[tokio::test]
async fn a_slow_vcenter_takes_its_time() {
    let vcenter = start_with([Fault::VcenterSlow(Duration::from_millis(60))]).await;
    let started = Instant::now();
    let client = Client::logged_in(&vcenter).await;
    client.find(STORE).await;
    assert!(started.elapsed() >= Duration::from_millis(120));
    vcenter.stop().await;
}

#[tokio::test]
async fn a_stopped_vcenter_leaves_no_listener() {
    let vcenter = start().await;
    let address = vcenter.address();
    // A connection that does nothing must not keep it alive either.
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    vcenter.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(std::net::TcpListener::bind(address).is_ok(), "the port is free again");
    drop(idle);
}
