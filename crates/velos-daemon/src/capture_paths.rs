//! Where the output of an instance goes, and in which form: a function of its declaration.

use std::path::{Path, PathBuf};

use velos_core::app::{AppSpec, LogFormat};
use velos_core::instance::InstanceId;
use velos_core::raw_string::RawString;

use crate::home::Home;

/// FIFOs and logs of one instance.
#[derive(Debug)]
pub(crate) struct CapturePaths {
    /// `<name>-<id>`.
    pub(crate) stem: String,
    run: PathBuf,
    pub(crate) out_log: PathBuf,
    pub(crate) err_log: PathBuf,
    pub(crate) both_log: Option<PathBuf>,
    pub(crate) stamp: Option<String>,
    pub(crate) is_json: bool,
    /// Empty when it is not needed.
    pub(crate) json_name: String,
    pub(crate) discard_out: bool,
    pub(crate) discard_err: bool,
    pub(crate) max_bytes: u64,
    pub(crate) keep: u32,
}

impl CapturePaths {
    /// Of the instance `id`, which is number `slot` of its app.
    pub(crate) fn of(home: &Home, spec: &AppSpec, id: InstanceId, slot: u32) -> Self {
        let stem = spec.name.file_stem();
        let is_one_of_many = spec.instances > 1 && !spec.logs.merge;
        let number = if is_one_of_many { format!("-{slot}") } else { String::new() };
        let logs = home.logs();
        let log = |given: &Option<RawString>, kind: &str| match given {
            Some(path) => numbered(path.as_path(), &number),
            None => logs.join(format!("{stem}-{kind}{number}.log")),
        };
        let both = |path: &RawString| match path.as_bytes() {
            b"" => logs.join(format!("{stem}{number}.log")),
            _ => numbered(path.as_path(), &number),
        };
        let is_json = spec.logs.format == LogFormat::Json;
        Self {
            stem: format!("{stem}-{}", id.0),
            run: home.run(),
            out_log: log(&spec.logs.out, "out"),
            err_log: log(&spec.logs.err, "error"),
            both_log: spec.logs.combined.as_ref().map(both),
            stamp: spec.logs.timestamps.clone().filter(|form| !form.contains('\0')),
            is_json,
            json_name: if is_json { json_text(spec.name.as_str()) } else { String::new() },
            discard_out: spec.logs.discard_out,
            discard_err: spec.logs.discard_err,
            max_bytes: spec.logs.max_size_bytes,
            keep: spec.logs.keep,
        }
    }

    /// Name of a FIFO (`out`, `err` or `in`), where FIFOs have names.
    pub(crate) fn fifo(&self, suffix: &str) -> PathBuf {
        self.run.join(format!("{}.{suffix}", self.stem))
    }
}

/// `/var/log/api.log` of the second of several instances is `/var/log/api-1.log`; a device stays what it is.
fn numbered(path: &Path, number: &str) -> PathBuf {
    if number.is_empty() || path.starts_with("/dev") {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(number);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Between the quotes of JSON; names hold no control characters.
fn json_text(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    fn spec() -> AppSpec {
        AppSpec::new(AppName::new("api").unwrap(), "/bin/true")
    }

    fn of(spec: &AppSpec, slot: u32) -> CapturePaths {
        CapturePaths::of(&Home::open(Path::new("/h")), spec, InstanceId(7), slot)
    }

    #[test]
    fn the_usual_places() {
        let paths = of(&spec(), 0);
        assert_eq!(paths.out_log, Path::new("/h/logs/api-out.log"));
        assert_eq!(paths.err_log, Path::new("/h/logs/api-error.log"));
        assert_eq!((paths.both_log.as_deref(), paths.stem.as_str()), (None, "api-7"));
        assert_eq!(paths.fifo("out"), Path::new("/h/run/api-7.out"));
    }

    #[test]
    fn each_of_several_has_its_own_unless_they_merge() {
        let mut spec = spec();
        spec.instances = 2;
        spec.logs.err = Some("/var/log/api.err.log".into());
        spec.logs.combined = Some("".into());
        let paths = of(&spec, 1);
        assert_eq!(paths.out_log, Path::new("/h/logs/api-out-1.log"));
        assert_eq!(paths.err_log, Path::new("/var/log/api.err-1.log"));
        assert_eq!(paths.both_log.as_deref(), Some(Path::new("/h/logs/api-1.log")));
        spec.logs.merge = true;
        assert_eq!(of(&spec, 1).err_log, Path::new("/var/log/api.err.log"));
    }

    #[test]
    fn a_device_gets_no_number() {
        assert_eq!(numbered(Path::new("/dev/null"), "-1"), Path::new("/dev/null"));
        assert_eq!(numbered(Path::new("/x/api"), "-1"), Path::new("/x/api-1"));
    }

    #[test]
    fn names_fit_between_the_quotes_of_json() {
        assert_eq!(json_text(r#"a"b\c"#), r#"a\"b\\c"#);
        let mut spec = spec();
        assert_eq!(of(&spec, 0).json_name, "");
        spec.logs.format = LogFormat::Json;
        assert_eq!(of(&spec, 0).json_name, "api");
    }
}
