//! Frames as other languages print them: Elixir, Erlang, Dart, sanitizers and debuggers, Lua, Julia, Haskell, Perl, Zig.

use super::frame::{Part, frame};

/// Of a line without its gaps at both ends.
pub(super) fn part(body: &str) -> Option<Part> {
    of_beam(body)
        .or_else(|| of_lua(body))
        .or_else(|| of_julia(body))
        .or_else(|| of_haskell(body))
        .or_else(|| of_perl(body))
        .or_else(|| of_zig(body))
        .or_else(|| of_process(body))
}

/// `(app 0.1.0) lib/a.ex:12: Mod.fun/3`, `lib/a.ex:12: Mod.fun/3`.
fn of_beam(body: &str) -> Option<Part> {
    let (owner, rest) = match body.strip_prefix('(') {
        Some(rest) => rest.split_once(") ")?,
        None => ("", body),
    };
    let (place, function) = rest.split_once(": ")?;
    let (file, line) = place.rsplit_once(':')?;
    let is_source = [".ex", ".exs", ".erl", ".eex", ".heex"].iter().any(|end| file.ends_with(end));
    if !is_source || !is_number(line) {
        return None;
    }
    const THEIRS: [&str; 12] = [
        "stdlib",
        "kernel",
        "elixir",
        "logger",
        "phoenix",
        "plug",
        "ecto",
        "bandit",
        "cowboy",
        "ranch",
        "thousand_island",
        "db_connection",
    ];
    let name = owner.split(' ').next().unwrap_or_default();
    let is_theirs = THEIRS.iter().any(|theirs| name.starts_with(theirs)) || file.starts_with("deps/");
    Some(match frame(file, function) {
        Part::Frame(mut frame) => {
            frame.is_ours &= !is_theirs;
            Part::Frame(frame)
        }
        other => other,
    })
}

/// `a.lua:3: in function 'f'`, `[C]: in ?`.
fn of_lua(body: &str) -> Option<Part> {
    let (place, function) = body.split_once(": in ")?;
    let file = place.rsplit_once(':').filter(|(_, line)| is_number(line)).map_or(place, |(file, _)| file);
    if file == "[C]" {
        return Some(Part::Filler);
    }
    file.ends_with(".lua")
        .then(|| frame(file, function.trim_start_matches("function ").trim_matches(['\'', '<', '>'])))
}

/// `[1] f(x::Int64)`, then `@ Main ./a.jl:12`.
fn of_julia(body: &str) -> Option<Part> {
    if let Some(rest) = body.strip_prefix("@ ") {
        let place = rest.rsplit(' ').next().unwrap_or(rest);
        return place.contains(".jl:").then(|| Part::File(place.to_owned()));
    }
    let (number, function) = body.strip_prefix('[')?.split_once("] ")?;
    let is_frame = is_number(number) && (function.contains('(') || function == "top-level scope");
    is_frame.then(|| Part::Function(function.split('(').next().unwrap_or(function).to_owned()))
}

/// `error, called at src/Main.hs:12:3 in main:Main`.
fn of_haskell(body: &str) -> Option<Part> {
    let (function, rest) = body.split_once(", called at ")?;
    let place = rest.split(" in ").next().unwrap_or(rest);
    place.contains(".hs:").then(|| frame(place, function))
}

/// `main::f(1) called at a.pl line 12`.
fn of_perl(body: &str) -> Option<Part> {
    let (function, rest) = body.split_once(" called at ")?;
    let (file, line) = rest.rsplit_once(" line ")?;
    is_number(line).then(|| frame(file, function.split('(').next().unwrap_or(function)))
}

/// `/srv/main.zig:12:10: 0x1034 in work (main)`.
fn of_zig(body: &str) -> Option<Part> {
    let (place, rest) = body.split_once(": 0x")?;
    let (_, function) = rest.split_once(" in ")?;
    place.contains(".zig:").then(|| frame(place, function.split(" (").next().unwrap_or(function)))
}

/// What Elixir says of a process that ended, below the exception.
fn of_process(body: &str) -> Option<Part> {
    let is_request = body
        .strip_prefix("Request: ")
        .is_some_and(|rest| rest.split(' ').nth(1).is_some_and(|path| path.starts_with('/')));
    let is_state = body.strip_prefix("State: ").is_some_and(|rest| rest.starts_with(['%', '{', '[']));
    let is_server = body.starts_with("Server: ") && body.ends_with(')');
    let is_ours = is_request
        || is_state
        || is_server
        || body.starts_with("Last message (from ")
        || body.starts_with("Last message: ")
        || body == "** (exit) an exception was raised:";
    is_ours.then_some(Part::Filler)
}

/// Of a line that begins with `#` and a number: `0x401233 in work /srv/a.cpp:12:10`, `work (n=3) at /srv/a.c:12`,
/// `main (file:///srv/a.dart:12:3)`.
pub(super) fn numbered(rest: &str) -> Option<Part> {
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix("0x") {
        Some(address) => address.split_once(" in ")?.1,
        None => rest,
    };
    if let Some((call, place)) = rest.rsplit_once(" at ") {
        let is_place = place.rsplit_once(':').is_some_and(|(_, line)| is_number(line));
        return is_place.then(|| frame(place, call.split(" (").next().unwrap_or(call)));
    }
    if let Some((function, place)) = rest.split_once(" (") {
        let place = place.trim_end_matches(')');
        if place.starts_with("dart:") {
            return Some(Part::Filler);
        }
        if place.contains(".dart") || place.contains("+0x") {
            return Some(frame(place, function));
        }
    }
    let (function, place) = rest.rsplit_once(' ')?;
    let is_place = place.starts_with('/') && place.rsplit_once(':').is_some_and(|(_, line)| is_number(line));
    is_place.then(|| frame(place, function.split('(').next().unwrap_or(function)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
