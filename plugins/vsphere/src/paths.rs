//! Where a vCenter keeps things: names of the spec as paths of the inventory.

/// A branch of a datacenter's inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Branch {
    Network,
    Datastore,
    Folder,
    Host,
}

impl Branch {
    /// The name of the branch's folder below the datacenter.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Datastore => "datastore",
            Self::Folder => "vm",
            Self::Host => "host",
        }
    }
}

/// `/DATACENTER/BRANCH` for a datacenter, which may be given with its own path.
pub(crate) fn root(datacenter: &str, branch: Branch) -> String {
    format!("/{}/{}", datacenter.trim_matches('/'), branch.folder())
}

/// A relative name below its branch; an absolute path as it is.
pub(crate) fn full(datacenter: &str, branch: Branch, given: &str) -> String {
    if given.is_empty() || given.starts_with('/') {
        given.to_owned()
    } else {
        format!("{}/{}", root(datacenter, branch), given.trim_end_matches('/'))
    }
}

/// Whether an absolute path lies below its branch, or for folders is the branch's own. Relative names do.
pub(crate) fn belongs(datacenter: &str, branch: Branch, given: &str) -> bool {
    let root = root(datacenter, branch);
    let own = branch == Branch::Folder && given.trim_end_matches('/') == root;
    !given.starts_with('/') || own || given.starts_with(&format!("{root}/"))
}

/// The last part of a path.
pub(crate) fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Whether a path of the inventory is meant by what the spec says: its whole, or its end at a slash. A leading `*/`
/// stands for anything before.
pub(crate) fn meant(given: &str, path: &str) -> bool {
    let wanted = given.strip_prefix("*/").unwrap_or(given).trim_end_matches('/');
    if wanted.starts_with('/') {
        return path == wanted;
    }
    path == wanted || path.ends_with(&format!("/{wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_path_of_their_branch() {
        assert_eq!(full("SDDC", Branch::Network, "net-1"), "/SDDC/network/net-1");
        assert_eq!(
            full("/Europe/SDDC", Branch::Datastore, "WorkloadDatastore"),
            "/Europe/SDDC/datastore/WorkloadDatastore"
        );
        assert_eq!(full("SDDC", Branch::Folder, "/SDDC/vm/a/b"), "/SDDC/vm/a/b");
        assert_eq!(full("SDDC", Branch::Folder, ""), "");
    }

    #[test]
    fn absolute_paths_have_to_lie_in_their_branch() {
        assert!(belongs("SDDC", Branch::Network, "/SDDC/network/a/b"));
        assert!(belongs("SDDC", Branch::Network, "a"));
        assert!(!belongs("SDDC", Branch::Network, "/SDDC/datastore/a"));
        assert!(!belongs("SDDC", Branch::Network, "/Other/network/a"));
        assert!(!belongs("SDDC", Branch::Network, "/SDDC/networks/a"));
        assert!(!belongs("SDDC", Branch::Network, "/SDDC/network"));
        assert!(belongs("SDDC", Branch::Folder, "/SDDC/vm"));
        assert!(!belongs("SDDC", Branch::Folder, "/SDDC/vms"));
    }

    #[test]
    fn a_pool_is_meant_by_its_end() {
        let path = "/SDDC/host/Cluster-1/Resources/Compute-ResourcePool";
        for given in ["Compute-ResourcePool", "*/Resources/Compute-ResourcePool", "*/Compute-ResourcePool", path] {
            assert!(meant(given, path), "{given}");
        }
        for given in ["ResourcePool", "*/Resources", "/Compute-ResourcePool", "Cluster-1"] {
            assert!(!meant(given, path), "{given}");
        }
    }
}
