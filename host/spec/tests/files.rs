//! Files that are no specs, files that are almost, and files that look odd but are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::format_collect)]

mod common;

use common::{BASE, acme, defaulted, errors, release, said, with};
use kedge_spec::{Rejected, Source, Spec};

fn rejected(text: &str) -> Rejected {
    Spec::parse(Source::new("x.yaml", text)).expect_err(text)
}

#[test]
fn what_is_no_spec_is_refused_with_a_word() {
    for (text, code) in [
        ("", "empty-file"),
        ("# only a comment\n---\n", "empty-file"),
        ("hello world", "not-an-object"),
        ("- a\n- b\n", "not-an-object"),
        ("a: [1\n", "not-yaml"),
        ("a:\n\tb: 1\n", "tab-indentation"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "no-cluster"),
        ("apiVersion: v1\nkind: Clustr\nmetadata: {name: x}\n", "unknown-kind"),
        ("kind: Cluster\nmetadata: {name: x}\n", "missing-field"),
        ("apiVersion: v1\nmetadata: {name: x}\n", "missing-field"),
        ("apiVersion: v1\nkind: Cluster\n", "missing-field"),
        ("apiVersion: v1\nkind: Cluster\nmetadata: x\n", "missing-field"),
        ("apiVersion: v1\nkind: 5\nmetadata: {name: x}\n", "wrong-type"),
        ("apiVersion: v1\nkind: Cluster\nmetadata: {name: x}\nspec: 5\n", "wrong-type"),
        ("apiVersion: v1\nkind: Cluster\nmetadata: {name: x}\n", "missing-field"),
        ("\u{1}", "unprintable-character"),
    ] {
        let rejected = rejected(text);
        let codes: Vec<_> = rejected.diagnostics.iter().map(|d| d.finding.code.as_str()).collect();
        assert!(codes.contains(&code), "{text:?}: {codes:?}");
        assert!(rejected.diagnostics.iter().all(|d| !d.finding.remedy.is_empty()), "{text:?}");
    }
    assert!(Source::from_bytes("x", b"\xff\xfea\0").unwrap_err().contains("UTF-16"));
    assert!(Source::from_bytes("x", b"a\xc3").unwrap_err().contains("byte 1"));
    let large = "#".repeat(5 << 20);
    assert_eq!(rejected(&large).diagnostics[0].finding.code, "file-too-large");
}

#[test]
fn two_clusters_and_two_of_a_name_are_refused_where_the_second_stands() {
    let two = format!("{BASE}---\n{}", BASE.split("---").next().unwrap().replace("name: prod\n", "name: other\n"));
    let diagnostics = rejected(&two).diagnostics;
    let second = diagnostics.iter().find(|d| d.finding.code == "two-clusters").unwrap();
    assert!(second.line > 66, "{}", second.line);
    let twice = format!("{BASE}---\n{}", BASE.split("---\n").nth(1).unwrap());
    let diagnostics = rejected(&twice).diagnostics;
    let second = diagnostics.iter().find(|d| d.finding.code == "duplicate-document").unwrap();
    assert!(second.related.is_some());
}

