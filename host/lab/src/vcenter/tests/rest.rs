use serde_json::{Value, json};

use super::client::PASSWORD;
use super::{Client, start};

#[tokio::test]
async fn sessions_open_and_close_under_both_addresses() {
    let vcenter = start().await;
    for (path, opened, closed) in [("/rest/com/vmware/cis/session", 200, 200), ("/api/session", 201, 204)] {
        let mut client = Client::new(&vcenter);
        let (code, refused) = client.rest_login(path, "wrong").await;
        assert_eq!(code, 401);
        assert!(refused.to_string().to_lowercase().contains("unauthenticated"), "{refused}");
        let (code, key) = client.rest_login(path, PASSWORD).await;
        assert_eq!(code, opened);
        let key = key.get("value").unwrap_or(&key).as_str().unwrap().to_owned();
        client.rest_session = Some(key);
        let (code, session) = client.rest("GET", path, &Value::Null).await;
        assert_eq!(code, 200);
        assert!(session.to_string().contains("administrator@vsphere.local"));
        assert_eq!(vcenter.sessions().rest, 1);
        assert_eq!(client.rest("DELETE", path, &Value::Null).await.0, closed);
        assert_eq!(vcenter.sessions().rest, 0);
        assert_eq!(client.rest("GET", path, &Value::Null).await.0, 401);
    }
    vcenter.stop().await;
}

#[tokio::test]
async fn templates_carry_the_tags_that_a_preflight_asks_for() {
    let vcenter = start().await;
    let soap = Client::logged_in(&vcenter).await;
    let ubuntu = soap.find("/SDDC-Datacenter/vm/Templates/ubuntu-1-34").await.unwrap().text;
    let bottlerocket = soap.find("/SDDC-Datacenter/vm/Images/bottlerocket-1-34").await.unwrap().text;
    let mut client = Client::new(&vcenter);
    assert_eq!(client.rest("GET", "/rest/com/vmware/cis/tagging/tag", &Value::Null).await.0, 401);
    let (_, key) = client.rest_login("/rest/com/vmware/cis/session", PASSWORD).await;
    client.rest_session = key["value"].as_str().map(str::to_owned);

    let object = json!({"type": "VirtualMachine", "id": ubuntu});
    let (code, attached) = client
        .rest(
            "POST",
            "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags",
            &json!({"object_id": object}),
        )
        .await;
    assert_eq!(code, 200);
    let mut names = Vec::new();
    for id in attached["value"].as_array().unwrap() {
        let (code, tag) = client
            .rest("GET", &format!("/rest/com/vmware/cis/tagging/tag/id:{}", id.as_str().unwrap()), &Value::Null)
            .await;
        assert_eq!(code, 200);
        let category = tag["value"]["category_id"].as_str().unwrap();
        let (_, category) = client
            .rest("GET", &format!("/api/cis/tagging/category/{}", category.replace(':', "%3A")), &Value::Null)
            .await;
        names.push((tag["value"]["name"].as_str().unwrap().to_owned(), category["name"].as_str().unwrap().to_owned()));
    }
    names.sort();
    let pair = |tag: &str, category: &str| (tag.to_owned(), category.to_owned());
    assert_eq!(names, [pair("eksdRelease:kubernetes-1-34-eks-19", "eksdRelease"), pair("os:ubuntu", "os")]);

    let both = json!({"object_ids": [object, {"type": "VirtualMachine", "id": bottlerocket}, {"type": "Folder", "id": "group-d1"}]});
    let (_, listed) =
        client.rest("POST", "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects", &both).await;
    let counts: Vec<usize> =
        listed.as_array().unwrap().iter().map(|one| one["tag_ids"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [2, 2], "an object without tags is left out");

    let id = attached["value"][0].as_str().unwrap();
    let (_, objects) = client
        .rest(
            "POST",
            &format!("/rest/com/vmware/cis/tagging/tag-association/id:{id}?~action=list-attached-objects"),
            &json!({}),
        )
        .await;
    assert!(objects["value"].as_array().unwrap().contains(&object), "{objects}");
    vcenter.stop().await;
}

#[tokio::test]
async fn tags_of_the_spec_exist_and_unknown_ones_do_not() {
    let vcenter = start().await;
    let mut client = Client::new(&vcenter);
    let (_, key) = client.rest_login("/api/session", PASSWORD).await;
    client.rest_session = key.as_str().map(str::to_owned);
    let (_, tags) = client.rest("GET", "/api/cis/tagging/tag", &Value::Null).await;
    assert!(
        tags.as_array()
            .unwrap()
            .contains(&json!("urn:vmomi:InventoryServiceTag:11111111-2222-3333-4444-555555555555:GLOBAL"))
    );
    let (code, error) =
        client.rest("GET", "/api/cis/tagging/tag/urn:vmomi:InventoryServiceTag:nope:GLOBAL", &Value::Null).await;
    assert_eq!((code, error["error_type"].as_str()), (404, Some("NOT_FOUND")));
    let (code, _) = client
        .rest("POST", "/api/cis/tagging/tag-association?action=list-attached-tags", &json!({"object_id": 3}))
        .await;
    assert_eq!(code, 400);
    let (_, categories) = client.rest("GET", "/api/cis/tagging/category", &Value::Null).await;
    assert_eq!(categories.as_array().unwrap().len(), 3);
    vcenter.stop().await;
}

#[tokio::test]
async fn the_content_library_is_there() {
    let vcenter = start().await;
    let mut client = Client::new(&vcenter);
    let (_, key) = client.rest_login("/api/session", PASSWORD).await;
    client.rest_session = key.as_str().map(str::to_owned);
    let found = json!({"spec": {"name": "eks-a-templates"}});
    let (_, ids) = client.rest("POST", "/rest/com/vmware/content/library?~action=find", &found).await;
    let id = ids["value"][0].as_str().unwrap();
    let (code, library) = client.rest("GET", &format!("/api/content/library/{id}"), &Value::Null).await;
    assert_eq!((code, library["name"].as_str()), (200, Some("eks-a-templates")));
    let (code, items) = client.rest("GET", &format!("/api/content/library/item?library_id={id}"), &Value::Null).await;
    assert_eq!((code, items), (200, json!([])));
    vcenter.stop().await;
}
