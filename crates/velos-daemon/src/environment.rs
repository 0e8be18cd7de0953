//! The environment of a child: what the app declares, and our own variables, which win.

use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use velos_core::app::{AppSpec, INSTANCE_VAR};
use velos_core::instance::{InstanceId, Token};
use velos_core::raw_string::RawString;

/// `KEY=VALUE` entries of a child: the declared environment and our own variables, which win.
pub(crate) fn environment(
    spec: &AppSpec,
    token: Token,
    id: InstanceId,
    slot: u32,
    home: &Path,
) -> Vec<Vec<u8>> {
    let own = [
        ("VELOS_HOME", home.as_os_str().to_owned().into_vec()),
        ("VELOS_ID", id.0.to_string().into_bytes()),
        ("VELOS_INSTANCE_ID", slot.to_string().into_bytes()),
        ("VELOS_NAME", spec.name.as_str().as_bytes().to_vec()),
        ("VELOS_RUN", token.0.to_string().into_bytes()),
        (spec.instance_var.as_deref().unwrap_or(INSTANCE_VAR), slot.to_string().into_bytes()),
    ];
    let counted = spec.increment_var.as_deref().unwrap_or_default();
    let is_own = |key: &[u8]| own.iter().any(|(name, _)| name.as_bytes() == key);
    let entry = |key: &[u8], value: &[u8]| [key, b"=", value].concat();
    let mut entries: Vec<Vec<u8>> = spec
        .env
        .iter()
        .filter(|(key, _)| !is_own(key.as_bytes()))
        .map(|(key, value)| match counted_up(value, slot).filter(|_| key.as_bytes() == counted.as_bytes()) {
            Some(value) => entry(key.as_bytes(), value.as_bytes()),
            None => entry(key.as_bytes(), value.as_bytes()),
        })
        .collect();
    entries.extend(own.iter().map(|(key, value)| entry(key.as_bytes(), value)));
    entries
}

/// The number of the first instance, and one more for each further one. What is no number stays as it is.
fn counted_up(value: &RawString, slot: u32) -> Option<String> {
    let first: i64 = value.to_text().trim().parse().ok()?;
    Some(first.checked_add(i64::from(slot))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    fn of(spec: &AppSpec, slot: u32) -> Vec<String> {
        let entries = environment(spec, Token(9), InstanceId(3), slot, Path::new("/h"));
        entries.into_iter().map(|entry| String::from_utf8(entry).unwrap()).collect()
    }

    #[test]
    fn our_own_variables_win() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        spec.env.insert("A".into(), "b=c".into());
        spec.env.insert("VELOS_ID".into(), "77".into());
        let instance = format!("{INSTANCE_VAR}=1");
        let own = ["VELOS_HOME=/h", "VELOS_ID=3", "VELOS_INSTANCE_ID=1", "VELOS_NAME=api", "VELOS_RUN=9"];
        assert_eq!(of(&spec, 1), [&["A=b=c"], &own[..], &[instance.as_str()]].concat());
        spec.instance_var = Some("NUMBER".into());
        assert_eq!(of(&spec, 2).last().map(String::as_str), Some("NUMBER=2"));
    }

    #[test]
    fn one_variable_counts_up_from_instance_to_instance() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        spec.env.insert("PORT".into(), "3000".into());
        spec.increment_var = Some("PORT".into());
        assert_eq!((of(&spec, 0)[0].as_str(), of(&spec, 2)[0].as_str()), ("PORT=3000", "PORT=3002"));
        spec.env.insert("PORT".into(), "auto".into());
        assert_eq!(of(&spec, 2)[0], "PORT=auto", "what is no number stays as it is");
    }
}