#[test]
fn layout_does_not_matter() {
    let plain = defaulted(BASE, &acme()).unwrap();
    let windows = BASE.replace('\n', "\r\n");
    let spaced = BASE.replace("---\n", "--- # next\n\n# a comment\n");
    let marked = format!("\u{feff}---\n{BASE}\n...\n");
    let cased = BASE.replace("machineGroupRef", "MachineGroupREF").replace("cidrBlocks", "CIDRBlocks");
    let anchored = BASE.replacen(
        "      name: prod\n  - name: md-1",
        "      name: prod\n    labels: &l {}\n  - name: md-1\n    labels: *l",
        1,
    );
    let unquoted = BASE.replace("\"1.34\"", "1.34");
    for text in [&windows, &spaced, &marked, &cased, &unquoted] {
        let other = defaulted(text, &acme()).unwrap();
        assert_eq!(other.hash(), plain.hash(), "{text}");
        assert_eq!(other.to_yaml(), plain.to_yaml());
        assert_eq!(other.cluster(), plain.cluster());
    }
    assert_eq!(defaulted(&anchored, &acme()).unwrap().cluster().spec, plain.cluster().spec);
    let json: String = kedge_spec::yaml_documents(&Source::new("b", BASE))
        .unwrap()
        .iter()
        .map(|d| format!("---\n{}\n", serde_json::to_string_pretty(d).unwrap().replace("  ", "\t")))
        .collect();
    assert_eq!(defaulted(&json, &acme()).unwrap().hash(), plain.hash());
    let moved = BASE.split("---\n").collect::<Vec<_>>();
    let moved = format!("{}\n---\n{}", moved[1..].join("---\n"), moved[0]);
    let moved = defaulted(&moved, &acme()).unwrap();
    assert_eq!(moved.hash(), plain.hash());
    assert_eq!(moved.provider_documents()[0].kind, "Cluster");
    assert_ne!(defaulted(&with("    count: 2", "    count: 3"), &acme()).unwrap().hash(), plain.hash());
}

#[test]
fn a_version_keeps_its_zero() {
    let found = said(&with("\"1.34\"", "1.30 # the oldest"), &acme());
    assert!(found.iter().any(|d| d.finding.message.contains("Kubernetes 1.30")), "{found:?}");
}

#[test]
fn places_are_right_in_any_encoding_of_lines() {
    for text in [BASE.to_owned(), BASE.replace('\n', "\r\n"), format!("\u{feff}# ä ö\n{BASE}")] {
        let text = text.replace("name: md-1", "name: MÜ");
        let found = said(&text, &acme());
        let hit = found.iter().find(|d| d.finding.code == "worker-name-malformed").unwrap();
        let span = hit.span.unwrap();
        assert_eq!(&text[span.start..span.end], "MÜ");
        assert_eq!((hit.column, hit.end_column), (11, 13));
        assert_eq!(hit.line, text[..span.start].matches('\n').count() + 1);
    }
}

#[test]
fn the_specs_of_the_repository_are_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/specs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let spec = Spec::parse(Source::new(path.display().to_string(), text.as_str())).unwrap();
        // A provider made from the spec itself: the kinds are whatever the Cluster refers to.
        let mut provider = acme();
        let datacenter = spec.datacenter_kind().to_owned();
        let machine = spec.documents().iter().find(|d| d.kind.ends_with("MachineConfig")).map(|d| d.kind.clone());
        provider.machine_documents = machine.is_some();
        provider.user_endpoint = machine.is_some();
        provider.kinds = vec![common::claim(kedge_spec::provider::KindRole::Datacenter, &datacenter)];
        provider.kinds.extend(machine.map(|m| common::claim(kedge_spec::provider::KindRole::Machine, &m)));
        let spec = defaulted(&text, &provider).unwrap();
        let mut findings = spec.check(&provider, &release());
        findings.retain(|f| f.code != "kubernetes-version-unknown");
        findings.extend(spec.not_at_create());
        assert!(errors(&findings).is_empty(), "{}: {:#?}", path.display(), errors(&findings));
        let again = defaulted(&spec.to_yaml(), &provider).unwrap();
        assert_eq!(again.hash(), spec.hash());
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn providers_give_back_what_they_got() {
    let spec = Spec::parse(Source::new("x", BASE)).unwrap().with_host_defaults(&acme(), None);
    let mut documents = spec.provider_documents();
    documents[1].body["spec"]["region"] = "south".into();
    let done = spec.clone().complete(documents.clone(), Vec::new()).unwrap();
    assert!(done.to_yaml().contains("region: south"));
    documents.pop();
    let error = spec.clone().complete(documents.clone(), Vec::new()).unwrap_err();
    assert!(error.to_string().contains("did not give back AcmeMachineConfig prod-etcd"), "{error}");
    documents[0].body["spec"]["controlPlaneConfiguration"]["count"] = "many".into();
    assert!(spec.complete(documents, Vec::new()).is_err());
}

