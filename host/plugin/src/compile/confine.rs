//! What a child gives up before it reads what it can't trust: memory, time, files, network, and most of the kernel.

/// What was given up, and what the system has no means for.
pub(crate) struct Confined {
    pub(crate) done: Vec<String>,
    pub(crate) missing: Vec<String>,
}

impl Confined {
    /// In words.
    pub(crate) fn words(&self) -> String {
        let mut words = self.done.join(", ");
        if !self.missing.is_empty() {
            words = format!("{words}; without {}", self.missing.join(", "));
        }
        words
    }
}

/// How much a child keeps.
pub(crate) struct Bounds {
    /// Bytes of addresses, if they count: an engine that runs code reserves far more than it uses.
    pub(crate) address: Option<u64>,
    /// Bytes of memory that can be written.
    pub(crate) data: Option<u64>,
    /// Seconds of one processor.
    pub(crate) seconds: u64,
    /// Bytes of one file.
    pub(crate) file: u64,
    /// Open files, its pipes among them.
    pub(crate) open: u64,
}

/// Confines this process for good.
pub(crate) fn confine(bounds: &Bounds) -> Confined {
    let mut confined = Confined { done: Vec::new(), missing: Vec::new() };
    let mut note = |what: &str, result: Result<(), String>| match result {
        Ok(()) => confined.done.push(what.to_owned()),
        Err(why) => confined.missing.push(format!("{what} ({why})")),
    };
    // Landlock opens a file for its rules, and none can be opened after the limits.
    #[cfg(target_os = "linux")]
    note("Landlock", linux::landlock());
    #[cfg(unix)]
    note("limits on memory, time and files", limits(bounds));
    #[cfg(target_os = "linux")]
    note("seccomp", linux::seccomp());
    #[cfg(not(unix))]
    note("limits", Err(format!("this system has none of {} s", bounds.seconds)));
    confined
}

#[cfg(unix)]
fn limits(bounds: &Bounds) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |resource, most| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(|e| e.to_string())
    };
    if let Some(address) = bounds.address {
        limit(Resource::As, address)?;
    }
    if let Some(data) = bounds.data {
        limit(Resource::Data, data)?;
    }
    // Of all threads together, so as much as the machine has processors.
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    limit(Resource::Cpu, bounds.seconds.saturating_mul(processors))?;
    // No core is left behind, and nothing more is opened or written than it needs.
    limit(Resource::Fsize, bounds.file)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, bounds.open)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus};
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    /// No file and no port, as far as the kernel knows of them.
    pub(super) fn landlock() -> Result<(), String> {
        let newest = ABI::V5;
        let restricted = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(newest))
            .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
            .and_then(Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self)
            .map_err(|e| e.to_string())?;
        match restricted.ruleset {
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
            RulesetStatus::NotEnforced => Err("this kernel has none".to_owned()),
        }
    }

    /// Reading, writing, memory and threads; everything else is answered with an error.
    pub(super) fn seccomp() -> Result<(), String> {
        const ALLOWED: &[i64] = &[
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_writev,
            libc::SYS_close,
            libc::SYS_fstat,
            libc::SYS_lseek,
            libc::SYS_mmap,
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_mprotect,
            libc::SYS_madvise,
            libc::SYS_brk,
            libc::SYS_futex,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_set_robust_list,
            libc::SYS_rseq,
            libc::SYS_sched_yield,
            libc::SYS_sched_getaffinity,
            libc::SYS_gettid,
            libc::SYS_getpid,
            libc::SYS_tgkill,
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigreturn,
            libc::SYS_sigaltstack,
            libc::SYS_clock_gettime,
            libc::SYS_clock_nanosleep,
            libc::SYS_nanosleep,
            libc::SYS_getrandom,
            // Files without a name, for what memories start with: they lead nowhere.
            libc::SYS_memfd_create,
            libc::SYS_ftruncate,
            libc::SYS_fcntl,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_membarrier,
            libc::SYS_prctl,
            libc::SYS_restart_syscall,
            libc::SYS_exit,
            libc::SYS_exit_group,
        ];
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
        let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = ALLOWED.iter().map(|call| (*call, vec![])).collect();
        let denied = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
        let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(|e| e.to_string())?;
        let program = BpfProgram::try_from(filter).map_err(|e| e.to_string())?;
        seccompiler::apply_filter(&program).map_err(|e| e.to_string())
    }
}
