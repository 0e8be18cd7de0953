//! From a declaration to what a spawn needs: user, groups, limits.

use nix::libc;
use velos_core::app::{AppSpec, Resource};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_ffi::Rights;

/// As the declaration says.
pub(crate) fn of(spec: &AppSpec) -> Rights {
    let (who, limits) = (&spec.identity, &spec.limits);
    // A user that gave no groups must not keep those of the daemon.
    let groups = (who.uid.is_some() || !who.groups.is_empty()).then(|| who.groups.clone());
    let bound = |value: Option<u64>| value.unwrap_or(u64::MAX);
    let is_declared = limits.rlimits.iter().any(|(resource, _)| *resource == Resource::Nofile);
    let ours = crate::boot::starters_descriptors().filter(|_| !is_declared);
    Rights {
        uid: who.uid,
        gid: who.gid,
        groups,
        umask: who.umask,
        nice: limits.nice,
        no_new_privileges: who.no_new_privileges,
        rlimits: limits
            .rlimits
            .iter()
            .map(|(resource, limit)| (number(*resource), bound(limit.soft), bound(limit.hard)))
            .chain(ours.map(|(soft, hard)| (number(Resource::Nofile), soft, hard)))
            .collect(),
    }
}

fn number(resource: Resource) -> i32 {
    let number = match resource {
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Stack => libc::RLIMIT_STACK,
        Resource::Memlock => libc::RLIMIT_MEMLOCK,
        Resource::As => libc::RLIMIT_AS,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Fsize => libc::RLIMIT_FSIZE,
        Resource::Data => libc::RLIMIT_DATA,
    };
    number.cast_signed()
}

/// What this daemon cannot give, said before anything is started.
pub(crate) fn check(spec: &AppSpec) -> Result<(), ErrorReply> {
    let name = spec.name.as_str();
    let refused = |text: String| ErrorReply::new(ErrorCode::Refused, format!("app \"{name}\": {text}"));
    if spec.limits.need_cgroup()
        && let Some(reason) = crate::cgroup::refusal(&spec.limits)
    {
        return Err(refused(format!("memory_max, memory_high, cpu_max and pids_max need a cgroup: {reason}"))
            .hint("run the daemon in a systemd unit with Delegate=yes; max_memory_restart and the rlimits need none"));
    }
    let euid = nix::unistd::geteuid();
    if euid.is_root() {
        return Ok(());
    }
    let who = &spec.identity;
    if who.uid.is_some_and(|uid| uid != euid.as_raw()) || who.gid.is_some() || !who.groups.is_empty() {
        return Err(refused(format!(
            "only root can start it as another user, and this daemon is uid {euid}"
        ))
        .hint("run the daemon as root, or leave `user` out"));
    }
    if spec.limits.nice.is_some_and(|nice| nice < 0) {
        return Err(refused("only root can give it a nice value below 0".to_owned())
            .hint("use 0 to 19, or run the daemon as root"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::app::Rlimit;
    use velos_core::name::AppName;

    #[test]
    fn numbers_and_groups() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        assert_eq!(of(&spec), Rights::default());
        spec.identity.uid = Some(5);
        spec.limits.rlimits.insert(Resource::Nofile, Rlimit { soft: Some(64), hard: None });
        let rights = of(&spec);
        assert_eq!(rights.groups, Some(Vec::new()), "none of the daemon's");
        assert_eq!(rights.rlimits, [(libc::RLIMIT_NOFILE.cast_signed(), 64, u64::MAX)]);
    }
}
