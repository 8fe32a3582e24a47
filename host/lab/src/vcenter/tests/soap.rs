use super::client::{PASSWORD, USERNAME};
use super::{Client, start};
use crate::vcenter::xml::Element;

const CURRENT_TIME: &str =
    "<CurrentTime xmlns=\"urn:vim25\"><_this type=\"ServiceInstance\">ServiceInstance</_this></CurrentTime>";

fn retrieve(specs: &str, options: &str) -> String {
    format!(
        "<RetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this>{specs}\
         <options>{options}</options></RetrievePropertiesEx>"
    )
}

fn names(answer: &Element) -> Vec<String> {
    let Some(returned) = answer.child("returnval") else { return Vec::new() };
    returned.all("objects").map(|object| object.child("propSet").unwrap().text_of("val").to_owned()).collect()
}

#[tokio::test]
async fn what_the_server_is_can_be_asked_without_a_session() {
    let vcenter = start().await;
    let client = Client::new(&vcenter);
    let content = client
        .ok("<RetrieveServiceContent xmlns=\"urn:vim25\"><_this type=\"ServiceInstance\">ServiceInstance</_this></RetrieveServiceContent>")
        .await;
    let content = content.child("returnval").unwrap();
    assert_eq!(content.text_of("rootFolder"), "group-d1");
    assert_eq!(content.child("about").unwrap().text_of("apiType"), "VirtualCenter");
    let (code, _, versions) = client.request("GET", "/sdk/vimServiceVersions.xml", "", "").await;
    assert!(code == 200 && versions.contains("<version>8.0.2.0</version>"));
    vcenter.stop().await;
}

