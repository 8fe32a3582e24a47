//! Tags, their categories, and what carries them.

use std::collections::BTreeSet;

use super::data::Ref;

/// A category of tags.
#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) types: Vec<&'static str>,
}

/// A tag.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) objects: BTreeSet<Ref>,
}

/// A content library.
#[derive(Debug, Clone)]
pub(crate) struct Library {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) datastore: Option<Ref>,
}

/// All tags of a vCenter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags {
    pub(crate) categories: Vec<Category>,
    pub(crate) tags: Vec<Tag>,
}

impl Tags {
    /// Puts a tag on an object, making the tag if it is not there. `uuid` makes the identifier of a name.
    pub(crate) fn attach(&mut self, category: &str, name: &str, object: &Ref, uuid: &dyn Fn(&str) -> String) {
        let category = self.category(category, &["VirtualMachine"], uuid);
        let id = || format!("urn:vmomi:InventoryServiceTag:{}:GLOBAL", uuid(&format!("tag/{name}")));
        self.tag(id, name, &category).objects.insert(object.clone());
    }

    /// Makes sure that a tag of this identifier exists.
    pub(crate) fn ensure(&mut self, category: &str, id: &str, uuid: &dyn Fn(&str) -> String) {
        if self.tags.iter().any(|tag| tag.id == id) {
            return;
        }
        let category = self.category(category, &["VirtualMachine", "Folder"], uuid);
        let name = format!("tag-{}", self.tags.len() + 1);
        self.tags.push(Tag { id: id.to_owned(), name, category, objects: BTreeSet::new() });
    }

    fn category(&mut self, name: &str, types: &[&'static str], uuid: &dyn Fn(&str) -> String) -> String {
        if let Some(there) = self.categories.iter().find(|category| category.name == name) {
            return there.id.clone();
        }
        let id = format!("urn:vmomi:InventoryServiceCategory:{}:GLOBAL", uuid(&format!("category/{name}")));
        self.categories.push(Category { id: id.clone(), name: name.to_owned(), types: types.to_vec() });
        id
    }

    fn tag(&mut self, id: impl FnOnce() -> String, name: &str, category: &str) -> &mut Tag {
        let at = self.tags.iter().position(|tag| tag.name == name && tag.category == category);
        let at = at.unwrap_or_else(|| {
            self.tags.push(Tag {
                id: id(),
                name: name.to_owned(),
                category: category.to_owned(),
                objects: BTreeSet::new(),
            });
            self.tags.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was found or made in the lines above")]
        &mut self.tags[at]
    }

    /// The identifiers of the tags on an object.
    pub(crate) fn on(&self, object: &Ref) -> Vec<&str> {
        self.tags.iter().filter(|tag| tag.objects.contains(object)).map(|tag| tag.id.as_str()).collect()
    }
}
