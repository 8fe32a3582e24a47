//! What a plugin that was just built says of itself, as the JSON of `kedge_spec::provider::Description`.
//!
//! Nothing is linked: a plugin that calls anything while it describes itself fails the build.
#![allow(unsafe_code, reason = "the code was made a moment ago by this build script")]

use serde_json::{Map, Value};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Engine, Store};

/// Runs `describe` of a component's native code.
pub(crate) fn describe(engine: &Engine, native: &[u8]) -> wasmtime::Result<String> {
    // SAFETY: `native` comes from `Engine::precompile_component` of the same configuration, in this build.
    let component = unsafe { Component::deserialize(engine, native)? };
    let mut linker = Linker::<()>::new(engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker.instantiate(&mut store, &component)?;
    let name = component
        .component_type()
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .find(|name| name.starts_with("kedge:provider/describe@"))
        .ok_or_else(|| wasmtime::Error::msg("it does not export `describe`"))?;
    let interface = instance.get_export_index(&mut store, None, &name);
    let function = interface
        .and_then(|i| instance.get_export_index(&mut store, Some(&i), "describe"))
        .and_then(|i| instance.get_func(&mut store, i))
        .ok_or_else(|| wasmtime::Error::msg("its `describe` is no function"))?;
    let mut results = [Val::Bool(false)];
    function.call(&mut store, &[], &mut results)?;
    let [answer] = results;
    Ok(json(answer)?.to_string())
}

fn json(value: Val) -> wasmtime::Result<Value> {
    Ok(match value {
        Val::Bool(value) => value.into(),
        Val::U16(value) => value.into(),
        Val::U32(value) => value.into(),
        Val::String(value) => value.into(),
        Val::List(items) | Val::Tuple(items) => items.into_iter().map(json).collect::<wasmtime::Result<_>>()?,
        Val::Option(value) => value.map(|v| json(*v)).transpose()?.unwrap_or_default(),
        Val::Variant(case, None) | Val::Enum(case) => case.into(),
        Val::Variant(case, Some(value)) => Map::from_iter([(case, json(*value)?)]).into(),
        Val::Record(fields) => {
            let mut map = Map::new();
            for (name, value) in fields {
                let value = if name == "extensions" { pairs(value)? } else { json(value)? };
                map.insert(camel(&name), value);
            }
            map.into()
        }
        other => return Err(wasmtime::Error::msg(format!("a description has no {other:?}"))),
    })
}

/// A list of pairs of texts as an object.
fn pairs(value: Val) -> wasmtime::Result<Value> {
    let Value::Array(items) = json(value)? else { return Ok(Value::Null) };
    let mut map = Map::new();
    for item in items {
        if let (Some(key), Some(value)) = (item.get(0).and_then(Value::as_str), item.get(1)) {
            map.insert(key.to_owned(), value.clone());
        }
    }
    Ok(map.into())
}

/// `server-field` as `serverField`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