#[test]
fn a_providers_schema_finds_typos_in_its_documents() {
    let schema = serde_json::json!({
        "type": "object", "required": ["spec"],
        "properties": {
            "apiVersion": {}, "kind": {}, "metadata": {},
            "spec": { "type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 8},
                "mode": {"type": "string", "enum": ["fast", "slow"]},
                "zone": {"type": "string", "pattern": "^z[0-9]$"},
                "disks": {"type": "array", "items": {"$ref": "#/$defs/disk"}, "maxItems": 1}
            }}
        },
        "$defs": {"disk": {"type": "object", "properties": {"gib": {"type": "integer"}}, "additionalProperties": false}}
    });
    let schemas = [("AcmeMachineConfig".to_owned(), schema)].into();
    for (size, code, pointed) in [
        ("sise: 4", "unknown-field", "sise"),
        ("weight: 4", "missing-field", "spec"),
        ("size: '4'", "wrong-type", "'4'"),
        ("size: 9", "value-out-of-range", "9"),
        ("size: 4\n  mode: fats", "value-not-allowed", "fats"),
        ("size: 4\n  zone: a1", "value-malformed", "a1"),
        ("size: 4\n  disks: [{gib: 1, x: 2}]", "unknown-field", "x"),
        ("size: 4\n  disks: [{}, {}]", "wrong-length", "disks"),
    ] {
        let text = with("size: 4", size);
        let spec = Spec::parse(Source::new("x", text.as_str())).unwrap().with_host_defaults(&acme(), None);
        let spec = spec.normalised(&schemas);
        let found = spec.diagnose(&spec.findings());
        let hit = found.iter().find(|d| d.finding.code == code);
        let hit = hit.unwrap_or_else(|| panic!("{size}: {found:#?}"));
        assert!(text[hit.span.unwrap().start..].starts_with(pointed), "{size}: line {}", hit.line);
    }
    let text = with("size: 4", "SIZE: 4\n  mode:");
    let spec = Spec::parse(Source::new("x", text.as_str())).unwrap().with_host_defaults(&acme(), None);
    let spec = spec.normalised(&schemas);
    assert!(spec.findings().is_empty());
    let body = &spec.documents()[3].body;
    assert_eq!(body["spec"], serde_json::json!({"size": 4}));
}

