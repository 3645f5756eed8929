//! The gateway locks itself in, so that the kernel and not our care keeps bodies off the disk: no path is writable, no
//! program can be started, no other process can be looked into, no core is dumped.
//!
//! It has to be entered before the process has a second thread: Landlock and seccomp hold for the calling thread and
//! those it starts.

use crate::config::Sandbox;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// Why the process could not be locked in.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Too late: another thread would stay outside.
    #[error("the sandbox must be entered before the process has a second thread; it has {0}")]
    Threads(usize),
    /// A step that the kernel refused.
    #[error(
        "the kernel cannot provide the sandbox ({step}: {detail}); the gateway needs Linux 6.2 with Landlock and seccomp, or gateway.sandbox = \"off\""
    )]
    Kernel {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        detail: String,
    },
}

fn kernel(step: &'static str) -> impl Fn(&dyn std::fmt::Display) -> SandboxError {
    move |detail| SandboxError::Kernel { step, detail: detail.to_string() }
}

/// What may be read, never written: name resolution, certificates, and the libraries that name resolution loads.
/// Of `/etc` only that, for our own configuration and other programs' secrets lie there too.
const READABLE: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/ca-certificates",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/dev/urandom",
    "/sys/fs/cgroup",
    "/proc/self",
    "/proc/sys/net/core",
    "/proc/sys/vm/overcommit_memory",
];

/// Locks the process in for the rest of its life.
///
/// # Errors
/// [`SandboxError`] if the kernel cannot, or if it is too late. The caller must not go on.
pub fn enter(mode: Sandbox) -> Result<(), SandboxError> {
    // These two cost nothing and need nothing of the kernel, so they hold also where the sandbox is off.
    setrlimit(Resource::RLIMIT_CORE, 0, highest_core(mode)).map_err(|e| kernel("core limit")(&e))?;
    nix::sys::prctl::set_dumpable(false).map_err(|e| kernel("not dumpable")(&e))?;
    if mode == Sandbox::Off {
        return Ok(());
    }
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(1) => {}
        Ok(n) => return Err(SandboxError::Threads(n)),
        Err(e) => return Err(kernel("thread count")(&e)),
    }
    nix::sys::prctl::set_no_new_privs().map_err(|e| kernel("no new privileges")(&e))?;
    landlock()?;
    seccomp()
}

/// What the process could raise its core limit to again: nothing.
#[cfg(not(feature = "faults"))]
const fn highest_core(_: Sandbox) -> u64 {
    0
}

/// So that the canary gate sees a core where there is one, a fault may raise the limit where the sandbox is off.
#[cfg(feature = "faults")]
fn highest_core(mode: Sandbox) -> u64 {
    let now = nix::sys::resource::getrlimit(Resource::RLIMIT_CORE).map_or(0, |limits| limits.1);
    if mode == Sandbox::Off { now } else { 0 }
}

fn landlock() -> Result<(), SandboxError> {
    let error = kernel("Landlock");
    let status = Ruleset::default()
        // Everything up to truncation is needed; what newer kernels add is taken where there is.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V3))
        .map_err(|e| error(&e))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))
        .map_err(|e| error(&e))?
        .scope(Scope::Signal)
        .map_err(|e| error(&e))?
        .create()
        .map_err(|e| error(&e))?
        .add_rules(path_beneath_rules(READABLE, AccessFs::ReadFile | AccessFs::ReadDir))
        .map_err(|e| error(&e))?
        .restrict_self()
        .map_err(|e| error(&e))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(error(&"not enforced")),
        _ => Ok(()),
    }
}

/// Refused whatever the arguments: changing files, making files without a name, starting programs, looking into other
/// processes, changing the machine, and `io_uring`, which would do all of it past this filter.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_mknodat,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_semget,
    libc::SYS_mq_open,
];

/// The same in the older words that only this machine type has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

fn rule(conditions: Vec<Condition>) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions)
}

fn masked(argument: u8, mask: libc::c_int, value: libc::c_int) -> Result<Condition, seccompiler::BackendError> {
    let bits = |n: libc::c_int| u64::from(n.cast_unsigned());
    Condition::new(argument, Len::Dword, Op::MaskedEq(bits(mask)), bits(value))
}

/// One rule for each way in which these open flags would write or make a file.
fn writing(argument: u8) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    [
        (libc::O_ACCMODE, libc::O_WRONLY),
        (libc::O_ACCMODE, libc::O_RDWR),
        (libc::O_ACCMODE, libc::O_ACCMODE),
        (libc::O_CREAT, libc::O_CREAT),
        (libc::O_TRUNC, libc::O_TRUNC),
        (libc::O_TMPFILE, libc::O_TMPFILE),
    ]
    .into_iter()
    .map(|(mask, value)| rule(vec![masked(argument, mask, value)?]))
    .collect()
}

fn program(
    refused: BTreeMap<libc::c_long, Vec<SeccompRule>>,
    errno: libc::c_int,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let action = SeccompAction::Errno(errno.cast_unsigned());
    SeccompFilter::new(refused, SeccompAction::Allow, action, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// Two filters: what is refused, and what is answered as unknown so that the C library takes the older call whose
/// arguments a filter can see.
fn filters() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut refused: BTreeMap<libc::c_long, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED.iter().chain(REFUSED_HERE) {
        refused.insert(*call, Vec::new());
    }
    #[cfg(target_arch = "x86_64")]
    refused.insert(libc::SYS_open, writing(1)?);
    refused.insert(libc::SYS_openat, writing(2)?);
    // A new process; a new thread is allowed.
    refused.insert(libc::SYS_clone, vec![rule(vec![masked(0, libc::CLONE_THREAD, 0)?])?]);
    // Only the network and local sockets.
    let other_family = [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX]
        .into_iter()
        .map(|family| Condition::new(0, Len::Dword, Op::Ne, u64::from(family.cast_unsigned())))
        .collect::<Result<Vec<_>, _>>()?;
    refused.insert(libc::SYS_socket, vec![rule(other_family)?]);
    // Becoming dumpable again.
    let dumpable = Condition::new(0, Len::Dword, Op::Eq, u64::from(libc::PR_SET_DUMPABLE.cast_unsigned()))?;
    refused.insert(libc::SYS_prctl, vec![rule(vec![dumpable])?]);
    #[cfg(target_arch = "x86_64")]
    {
        // The x32 numbers of the same calls; most kernels have none, this costs nothing.
        const X32: libc::c_long = 0x4000_0000;
        let again: Vec<_> = refused.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        refused.extend(again);
    }
    let unknown = [libc::SYS_openat2, libc::SYS_clone3].into_iter().map(|call| (call, Vec::new())).collect();
    Ok([program(refused, libc::EPERM)?, program(unknown, libc::ENOSYS)?])
}

fn seccomp() -> Result<(), SandboxError> {
    let error = kernel("seccomp");
    for filter in filters().map_err(|e| error(&e))? {
        seccompiler::apply_filter(&filter).map_err(|e| error(&e))?;
    }
    Ok(())
}
