//! Content libraries, the way of a template into the vCenter, and the making of tags.
//!
//! Source: the vSphere Automation API reference, release 8.0: `content`, `vcenter.ovf`, `cis.tagging`.

use kedge_sdk::prelude::*;

use super::{Dialect, Rest, RestError, list, path_segment};
use crate::soap::Reference;

/// How far the vCenter is with fetching files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// Bytes up to now, if it says so.
    Running,
    Done,
    /// Why not.
    Failed(String),
}

impl Rest<'_> {
    fn by_dialect(&self, rest: &str, api: &str) -> String {
        match self.dialect.get() {
            Dialect::Rest => format!("/rest/com/vmware{rest}"),
            Dialect::Api => format!("/api{api}"),
        }
    }

    /// `/rest` wraps what it is given; `/api` takes it as it is.
    fn wrapped(&self, name: &str, body: Value) -> Value {
        match self.dialect.get() {
            Dialect::Rest => json!({ name: body }),
            Dialect::Api => body,
        }
    }

    /// Changes something: asked once, because nobody knows what came of a change whose answer got lost.
    fn change(&self, path: &str, body: &Value) -> Result<Value, RestError> {
        let request = Request::post(path).json(body);
        let response = self.endpoint.send(&self.signed(&request)).map_err(RestError::Endpoint)?;
        if response.is_success() && response.body.is_empty() {
            return Ok(Value::Null);
        }
        self.value(&response)
    }

    fn id(&self, path: &str, body: &Value) -> Result<String, RestError> {
        self.change(path, body)?.as_str().map(str::to_owned).ok_or(RestError::Reply)
    }

    fn first(&self, path: &str, body: &Value) -> Result<Option<String>, RestError> {
        let found = self.change(path, body)?;
        Ok(list(&found)?.first().and_then(Value::as_str).map(str::to_owned))
    }

    /// The library of a name, made on a datastore if there is none.
    pub(crate) fn library(&self, name: &str, datastore: &Reference) -> Result<String, RestError> {
        let find = self.by_dialect("/content/library?~action=find", "/content/library?action=find");
        if let Some(id) = self.first(&find, &self.wrapped("spec", json!({ "name": name })))? {
            return Ok(id);
        }
        let backing = json!([{"type": "DATASTORE", "datastore_id": datastore.id}]);
        let library = json!({"name": name, "type": "LOCAL", "storage_backings": backing});
        let path = self.by_dialect("/content/local-library", "/content/local-library");
        self.id(&path, &self.wrapped("create_spec", library))
    }

    /// The item of a name in a library, if there is one.
    pub(crate) fn item(&self, library: &str, name: &str) -> Result<Option<String>, RestError> {
        let path = self.by_dialect("/content/library/item?~action=find", "/content/library/item?action=find");
        self.first(&path, &self.wrapped("spec", json!({"library_id": library, "name": name})))
    }

    /// Makes an item and has the vCenter fetch its file. Returns the item and what to ask for how far it is.
    pub(crate) fn fetch(&self, library: &str, name: &str, url: &str) -> Result<(String, String), RestError> {
        let item = json!({"library_id": library, "name": name, "type": "ovf"});
        let path = self.by_dialect("/content/library/item", "/content/library/item");
        let item = self.id(&path, &self.wrapped("create_spec", item))?;
        let path = self.by_dialect("/content/library/item/update-session", "/content/library/item/update-session");
        let session = self.id(&path, &self.wrapped("create_spec", json!({"library_item_id": item})))?;
        let segment = path_segment(&session);
        let file = url.rsplit('/').next().filter(|file| !file.is_empty()).unwrap_or(name);
        let file = json!({"name": file, "source_type": "PULL", "source_endpoint": {"uri": url}});
        let add = self.by_dialect(
            &format!("/content/library/item/updatesession/file/id:{segment}?~action=add"),
            &format!("/content/library/item/update-session/{segment}/file"),
        );
        self.change(&add, &self.wrapped("file_spec", file))?;
        let complete = self.by_dialect(
            &format!("/content/library/item/update-session/id:{segment}?~action=complete"),
            &format!("/content/library/item/update-session/{segment}?action=complete"),
        );
        self.change(&complete, &json!({}))?;
        Ok((item, session))
    }

    /// How far that is.
    pub(crate) fn transfer(&self, session: &str) -> Result<Transfer, RestError> {
        let segment = path_segment(session);
        let path = self.by_dialect(
            &format!("/content/library/item/update-session/id:{segment}"),
            &format!("/content/library/item/update-session/{segment}"),
        );
        let answer = self.ask(&Request::get(&path))?;
        let text = |path: &str| answer.pointer(path).and_then(Value::as_str).unwrap_or_default();
        Ok(match text("/state") {
            "DONE" => Transfer::Done,
            "ERROR" | "CANCELED" => Transfer::Failed(text("/error_message/default_message").to_owned()),
            _ => Transfer::Running,
        })
    }

    /// Removes an item.
    pub(crate) fn remove_item(&self, item: &str) -> Result<(), RestError> {
        let segment = path_segment(item);
        let path = self
            .by_dialect(&format!("/content/library/item/id:{segment}"), &format!("/content/library/item/{segment}"));
        Rest::closed(self.endpoint.send(&self.signed(&Request::delete(&path))))
    }

    /// Makes a virtual machine of an item.
    pub(crate) fn deploy(
        &self,
        item: &str,
        name: &str,
        place: &Place<'_>,
    ) -> Result<Result<Reference, String>, RestError> {
        let segment = path_segment(item);
        let action = |action: &str| {
            self.by_dialect(
                &format!("/vcenter/ovf/library-item/id:{segment}?~action={action}"),
                &format!("/vcenter/ovf/library-item/{segment}?action={action}"),
            )
        };
        let target = json!({"resource_pool_id": place.pool.id, "folder_id": place.folder.id});
        // The package says which networks it has; all of them become the one that the spec names.
        let described = self.change(&action("filter"), &json!({ "target": target }))?;
        let networks = described.get("networks").or_else(|| described.get("Networks")).cloned().unwrap_or(Value::Null);
        let mappings: Vec<Value> =
            list(&networks)?.iter().map(|network| json!({"key": network, "value": place.network.id})).collect();
        let spec = json!({
            "name": name,
            "accept_all_EULA": true,
            "default_datastore_id": place.datastore.id,
            "storage_provisioning": "thin",
            "network_mappings": mappings,
        });
        let answer = self.change(&action("deploy"), &json!({"target": target, "deployment_spec": spec}))?;
        if answer.get("succeeded") == Some(&Value::Bool(true)) {
            let part = |name: &str| answer.pointer(name).and_then(Value::as_str).ok_or(RestError::Reply);
            return Ok(Ok(Reference::new(part("/resource_id/type")?, part("/resource_id/id")?)));
        }
        let why = answer
            .pointer("/error/errors/0/error/messages/0/default_message")
            .and_then(Value::as_str)
            .unwrap_or("the vCenter does not say why");
        Ok(Err(why.to_owned()))
    }

    /// Gives an object a tag, which is made, with its category, if it is not there.
    pub(crate) fn attach(&self, category: &str, tag: &str, object: &Reference) -> Result<(), RestError> {
        let categories = self.by_dialect("/cis/tagging/category", "/cis/tagging/category");
        let of = |id: &str| {
            let id = path_segment(id);
            self.by_dialect(&format!("/cis/tagging/category/id:{id}"), &format!("/cis/tagging/category/{id}"))
        };
        let category_id = if let Some(id) = self.named(&self.ask(&Request::get(&categories))?, category, of)? {
            id
        } else {
            let spec = json!({
                "name": category, "description": "", "cardinality": "MULTIPLE", "associable_types": ["VirtualMachine"],
            });
            self.id(&categories, &self.wrapped("create_spec", spec))?
        };
        let segment = path_segment(&category_id);
        let tags = self.by_dialect(
            &format!("/cis/tagging/tag/id:{segment}?~action=list-tags-for-category"),
            "/cis/tagging/tag?action=list-tags-for-category",
        );
        let there = self.change(&tags, &json!({ "category_id": category_id }))?;
        let of = |id: &str| {
            let id = path_segment(id);
            self.by_dialect(&format!("/cis/tagging/tag/id:{id}"), &format!("/cis/tagging/tag/{id}"))
        };
        let tag_id = if let Some(id) = self.named(&there, tag, of)? {
            id
        } else {
            let spec = json!({"name": tag, "description": "", "category_id": category_id});
            let path = self.by_dialect("/cis/tagging/tag", "/cis/tagging/tag");
            self.id(&path, &self.wrapped("create_spec", spec))?
        };
        let segment = path_segment(&tag_id);
        let attach = self.by_dialect(
            &format!("/cis/tagging/tag-association/id:{segment}?~action=attach"),
            &format!("/cis/tagging/tag-association/{segment}?action=attach"),
        );
        self.change(&attach, &json!({"object_id": {"type": object.kind, "id": object.id}})).map(|_| ())
    }

    /// Which of some ids has a name.
    fn named(&self, ids: &Value, name: &str, path: impl Fn(&str) -> String) -> Result<Option<String>, RestError> {
        let ids: Vec<&str> = list(ids)?.iter().filter_map(Value::as_str).collect();
        let questions: Vec<Request> = ids.iter().map(|id| Request::get(&path(id))).collect();
        for (id, answer) in ids.iter().zip(self.ask_all(&questions)) {
            if Rest::read_name(answer)?.as_deref() == Some(name) {
                return Ok(Some((*id).to_owned()));
            }
        }
        Ok(None)
    }
}

/// Where a virtual machine is made.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    pub(crate) pool: &'p Reference,
    pub(crate) folder: &'p Reference,
    pub(crate) datastore: &'p Reference,
    pub(crate) network: &'p Reference,
}
