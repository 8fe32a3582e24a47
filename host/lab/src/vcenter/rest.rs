//! The REST API: sessions, tags and content libraries, under `/api` and, as older releases have it, under `/rest`.
//!
//! Both hold the same; `/rest` wraps each value in `{"value": …}` and writes an action as `~action`. Source: the vSphere Automation API
//! reference, release 8.0.

use base64::Engine as _;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::data::Ref;
use super::session::RestSession;
use super::state::State;
use super::tags::{Category, Library, Tag};

/// A request to the REST API.
#[derive(Debug)]
pub(crate) struct RestRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Its answer.
#[derive(Debug)]
pub(crate) struct RestAnswer {
    pub(crate) status: StatusCode,
    pub(crate) body: Option<Value>,
    /// A new session to hand to the client as a cookie.
    pub(crate) login: Option<String>,
}

/// Which of the two forms a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Rest,
    Api,
}

#[derive(Debug, Clone, Copy)]
enum Refusal {
    Unauthenticated,
    NotFound,
    BadRequest,
}

pub(crate) fn answer(state: &State, request: &RestRequest<'_>) -> RestAnswer {
    let (form, path) = match (request.path.strip_prefix("/rest/com/vmware/"), request.path.strip_prefix("/api/")) {
        (Some(path), _) => (Form::Rest, path),
        (_, Some(path)) => (Form::Api, path),
        _ => return refused(Form::Rest, Refusal::NotFound),
    };
    let path = path.trim_end_matches('/');
    let is_session = path == if form == Form::Rest { "cis/session" } else { "session" };
    if is_session && *request.method == Method::POST && action(request.query).is_empty() {
        return login(state, form, request.headers);
    }
    let Some(key) = session_of(state, request.headers) else {
        return refused(form, Refusal::Unauthenticated);
    };
    if is_session {
        return session(state, form, &key, request);
    }
    match read(state, path, request) {
        Ok(value) => value_answer(form, StatusCode::OK, value),
        Err(refusal) => refused(form, refusal),
    }
}

fn value_answer(form: Form, status: StatusCode, value: Value) -> RestAnswer {
    let body = match form {
        Form::Rest => json!({ "value": value }),
        Form::Api => value,
    };
    RestAnswer { status, body: Some(body), login: None }
}

fn refused(form: Form, refusal: Refusal) -> RestAnswer {
    let (status, name, upper, text) = match refusal {
        Refusal::Unauthenticated => {
            (StatusCode::UNAUTHORIZED, "unauthenticated", "UNAUTHENTICATED", "This method requires authentication.")
        }
        Refusal::NotFound => (StatusCode::NOT_FOUND, "not_found", "NOT_FOUND", "Not found."),
        Refusal::BadRequest => {
            (StatusCode::BAD_REQUEST, "invalid_argument", "INVALID_ARGUMENT", "The request body can not be read.")
        }
    };
    let messages = json!([{"args": [], "default_message": text, "id": format!("com.vmware.vapi.endpoint.{name}")}]);
    let body = match form {
        Form::Rest => json!({"type": format!("com.vmware.vapi.std.errors.{name}"), "value": {"messages": messages}}),
        Form::Api => json!({"error_type": upper, "messages": messages}),
    };
    RestAnswer { status, body: Some(body), login: None }
}

fn action(query: &str) -> String {
    parameter(query, "~action").or_else(|| parameter(query, "action")).unwrap_or_default()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn login(state: &State, form: Form, headers: &HeaderMap) -> RestAnswer {
    let basic = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "));
    let decoded = basic.and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok());
    let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let right = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .filter(|(user, password)| state.login_is_right(user, password));
    let Some((user, _)) = right else {
        state.with_sessions(|sessions| sessions.refused += 1);
        return refused(form, Refusal::Unauthenticated);
    };
    let (key, now) = (uuid::Uuid::new_v4().simple().to_string(), state.clock.now());
    let session = RestSession { user: user.to_owned(), created: now, accessed: now };
    state.with_sessions(|sessions| {
        sessions.rest.insert(key.clone(), session);
        sessions.logins += 1;
    });
    let status = if form == Form::Rest { StatusCode::OK } else { StatusCode::CREATED };
    RestAnswer { login: Some(key.clone()), ..value_answer(form, status, Value::String(key)) }
}

