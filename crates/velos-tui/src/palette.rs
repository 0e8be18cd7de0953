//! What `:` offers: every app to jump to, what can be done with it, and what the view can do; found by the letters that are
//! typed, in their order, with gaps.

use velos_core::instance::InstanceId;

use crate::model::{Model, Tab};
use crate::msg::Verb;

/// Lines that are offered at once.
pub const SHOWN_MAX: usize = 12;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Select this one.
    Jump(InstanceId),
    /// Do something with this one.
    Act(Verb, InstanceId),
    /// Show a tab.
    Show(Tab),
    /// As if this key was pressed.
    Key(char),
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is searched and shown.
    pub text: String,
    /// What it does.
    pub action: Action,
}

const VERBS: [Verb; 5] = [Verb::Restart, Verb::Stop, Verb::Start, Verb::Reload, Verb::Delete];
/// What has a key and no object.
const KEYS: [(&str, char); 10] = [
    ("follow the log, or hold still", 'f'),
    ("full screen log", 'L'),
    ("wrap long lines", 'w'),
    ("least level of the log", 'm'),
    ("secrets in the log", 'x'),
    ("faults only", 'z'),
    ("sort by the next column", 'o'),
    ("mouse", 'M'),
    ("help", '?'),
    ("quit", 'q'),
];

/// The lines that what was typed means, best first.
pub fn found(model: &Model, typed: &str) -> Vec<Item> {
    let mut scored: Vec<(i32, usize, Item)> = items(model)
        .into_iter()
        .enumerate()
        .filter_map(|(place, item)| Some((score(&item.text, typed)?, place, item)))
        .collect();
    scored.sort_by_key(|(score, place, _)| (std::cmp::Reverse(*score), *place));
    scored.truncate(SHOWN_MAX);
    scored.into_iter().map(|(.., item)| item).collect()
}

/// All lines: the selected app first, then the others, then the view.
fn items(model: &Model) -> Vec<Item> {
    let mut rows: Vec<_> = model.table.rows.iter().collect();
    rows.sort_by_key(|row| Some(row.one.id) != model.table.selected);
    let mut items: Vec<Item> =
        rows.iter().map(|row| Item { text: row.name(), action: Action::Jump(row.one.id) }).collect();
    for row in rows {
        items.extend(VERBS.into_iter().map(|verb| Item {
            text: format!("{} {}", verb.name(), row.name()),
            action: Action::Act(verb, row.one.id),
        }));
    }
    let tabs = Tab::ALL.into_iter();
    items.extend(tabs.map(|tab| Item { text: tab.name().to_lowercase(), action: Action::Show(tab) }));
    items.extend(KEYS.map(|(text, key)| Item { text: text.to_owned(), action: Action::Key(key) }));
    items
}

/// How well the letters fit; none: they are not all there. Letters at the begin of a word, and such that follow each other,
/// count most; short texts before long ones.
fn score(text: &str, typed: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut score, mut at, mut before) = (0, 0, None);
    for letter in typed.to_lowercase().chars().filter(|letter| !letter.is_whitespace()) {
        let is_begin = |place: usize| place == 0 || !text.get(place - 1).is_some_and(|c| c.is_alphanumeric());
        let rest = || (at..text.len()).filter(|place| text.get(*place) == Some(&letter));
        // What goes on is better than a begin further on, and that is better than anything between.
        let next = rest().find(|place| before.is_some_and(|before| *place == before + 1));
        let place = next.or_else(|| rest().find(|place| is_begin(*place))).or_else(|| rest().next())?;
        score += match (next, is_begin(place)) {
            (Some(_), _) => 8,
            (None, true) => 6,
            (None, false) => 1,
        };
        (at, before) = (place + 1, Some(place));
    }
    // A letter more or less decides nothing.
    Some(score * 16 - i32::try_from(text.len() / 4).unwrap_or(i32::MAX).min(50))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn texts(typed: &str) -> Vec<String> {
        found(&sample::model(100, 30), typed).into_iter().map(|item| item.text).collect()
    }

    #[test]
    fn letters_in_their_order_are_enough() {
        assert_eq!(texts("wor")[0], "worker");
        assert_eq!(texts("rewor")[..2], ["restart worker", "reload worker"]);
        assert_eq!(texts("rest ch")[0], "restart chatty");
        assert_eq!(texts("RUNS")[0], "runs");
        assert_eq!(texts("qu")[0], "quit");
        assert_eq!(texts("日")[0], "日本語");
        assert!(texts("xyzzy").is_empty());
        // With nothing typed: where one can go.
        let all = texts("");
        assert_eq!(all.len(), SHOWN_MAX);
        assert!(all.contains(&"api".to_owned()));
    }

    #[test]
    fn every_key_is_one_of_the_view() {
        for (text, key) in KEYS {
            // The help is what tells of the others.
            let known = key == '?' || crate::view::KEYS.iter().any(|(keys, _)| keys.contains(key));
            assert!(known, "{text}");
        }
    }

    #[test]
    fn better_fits_come_first() {
        assert!(score("worker", "wor") > score("network worker", "wor"));
        assert!(score("stop api", "sa") > score("restart", "sa"));
        assert_eq!(score("api", "apj"), None);
        assert_eq!(score("api", "pa"), None);
    }
}
