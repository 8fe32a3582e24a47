//! Any bytes: a spec is read or refused, with places that lie in the text, and what is written reads back the same.
#![no_main]

use kedge_spec::{Source, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = Source::from_bytes("fuzz.yaml", data) else { return };
    let text = source.text.clone();
    let diagnostics = match Spec::parse(source) {
        Ok(spec) => {
            assert!(!spec.cluster_name().is_empty());
            spec.diagnose(spec.warnings())
        }
        Err(rejected) => {
            assert!(rejected.diagnostics.iter().any(kedge_spec::Diagnostic::is_error), "refused without an error");
            rejected.diagnostics
        }
    };
    for diagnostic in diagnostics {
        assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
        assert!(!diagnostic.finding.message.is_empty() && !diagnostic.finding.remedy.is_empty());
        if let Some(span) = diagnostic.span {
            assert!(span.end <= text.len() && text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
        }
    }
    if let Ok(documents) = kedge_spec::yaml_documents(&Source::new("fuzz.yaml", text)) {
        for document in documents {
            let written = kedge_spec::yaml_document(&document);
            let again = kedge_spec::yaml_documents(&Source::new("again.yaml", written.as_str())).expect("what is written can be read");
            assert_eq!(again.len(), 1, "{written}");
        }
    }
});
