//! The first line: the machine, the daemon, how the processes are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use velos_core::instance::Phase;
use velos_core::units::{short_bytes, short_duration};

use super::{text, theme};
use crate::model::{Link, Model};

/// From so many columns states have their words.
const WITH_WORDS: u16 = 110;
/// Samples of the machine's line.
const SAMPLES: usize = 8;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let mut line = Line::from(Span::styled(" velos ", theme::chosen().patch(theme::bold())));
    if let Link::Away { since_ms, reason } = &model.link {
        let since = short_duration(u64::try_from(model.now_ms - since_ms).unwrap_or(0));
        let says = format!(" daemon away for {since}, trying again: {reason}");
        line.push_span(Span::styled(text::cut(&says, width.saturating_sub(7)), theme::bad(model.look)));
        frame.render_widget(line, area);
        return;
    }
    let dot = if model.look.unicode { "· " } else { "| " };
    for part in parts(model) {
        let needed: usize = part.iter().map(|span| text::columns(&span.content)).sum();
        if line.width() + 2 + needed > width {
            continue;
        }
        let gap = if line.spans.len() == 1 { " " } else { dot };
        line.push_span(Span::styled(gap, theme::dim()));
        line.spans.extend(part);
    }
    frame.render_widget(line, area);
}

/// The states first: they are what must not be cut.
fn parts(model: &Model) -> Vec<Vec<Span<'static>>> {
    let mut parts = vec![states(model)];
    if let Some(host) = model.host {
        let line = theme::sparkline(model.look, model.host_cpu.last(SAMPLES), SAMPLES, 10_000);
        parts.push(vec![
            Span::raw(format!("cpu {:.0}% ", host.cpu_percent)),
            Span::styled(line + " ", theme::accent(model.look)),
        ]);
        let bar = theme::bar(model.look, host.used_bytes, host.total_bytes);
        parts.push(vec![
            Span::raw(format!("mem {}/{} ", short_bytes(host.used_bytes), short_bytes(host.total_bytes))),
            Span::styled(format!("{bar} "), theme::accent(model.look)),
        ]);
    }
    if let Link::Here(hello) = &model.link {
        parts.push(vec![Span::raw(format!("daemon {} {}", hello.product, short_bytes(hello.rss_bytes)))]);
    }
    parts
}

fn states(model: &Model) -> Vec<Span<'static>> {
    let rows = &model.table.rows;
    if !model.table.is_known {
        return vec![Span::raw("asking the daemon ...")];
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    let phases = [
        Phase::Online,
        Phase::Errored,
        Phase::Backoff,
        Phase::Launching,
        Phase::Stopping,
        Phase::Waiting,
        Phase::Stopped,
    ];
    for phase in phases {
        let count = rows.iter().filter(|row| row.one.phase.status() == phase.status()).count();
        if count > 0 {
            let has_words = model.size.0 >= WITH_WORDS || spans.is_empty();
            let word = if has_words { format!(" {}", phase.status()) } else { String::new() };
            let says = format!("{}{count}{word} ", theme::glyph(model.look, phase));
            spans.push(Span::styled(says, theme::phase(model.look, phase)));
        }
    }
    if spans.is_empty() {
        spans.push(Span::raw("no processes"));
    }
    spans
}
