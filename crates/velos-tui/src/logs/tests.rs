use super::*;

fn lines(texts: &[&str]) -> Vec<LogLine> {
    let line = |text: &&str| LogLine {
        time_us: None,
        is_err: false,
        level: velos_log_engine::level::classify(text.as_bytes()).level,
        text: (*text).to_owned(),
    };
    texts.iter().map(line).collect()
}

fn with(texts: &[&str]) -> Logs {
    let mut logs = Logs::default();
    logs.add(lines(texts));
    logs
}

#[test]
fn the_view_stays_where_it_is_while_lines_come() {
    let mut logs = with(&["a", "b", "c", "d"]);
    logs.scroll(true, 1, 2);
    assert_eq!((logs.back, logs.follow), (1, false));
    logs.add(lines(&["e", "f"]));
    assert_eq!(logs.back, 3);
    logs.scroll(true, 99, 2);
    assert_eq!(logs.back, 4);
    logs.scroll(false, 99, 2);
    assert_eq!((logs.back, logs.follow), (0, true));
    logs.add(lines(&["g"]));
    assert_eq!(logs.back, 0);
    logs.toggle_follow();
    logs.add(lines(&["h"]));
    assert_eq!((logs.back, logs.follow), (1, false));
}

#[test]
fn lines_that_are_not_shown_do_not_move_it() {
    let mut logs = with(&["ERROR one", "INFO two", "ERROR three"]);
    logs.level_min = Some(Level::Error);
    logs.follow = false;
    logs.add(lines(&["INFO x", "ERROR y"]));
    assert_eq!((logs.back, logs.shown().count()), (1, 3));
    logs.level_min = None;
    logs.only = Needle::new("two");
    assert_eq!(logs.shown().count(), 1);
}

#[test]
fn search_goes_from_the_end_upwards_and_back() {
    let mut logs = with(&["x1", "other", "X2", "other", "x3", "other"]);
    logs.search = Needle::new("x");
    let found = |logs: &Logs| logs.found;
    assert!(logs.find(true, 2) && found(&logs) == Some(4));
    assert!(logs.find(true, 2) && found(&logs) == Some(2));
    assert!(logs.find(true, 2) && found(&logs) == Some(0));
    assert!(!logs.find(true, 2) && found(&logs) == Some(0));
    assert!(logs.find(false, 2) && found(&logs) == Some(2));
    assert_eq!(logs.hits(), 3);
    logs.search = Needle::new("X");
    assert_eq!(logs.hits(), 1);
    logs.search = Needle::new("nothing");
    logs.found = None;
    assert!(!logs.find(true, 2));
}

#[test]
fn the_buffer_has_a_bound() {
    let mut logs = Logs::default();
    let many: Vec<String> = (0..LINES_MAX + 10).map(|n| n.to_string()).collect();
    logs.add(lines(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(logs.len(), LINES_MAX);
    assert_eq!(
        logs.shown().next().map(|(number, line)| (number, line.text.clone())),
        Some((10, "10".into()))
    );
}

#[test]
fn places_of_a_text() {
    assert_eq!(Needle::new("an").places("banAna"), [(1, 3), (3, 5)]);
    assert_eq!(Needle::new("aN").places("banaNa"), [(3, 5)]);
    assert_eq!(Needle::new("ü").places("aüb"), [(1, 3)]);
    assert!(Needle::new("").places("x").is_empty());
}
