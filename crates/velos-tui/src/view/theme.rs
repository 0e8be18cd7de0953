//! Colours and signs. Nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};
use velos_core::instance::Phase;
use velos_log_engine::Level;

use crate::model::Look;

const BLOCKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const PLAIN: [&str; 8] = [".", ":", "-", "=", "+", "*", "%", "#"];

fn of(look: Look, colour: Color, instead: Modifier) -> Style {
    if look.colour { Style::new().fg(colour) } else { Style::new().add_modifier(instead) }
}

/// Not grey: in some palettes that is the colour of the background.
pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

pub(super) fn good(look: Look) -> Style {
    of(look, Color::Green, Modifier::empty())
}

pub(super) fn warn(look: Look) -> Style {
    of(look, Color::Yellow, Modifier::empty())
}

pub(super) fn bad(look: Look) -> Style {
    of(look, Color::Red, Modifier::BOLD)
}

pub(super) fn accent(look: Look) -> Style {
    of(look, Color::Cyan, Modifier::empty())
}

pub(super) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub(super) fn chosen() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

pub(super) fn level(look: Look, level: Level) -> Style {
    match level {
        Level::Trace | Level::Debug => dim(),
        Level::Info => Style::new(),
        Level::Warn => warn(look),
        Level::Error => bad(look),
        Level::Fatal => bad(look).add_modifier(Modifier::BOLD),
    }
}

/// The level as a letter, where it needs a look.
pub(super) fn letter(level: Level) -> &'static str {
    match level {
        Level::Trace | Level::Debug | Level::Info => " ",
        Level::Warn => "W",
        Level::Error => "E",
        Level::Fatal => "F",
    }
}

pub(super) fn phase(look: Look, phase: Phase) -> Style {
    match phase {
        Phase::Online => good(look),
        Phase::Errored => bad(look),
        Phase::Stopped => dim(),
        Phase::Starting | Phase::Launching | Phase::Stopping | Phase::Backoff | Phase::Waiting => warn(look),
    }
}

pub(super) fn glyph(look: Look, phase: Phase) -> &'static str {
    let (glyph, plain) = match phase {
        Phase::Online => ("●", "*"),
        Phase::Stopped => ("○", "o"),
        Phase::Errored => ("✖", "x"),
        Phase::Starting | Phase::Launching => ("◐", "+"),
        Phase::Stopping => ("◑", "-"),
        Phase::Backoff => ("↻", "r"),
        Phase::Waiting => ("◌", "."),
    };
    if look.unicode { glyph } else { plain }
}

/// Values as bars from nothing to the largest, which is at least `least`; 0 is blank. Filled from the left.
pub(super) fn sparkline(look: Look, values: impl Iterator<Item = u64>, width: usize, least: u64) -> String {
    let values: Vec<u64> = values.collect();
    let most = values.iter().copied().max().unwrap_or(0).max(least).max(1);
    let blank = width.saturating_sub(values.len());
    let bar = |value: &u64| bar(look, *value, most);
    " ".repeat(blank) + &values.iter().map(bar).collect::<String>()
}

/// Values as bars around their middle: what changes by less than a quarter of the largest looks level. 0 is blank.
pub(super) fn trend(look: Look, values: impl Iterator<Item = u64>, width: usize) -> String {
    let values: Vec<u64> = values.collect();
    let most = values.iter().copied().max().unwrap_or(0);
    let least = values.iter().copied().filter(|value| *value > 0).min().unwrap_or(0);
    let range = (most - least).max(most / 4).max(1);
    let bottom = (least + (most - least) / 2).saturating_sub(range / 2);
    let blank = width.saturating_sub(values.len());
    let bar = |value: &u64| match *value {
        0 => " ",
        value => bar(look, value.saturating_sub(bottom).max(1), range),
    };
    " ".repeat(blank) + &values.iter().map(bar).collect::<String>()
}

/// Values as columns of several lines, the top one first. Filled from the left.
pub(super) fn graph(look: Look, values: &[u64], most: u64, width: usize, height: usize) -> Vec<String> {
    let bars = if look.unicode { BLOCKS } else { PLAIN };
    let blank = " ".repeat(width.saturating_sub(values.len()));
    let steps = |value: u64| {
        let all = u128::from(value.min(most)) * 8 * height as u128;
        // What is not nothing is seen.
        usize::try_from(all / u128::from(most.max(1))).unwrap_or(0).max(usize::from(value > 0))
    };
    let line = |below: usize| {
        let cell = |value: &u64| match steps(*value).saturating_sub(below * 8).min(8) {
            0 => " ",
            part => bars.get(part - 1).copied().unwrap_or(" "),
        };
        blank.clone() + &values.iter().map(cell).collect::<String>()
    };
    (0..height).rev().map(line).collect()
}

/// One value as a bar.
pub(super) fn bar(look: Look, value: u64, most: u64) -> &'static str {
    if value == 0 {
        return " ";
    }
    let bars = if look.unicode { BLOCKS } else { PLAIN };
    let place = (u128::from(value.min(most)) * 8 / u128::from(most.max(1))).min(7);
    bars.get(usize::try_from(place).unwrap_or(7)).copied().unwrap_or(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparklines() {
        let look = Look { colour: false, unicode: true };
        assert_eq!(sparkline(look, [0, 1, 50, 100].into_iter(), 6, 0), "   ▁▅█");
        assert_eq!(sparkline(look, [1, 2].into_iter(), 2, 100), "▁▁");
        assert_eq!(trend(look, [0, 1_000, 1_001, 1_000].into_iter(), 5), "  ▅▅▅");
        assert_eq!(trend(look, [100, 200, 400].into_iter(), 3), "▁▃█");
        assert_eq!(graph(look, &[0, 1, 50, 100], 100, 5, 2), ["    █", "  ▁██"]);
        let plain = Look { unicode: false, ..look };
        assert_eq!(sparkline(plain, [0, 1, 50, 100].into_iter(), 4, 0), " .+#");
    }
}