/// The session that a request belongs to, from the header or the cookie.
fn session_of(state: &State, headers: &HeaderMap) -> Option<String> {
    const NAME: &str = "vmware-api-session-id";
    let header = headers.get(NAME).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let key = header.or_else(|| super::server::cookie(headers, NAME))?;
    let now = state.clock.now();
    state.with_sessions(|sessions| {
        sessions.rest.get_mut(&key).map(|session| {
            session.accessed = now;
            key.clone()
        })
    })
}

fn session(state: &State, form: Form, key: &str, request: &RestRequest<'_>) -> RestAnswer {
    if *request.method == Method::DELETE {
        state.with_sessions(|sessions| sessions.rest.remove(key));
        return RestAnswer {
            status: if form == Form::Rest { StatusCode::OK } else { StatusCode::NO_CONTENT },
            body: None,
            login: None,
        };
    }
    let asks = *request.method == Method::GET || action(request.query) == "get";
    let found = state.with_sessions(|sessions| sessions.rest.get(key).cloned()).filter(|_| asks);
    found.map_or_else(
        || refused(form, Refusal::NotFound),
        |session| {
            let value = json!({
                "user": session.user, "created_time": session.created.to_string(), "last_accessed_time": session.accessed.to_string(),
            });
            value_answer(form, StatusCode::OK, value)
        },
    )
}