#[tokio::test]
async fn a_login_opens_one_session_and_a_logout_closes_it() {
    let vcenter = start().await;
    let mut client = Client::new(&vcenter);
    assert_eq!(client.fault(CURRENT_TIME).await, "NotAuthenticated");

    let (code, answer) = client.login(USERNAME, PASSWORD).await;
    assert_eq!((code, answer.name.as_str()), (200, "LoginResponse"));
    assert_eq!(answer.child("returnval").unwrap().text_of("userName"), USERNAME);
    client.ok(CURRENT_TIME).await;
    assert_eq!((vcenter.sessions().soap, vcenter.sessions().logins), (1, 1));

    // A second login on the same session is refused, as a vCenter does.
    let (code, answer) = client.login(USERNAME, PASSWORD).await;
    assert_eq!((code, answer.child("detail").unwrap().children[0].name.as_str()), (500, "InvalidLoginFault"));

    client.ok("<Logout xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this></Logout>").await;
    assert_eq!(vcenter.sessions().soap, 0);
    assert_eq!(client.fault(CURRENT_TIME).await, "NotAuthenticated");
    vcenter.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_leaves_no_session() {
    let vcenter = start().await;
    let mut client = Client::new(&vcenter);
    for (username, password) in [(USERNAME, "wrong"), ("somebody", PASSWORD), (USERNAME, ""), (USERNAME, "p&<w>\"'é")]
    {
        let (code, answer) = client.login(username, password).await;
        assert_eq!(code, 500);
        assert_eq!(answer.text_of("faultstring"), "Cannot complete login due to an incorrect user name or password.");
        assert_eq!(answer.child("detail").unwrap().children[0].xsi_type.as_deref(), Some("InvalidLogin"));
    }
    let sessions = vcenter.sessions();
    assert_eq!((sessions.soap, sessions.logins, sessions.refused), (0, 0, 4));
    let (code, _) = client.login("administrator", PASSWORD).await;
    assert_eq!(code, 200, "the name without its domain is the same user");
    vcenter.stop().await;
}

#[tokio::test]
async fn properties_need_a_session_and_have_to_exist() {
    let vcenter = start().await;
    let ask = |kind: &str, id: &str, path: &str| {
        retrieve(
            &format!(
                "<specSet><propSet><type>{kind}</type><pathSet>{path}</pathSet></propSet><objectSet><obj type=\"{kind}\">{id}</obj></objectSet></specSet>"
            ),
            "",
        )
    };
    let anonymous = Client::new(&vcenter);
    assert_eq!(anonymous.fault(&ask("Folder", "group-d1", "name")).await, "NotAuthenticated");
    // govc asks for its session to learn whether it has one.
    let answer = anonymous.ok(&ask("SessionManager", "SessionManager", "currentSession")).await;
    assert!(answer.child("returnval").unwrap().child("objects").unwrap().child("propSet").is_none());

    let client = Client::logged_in(&vcenter).await;
    assert_eq!(names(&client.ok(&ask("Folder", "group-d1", "name")).await), ["Datacenters"]);
    assert_eq!(client.fault(&ask("Folder", "group-d1", "nope")).await, "InvalidProperty");
    assert_eq!(client.fault(&ask("Folder", "group-d99", "name")).await, "ManagedObjectNotFound");
    assert_eq!(client.fault(&ask("Nonsense", "group-d1", "name")).await, "InvalidType");
    vcenter.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_a_fault_and_not_the_end() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let (code, _, body) = client.request("POST", "/sdk", "", "<not-xml").await;
    assert!(code == 500 && body.contains("InvalidRequest"), "{body}");
    let (code, _, body) =
        client.request("POST", "/sdk", "", "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"/>").await;
    assert!(code == 500 && body.contains("InvalidRequest"), "{body}");
    let unknown = "<PowerOnVM_Task xmlns=\"urn:vim25\"><_this type=\"VirtualMachine\">vm-1</_this></PowerOnVM_Task>";
    assert_eq!(client.fault(unknown).await, "NotSupported");
    assert_eq!(client.request("GET", "/sdk", "", "").await.0, 405);
    assert_eq!(client.request("GET", "/nope", "", "").await.0, 404);
    client.ok(CURRENT_TIME).await;
    vcenter.stop().await;
}

/// The traversal of all folders, datacenters, compute resources and pools, with selection specs that refer to each other by name.
const EVERYWHERE: &str = "<selectSet xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:type=\"TraversalSpec\"><name>folder</name><type>Folder</type><path>childEntity</path><skip>false</skip>\
    <selectSet i:type=\"SelectionSpec\"><name>folder</name></selectSet>\
    <selectSet i:type=\"TraversalSpec\"><name>host</name><type>Datacenter</type><path>hostFolder</path><skip>false</skip><selectSet><name>folder</name></selectSet></selectSet>\
    <selectSet i:type=\"TraversalSpec\"><name>vm</name><type>Datacenter</type><path>vmFolder</path><skip>false</skip><selectSet><name>folder</name></selectSet></selectSet>\
    <selectSet i:type=\"TraversalSpec\"><name>compute</name><type>ComputeResource</type><path>resourcePool</path><skip>false</skip><selectSet><name>pool</name></selectSet></selectSet>\
    <selectSet i:type=\"TraversalSpec\"><name>pool</name><type>ResourcePool</type><path>resourcePool</path><skip>false</skip><selectSet><name>pool</name></selectSet></selectSet>\
    </selectSet>";

#[tokio::test]
async fn a_traversal_reaches_everything_once_whatever_its_loops() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let spec = |kind: &str| {
        format!(
            "<specSet><propSet><type>{kind}</type><pathSet>name</pathSet></propSet><objectSet><obj type=\"Folder\">group-d1</obj><skip>true</skip>{EVERYWHERE}</objectSet></specSet>"
        )
    };
    let mut pools = names(&client.ok(&retrieve(&spec("ResourcePool"), "")).await);
    pools.sort();
    assert_eq!(pools, ["Compute", "Resources"]);
    let mut machines = names(&client.ok(&retrieve(&spec("VirtualMachine"), "")).await);
    machines.sort();
    assert_eq!(machines, ["bottlerocket-1-34", "ubuntu-1-34"]);
    assert_eq!(
        names(&client.ok(&retrieve(&spec("ComputeResource"), "")).await),
        ["Cluster-A"],
        "a cluster is a compute resource"
    );
    let nothing = spec("Folder").replace(
        "<name>pool</name></selectSet></selectSet></selectSet>",
        "<name>nobody</name></selectSet></selectSet></selectSet>",
    );
    assert_eq!(client.fault(&retrieve(&nothing, "")).await, "InvalidArgument");
    vcenter.stop().await;
}

#[tokio::test]
async fn a_long_retrieval_comes_in_pages() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let spec = format!(
        "<specSet><propSet><type>Folder</type><pathSet>name</pathSet></propSet><objectSet><obj type=\"Folder\">group-d1</obj>{EVERYWHERE}</objectSet></specSet>"
    );
    let whole = names(&client.ok(&retrieve(&spec, "")).await);
    let mut answer = client.ok(&retrieve(&spec, "<maxObjects>2</maxObjects>")).await;
    let mut paged = names(&answer);
    assert_eq!(paged.len(), 2);
    while let Some(token) = answer.child("returnval").unwrap().child("token") {
        let call = format!(
            "<ContinueRetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this><token>{}</token></ContinueRetrievePropertiesEx>",
            token.text
        );
        answer = client.ok(&call).await;
        paged.extend(names(&answer));
    }
    assert!(whole.len() > 4);
    assert_eq!(paged, whole);
    vcenter.stop().await;
}

