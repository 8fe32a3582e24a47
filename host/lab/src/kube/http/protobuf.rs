//! Bodies in protocol buffers: the typed clients of Kubernetes' own libraries send built-in objects in them, whatever the
//! server says it likes. Answers are JSON, which all of these clients take.
//!
//! Source: `k8s.io/apimachinery/pkg/runtime/serializer/protobuf` for the envelope, the `generated.proto` files of
//! `k8s.io/api` for the fields.

use base64::Engine;
use serde_json::{Map, Value, json};

use crate::kube::builtin::{self, Field};
use crate::kube::error::ApiError;

const MAGIC: &[u8] = b"k8s\0";
/// Types in types beyond this are no Kubernetes object.
const DEPTH: usize = 40;

fn malformed() -> ApiError {
    ApiError::bad_request("the object provided is not well-formed protobuf")
}

/// One field on the wire.
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, ApiError> {
        let (first, rest) = self.rest.split_first().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, ApiError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ApiError> {
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, ApiError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?.try_into().map_err(|_| malformed())?;
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Varint(0)
            }
            _ => return Err(malformed()),
        };
        Ok(Some((tag >> 3, wire)))
    }
}

fn parts(bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, ApiError> {
    let mut reader = Reader { rest: bytes };
    let mut parts = Vec::new();
    while let Some(part) = reader.next()? {
        parts.push(part);
    }
    Ok(parts)
}

fn text(bytes: &[u8]) -> Result<String, ApiError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| malformed())
}

/// Reads an object of a built-in kind.
pub(super) fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or_else(malformed)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for (number, wire) in parts(envelope)? {
        match (number, wire) {
            (1, Wire::Bytes(type_meta)) => {
                for (number, wire) in parts(type_meta)? {
                    match (number, wire) {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let type_name = builtin::type_of(&api_version, &kind).ok_or_else(|| {
        ApiError::bad_request(format!("no kind {kind:?} is registered for version {api_version:?} in protobuf"))
    })?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), json!(api_version));
    object.insert("kind".to_owned(), json!(kind));
    message(raw, &type_name, &mut object, 0)?;
    Ok(Value::Object(object))
}

fn message(bytes: &[u8], type_name: &str, into: &mut Map<String, Value>, depth: usize) -> Result<(), ApiError> {
    if depth > DEPTH {
        return Err(malformed());
    }
    let fields: Vec<Field> = builtin::wire_fields(type_name).collect();
    for (number, wire) in parts(bytes)? {
        // Fields of a newer version than the table's are not known.
        let Some(field) = fields.iter().find(|field| field.number == Some(number)) else {
            continue;
        };
        if field.name == "-" {
            if let Wire::Bytes(bytes) = wire {
                message(bytes, field.declared, into, depth + 1)?;
            }
            continue;
        }
        let declared = field.declared;
        if let Some(items) = declared.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            let list = into.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            if let (Value::Array(list), Some(item)) = (list, one(wire, items, true, depth)?) {
                list.push(item);
            }
        } else if let Some(values) = declared.strip_prefix("map(").and_then(|t| t.strip_suffix(')')) {
            let Wire::Bytes(bytes) = wire else {
                return Err(malformed());
            };
            let (key, value) = entry(bytes, values, depth)?;
            let map = into.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
        } else if let Some(value) = one(wire, declared, field.pointer, depth)? {
            into.insert(field.name.to_owned(), value);
        }
    }
    Ok(())
}

fn entry(bytes: &[u8], values: &str, depth: usize) -> Result<(String, Value), ApiError> {
    let (mut key, mut value) = (String::new(), None);
    for (number, wire) in parts(bytes)? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, wire) => {
                value = match (values.strip_prefix('[').and_then(|t| t.strip_suffix(']')), wire) {
                    // A list in a map is a message with the items as its first field.
                    (Some(items), Wire::Bytes(bytes)) => {
                        let mut list = Vec::new();
                        for (_, wire) in parts(bytes)? {
                            list.extend(one(wire, items, true, depth)?);
                        }
                        Some(Value::Array(list))
                    }
                    (_, wire) => one(wire, values, true, depth)?,
                };
            }
            _ => {}
        }
    }
    let value = value.unwrap_or_else(|| match values {
        "string" | "quantity" | "bytes" => json!(""),
        _ => json!({}),
    });
    Ok((key, value))
}

