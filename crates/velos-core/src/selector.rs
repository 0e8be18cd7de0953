//! The one resolver for everything that people select by: name, namespace, id, `name:slot`, `all`, `/regex/`, glob, path.

use crate::error::{ErrorCode, ErrorReply};
use crate::instance::InstanceId;
use crate::raw_string::RawString;

/// Longest regular expression, bytes, and most memory it may compile to.
const REGEX_BYTES_MAX: usize = 1_000;
const REGEX_SIZE_MAX: usize = 1 << 20;

/// An instance as the resolver sees it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: &'a str,
    /// Group.
    pub namespace: &'a str,
    /// Number within the app.
    pub slot: u32,
    /// Script as started.
    pub script: &'a RawString,
}

/// Instances that the targets name, in the order of the targets, each once. A number is tried as a name first, then as a
/// namespace, then as an id, as under PM2.
pub fn resolve(targets: &[String], candidates: &[Candidate<'_>]) -> Result<Vec<InstanceId>, ErrorReply> {
    let mut ids = Vec::new();
    for target in targets {
        let found = matching(target, candidates)?;
        if found.is_empty() {
            return Err(not_found(target, candidates));
        }
        for id in found {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

fn matching(target: &str, candidates: &[Candidate<'_>]) -> Result<Vec<InstanceId>, ErrorReply> {
    let pick = |test: &dyn Fn(&Candidate<'_>) -> bool| -> Vec<InstanceId> {
        candidates.iter().filter(|candidate| test(candidate)).map(|candidate| candidate.id).collect()
    };
    if target == "all" {
        return Ok(pick(&|_| true));
    }
    if let Some(pattern) = target.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'))
        && !pattern.is_empty()
    {
        let regex = compile(pattern)?;
        let found = pick(&|candidate| regex.is_match(candidate.name));
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let Some(namespace) = target.strip_prefix("ns:") {
        return Ok(pick(&|candidate| candidate.namespace == namespace));
    }
    let attempts: [&dyn Fn(&Candidate<'_>) -> bool; 6] = [
        &|candidate| candidate.name == target,
        &|candidate| candidate.namespace == target,
        &|candidate| target.parse() == Ok(candidate.id.0),
        &|candidate| {
            target
                .rsplit_once(':')
                .is_some_and(|(name, slot)| candidate.name == name && slot.parse() == Ok(candidate.slot))
        },
        &|candidate| candidate.script.as_bytes() == target.as_bytes(),
        &|candidate| target.contains(['*', '?']) && glob(target.as_bytes(), candidate.name.as_bytes()),
    ];
    Ok(attempts.into_iter().map(pick).find(|found| !found.is_empty()).unwrap_or_default())
}

fn compile(pattern: &str) -> Result<regex_lite::Regex, ErrorReply> {
    let usage = |text: String| ErrorReply::new(ErrorCode::Usage, text);
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(usage(format!(
            "a pattern has at most {REGEX_BYTES_MAX} bytes, this one has {}",
            pattern.len()
        )));
    }
    regex_lite::RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE_MAX)
        .build()
        .map_err(|error| usage(format!("/{pattern}/ is no regular expression: {error}")))
}

/// `*` any run, `?` any byte. Linear with one point to fall back to.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut fallback = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                fallback = Some((p, t));
                p += 1;
            }
            Some(expected) if expected == byte || *expected == b'?' => (p, t) = (p + 1, t + 1),
            _ => match fallback {
                Some((star, from)) => {
                    fallback = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

fn not_found(target: &str, candidates: &[Candidate<'_>]) -> ErrorReply {
    let mut names: Vec<&str> = candidates.iter().map(|candidate| candidate.name).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return ErrorReply::new(
            ErrorCode::NotFound,
            format!("no process {target:?}: nothing was started yet"),
        )
        .hint("start something with `velos start <script>`");
    }
    let near = names.iter().map(|name| (distance(target, name), *name)).min();
    let known = names.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    let hint = match near {
        Some((distance, name)) if distance <= 1 + target.len() / 3 => {
            format!("did you mean {name:?}? there are: {known}")
        }
        _ => format!("there are: {known}"),
    };
    ErrorReply::new(ErrorCode::NotFound, format!("no process {target:?}")).hint(hint)
}

/// Levenshtein distance: fewest insertions, deletions and replacements (Wagner and Fischer, 1974).
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(256).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != *y)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(targets: &[&str], expected: &[u32]) {
        let script = RawString::from("/srv/echo.js");
        let of = |id, name, namespace, slot| Candidate {
            id: InstanceId(id),
            name,
            namespace,
            slot,
            script: &script,
        };
        let table = [
            of(0, "api", "default", 0),
            of(1, "api", "default", 1),
            of(2, "worker", "jobs", 0),
            of(3, "2", "default", 0),
        ];
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        let ids: Vec<u32> =
            resolve(&targets, &table).map_or(Vec::new(), |ids| ids.iter().map(|id| id.0).collect());
        assert_eq!(ids, expected, "{targets:?}");
    }

    #[test]
    fn every_kind_of_target() {
        check(&["api"], &[0, 1]);
        check(&["api:1"], &[1]);
        check(&["1"], &[1]);
        check(&["2"], &[3]);
        check(&["jobs"], &[2]);
        check(&["ns:jobs"], &[2]);
        check(&["all"], &[0, 1, 2, 3]);
        check(&["/^w/"], &[2]);
        check(&["w*r", "api"], &[2, 0, 1]);
        check(&["/srv/echo.js"], &[0, 1, 2, 3]);
        check(&["nothing"], &[]);
        check(&["/(/"], &[]);
    }

    #[test]
    fn an_error_names_the_near_one() {
        let script = RawString::from("x");
        let table =
            [Candidate { id: InstanceId(0), name: "api", namespace: "default", slot: 0, script: &script }];
        let error = resolve(&["apj".to_owned()], &table).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert_eq!(error.hint.unwrap(), "did you mean \"api\"? there are: api");
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("?b*", "ab", true),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