#[tokio::test]
async fn a_view_shows_what_is_below_its_container() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let create = |kind: &str, recursive: bool| {
        format!(
            "<CreateContainerView xmlns=\"urn:vim25\"><_this type=\"ViewManager\">ViewManager</_this><container type=\"Folder\">group-d1</container>\
             {kind}<recursive>{recursive}</recursive></CreateContainerView>"
        )
    };
    let view = client.ok(&create("<type>Network</type>", true)).await.child("returnval").unwrap().clone();
    assert!(view.text.starts_with("session["), "{}", view.text);
    let spec = format!(
        "<specSet><propSet><type>Network</type><pathSet>name</pathSet></propSet><objectSet><obj type=\"ContainerView\">{}</obj><skip>true</skip>\
         <selectSet xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path></selectSet></objectSet></specSet>",
        view.text
    );
    let mut networks = names(&client.ok(&retrieve(&spec, "")).await);
    networks.sort();
    assert_eq!(networks, ["VM Network", "lab-switch-DVUplinks", "sddc-net", "worker-net"]);
    let destroy =
        format!("<DestroyView xmlns=\"urn:vim25\"><_this type=\"ContainerView\">{}</_this></DestroyView>", view.text);
    client.ok(&destroy).await;
    assert_eq!(client.fault(&destroy).await, "ManagedObjectNotFound");
    assert_eq!(client.fault(&retrieve(&spec, "")).await, "ManagedObjectNotFound");
    assert_eq!(client.fault(&create("<type>Nonsense</type>", true)).await, "InvalidType");

    let view = client.ok(&create("", false)).await.child("returnval").unwrap().clone();
    let children = client.properties(&view, &["view"]).await;
    assert_eq!(children["view"].children.len(), 1, "only the datacenter is directly below the root folder");
    vcenter.stop().await;
}

#[tokio::test]
async fn a_filter_reports_everything_once() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let made = client
        .ok("<CreateFilter xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this><spec><propSet><type>Folder</type><pathSet>name</pathSet></propSet>\
             <objectSet><obj type=\"Folder\">group-d1</obj></objectSet></spec><partialUpdates>false</partialUpdates></CreateFilter>")
        .await;
    let wait = |version: &str| {
        format!(
            "<WaitForUpdatesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this><version>{version}</version>\
             <options><maxWaitSeconds>0</maxWaitSeconds></options></WaitForUpdatesEx>"
        )
    };
    let first = client.ok(&wait("")).await.child("returnval").unwrap().clone();
    let filter = first.child("filterSet").unwrap();
    assert_eq!(filter.text_of("filter"), made.text_of("returnval"));
    let change = filter.child("objectSet").unwrap().child("changeSet").unwrap();
    assert_eq!((change.text_of("name"), change.text_of("val")), ("name", "Datacenters"));
    assert!(client.ok(&wait(first.text_of("version"))).await.child("returnval").is_none());
    vcenter.stop().await;
}

