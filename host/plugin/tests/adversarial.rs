//! Components that misbehave, and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::time::{Duration, Instant};

use kedge_plugin::{Decision, Environment, LimitKind, LogLevel, Plugin, PluginError};
use kedge_spec::provider::ProviderInput;
use serde_json::json;
use support::{Parts, component, host, limits, ok_text, provider};

async fn load(parts: Parts) -> Result<Plugin, PluginError> {
    host().0.load_bytes("bad", &provider(&parts)).await
}

/// Loads a provider whose `schema` is the misbehaving part, and calls it.
async fn schema(body: &str) -> PluginError {
    let plugin = load(Parts { schema: Some(body.to_owned()), ..Parts::default() }).await.unwrap();
    plugin.schema("LabDatacenter").await.unwrap_err()
}

fn input() -> ProviderInput {
    ProviderInput {
        cluster_name: "c".into(),
        namespace: "eksa-system".into(),
        documents: vec![],
        release: json!({}),
        facts: json!({}),
        features: vec![],
    }
}

#[tokio::test]
async fn a_provider_that_behaves_is_loaded() {
    let plugin = load(Parts::default()).await.unwrap();
    let description = plugin.description();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("lab", "1.2.3"));
    assert_eq!(description.datacenter_kind(), Some("LabDatacenter"));
    assert_eq!((description.endpoints[0].name.as_str(), description.endpoints[0].default_port), ("lab", 443));
    assert_eq!(description.secrets[0].endpoint.as_deref(), Some("lab"));
    assert_eq!(plugin.contract(), "0.1");
    assert!(plugin.has_preflight() && !plugin.has_upgrade() && !plugin.has_lifecycle());
    assert_eq!(plugin.schema("LabDatacenter").await.unwrap(), json!({}));
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    assert_eq!(plugin.preflight_run(&input(), &[], &Environment::nothing(), sender).await.unwrap(), json!({}));
    assert!(matches!(plugin.compare(&[], &[]).await, Err(PluginError::NotExported { interface: "upgrade", .. })));
}

#[tokio::test]
async fn an_endless_loop_is_ended() {
    let started = Instant::now();
    let error = schema("(loop (br 0)) unreachable").await;
    assert!(
        matches!(&error, PluginError::Timeout { plugin, function, computing: true, .. } if plugin == "lab" && function == "config.schema"),
        "{error:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(error.remedy().contains("author"));
}

#[tokio::test]
async fn an_endless_loop_at_the_start_is_ended() {
    let fields = "(func $spin (loop (br 0))) (start $spin)".to_owned();
    let error = load(Parts { fields, ..Parts::default() }).await.unwrap_err();
    assert!(matches!(&error, PluginError::Timeout { function, .. } if function == "start"), "{error:?}");
}

#[tokio::test]
async fn memory_is_bounded() {
    let error = schema("(loop (drop (i32.eqz (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))) (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable").await;
    let PluginError::LimitExceeded { limit, allowed, asked: Some(asked), .. } = error else { panic!("{error:?}") };
    assert_eq!((limit, allowed), (LimitKind::Memory, limits().memory_bytes));
    assert!(asked > allowed);
}

#[tokio::test]
async fn a_large_start_is_seen_before_anything_is_compiled() {
    let error = load(Parts { pages: Some(1_000), ..Parts::default() }).await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::Memory, asked: Some(65_536_000), .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn tables_are_bounded() {
    let parts = Parts {
        fields: "(table $t 1 funcref)".into(),
        schema: Some("(if (i32.eq (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)) (then unreachable)) (i32.const 0)".into()),
        ..Parts::default()
    };
    let error = load(parts).await.unwrap().schema("x").await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::TableElements, allowed: 1_000, asked: Some(asked), .. } if asked > 100_000),
        "{error:?}"
    );
}

#[tokio::test]
async fn recursion_is_bounded() {
    let parts = Parts {
        fields: "(func $deep (result i32) (call $deep) (i32.const 1) i32.add)".into(),
        schema: Some("(call $deep)".into()),
        ..Parts::default()
    };
    let error = load(parts).await.unwrap().schema("x").await.unwrap_err();
    assert!(matches!(error, PluginError::LimitExceeded { limit: LimitKind::Stack, .. }), "{error:?}");
}

