//! Watches over HTTP: one JSON object a line, as things change.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::accept::{self, Form};
use super::objects::{list_query, metadata_only};
use super::respond::{self, Body};
use super::route::Target;
use super::{Api, Asked, table};
use crate::kube::error::{ApiError, Cause, Reason};
use crate::kube::resource::Resource;
use crate::kube::store::{Event, EventType, ListQuery, Watch, in_version};

/// How often a watch that asks for bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_mins(1);
/// How long a watch lasts that does not say.
const LASTS: Duration = Duration::from_mins(45);

/// What a watch shows, and how.
struct View {
    resource: Arc<Resource>,
    version: String,
    query: ListQuery,
    form: Form,
    include: Option<String>,
    clock: Arc<dyn crate::kube::clock::Clock>,
    columns_sent: bool,
}

impl View {
    fn line(&mut self, event_type: &str, object: &Arc<Value>) -> Bytes {
        let object = in_version(&self.resource, &self.version, object);
        let shown = match self.form {
            Form::Object => json!(object),
            Form::Metadata => metadata_only(&object),
            Form::Table => {
                let now: Timestamp = self.clock.now();
                let meta = json!({ "resourceVersion": crate::kube::object::resource_version(&object) });
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                let rows = std::slice::from_ref(&object);
                let include = self.include.as_deref();
                table::of(&self.resource, &self.version, rows, &meta, include, columns, now)
            }
        };
        encode(event_type, &shown)
    }

    fn bookmark(&self, version: u64, end_of_initial: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let (true, Some(map)) = (end_of_initial, metadata.as_object_mut()) {
            map.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(&self.version),
            "metadata": metadata,
        });
        let shown = match self.form {
            Form::Object => object,
            Form::Metadata => metadata_only(&object),
            Form::Table => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                "columnDefinitions": [], "rows": [{"cells": [], "object": object}],
            }),
        };
        encode("BOOKMARK", &shown)
    }

    /// What the client sees of a change: one that enters or leaves its selection is a new or a deleted object to it.
    fn translate(&mut self, event: &Event) -> Option<Bytes> {
        if event.resource != self.resource.key {
            return None;
        }
        let now = self.query.matches(&event.object);
        let before = event.previous.as_ref().is_some_and(|previous| self.query.matches(previous));
        match event.event_type {
            EventType::Deleted => before.then(|| self.line("DELETED", &event.object)),
            EventType::Added | EventType::Modified => match (before, now) {
                (false, true) => Some(self.line("ADDED", &event.object)),
                (true, true) => Some(self.line("MODIFIED", &event.object)),
                (true, false) => {
                    // The object as it was, at the version at which it left.
                    let mut last = event.previous.as_deref().cloned().unwrap_or_default();
                    crate::kube::object::metadata(&mut last)
                        .insert("resourceVersion".to_owned(), json!(event.resource_version.to_string()));
                    Some(self.line("DELETED", &Arc::new(last)))
                }
                (false, false) => None,
            },
        }
    }
}

fn encode(event_type: &str, object: &Value) -> Bytes {
    let mut text = json!({ "type": event_type, "object": object }).to_string();
    text.push('\n');
    Bytes::from(text)
}

fn error_line(error: &ApiError) -> Bytes {
    encode("ERROR", &error.to_status())
}

struct Stream {
    view: View,
    watch: Option<Watch>,
    ready: VecDeque<Bytes>,
    bookmarks: bool,
    next_bookmark: Instant,
    ends: Instant,
}

impl Api {
    pub(super) fn watch(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        target: &Target,
    ) -> Result<Response<Body>, ApiError> {
        let bookmarks = asked.query.flag("allowWatchBookmarks");
        let streaming = asked.query.flag("sendInitialEvents");
        if streaming && asked.query.get("resourceVersionMatch") != Some("NotOlderThan") {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            let mut error = ApiError::new(
                Reason::Invalid,
                format!("ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: {why}"),
            );
            error.causes.push(Cause::forbidden("resourceVersionMatch", why));
            return Err(error);
        }
        let mut view = View {
            resource: Arc::clone(resource),
            version: target.version.clone(),
            query: list_query(asked, target)?,
            form: accept::form(&asked.headers)?,
            include: asked.query.get("includeObject").map(str::to_owned),
            clock: Arc::clone(self.store.clock()),
            columns_sent: false,
        };
        let from = asked.query.number("resourceVersion")?.filter(|from| *from > 0);
        let mut ready = VecDeque::new();
        let started = if let (Some(from), false) = (from, streaming) {
            self.store.watch(Some(from))
        } else {
            // Without a version, or where it is asked for, what there is comes first.
            let mut query = view.query.clone();
            query.limit = None;
            let listed = self.store.list_with(resource, &query);
            if streaming || asked.query.get("sendInitialEvents").is_none() {
                for object in &listed.items {
                    ready.push_back(view.line("ADDED", object));
                }
            }
            if streaming && bookmarks {
                ready.push_back(view.bookmark(listed.resource_version, true));
            }
            self.store.watch(Some(listed.resource_version))
        };
        let watch = match started {
            Ok(watch) => Some(watch),
            Err(error) => {
                ready.push_back(error_line(&error));
                None
            }
        };
        let lasts = asked.query.number("timeoutSeconds")?.map_or(LASTS, Duration::from_secs);
        let now = Instant::now();
        let stream = Stream { view, watch, ready, bookmarks, next_bookmark: now + BOOKMARKS, ends: now + lasts };
        Ok(respond::stream(futures::stream::unfold(stream, next)))
    }
}

async fn next(mut stream: Stream) -> Option<(Bytes, Stream)> {
    loop {
        if let Some(line) = stream.ready.pop_front() {
            return Some((line, stream));
        }
        let watch = stream.watch.as_mut()?;
        tokio::select! {
            event = watch.next() => {
                let Ok(event) = event else {
                    stream.watch = None;
                    return Some((error_line(&ApiError::expired()), stream));
                };
                if let Some(line) = stream.view.translate(&event) {
                    return Some((line, stream));
                }
            }
            () = tokio::time::sleep_until(stream.next_bookmark), if stream.bookmarks => {
                stream.next_bookmark = Instant::now() + BOOKMARKS;
                let line = stream.view.bookmark(watch.seen(), false);
                return Some((line, stream));
            }
            () = tokio::time::sleep_until(stream.ends) => return None,
        }
    }
}