/// One value; `None`: a zero that stands for nothing, which is all unless `zero_counts`.
fn one(wire: Wire<'_>, declared: &str, zero_counts: bool, depth: usize) -> Result<Option<Value>, ApiError> {
    let value = match (declared, wire) {
        ("string", Wire::Bytes(bytes)) => (zero_counts || !bytes.is_empty()).then_some(json!(text(bytes)?)),
        ("bytes", Wire::Bytes(bytes)) => Some(json!(base64::engine::general_purpose::STANDARD.encode(bytes))),
        ("int" | "int32", Wire::Varint(number)) => (zero_counts || number != 0).then_some(json!(number.cast_signed())),
        ("bool", Wire::Varint(number)) => (zero_counts || number != 0).then_some(json!(number != 0)),
        ("number", Wire::Fixed64(bits)) => Some(json!(f64::from_bits(bits))),
        ("time", Wire::Bytes(bytes)) => time(bytes)?,
        ("quantity", Wire::Bytes(bytes)) => {
            let mut value = None;
            for (number, wire) in parts(bytes)? {
                if let (1, Wire::Bytes(bytes)) = (number, wire) {
                    value = Some(json!(text(bytes)?));
                }
            }
            value
        }
        ("int-or-string", Wire::Bytes(bytes)) => Some(int_or_string(bytes)?),
        ("any", Wire::Bytes(bytes)) => {
            let mut value = None;
            for (number, wire) in parts(bytes)? {
                if let (1, Wire::Bytes(raw)) = (number, wire) {
                    value = serde_json::from_slice(raw).ok();
                }
            }
            value
        }
        (name, Wire::Bytes(bytes)) => {
            let mut map = Map::new();
            message(bytes, name, &mut map, depth + 1)?;
            Some(Value::Object(map))
        }
        _ => return Err(malformed()),
    };
    Ok(value)
}

fn time(bytes: &[u8]) -> Result<Option<Value>, ApiError> {
    let (mut seconds, mut nanos) = (None, 0);
    for (number, wire) in parts(bytes)? {
        match (number, wire) {
            (1, Wire::Varint(value)) => seconds = Some(value.cast_signed()),
            (2, Wire::Varint(value)) => nanos = i32::try_from(value.cast_signed()).unwrap_or(0),
            _ => {}
        }
    }
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let time = jiff::Timestamp::new(seconds, nanos).map_err(|_| malformed())?;
    Ok(Some(json!(time.to_string())))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ApiError> {
    let (mut is_text, mut number_value, mut text_value) = (false, 0_i64, String::new());
    for (number, wire) in parts(bytes)? {
        match (number, wire) {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number_value = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text_value = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { json!(text_value) } else { json!(number_value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend(bytes);
        out
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let mut meta = field(1, api_version.as_bytes());
        meta.extend(field(2, kind.as_bytes()));
        let mut out = MAGIC.to_vec();
        out.extend(field(1, &meta));
        out.extend(field(2, raw));
        out
    }

    #[test]
    fn a_secret_is_read() {
        let mut data = field(1, b"key");
        data.extend(field(2, b"value"));
        let mut metadata = field(1, b"name");
        metadata.extend(field(2, b""));
        let mut raw = field(1, &metadata);
        raw.extend(field(2, &data));
        raw.extend([5 << 3, 0]);
        raw.extend(field(3, b"Opaque"));
        assert_eq!(
            read(&envelope("v1", "Secret", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "name"},
                "data": {"key": "dmFsdWU="}, "immutable": false, "type": "Opaque"})
        );
    }

    #[test]
    fn embedded_types_and_unions_are_taken_apart() {
        // A pod with one volume: name 1, volumeSource 2 { secret 6 { secretName 1 } }.
        let source = field(6, &field(1, b"s"));
        let mut volume = field(1, b"v");
        volume.extend(field(2, &source));
        let raw = field(2, &field(1, &volume));
        let pod = read(&envelope("v1", "Pod", &raw)).unwrap();
        assert_eq!(pod["spec"]["volumes"], json!([{"name": "v", "secret": {"secretName": "s"}}]));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let whole = envelope("v1", "Secret", &field(3, b"Opaque"));
        for length in 0..whole.len() {
            let cut = &whole[..length];
            if let Ok(value) = read(cut) {
                // Cut between two fields: still well-formed.
                assert_eq!(value["kind"], "Secret");
            }
        }
        assert!(read(b"{}").is_err());
    }
}
