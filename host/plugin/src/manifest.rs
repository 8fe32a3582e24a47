//! The section of a component's file that says what `describe` will say, so that it can be read without running anything.
//!
//! It is decoration until the component was asked itself: a plugin whose section and answer differ is not loaded.

use kedge_spec::provider::Description;
use wasmparser::{Chunk, Parser, Payload};

use crate::error::PluginError;
use crate::log_line;

/// The section's name. Its content is a [`Description`] as JSON.
pub(crate) const SECTION: &str = "kedge:description";
/// A longer one is not read.
const LONGEST: usize = 256 << 10;

/// The text of the section, if the file has one at its outermost level. What is inside is stepped over.
pub(crate) fn section(wasm: &[u8]) -> Option<String> {
    let mut parser = Parser::new(0);
    let mut at = 0_usize;
    loop {
        let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(wasm.get(at..)?, true) else { return None };
        at = at.checked_add(consumed)?;
        match payload {
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                at = usize::try_from(unchecked_range.end).ok()?;
            }
            Payload::CustomSection(section) if section.name() == SECTION && section.data().len() <= LONGEST => {
                return String::from_utf8(section.data().to_vec()).ok();
            }
            Payload::End(_) => return None,
            _ => {}
        }
    }
}

/// The description in a file's section.
///
/// # Errors
/// A section that is not a description.
pub(crate) fn read(plugin: &str, text: &str) -> Result<Description, PluginError> {
    let bad = |why: String| PluginError::ContractViolation {
        plugin: plugin.to_owned(),
        why: format!("its section `{SECTION}` can't be read: {why}"),
    };
    let description = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    printable(&description).map_err(bad)?;
    Ok(description)
}

/// What a plugin says of itself is shown to the person who decides about it: nothing in it may steer a terminal.
///
/// # Errors
/// Which text does.
pub(crate) fn printable(description: &Description) -> Result<(), String> {
    fn walk(value: &serde_json::Value) -> Result<(), String> {
        let text = |text: &str| {
            let clean = log_line::clean(text);
            if clean == text { Ok(()) } else { Err(format!("the text `{clean}` has characters that steer a terminal")) }
        };
        match value {
            serde_json::Value::String(s) => text(s),
            serde_json::Value::Array(items) => items.iter().try_for_each(walk),
            serde_json::Value::Object(fields) => fields.iter().try_for_each(|(key, value)| text(key).and(walk(value))),
            _ => Ok(()),
        }
    }
    walk(&serde_json::to_value(description).map_err(|e| e.to_string())?)
}

/// The same component with this section at its end.
///
/// # Errors
/// A component that has the section already, or a description that can't be written.
pub(crate) fn attach(plugin: &str, wasm: &[u8], description: &Description) -> Result<Vec<u8>, PluginError> {
    let failed = |why: String| PluginError::ContractViolation { plugin: plugin.to_owned(), why };
    if section(wasm).is_some() {
        return Err(failed(format!("it has a section `{SECTION}` already")));
    }
    let text = serde_json::to_string(description).map_err(|e| failed(e.to_string()))?;
    let mut out = wasm.to_vec();
    append(&mut out, SECTION, text.as_bytes());
    Ok(out)
}

include!("manifest_section.rs");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::sample::description;

    #[test]
    fn a_section_is_found_again_behind_everything_else() {
        let component = wat::parse_str(r#"(component (core module (func)) (@custom "other" "x"))"#).unwrap();
        assert_eq!(section(&component), None);
        let with = attach("x", &component, &description()).unwrap();
        assert_eq!(read("x", &section(&with).unwrap()).unwrap(), description());
        assert!(attach("x", &with, &description()).is_err(), "not twice");
        // One inside a module is not the component's.
        let inside = wat::parse_str(format!(r#"(component (core module (@custom "{SECTION}" "{{}}")))"#)).unwrap();
        assert_eq!(section(&inside), None);
        assert_eq!(section(&with[..with.len() - 3]), None, "cut off");
        let mut steering = description();
        steering.endpoints[0].purpose = "harmless\u{202e}".into();
        let text = serde_json::to_string(&steering).unwrap();
        assert!(read("x", &text).unwrap_err().to_string().contains("\\u{202e}"));
        assert!(read("x", "{}").unwrap_err().to_string().contains(SECTION));
    }
}