fn read(state: &State, path: &str, request: &RestRequest<'_>) -> Result<Value, Refusal> {
    let tags = &state.contents.tags;
    let action = action(request.query);
    let body = || serde_json::from_slice::<Value>(request.body).map_err(|_| Refusal::BadRequest);
    let by_id = |rest: &str| rest.strip_prefix("id:").unwrap_or(rest).to_owned();
    if let Some(rest) = path.strip_prefix("cis/tagging/") {
        let (kind, id) = rest.split_once('/').map_or((rest, None), |(kind, id)| (kind, Some(by_id(&decoded(id)))));
        return match (kind, id, action.as_str()) {
            ("category", None, "") => Ok(tags.categories.iter().map(|one| Value::from(one.id.clone())).collect()),
            ("category", Some(id), "") => {
                tags.categories.iter().find(|one| one.id == id).map(category).ok_or(Refusal::NotFound)
            }
            ("tag", None, "") => Ok(tags.tags.iter().map(|one| Value::from(one.id.clone())).collect()),
            ("tag", Some(id), "") => tags.tags.iter().find(|one| one.id == id).map(tag).ok_or(Refusal::NotFound),
            ("tag", id, "list-tags-for-category") => {
                let category = match id {
                    Some(id) => id,
                    None => body()?.get("category_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
                };
                Ok(tags
                    .tags
                    .iter()
                    .filter(|one| one.category == category)
                    .map(|one| Value::from(one.id.clone()))
                    .collect())
            }
            ("tag-association", id, action) => associations(state, id.as_deref(), action, &body()?),
            _ => Err(Refusal::NotFound),
        };
    }
    let rest = path.strip_prefix("content/").ok_or(Refusal::NotFound)?;
    let libraries = &state.contents.libraries;
    match (rest, action.as_str()) {
        ("library" | "local-library", "") => Ok(libraries.iter().map(|one| Value::from(one.id.clone())).collect()),
        ("library", "find") => {
            let body = body()?;
            let spec = body.get("spec").unwrap_or(&body);
            let name = spec.get("name").and_then(Value::as_str);
            let found = libraries.iter().filter(|one| name.is_none_or(|name| one.name == name));
            Ok(found.map(|one| Value::from(one.id.clone())).collect())
        }
        // Templates of the lab lie in the inventory, not in a library.
        ("library/item", "") => {
            let library = parameter(request.query, "library_id").unwrap_or_default();
            if libraries.iter().any(|one| one.id == library) { Ok(json!([])) } else { Err(Refusal::NotFound) }
        }
        (rest, "") => {
            let id = rest.strip_prefix("library/").or_else(|| rest.strip_prefix("local-library/")).map(by_id);
            libraries
                .iter()
                .find(|one| Some(&one.id) == id.as_ref())
                .map(|one| library(state, one))
                .ok_or(Refusal::NotFound)
        }
        _ => Err(Refusal::NotFound),
    }
}

/// A path segment with its percent-encoding undone.
fn decoded(segment: &str) -> String {
    // A plus sign is itself in a path; the decoder of queries would make a space of it.
    let pair = format!("x={}", segment.replace('+', "%2B"));
    parameter(&pair, "x").unwrap_or_default()
}

fn category(one: &Category) -> Value {
    json!({
        "id": one.id, "name": one.name, "description": "", "cardinality": "SINGLE", "associable_types": one.types, "used_by": [],
    })
}

fn tag(one: &Tag) -> Value {
    json!({"id": one.id, "name": one.name, "category_id": one.category, "description": "", "used_by": []})
}

fn library(state: &State, one: &Library) -> Value {
    let backings: Vec<Value> =
        one.datastore.iter().map(|store| json!({"type": "DATASTORE", "datastore_id": store.id})).collect();
    let now = state.clock.now().to_string();
    json!({
        "id": one.id, "name": one.name, "type": "LOCAL", "description": "", "version": "1", "server_guid": state.contents.inventory.uuid("instance"),
        "creation_time": now, "last_modified_time": now, "storage_backings": backings, "state_info": {"state": "ACTIVE"},
    })
}

fn object(value: &Value) -> Result<Ref, Refusal> {
    let part = |name: &str| value.get(name).and_then(Value::as_str).ok_or(Refusal::BadRequest);
    Ok(Ref::new(part("type")?, part("id")?))
}

fn shown(object: &Ref) -> Value {
    json!({"type": object.kind, "id": object.id})
}

fn associations(state: &State, id: Option<&str>, action: &str, body: &Value) -> Result<Value, Refusal> {
    let tags = &state.contents.tags;
    let list = |name: &str| body.get(name).and_then(Value::as_array).ok_or(Refusal::BadRequest);
    // An identifier in the path (or, in the older form, in the body) has to be that of a tag.
    let tag_of = |id: &str| tags.tags.iter().find(|one| one.id == id).ok_or(Refusal::NotFound);
    let carriers = |one: &Tag| one.objects.iter().filter(|object| exists(state, object)).map(shown).collect::<Vec<_>>();
    match action {
        "list-attached-tags" => {
            let object = object(body.get("object_id").unwrap_or(body))?;
            if !exists(state, &object) {
                return Err(Refusal::NotFound);
            }
            Ok(tags.on(&object).into_iter().map(Value::from).collect())
        }
        "list-attached-tags-on-objects" => {
            let mut found = Vec::new();
            for one in list("object_ids")? {
                let object = object(one)?;
                let on = tags.on(&object);
                // Objects without tags are left out, as in a vCenter.
                if !on.is_empty() {
                    found.push(json!({"object_id": shown(&object), "tag_ids": on}));
                }
            }
            Ok(Value::Array(found))
        }
        "list-attached-objects" => {
            let id = id.or_else(|| body.get("tag_id").and_then(Value::as_str)).ok_or(Refusal::BadRequest)?;
            Ok(Value::Array(carriers(tag_of(id)?)))
        }
        "list-attached-objects-on-tags" => {
            let mut found = Vec::new();
            for id in list("tag_ids")? {
                let one = tag_of(id.as_str().unwrap_or_default())?;
                found.push(json!({"tag_id": one.id, "object_ids": carriers(one)}));
            }
            Ok(Value::Array(found))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn exists(state: &State, object: &Ref) -> bool {
    state.contents.inventory.get(object).is_some()
}
