//! The privileges that a cluster needs, each with its reason: what preflight looks for and what roles are made of.
//!
//! The names are those of the vSphere API (`AuthorizationManager.privilegeList`). They are what Cluster API's vSphere
//! provider and the cloud provider use, and nothing beyond: no role here is an administrator's.

/// What something in the inventory is to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The whole vCenter.
    Root,
    Network,
    Datastore,
    Pool,
    /// Where machines are made.
    Folder,
    /// Where a folder is to be made.
    FolderParent,
    Template,
}

/// When a privilege is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Machines get tags.
    Tags,
    /// A storage policy is named.
    Policies,
    /// Machines are linked clones.
    LinkedClones,
    /// Templates are imported.
    Import,
}

/// One privilege.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) scope: Scope,
    pub(crate) privilege: &'static str,
    /// What it is for: "machines are … ".
    pub(crate) reason: &'static str,
    pub(crate) when: When,
}

const fn need(scope: Scope, privilege: &'static str, reason: &'static str) -> Need {
    Need { scope, privilege, reason, when: When::Always }
}

const fn only(when: When, scope: Scope, privilege: &'static str, reason: &'static str) -> Need {
    Need { scope, privilege, reason, when }
}

/// All of them.
pub(crate) const NEEDS: &[Need] = &[
    need(Scope::Root, "Sessions.ValidateSession", "controllers check that their session still holds"),
    only(When::Policies, Scope::Root, "StorageProfile.View", "the storage policy is looked up by its name"),
    only(When::Tags, Scope::Root, "InventoryService.Tagging.AttachTag", "machines get the tags of the spec"),
    only(
        When::Import,
        Scope::Root,
        "InventoryService.Tagging.CreateCategory",
        "the categories os and eksdRelease are made",
    ),
    only(When::Import, Scope::Root, "InventoryService.Tagging.CreateTag", "the tags of templates are made"),
    only(When::Import, Scope::Root, "InventoryService.Tagging.AttachTag", "templates get their tags"),
    only(When::Import, Scope::Root, "ContentLibrary.CreateLocalLibrary", "the library of templates is made"),
    only(When::Import, Scope::Root, "ContentLibrary.AddLibraryItem", "the template is taken into the library"),
    only(
        When::Import,
        Scope::Root,
        "ContentLibrary.UpdateSession",
        "the template's files are fetched into the library",
    ),
    need(Scope::Network, "Network.Assign", "machines are connected to the network"),
    need(Scope::Datastore, "Datastore.AllocateSpace", "disks of machines are made"),
    need(Scope::Datastore, "Datastore.Browse", "files of machines are found"),
    need(Scope::Datastore, "Datastore.FileManagement", "files of deleted machines are removed"),
    need(Scope::Pool, "Resource.AssignVMToPool", "machines are put into the resource pool"),
    only(When::Import, Scope::Pool, "VApp.Import", "the template is deployed from the library"),
    need(Scope::Folder, "VirtualMachine.Inventory.CreateFromExisting", "machines are cloned from the template"),
    need(Scope::Folder, "VirtualMachine.Inventory.Delete", "machines are deleted"),
    need(Scope::Folder, "VirtualMachine.Config.AddNewDisk", "clones get disks"),
    need(Scope::Folder, "VirtualMachine.Config.AddRemoveDevice", "clones get network cards"),
    need(Scope::Folder, "VirtualMachine.Config.AdvancedConfig", "the machine's first configuration is handed over"),
    need(Scope::Folder, "VirtualMachine.Config.CPUCount", "numCPUs is set"),
    need(Scope::Folder, "VirtualMachine.Config.DiskExtend", "diskGiB is set"),
    need(Scope::Folder, "VirtualMachine.Config.EditDevice", "network cards are connected"),
    need(Scope::Folder, "VirtualMachine.Config.Memory", "memoryMiB is set"),
    need(Scope::Folder, "VirtualMachine.Config.RemoveDisk", "disks of deleted machines are removed"),
    need(Scope::Folder, "VirtualMachine.Config.Settings", "options of the clone are set"),
    need(Scope::Folder, "VirtualMachine.Interact.PowerOff", "machines are stopped before they are deleted"),
    need(Scope::Folder, "VirtualMachine.Interact.PowerOn", "machines are started"),
    only(When::Tags, Scope::Folder, "InventoryService.Tagging.ObjectAttachable", "machines get the tags of the spec"),
    only(When::Import, Scope::Folder, "VirtualMachine.Inventory.Create", "the template is made"),
    only(When::Import, Scope::Folder, "VirtualMachine.Provisioning.MarkAsTemplate", "the import becomes a template"),
    only(When::Import, Scope::Folder, "VirtualMachine.State.CreateSnapshot", "linked clones start from a snapshot"),
    only(When::Import, Scope::Folder, "InventoryService.Tagging.ObjectAttachable", "templates get their tags"),
    need(Scope::FolderParent, "Folder.Create", "the folder of the machines is made"),
    need(Scope::Template, "VirtualMachine.Provisioning.DeployTemplate", "machines are cloned from the template"),
    only(
        When::LinkedClones,
        Scope::Template,
        "VirtualMachine.Provisioning.Clone",
        "linked clones start from its snapshot",
    ),
];

/// Those that a scope needs in some circumstances.
pub(crate) fn of(scope: Scope, when: &[When]) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(move |need| need.scope == scope && (need.when == When::Always || when.contains(&need.when)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_named_once_for_a_scope_and_circumstance_and_has_its_reason() {
        let mut seen = BTreeSet::new();
        for need in NEEDS {
            assert!(seen.insert((need.scope, need.privilege, need.when as u8)), "{} twice", need.privilege);
            assert!(need.reason.len() > 10 && !need.reason.ends_with('.'), "{}", need.privilege);
            assert!(need.privilege.contains('.'), "{}", need.privilege);
        }
    }

    #[test]
    fn nobody_gets_an_administrators_role() {
        let dangerous = ["Authorization.", "Global.", "Host.", "System.", "Vsan.", "Certificate."];
        for need in NEEDS {
            assert!(!dangerous.iter().any(|prefix| need.privilege.starts_with(prefix)), "{}", need.privilege);
        }
    }

    #[test]
    fn circumstances_add_to_what_is_always_needed() {
        let always: Vec<&str> = of(Scope::Root, &[]).map(|need| need.privilege).collect();
        assert_eq!(always, ["Sessions.ValidateSession"]);
        let tagged: Vec<&str> = of(Scope::Root, &[When::Tags]).map(|need| need.privilege).collect();
        assert_eq!(tagged, ["Sessions.ValidateSession", "InventoryService.Tagging.AttachTag"]);
    }
}