#[tokio::test]
async fn a_flood_of_log_ends_the_session() {
    let (host, log, _) = host();
    let body = "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 3)) (br 0)) unreachable";
    let plugin =
        host.load_bytes("bad", &provider(&Parts { schema: Some(body.into()), ..Parts::default() })).await.unwrap();
    let error = plugin.schema("x").await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::LogRecords, allowed: 1_000, .. }),
        "{error:?}"
    );
    assert_eq!(log.0.lock().unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_log_record_is_one_line_and_steers_nothing() {
    let (host, log, _) = host();
    // "ok\nERROR forged\x1b[2J" at 512.
    let fields = r#"(data (i32.const 512) "ok\0aERROR forged\1b[2J")"#.to_owned();
    let body = format!(
        "(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 19)) {}",
        ok_text(600, 2)
    );
    let parts =
        Parts { schema: Some(body), fields: format!("{fields} (data (i32.const 600) \"{{}}\")"), ..Parts::default() };
    host.load_bytes("bad", &provider(&parts)).await.unwrap().schema("x").await.unwrap();
    assert_eq!(*log.0.lock().unwrap(), [("lab".to_owned(), LogLevel::Warn, "ok\\nERROR forged\\u{1b}[2J".to_owned())]);
}

#[tokio::test]
async fn a_huge_answer_is_refused() {
    let parts = Parts { pages: Some(40), schema: Some(ok_text(0, 2 << 20)), ..Parts::default() };
    let error = load(parts).await.unwrap().schema("x").await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::Copy, allowed: 1_048_576, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_huge_argument_is_refused() {
    let body = "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2097152)) unreachable";
    let parts = Parts { pages: Some(40), schema: Some(body.into()), ..Parts::default() };
    let error = load(parts).await.unwrap().schema("x").await.unwrap_err();
    assert!(matches!(error, PluginError::LimitExceeded { limit: LimitKind::Copy, .. }), "{error:?}");
}

#[tokio::test]
async fn a_crash_is_told_and_leaves_the_plugin_usable() {
    // The first byte of the kind decides, so that one plugin can do both.
    let body =
        format!("(if (i32.eq (i32.load8_u (local.get 0)) (i32.const 98)) (then unreachable)) {}", ok_text(600, 2));
    let parts = Parts { schema: Some(body), fields: "(data (i32.const 600) \"{}\")".into(), ..Parts::default() };
    let plugin = load(parts).await.unwrap();
    let error = plugin.schema("bad").await.unwrap_err();
    assert!(matches!(&error, PluginError::Trap { function, .. } if function == "config.schema"), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the plugin `lab` crashed in `config.schema`: it gave up (a panic or an impossible branch)"
    );
    assert_eq!(plugin.schema("good").await.unwrap(), json!({}));
}

#[tokio::test]
async fn nonsense_is_called_nonsense() {
    for (bytes, wanted) in [("{not json", "not json"), ("\\ff\\fe\\fd", "utf-8"), ("", "not json")] {
        let length = u32::try_from(if bytes.starts_with('\\') { 3 } else { bytes.len() }).unwrap();
        let parts = Parts {
            schema: Some(ok_text(600, length)),
            fields: format!("(data (i32.const 600) \"{bytes}\")"),
            ..Parts::default()
        };
        let error = load(parts).await.unwrap().schema("x").await.unwrap_err();
        assert!(matches!(error, PluginError::Nonsense { .. }), "{error:?}");
        assert!(error.to_string().to_lowercase().contains(wanted), "{error}");
    }
    // An address outside its memory, and a case that the variant doesn't have.
    assert!(matches!(schema(&ok_text(1 << 30, 5)).await, PluginError::Nonsense { .. } | PluginError::Trap { .. }));
    assert!(matches!(
        schema("(i32.store (i32.const 16) (i32.const 77)) (i32.const 16)").await,
        PluginError::Nonsense { .. }
    ));
    // JSON, but not an object.
    let parts =
        Parts { run: Some(ok_text(600, 2)), fields: "(data (i32.const 600) \"[]\")".into(), ..Parts::default() };
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    let error =
        load(parts).await.unwrap().preflight_run(&input(), &[], &Environment::nothing(), sender).await.unwrap_err();
    assert!(error.to_string().contains("not a JSON object"), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_told_apart() {
    let whole = provider(&Parts::default());
    let host = host().0;
    for (bytes, wanted) in [
        (b"".to_vec(), "empty"),
        (b"apiVersion: v1\nkind: Cluster\n".to_vec(), "text file"),
        (b"(component)".to_vec(), "text file"),
        (b"\x7fELF\x02\x01\x01".to_vec(), "native code"),
        (b"PK\x03\x04\0\0".to_vec(), "archive"),
        (vec![1, 2, 3, 0xff], "does not start as WebAssembly"),
        (wat::parse_str("(module)").unwrap(), "core module"),
        (whole[..6].to_vec(), "damaged or cut off"),
        (whole[..whole.len() / 2].to_vec(), "damaged or cut off"),
        (whole[..whole.len() - 1].to_vec(), "damaged or cut off"),
    ] {
        let error = host.load_bytes("x.wasm", &bytes).await.unwrap_err();
        assert!(
            matches!(&error, PluginError::NotAComponent { plugin, why } if plugin == "x.wasm" && why.contains(wanted)),
            "{wanted}: {error:?}"
        );
        assert!(!error.remedy().is_empty());
    }
    assert!(host.is_warm(), "the engine is there, but compiled nothing");
}

#[tokio::test]
async fn damage_inside_is_an_error_and_never_a_panic() {
    let whole = provider(&Parts::default());
    let host = host().0;
    for at in (8..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        // Some damage is harmless (a letter in a text): what matters is that it is answered.
        if let Err(error) = host.load_bytes("x.wasm", &bytes).await {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[tokio::test]
async fn another_contract_version_is_named() {
    let wit =
        "package kedge:provider@0.2.0; interface describe { describe: func() -> u32; } world w { export describe; }";
    let bytes = component(
        wit,
        r#"(module (func (export "kedge:provider/describe@0.2.0#describe") (result i32) (i32.const 0)))"#,
    );
    let error = host().0.load_bytes("new.wasm", &bytes).await.unwrap_err();
    let PluginError::WrongContract { built_for, supported, .. } = &error else { panic!("{error:?}") };
    assert_eq!(
        (built_for.as_str(), supported.as_slice()),
        ("kedge:provider@0.2.0", ["kedge:provider@0.1".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn a_component_that_is_no_provider_is_named() {
    let bytes = component("package a:b; world w { export run: func(); }", r#"(module (func (export "run")))"#);
    let error = host().0.load_bytes("other.wasm", &bytes).await.unwrap_err();
    assert!(
        matches!(&error, PluginError::ContractViolation { why, .. } if why.contains("not a provider")),
        "{error:?}"
    );

    let wit =
        "package kedge:provider@0.1.0; interface describe { describe: func() -> u32; } world w { export describe; }";
    let bytes = component(
        wit,
        r#"(module (func (export "kedge:provider/describe@0.1.0#describe") (result i32) (i32.const 0)))"#,
    );
    let error = host().0.load_bytes("half.wasm", &bytes).await.unwrap_err();
    assert!(
        matches!(&error, PluginError::ContractViolation { why, .. } if why == "it does not export `config`, `machines`, `manifests`"),
        "{error:?}"
    );
}

#[tokio::test]
async fn imports_outside_the_contract_are_refused_by_name() {
    let wit = r"package kedge:provider@0.1.0;
        interface describe { describe: func() -> u32; }
        world w { import wasi:filesystem/preopens@0.2.6; import wasi:sockets/network@0.2.6; import wasi:random/random@0.2.6; export describe; }
        package wasi:filesystem@0.2.6 { interface preopens { count: func() -> u32; } }
        package wasi:random@0.2.6 { interface random { get-random-u64: func() -> u64; } }
        package wasi:sockets@0.2.6 { interface network { count: func() -> u32; } }";
    let module = r#"(module
        (import "wasi:filesystem/preopens@0.2.6" "count" (func (result i32)))
        (import "wasi:sockets/network@0.2.6" "count" (func (result i32)))
        (import "wasi:random/random@0.2.6" "get-random-u64" (func (result i64)))
        (func (export "kedge:provider/describe@0.1.0#describe") (result i32) (i32.const 0)))"#;
    let mut resolve = wit_parser::Resolve::default();
    let group = wit_parser::UnresolvedPackageGroup::parse(
        "test.wit",
        &wit.replacen("package kedge:provider@0.1.0;", "package kedge:provider@0.1.0;\n", 1),
    )
    .unwrap();
    let package = resolve.push_group(group).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut core = wat::parse_str(module).unwrap();
    wit_component::embed_component_metadata(&mut core, &resolve, world, wit_component::StringEncoding::UTF8, false)
        .unwrap();
    let bytes = wit_component::ComponentEncoder::default().module(&core).unwrap().encode().unwrap();
    let host = host().0;
    let error = host.load_bytes("greedy.wasm", &bytes).await.unwrap_err();
    let PluginError::ForbiddenImports { imports, .. } = &error else { panic!("{error:?}") };
    assert_eq!(imports, &["wasi:filesystem/preopens@0.2.6", "wasi:sockets/network@0.2.6"]);

    let inspection = host.inspect_bytes("greedy.wasm", &bytes).unwrap();
    let classes: Vec<_> = inspection.imports.iter().map(|i| (i.name.as_str(), i.class)).collect();
    assert!(classes.contains(&("wasi:random/random@0.2.6", kedge_plugin::ImportClass::Inert)));
    assert!(classes.contains(&("wasi:filesystem/preopens@0.2.6", kedge_plugin::ImportClass::Refused)));
    assert!(inspection.refused.unwrap().contains("wasi:filesystem"));
}

#[tokio::test]
async fn a_pure_function_gets_the_log_and_refusals() {
    let (host, _, audit) = host();
    // Opens `lab`, asks for the secret and pings the engine; crashes unless all are refused.
    let body = format!(
        r"(call $open (i32.const 512) (i32.const 3) (i32.const 64))
          (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
          (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 0)) (then unreachable))
          (if (call $available (i32.const 520) (i32.const 8)) (then unreachable))
          (call $ping (i32.const 64))
          (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
          {}",
        ok_text(600, 2)
    );
    let fields = r#"(data (i32.const 512) "lab") (data (i32.const 520) "password") (data (i32.const 600) "{}")"#;
    let parts = Parts {
        schema: Some(body.clone()),
        describe: Some(format!("{} drop (i32.const $DESCRIPTION)", body.replace(&ok_text(600, 2), "(i32.const 0)"))),
        fields: fields.into(),
        ..Parts::default()
    };
    let plugin = host.load_bytes("nosy", &provider(&parts)).await.unwrap();
    plugin.schema("x").await.unwrap();
    // That it was loaded is on record, too.
    let all = audit.0.lock().unwrap();
    let events: Vec<_> = all.iter().filter(|e| e.interface != "host").collect();
    assert_eq!(events.len(), 6);
    for event in &events {
        assert!(matches!(&event.decision, Decision::Refused(why) if why.contains("pure function")), "{event:?}");
    }
    let last: Vec<_> = events[3..]
        .iter()
        .map(|e| (e.during.as_str(), e.interface.as_str(), e.function.as_str(), e.target.as_str()))
        .collect();
    assert_eq!(
        last,
        [
            ("config.schema", "endpoints", "open", "lab"),
            ("config.schema", "secrets", "available", "password"),
            ("config.schema", "container-engine", "ping", ""),
        ]
    );
    assert_eq!(events[0].during, "describe");
}

#[tokio::test]
async fn calls_during_the_start_are_refused_and_recorded_as_such() {
    let (host, _, audit) = host();
    let fields =
        r#"(data (i32.const 512) "lab") (func $eager (call $open (i32.const 512) (i32.const 3) (i32.const 64))) "#;
    // A start function may not call an import before the memory is there; from `describe`'s instantiation it can't either.
    let parts = Parts { fields: format!("{fields} (start $eager)"), ..Parts::default() };
    match host.load_bytes("eager", &provider(&parts)).await {
        Ok(_) => {
            let events = audit.0.lock().unwrap();
            assert_eq!(events[0].during, "start");
            assert!(matches!(events[0].decision, Decision::Refused(_)));
        }
        Err(error) => assert!(matches!(error, PluginError::Trap { .. }), "{error:?}"),
    }
}

#[tokio::test]
async fn a_storm_of_handles_is_bounded() {
    let target = kedge_plugin::EndpointTarget::parse("lab.example", 443, kedge_plugin::Tls::Insecure).unwrap();
    let mut environment = Environment::nothing();
    environment.endpoints.insert("lab".into(), target);
    let parts = Parts {
        run: Some("(loop (call $open (i32.const 512) (i32.const 3) (i32.const 64)) (br 0)) unreachable".into()),
        fields: r#"(data (i32.const 512) "lab")"#.into(),
        ..Parts::default()
    };
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    let error = load(parts).await.unwrap().preflight_run(&input(), &[], &environment, sender).await.unwrap_err();
    assert!(matches!(error, PluginError::LimitExceeded { limit: LimitKind::Handles, allowed: 4_096, .. }), "{error:?}");
}

#[tokio::test]
async fn one_giant_function_is_not_compiled() {
    let body = format!("{} unreachable", "(drop (i32.add (i32.const 1) (i32.const 2)))".repeat(100_000));
    let bytes = provider(&Parts { schema: Some(body), ..Parts::default() });
    let error = host().0.load_bytes("giant", &bytes).await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::FunctionBytes, allowed: 524_288, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_description_is_not_taken_on_trust() {
    // Two datacenter kinds, a name with a space, a version that is none: each by changing the bytes of the good one.
    let good = provider(&Parts::default());
    for (from, to, wanted) in
        [("1.2.3", "1.2.x", "not a semantic version"), ("LabDatacenter", "LabDatacentre", "LabDatacenter")]
    {
        let mut bytes = good.clone();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        let error = host().0.load_bytes("x", &bytes).await.unwrap_err();
        assert!(matches!(&error, PluginError::Nonsense { why, .. } if why.contains(wanted)), "{error:?}");
    }
}