#[tokio::test]
async fn the_user_of_the_lab_has_every_privilege_and_others_have_none() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let ask = |user: &str| {
        format!(
            "<FetchUserPrivilegeOnEntities xmlns=\"urn:vim25\"><_this type=\"AuthorizationManager\">AuthorizationManager</_this>\
             <entities type=\"Folder\">group-d1</entities><userName>{user}</userName></FetchUserPrivilegeOnEntities>"
        )
    };
    let answer = client.ok(&ask(USERNAME)).await;
    let privileges: Vec<&str> =
        answer.child("returnval").unwrap().all("privileges").map(|one| one.text.as_str()).collect();
    for needed in [
        "System.Read",
        "VirtualMachine.Provisioning.DeployTemplate",
        "InventoryService.Tagging.AttachTag",
        "Sessions.ValidateSession",
    ] {
        assert!(privileges.contains(&needed), "{needed}");
    }
    let answer = client.ok(&ask("somebody")).await;
    assert_eq!(answer.child("returnval").unwrap().all("privileges").count(), 0);

    let session = client.properties(&manager("SessionManager"), &["currentSession"]).await["currentSession"]
        .text_of("key")
        .to_owned();
    let has = format!(
        "<HasPrivilegeOnEntities xmlns=\"urn:vim25\"><_this type=\"AuthorizationManager\">AuthorizationManager</_this><entity type=\"Folder\">group-d1</entity>\
         <sessionId>{session}</sessionId><privId>System.Read</privId><privId>No.Such</privId></HasPrivilegeOnEntities>"
    );
    let answer = client.ok(&has).await;
    let granted: Vec<&str> =
        answer.child("returnval").unwrap().all("privAvailability").map(|one| one.text_of("isGranted")).collect();
    assert_eq!(granted, ["true", "false"]);

    let permissions = client
        .ok("<RetrieveEntityPermissions xmlns=\"urn:vim25\"><_this type=\"AuthorizationManager\">AuthorizationManager</_this>\
             <entity type=\"Folder\">group-d1</entity><inherited>true</inherited></RetrieveEntityPermissions>")
        .await;
    assert_eq!(permissions.child("returnval").unwrap().text_of("roleId"), "-1");
    vcenter.stop().await;
}

fn manager(kind: &str) -> Element {
    Element { name: "obj".to_owned(), kind: Some(kind.to_owned()), text: kind.to_owned(), ..Element::default() }
}

#[tokio::test]
async fn sessions_can_be_listed_and_ended() {
    let vcenter = start().await;
    let (first, second) = (Client::logged_in(&vcenter).await, Client::logged_in(&vcenter).await);
    let list = first.properties(&manager("SessionManager"), &["sessionList"]).await["sessionList"].clone();
    assert_eq!(list.xsi_type.as_deref(), Some("ArrayOfUserSession"));
    assert_eq!(list.all("UserSession").count(), 2);
    let own = second.properties(&manager("SessionManager"), &["currentSession"]).await["currentSession"]
        .text_of("key")
        .to_owned();
    let active = format!(
        "<SessionIsActive xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this><sessionID>{own}</sessionID><userName>{USERNAME}</userName></SessionIsActive>"
    );
    assert_eq!(first.ok(&active).await.text_of("returnval"), "true");
    let end = format!(
        "<TerminateSession xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this><sessionId>{own}</sessionId></TerminateSession>"
    );
    first.ok(&end).await;
    assert_eq!(first.ok(&active).await.text_of("returnval"), "false");
    assert_eq!(second.fault(CURRENT_TIME).await, "NotAuthenticated");
    vcenter.stop().await;
}

#[tokio::test]
async fn a_folder_is_made_once_and_licences_are_shown() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let make = |name: &str| {
        format!(
            "<CreateFolder xmlns=\"urn:vim25\"><_this type=\"Folder\">group-d1</_this><name>{name}</name></CreateFolder>"
        )
    };
    let folder = client.ok(&make("new")).await;
    assert_eq!(folder.child("returnval").unwrap().kind.as_deref(), Some("Folder"));
    assert_eq!(client.fault(&make("new")).await, "DuplicateName");
    assert_eq!(client.fault(&make("SDDC-Datacenter")).await, "DuplicateName");
    assert_eq!(client.fault(&make("")).await, "InvalidArgument");

    let licences = client.properties(&manager("LicenseManager"), &["licenses"]).await["licenses"].clone();
    let licence = licences.child("LicenseManagerLicenseInfo").unwrap();
    assert_eq!(licence.text_of("editionKey"), "eval");
    let features: Vec<&str> = licence
        .all("properties")
        .filter(|one| one.text_of("key") == "feature")
        .map(|one| one.child("value").unwrap().text_of("key"))
        .collect();
    assert_eq!(features, ["dvs", "drs:1"]);
    vcenter.stop().await;
}