#[test]
fn diagnostics_render_with_source_code_and_help() {
    let found = said(&with("md-1", "md-0"), &acme());
    let mut out = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
        .render_report(&mut out, &found[0])
        .unwrap();
    for part in ["worker-name-twice", "cluster.yaml", "two worker node groups", "give each its own name", "md-0"] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn a_line_that_is_too_long_to_show_is_named() {
    let rejected = rejected(&format!("a: 1\nb: [{}", "[".repeat(100_000)));
    let mut out = String::new();
    miette::GraphicalReportHandler::new().render_report(&mut out, &rejected.diagnostics[0]).unwrap();
    assert!(out.len() < 1_000 && out.contains("x.yaml:2:"), "{out}");
}

#[test]
fn an_oidc_provider_is_checked_and_typed() {
    let text = |spec: &str| {
        let cluster =
            with("  datacenterRef:", "  identityProviderRefs: [{kind: OIDCConfig, name: sso}]\n  datacenterRef:");
        format!(
            "{cluster}---\napiVersion: {}\nkind: OIDCConfig\nmetadata: {{name: sso}}\nspec: {spec}\n",
            common::GROUP
        )
    };
    let good = text("{clientID: kedge, issuerUrl: 'https://sso.example.com', requiredClaims: [{claim: a, value: b}]}");
    assert!(said(&good, &acme()).is_empty(), "{:#?}", said(&good, &acme()));
    let oidc = defaulted(&good, &acme()).unwrap().oidc().unwrap();
    assert_eq!((oidc.client_id.as_str(), oidc.required_claims[0].claim.as_str()), ("kedge", "a"));
    for (spec, code) in [
        ("{issuerUrl: 'https://x'}", "missing-field"),
        ("{clientId: k, issuerUrl: 'http://x'}", "value-malformed"),
        ("{clientId: k, issuerUrl: 'https://x', requiredClaims: [{}, {}]}", "wrong-length"),
        ("{clientId: k, issuerUrl: 'https://x', issuer: y}", "unknown-field"),
    ] {
        let found = said(&text(spec), &acme());
        assert!(found.iter().any(|d| d.finding.code == code), "{spec}: {found:#?}");
    }
}

#[test]
fn other_kinds_of_the_host_are_typed_and_completed() {
    let with_document = |reference: &str, kind: &str, spec: &str| {
        let cluster = with("  datacenterRef:", &format!("  {reference}\n  datacenterRef:"));
        format!("{cluster}---\napiVersion: {}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n", common::GROUP)
    };
    let errors_of = |text: &str| {
        let found = said(text, &acme()).into_iter().map(|d| d.finding).collect::<Vec<_>>();
        errors(&found)
    };
    let iam = with_document(
        "identityProviderRefs: [{kind: AWSIamConfig, name: x}]",
        "AWSIamConfig",
        "{awsRegion: us-west-2, backendMode: [EKSConfigMap], mapRoles: [{roleARN: 'arn:aws:iam::1:role/a', username: a, groups: [g]}]}",
    );
    assert_eq!(errors_of(&iam), Vec::<String>::new());
    let typed = defaulted(&iam, &acme()).unwrap().aws_iam().unwrap();
    assert_eq!((typed.partition.as_str(), typed.map_roles[0].role_arn.as_str()), ("aws", "arn:aws:iam::1:role/a"));

    let flux = with_document(
        "gitOpsRef: {kind: FluxConfig, name: x}",
        "FluxConfig",
        "{git: {repositoryUrl: 'ssh://git@example.com/r.git'}}",
    );
    assert_eq!(errors_of(&flux), Vec::<String>::new());
    let typed = defaulted(&flux, &acme()).unwrap().flux().unwrap();
    assert_eq!(
        (typed.system_namespace.as_str(), typed.branch.as_str(), typed.cluster_config_path.as_str()),
        ("flux-system", "main", "clusters/prod")
    );
    assert_eq!(typed.git.unwrap().ssh_key_algorithm, "ecdsa");

    let old = with_document(
        "gitOpsRef: {kind: GitOpsConfig, name: x}",
        "GitOpsConfig",
        "{flux: {github: {owner: o, repository: r, personal: true, branch: b1}}}",
    );
    assert_eq!(errors_of(&old), Vec::<String>::new());
    let typed = defaulted(&old, &acme()).unwrap().flux().unwrap();
    let github = typed.github.unwrap();
    assert_eq!((github.owner.as_str(), github.personal, typed.branch.as_str()), ("o", true, "b1"));
    // What nothing refers to is left as it is, and is not looked at.
    let unused = old.replace("  gitOpsRef: {kind: GitOpsConfig, name: x}\n", "").replace("owner: o", "owner: ''");
    let found = said(&unused, &acme());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].finding.code, "document-unused");
}

#[test]
fn a_key_twice_outside_of_the_cluster_counts_as_its_last_and_is_said_at_its_place() {
    let text = with("size: 4", "size: 4\n  size: 6");
    let found = said(&text, &acme());
    let hit = found.iter().find(|d| d.finding.code == "duplicate-key").unwrap();
    assert!(!hit.is_error());
    assert!(text[hit.span.unwrap().start..].starts_with("size: 6"), "line {}", hit.line);
    let spec = defaulted(&text, &acme()).unwrap();
    assert!(spec.documents().iter().any(|d| d.body["spec"]["size"] == 6));
}
