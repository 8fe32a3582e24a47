use super::{Client, start};
use crate::vcenter::fill::Filling;
use crate::vcenter::wanted::Wanted;

#[tokio::test]
async fn everything_that_the_spec_names_is_there() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    for (path, kind) in [
        ("SDDC-Datacenter", "Datacenter"),
        ("/SDDC-Datacenter/network/sddc-net", "DistributedVirtualPortgroup"),
        ("/SDDC-Datacenter/network/worker-net", "DistributedVirtualPortgroup"),
        ("/SDDC-Datacenter/network/VM Network", "Network"),
        ("/SDDC-Datacenter/datastore/WorkloadDatastore", "Datastore"),
        ("/SDDC-Datacenter/datastore/Fast", "Folder"),
        ("/SDDC-Datacenter/datastore/Fast/Store", "Datastore"),
        ("/SDDC-Datacenter/vm/Workloads", "Folder"),
        ("/SDDC-Datacenter/vm/Etcd/Deep", "Folder"),
        ("/SDDC-Datacenter/host/Cluster-A", "ClusterComputeResource"),
        ("/SDDC-Datacenter/host/Cluster-A/Resources/Compute", "ResourcePool"),
        ("/SDDC-Datacenter/vm/Templates/ubuntu-1-34", "VirtualMachine"),
        ("SDDC-Datacenter/vm/Images/bottlerocket-1-34/", "VirtualMachine"),
    ] {
        let found = client.find(path).await;
        assert_eq!(found.and_then(|found| found.kind).as_deref(), Some(kind), "{path}");
    }
    for path in ["/", "/SDDC-Datacenter/vm/ubuntu-1-34", "/Nope", "/SDDC-Datacenter/host/Cluster-1"] {
        assert_eq!(client.exists(path).await, path == "/", "{path}");
    }
    vcenter.stop().await;
}

#[tokio::test]
async fn children_are_found_by_name_and_machines_by_uuid() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let templates = client.find("/SDDC-Datacenter/vm/Templates").await.unwrap();
    let call = format!(
        "<FindChild xmlns=\"urn:vim25\"><_this type=\"SearchIndex\">SearchIndex</_this><entity type=\"Folder\">{}</entity><name>ubuntu-1-34</name></FindChild>",
        templates.text
    );
    let template = client.ok(&call).await.child("returnval").unwrap().clone();
    let uuid = client.properties(&template, &["config.uuid"]).await["config.uuid"].text.clone();
    let call = format!(
        "<FindByUuid xmlns=\"urn:vim25\"><_this type=\"SearchIndex\">SearchIndex</_this><uuid>{uuid}</uuid><vmSearch>true</vmSearch></FindByUuid>"
    );
    assert_eq!(client.ok(&call).await.text_of("returnval"), template.text);
    vcenter.stop().await;
}

#[tokio::test]
async fn a_template_has_what_a_preflight_looks_at() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let of = |path: &'static str| {
        let client = &client;
        async move {
            let template = client.find(path).await.unwrap();
            client
                .properties(
                    &template,
                    &["summary.config.template", "config.hardware.device", "snapshot", "parentVApp", "resourcePool"],
                )
                .await
        }
    };
    for (path, kib) in [
        ("/SDDC-Datacenter/vm/Templates/ubuntu-1-34", "26214400"),
        ("/SDDC-Datacenter/vm/Images/bottlerocket-1-34", "23068672"),
    ] {
        let properties = of(path).await;
        assert_eq!(properties["summary.config.template"].text, "true");
        assert_eq!(properties["summary.config.template"].xsi_type.as_deref(), Some("boolean"));
        let disks: Vec<_> = properties["config.hardware.device"]
            .children
            .iter()
            .filter(|device| device.xsi_type.as_deref() == Some("VirtualDisk"))
            .collect();
        assert_eq!(disks.len(), 1);
        assert_eq!(disks[0].text_of("capacityInKB"), kib);
        assert_eq!(disks[0].child("deviceInfo").unwrap().text_of("label"), "Hard disk 1");
        assert_eq!(properties["snapshot"].child("rootSnapshotList").unwrap().text_of("name"), "root");
        assert!(
            !properties.contains_key("parentVApp") && !properties.contains_key("resourcePool"),
            "unset properties are left out"
        );
    }
    vcenter.stop().await;
}

#[tokio::test]
async fn datastores_hold_what_the_machines_need_and_pools_have_no_limit() {
    let vcenter = start().await;
    let client = Client::logged_in(&vcenter).await;
    let datastore = client.find("/SDDC-Datacenter/datastore/WorkloadDatastore").await.unwrap();
    let summary = client.properties(&datastore, &["summary"]).await["summary"].clone();
    let number = |name: &str| summary.text_of(name).parse::<i64>().unwrap();
    assert!(number("freeSpace") > (3 * 25 + 3 * 40) << 30);
    assert!(number("capacity") > number("freeSpace"));
    let pool = client.find("/SDDC-Datacenter/host/Cluster-A/Resources/Compute").await.unwrap();
    let properties = client.properties(&pool, &["config.memoryAllocation", "runtime.memory", "owner"]).await;
    assert_eq!(properties["config.memoryAllocation"].text_of("limit"), "-1");
    assert_eq!(properties["owner"].kind.as_deref(), Some("ClusterComputeResource"));
    let cluster = client.find("/SDDC-Datacenter/host/Cluster-A").await.unwrap();
    let properties = client.properties(&cluster, &["datastore", "network", "host"]).await;
    assert_eq!(
        (
            properties["datastore"].children.len(),
            properties["network"].children.len(),
            properties["host"].children.len()
        ),
        (2, 4, 3)
    );
    vcenter.stop().await;
}

#[test]
fn the_same_seed_makes_the_same_inventory() {
    let documents = super::client::documents();
    let wanted = Wanted::from_documents(&documents);
    let fill = |seed: u64| {
        let filling = Filling {
            wanted: &wanted,
            faults: &crate::Faults::none(),
            eksd_releases: &[("1.34".to_owned(), "kubernetes-1-34-eks-19".to_owned())].into(),
            seed,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        format!("{:?}", filling.fill())
    };
    assert_eq!(fill(1), fill(1));
    assert_ne!(fill(1), fill(2));
}

#[test]
fn paths_lead_to_what_they_were_made_from() {
    let wanted = Wanted::from_documents(&super::client::documents());
    let filling = Filling {
        wanted: &wanted,
        faults: &crate::Faults::none(),
        eksd_releases: &std::collections::BTreeMap::new(),
        seed: 0,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let inventory = filling.fill().inventory;
    let mut checked = 0;
    for entity in inventory.all().filter(|entity| entity.reference != *inventory.root()) {
        let path = inventory.path(&entity.reference);
        assert_eq!(inventory.find(&path).map(|found| &found.reference), Some(&entity.reference), "{path}");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}
