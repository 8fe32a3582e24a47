use std::fmt::Write as _;

use super::*;
use crate::source::Source;
use serde_json::json;

fn values(text: &str) -> Vec<serde_json::Value> {
    let (nodes, flaws) = read(&Source::new("t.yaml", text), SPEC);
    assert!(flaws.is_empty(), "{text:?}: {flaws:?}");
    nodes.iter().map(Node::to_value).collect()
}

fn codes(text: &str) -> Vec<(String, (usize, usize))> {
    let source = Source::new("t.yaml", text);
    let (_, flaws) = read(&source, SPEC);
    flaws.iter().map(|f| (f.finding.code.clone(), f.span.map_or((0, 0), |s| source.position(s.start)))).collect()
}

#[test]
fn documents_are_found_whatever_the_separator_looks_like() {
    let expected = vec![json!({"a": 1}), json!({"b": 2})];
    for text in [
        "a: 1\n---\nb: 2\n",
        "---\na: 1\n---\nb: 2\n---\n",
        "a: 1\n--- # comment\nb: 2",
        "a: 1\n---   \nb: 2",
        "a: 1\n...\n---\nb: 2\n...\n",
        "# c\n---\na: 1\n\n---\n---\n# nothing\n---\nb: 2\n",
        "%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n",
        "\u{feff}a: 1\r\n---\r\nb: 2\r\n",
        "--- {a: 1}\n--- {b: 2}\n",
        "{\"a\": 1}\n---\n{\n\t\"b\":\t2\n}\n",
    ] {
        assert_eq!(values(text), expected, "{text:?}");
    }
}

#[test]
fn anchors_and_merges_are_written_out() {
    assert_eq!(
        values("base: &b {x: 1, y: [1, 2]}\nuse: *b\nmerged:\n  <<: *b\n  x: 2\nboth:\n  <<: [*b, {z: 3}]\n"),
        vec![json!({
            "base": {"x": 1, "y": [1, 2]}, "use": {"x": 1, "y": [1, 2]},
            "merged": {"x": 2, "y": [1, 2]}, "both": {"x": 1, "y": [1, 2], "z": 3}
        })]
    );
}

#[test]
fn the_text_of_blocks_is_kept() {
    assert_eq!(
        values("a: |\n  one\n   two\n\nb: >-\n  folded\n  text\nc: \"x\\ty\"\nd: 'it''s'\n"),
        vec![json!({"a": "one\n two\n", "b": "folded text", "c": "x\ty", "d": "it's"})]
    );
}

#[test]
fn a_kubernetes_version_keeps_its_zero() {
    assert_eq!(
        values("kubernetesVersion: 1.30\nKubernetesVersion2: 1.30\n"),
        vec![json!({"kubernetesVersion": "1.30", "KubernetesVersion2": 1.3})]
    );
}

#[test]
fn flaws_have_a_code_and_a_place() {
    for (text, code, place) in [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", (3, 1)),
        ("a:\n\tb: 1\n", "tab-indentation", (2, 1)),
        ("a: [1, 2\nb: 3\n", "not-yaml", (2, 2)),
        ("a: 'x\n", "not-yaml", (1, 4)),
        ("? [a]\n: 1\n", "key-not-text", (1, 3)),
        ("a: &x [*x]\n", "alias-unknown", (1, 8)),
        ("a: *nope\n", "not-yaml", (1, 4)),
        ("a: !custom 1\n", "unknown-tag", (1, 4)),
        ("a: .nan\n", "value-not-json", (1, 4)),
        ("a: \u{0}b\n", "unprintable-character", (1, 4)),
        ("<<: 1\n", "merge-not-mapping", (1, 5)),
        ("ä: 1\r\nä: 2\r\n", "duplicate-key", (2, 1)),
    ] {
        let found = codes(text);
        assert_eq!(found.first().map(|(c, _)| c.as_str()), Some(code), "{text:?}: {found:?}");
        assert_eq!(found.first().map(|(_, p)| *p), Some(place), "{text:?}: {found:?}");
    }
}

#[test]
fn one_broken_document_does_not_hide_the_others() {
    let found = codes("a: [\n---\nb: 1\nb: 2\n---\n\tc: 1\n");
    let found: Vec<_> = found.iter().map(|(code, (line, _))| (code.as_str(), *line)).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.get(1), Some(&("duplicate-key", 4)));
    assert_eq!(found.get(2), Some(&("tab-indentation", 6)));
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", below.trim_end_matches(", "));
    }
    assert_eq!(codes(&bomb).first().map(|(c, _)| c.as_str()), Some("alias-budget"));
    assert_eq!(codes(&"[".repeat(5000)).first().map(|(c, _)| c.as_str()), Some("nested-too-deep"));
    // A long text is as good a bomb as many short ones, by its aliases or by the copies that nested anchors take.
    let long = "x".repeat(1 << 20);
    assert_eq!(codes(&format!("a: &a {long}\nb: [*a, *a]\n")).first().map(|(c, _)| c.as_str()), Some("alias-budget"));
    let nested = (0..50).fold(String::new(), |nested, n| format!("{nested}&n{n} ["));
    assert_eq!(
        codes(&format!("{nested}{long}{}", "]".repeat(50))).first().map(|(c, _)| c.as_str()),
        Some("alias-budget")
    );
    let many = "x\n---\n".repeat(20_000);
    let found = codes(&many);
    assert_eq!((found.len(), found.first().map(|(c, _)| c.as_str())), (1, Some("file-too-large")));
    let wrong = "a: 1\na: 2\n---\n".repeat(5_000);
    assert!(codes(&wrong).len() <= SPEC.flaws + 1);
    assert_eq!(codes(&"- a\n".repeat(500_000)).first().map(|(c, _)| c.as_str()), Some("file-too-large"));
    let mut block = String::new();
    for depth in 0..100 {
        let _ = writeln!(block, "{}a:", "  ".repeat(depth));
    }
    assert_eq!(codes(&block).first().map(|(c, _)| c.as_str()), Some("nested-too-deep"));
}

#[test]
fn what_is_written_reads_back_the_same() {
    for value in [
        json!({"a": "yes", "b": "1.30", "c": "", "d": " x ", "e": "a: b", "f": "#x", "g": "x #y", "h": "-", "i": "- a"}),
        json!({"pem": "-----BEGIN-----\nabc=\n-----END-----\n", "no": "a\nb", "odd": "a\n\n", "lead": "\na", "tab": "a\n\tb", "sp": "a \nb"}),
        json!([[1, [2, {"a": [] , "b": {}}]], {"x": [{"y": 1, "z": [1]}]}, null, true, 1.0, -5, 1e300]),
        json!({"k: v": 1, "1": 2, "true": 3, "": 4, "ü": "ü\u{2028}\u{1F600}\u{7f}", "~": null, "<<": "x"}),
        json!({"*": "*", "&": "&", "!": "!", "%": "%", "@": "@", "`": "`", "{": "}", "?": "? a", "...": "..."}),
    ] {
        let text = emit::document(&value);
        let (nodes, flaws) = read(&Source::new("t", text.as_str()), SPEC);
        let again = nodes.first().map(Node::to_value);
        assert!(flaws.is_empty(), "{text}: {flaws:?}");
        assert_eq!(again, Some(value), "{text}");
    }
}
