//! The plugins that the build embedded. Nothing here knows their names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::collections::BTreeSet;

use kedge_plugin::{Catalog, HostOptions, ImportClass, PluginHost};

#[tokio::test]
async fn every_built_in_loads_and_answers() {
    let host = PluginHost::new(HostOptions::default()).unwrap();
    let catalog = Catalog::new().with_built_ins();
    assert!(!catalog.list().is_empty());
    let mut kinds = BTreeSet::new();
    for entry in catalog.list() {
        let plugin = host.load(entry).await.unwrap();
        let description = plugin.description();
        assert_eq!(description.name, entry.name, "a built-in is called as its folder");
        let kind = description.datacenter_kind().unwrap().to_owned();
        assert!(kinds.insert(kind.clone()), "{kind} is claimed twice");
        assert_eq!(host.claiming(&catalog, &kind).await.unwrap().digest(), plugin.digest());
        for claim in &description.kinds {
            assert!(plugin.schema(&claim.kind).await.unwrap().is_object());
        }
        let options = [("kubernetes-version".to_owned(), "1.31".to_owned())];
        let text = plugin.generate("some-name", &options).await.unwrap();
        assert!(text.contains("some-name") && text.contains(&kind));
        assert_eq!(plugin.generate("some-name", &options).await.unwrap(), text, "pure functions repeat themselves");
        plugin.instantiate().await.unwrap();
        // What its file says is what it says, and nothing of it would stand in red.
        let inspection = host.inspect(entry).unwrap();
        assert_eq!(inspection.description.as_ref(), Some(description));
        assert_eq!((inspection.unusual, inspection.refused), (vec![], None), "{}", entry.name);
    }
}

#[test]
fn inspecting_builds_no_engine() {
    let host = PluginHost::new(HostOptions::default()).unwrap();
    for entry in Catalog::new().with_built_ins().list() {
        let inspection = host.inspect(entry).unwrap();
        assert_eq!(inspection.contract.as_deref(), Some("kedge:provider@0.1.0"));
        assert_eq!(inspection.refused, None);
        assert!(inspection.imports.iter().all(|i| i.class != ImportClass::Refused));
        assert!(inspection.exports.iter().any(|e| e == "kedge:provider/describe@0.1.0"));
        assert!(inspection.functions > 0 && inspection.largest_function > 0 && inspection.modules > 0);
        assert!(inspection.producers.iter().any(|p| p.contains("wit-bindgen-rust")), "{:?}", inspection.producers);
    }
    assert!(!host.is_warm());
}
