//! Objects followed as they change.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::time::Instant;

use super::Api;
use super::request::{Call, query};
use crate::error::Error;
use crate::object::{TypeRef, text};

/// How long the server keeps one watch open.
const WATCH: Duration = Duration::from_mins(4);

/// Which objects to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) kind: TypeRef,
    pub(crate) namespace: Option<String>,
    /// One object alone.
    pub(crate) name: Option<String>,
    /// A label selector.
    pub(crate) labels: Option<String>,
}

/// The objects as they are now, by namespace and name.
pub(crate) type Listed = BTreeMap<(String, String), Value>;

type Events = Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<Value>>> + Send>>;

/// A list that is kept up to date.
pub(crate) struct Following<'a> {
    api: &'a Api,
    watched: &'a Watched,
    objects: Listed,
    version: Option<String>,
    events: Option<Events>,
    opened: Instant,
    quick: u32,
}

impl Api {
    /// Follows objects. The first [`Following::next`] gives the list as it is.
    pub(crate) fn follow<'a>(&'a self, watched: &'a Watched) -> Following<'a> {
        Following {
            api: self,
            watched,
            objects: Listed::new(),
            version: None,
            events: None,
            opened: Instant::now(),
            quick: 0,
        }
    }
}

impl Following<'_> {
    /// Waits for a change and gives all objects as they are then. Lists again whenever the watch can't be trusted to have
    /// told everything.
    pub(crate) async fn next(&mut self) -> Result<&Listed, Error> {
        loop {
            if self.version.is_none() {
                self.list().await?;
                return Ok(&self.objects);
            }
            if self.events.is_none() {
                self.open().await?;
                continue;
            }
            let Some(events) = self.events.as_mut() else { continue };
            // The server ends a watch by itself; a connection that died without a word must not hold this up for ever.
            let event = tokio::time::timeout_at(self.opened + WATCH + Duration::from_secs(30), events.next()).await;
            match event {
                Ok(Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)))) => {
                    self.remember(&object);
                    self.objects.insert(key(&object), typed(object, &self.watched.kind));
                    return Ok(&self.objects);
                }
                Ok(Some(Ok(WatchEvent::Deleted(object)))) => {
                    self.remember(&object);
                    self.objects.remove(&key(&object));
                    return Ok(&self.objects);
                }
                Ok(Some(Ok(WatchEvent::Bookmark(bookmark)))) => {
                    self.version = Some(bookmark.metadata.resource_version);
                }
                // Too old a version, or the connection broke: what is known may be stale.
                Ok(Some(Ok(WatchEvent::Error(_)) | Err(_))) | Err(_) => self.start_over().await,
                Ok(None) => {
                    self.events = None;
                    if self.opened.elapsed() < Duration::from_secs(1) {
                        self.start_over().await;
                    }
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), Error> {
        let w = self.watched;
        let fields = w.name.as_ref().map(|name| format!("metadata.name={name}"));
        match self.api.list_at(&w.kind, w.namespace.as_deref(), w.labels.as_deref(), fields.as_deref()).await {
            Ok((objects, version)) => {
                self.objects = objects.into_iter().map(|object| (key(&object), object)).collect();
                if let Some(name) = &w.name {
                    self.objects.retain(|(_, n), _| n == name);
                }
                self.version = Some(version);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn open(&mut self) -> Result<(), Error> {
        let w = self.watched;
        let resource = self.api.resource(&w.kind).await?;
        let mut uri = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
            resource.path(&w.kind, w.namespace.as_deref(), None),
            WATCH.as_secs()
        );
        query(&mut uri, "resourceVersion", self.version.as_deref());
        query(&mut uri, "labelSelector", w.labels.as_deref());
        if let Some(name) = &w.name {
            query(&mut uri, "fieldSelector", Some(&format!("metadata.name={name}")));
        }
        let call = Call::new("watch", w.kind.kind.to_string(), http::Method::GET, uri);
        let request = call.request()?;
        self.opened = Instant::now();
        match tokio::time::timeout(self.api.retry.request, self.api.client.request_events::<Value>(request)).await {
            Ok(Ok(events)) => self.events = Some(events.boxed()),
            Ok(Err(_)) | Err(_) => self.start_over().await,
        }
        Ok(())
    }

    /// Forgets what is known, after a pause that grows while it keeps happening.
    async fn start_over(&mut self) {
        self.events = None;
        self.version = None;
        self.quick = if self.opened.elapsed() < Duration::from_secs(5) { self.quick + 1 } else { 0 };
        tokio::time::sleep(self.api.retry.pause(self.quick)).await;
    }

    fn remember(&mut self, object: &Value) {
        if let Some(version) = text(object, "/metadata/resourceVersion") {
            self.version = Some(version.to_owned());
        }
    }
}

fn key(object: &Value) -> (String, String) {
    let part = |pointer| text(object, pointer).unwrap_or_default().to_owned();
    (part("/metadata/namespace"), part("/metadata/name"))
}

fn typed(mut object: Value, kind: &TypeRef) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| Value::from(kind.api_version.as_ref()));
        map.entry("kind").or_insert_with(|| Value::from(kind.kind.as_ref()));
    }
    object
}
