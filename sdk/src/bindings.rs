//! The contract in `wit/` as Rust, generated. Plugins use the types that the crate root names again.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::all
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "provider",
    pub_export_macro: true,
    export_macro_name: "export_provider",
    default_bindings_module: "kedge_sdk::bindings",
    additional_derives: [PartialEq, Eq, Clone],
});

/// The optional export `preflight`.
pub mod preflight {
    wit_bindgen::generate!({
        path: "../wit",
        world: "with-preflight",
        pub_export_macro: true,
        export_macro_name: "export_preflight",
        default_bindings_module: "kedge_sdk::bindings::preflight",
        additional_derives: [PartialEq, Eq, Clone],
        with: {
            "kedge:provider/types@0.1.0": crate::bindings::kedge::provider::types,
            "kedge:provider/log@0.1.0": crate::bindings::kedge::provider::log,
            "kedge:provider/report@0.1.0": crate::bindings::kedge::provider::report,
            "kedge:provider/endpoints@0.1.0": crate::bindings::kedge::provider::endpoints,
            "kedge:provider/secrets@0.1.0": crate::bindings::kedge::provider::secrets,
            "kedge:provider/container-engine@0.1.0": crate::bindings::kedge::provider::container_engine,
        },
    });
}

/// The optional export `upgrade`.
pub mod upgrade {
    wit_bindgen::generate!({
        path: "../wit",
        world: "with-upgrade",
        pub_export_macro: true,
        export_macro_name: "export_upgrade",
        default_bindings_module: "kedge_sdk::bindings::upgrade",
        additional_derives: [PartialEq, Eq, Clone],
        with: {
            "kedge:provider/types@0.1.0": crate::bindings::kedge::provider::types,
            "kedge:provider/log@0.1.0": crate::bindings::kedge::provider::log,
        },
    });
}

/// The optional export `commands`.
pub mod commands {
    wit_bindgen::generate!({
        path: "../wit",
        world: "with-commands",
        pub_export_macro: true,
        export_macro_name: "export_commands",
        default_bindings_module: "kedge_sdk::bindings::commands",
        additional_derives: [PartialEq, Eq, Clone],
        with: {
            "kedge:provider/types@0.1.0": crate::bindings::kedge::provider::types,
            "kedge:provider/log@0.1.0": crate::bindings::kedge::provider::log,
            "kedge:provider/endpoints@0.1.0": crate::bindings::kedge::provider::endpoints,
            "kedge:provider/secrets@0.1.0": crate::bindings::kedge::provider::secrets,
            "kedge:provider/container-engine@0.1.0": crate::bindings::kedge::provider::container_engine,
        },
    });
}

/// The optional export `lifecycle`.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../wit",
        world: "with-lifecycle",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "kedge_sdk::bindings::lifecycle",
        additional_derives: [PartialEq, Eq, Clone],
        with: {
            "kedge:provider/types@0.1.0": crate::bindings::kedge::provider::types,
            "kedge:provider/log@0.1.0": crate::bindings::kedge::provider::log,
            "kedge:provider/endpoints@0.1.0": crate::bindings::kedge::provider::endpoints,
            "kedge:provider/secrets@0.1.0": crate::bindings::kedge::provider::secrets,
            "kedge:provider/container-engine@0.1.0": crate::bindings::kedge::provider::container_engine,
        },
    });
}
