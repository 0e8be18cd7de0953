//! What is refused of a declaration before the supervisor sees it: what no later step would refuse with a good reason.

use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::raw_string::RawString;

/// # Errors
/// `Usage`, with what is wrong with which app.
pub(crate) fn check_app(app: &AppSpec) -> Result<(), ErrorReply> {
    let name = app.name.as_str();
    let usage = |text: String| Err(ErrorReply::new(ErrorCode::Usage, text));
    if app.argv.is_empty() {
        return usage(format!("app \"{name}\" has an empty argv; argv[0] is the program's name"));
    }
    app.check().or_else(|error| usage(format!("app \"{name}\": {error}")))?;
    crate::rights::check(app)?;
    for (what, path) in [("program", &app.program), ("cwd", &app.cwd)] {
        if !is_absolute(path) {
            return usage(format!("{what} of app \"{name}\" must be an absolute path without NUL bytes"));
        }
    }
    let words = app.argv.iter().chain(app.env.keys()).chain(app.env.values());
    if words.into_iter().any(RawString::has_nul) {
        return usage(format!(
            "an argument or variable of app \"{name}\" has a NUL byte, which no program can get"
        ));
    }
    if let Some(key) = app.env.keys().find(|key| key.is_empty() || key.as_bytes().contains(&b'=')) {
        return usage(format!("app \"{name}\" has a variable with the impossible name {key:?}"));
    }
    Ok(())
}

fn is_absolute(path: &RawString) -> bool {
    path.as_bytes().first() == Some(&b'/') && !path.has_nul()
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    fn why(change: impl FnOnce(&mut AppSpec)) -> String {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        spec.argv = vec!["true".into()];
        spec.cwd = "/".into();
        change(&mut spec);
        check_app(&spec).err().map_or("fine".to_owned(), |error| error.message)
    }

    #[test]
    fn what_no_program_can_be_given_is_refused_with_its_place() {
        let place = "must be an absolute path without NUL bytes";
        assert_eq!(why(|_| ()), "fine");
        assert_eq!(
            why(|spec| spec.argv.clear()),
            "app \"api\" has an empty argv; argv[0] is the program's name"
        );
        assert_eq!(why(|spec| spec.program = "true".into()), format!("program of app \"api\" {place}"));
        assert_eq!(why(|spec| spec.cwd = "".into()), format!("cwd of app \"api\" {place}"));
        assert_eq!(
            why(|spec| spec.logs.err = Some("a.log".into())),
            format!("app \"api\": logs.err {place}")
        );
        assert_eq!(
            why(|spec| drop(spec.env.insert("A".into(), "b\0".into()))),
            "an argument or variable of app \"api\" has a NUL byte, which no program can get"
        );
        assert_eq!(
            why(|spec| drop(spec.env.insert("A=".into(), "b".into()))),
            "app \"api\" has a variable with the impossible name \"A=\""
        );
    }
}
