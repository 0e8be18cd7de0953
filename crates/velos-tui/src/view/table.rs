//! The processes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use velos_core::units::{short_bytes, short_duration};

use super::{text, theme};
use crate::model::{Focus, Link, Model};
use crate::table::{Row, SAMPLES_MAX, Sort};

/// Least columns of a name.
const NAME: usize = 12;
/// 10 % fill the sparkline of a process that does little.
const CPU_LEAST: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id,
    Name,
    Status,
    Cpu,
    CpuLine,
    Memory,
    MemoryLine,
    Restarts,
    Uptime,
    Pid,
}

impl Column {
    const ALL: [Self; 10] = [
        Self::Id,
        Self::Name,
        Self::Status,
        Self::Cpu,
        Self::CpuLine,
        Self::Memory,
        Self::MemoryLine,
        Self::Restarts,
        Self::Uptime,
        Self::Pid,
    ];
    /// What comes in when there is room, in this order, with its width.
    const OPTIONAL: [(Self, usize); 6] = [
        (Self::CpuLine, 8),
        (Self::Uptime, 4),
        (Self::Restarts, 4),
        (Self::MemoryLine, 8),
        (Self::Pid, 7),
        (Self::Id, 3),
    ];

    fn title(self, width: usize) -> String {
        match self {
            Self::Id => text::right("id", width),
            Self::Name => text::left("name", width),
            Self::Status => text::left("status", width),
            Self::Cpu => text::right("cpu", width),
            Self::CpuLine | Self::MemoryLine => " ".repeat(width),
            Self::Memory => text::right("mem", width),
            Self::Restarts => text::right("rst", width),
            Self::Uptime => text::right("up", width),
            Self::Pid => text::right("pid", width),
        }
    }

    fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Id => Sort::Id,
            Self::Name => Sort::Name,
            Self::Status => Sort::Status,
            Self::Cpu | Self::CpuLine => Sort::Cpu,
            Self::Memory | Self::MemoryLine => Sort::Memory,
            Self::Restarts => Sort::Restarts,
            Self::Uptime => Sort::Uptime,
            Self::Pid => return None,
        })
    }
}

/// Which columns, and how wide. Two more at the left are for the sign.
fn columns(model: &Model, width: usize) -> Vec<(Column, usize)> {
    let rows = model.table.shown();
    let widest = |of: fn(&Row) -> usize| rows.iter().map(|row| of(row)).max().unwrap_or(0);
    let status = widest(|row| row.one.phase.status().len()).max(6);
    let name = widest(|row| text::columns(&row.name())).max(NAME);
    let mut chosen = vec![(Column::Status, status), (Column::Cpu, 6), (Column::Memory, 6)];
    let used = |chosen: &[(Column, usize)]| 2 + chosen.iter().map(|(_, width)| width + 1).sum::<usize>();
    for (column, columns) in Column::OPTIONAL {
        if used(&chosen) + columns + 1 + NAME <= width {
            chosen.push((column, columns));
        }
    }
    let mut left = width.saturating_sub(used(&chosen)).saturating_sub(1);
    let of_name = left.min(name);
    left -= of_name;
    // What names do not need goes to the lines.
    let lines = chosen.iter().filter(|(column, _)| is_line(*column)).count();
    if let Some(share) = left.checked_div(lines) {
        for (_, columns) in chosen.iter_mut().filter(|(column, _)| is_line(*column)) {
            *columns = (*columns + share).min(SAMPLES_MAX);
        }
    }
    chosen.push((Column::Name, of_name));
    let width_of = |column: Column| chosen.iter().find(|(other, _)| *other == column).copied();
    Column::ALL.into_iter().filter_map(width_of).collect()
}

fn is_line(column: Column) -> bool {
    matches!(column, Column::CpuLine | Column::MemoryLine)
}

/// What a click on a title sorts by.
pub(crate) fn sort_at(model: &Model, titles: Rect, x: u16) -> Option<Sort> {
    let mut end = titles.x + 2;
    for (column, width) in columns(model, usize::from(titles.width)) {
        end += u16::try_from(width + 1).unwrap_or(0);
        if x < end {
            return column.sort();
        }
    }
    None
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, titles: Rect, area: Rect) {
    let columns = columns(model, usize::from(area.width));
    let mut line = Line::from("  ");
    for (column, width) in &columns {
        let sorted = column.sort() == Some(model.table.sort) && model.table.sort != Sort::Id;
        let style = if sorted { theme::accent(model.look) } else { theme::dim() };
        line.push_span(Span::styled(column.title(*width), style));
        line.push_span(" ");
    }
    let filter = filter_words(model);
    if !filter.is_empty() {
        let room = usize::from(area.width).saturating_sub(2);
        line = Line::from(vec![
            Span::raw("  "),
            Span::styled(text::cut(&filter, room), theme::warn(model.look)),
        ]);
    }
    frame.render_widget(line, titles);
    let rows = model.table.shown();
    if rows.is_empty() {
        return draw_empty(model, frame, area);
    }
    let first = model.table.first_shown(usize::from(area.height));
    for (row, y) in rows.into_iter().skip(first).zip(area.y..area.bottom()) {
        draw_row(model, frame, row, &columns, Rect { y, height: 1, ..area });
    }
}

/// Why not all are seen, in place of the titles.
fn filter_words(model: &Model) -> String {
    let table = &model.table;
    let mut words: Vec<String> = Vec::new();
    if table.faults_only {
        words.push("only faults".to_owned());
    }
    if !table.filter.is_empty() {
        words.push(format!("only {}", table.filter_text));
    }
    if words.is_empty() {
        return String::new();
    }
    format!("{}: {} of {}; Esc shows all", words.join(", "), table.shown().len(), table.rows.len())
}

fn draw_empty(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let says = match (&model.link, model.table.is_known) {
        (Link::Away { .. }, _) => "nothing is known while the daemon is away",
        (_, false) => "asking the daemon ...",
        _ if model.table.rows.is_empty() => "Nothing was started yet. Try: velos start app.js",
        _ => "no process fits",
    };
    frame.render_widget(Line::styled(format!("  {says}"), theme::dim()), area);
}

fn draw_row(model: &Model, frame: &mut Frame<'_>, row: &Row, columns: &[(Column, usize)], area: Rect) {
    let one = &row.one;
    let is_away = matches!(model.link, Link::Away { .. });
    let is_selected = model.table.selected == Some(one.id);
    let is_marked = model.table.marked.contains(&one.id);
    let of_phase = theme::phase(model.look, one.phase);
    let sign = if is_marked { ">" } else { theme::glyph(model.look, one.phase) };
    let mut line = Line::from(vec![Span::styled(sign, of_phase), Span::raw(" ")]);
    for (column, width) in columns {
        let (content, style) = cell(model, row, *column, *width);
        line.push_span(Span::styled(content, style));
        line.push_span(" ");
    }
    let mut style = Style::new();
    let has_bar = is_selected && model.focus == Focus::Table;
    // A bar is of one colour.
    if is_away || has_bar {
        line.spans.iter_mut().for_each(|span| span.style = Style::new());
    }
    if is_away {
        style = theme::dim();
    }
    if has_bar {
        style = style.patch(theme::chosen());
    } else if is_selected {
        style = style.patch(theme::bold()).add_modifier(Modifier::UNDERLINED);
    }
    line.style = style;
    frame.buffer_mut().set_style(area, style);
    frame.render_widget(line, area);
}

fn cell(model: &Model, row: &Row, column: Column, width: usize) -> (String, Style) {
    let (one, look) = (&row.one, model.look);
    let none = || "-".to_owned();
    let plain = Style::new();
    match column {
        Column::Id => (text::right(&one.id.0.to_string(), width), theme::dim()),
        Column::Name => (text::left(&row.name(), width), theme::bold()),
        Column::Status => {
            let is_sick = one.healthy == Some(false);
            let word = if is_sick { "unhealthy" } else { one.phase.status() };
            let style = if is_sick { theme::bad(look) } else { theme::phase(look, one.phase) };
            (text::left(word, width), style)
        }
        Column::Cpu => {
            let cpu = one.cpu_centipercent;
            let says = cpu.map_or_else(none, |cpu| format!("{}.{}%", cpu / 100, cpu % 100 / 10));
            (text::right(&says, width), if cpu > Some(8_000) { theme::warn(look) } else { plain })
        }
        Column::CpuLine => {
            (theme::sparkline(look, row.cpu.last(width), width, CPU_LEAST), theme::accent(look))
        }
        Column::Memory => (text::right(&one.rss_bytes.map_or_else(none, short_bytes), width), plain),
        Column::MemoryLine => (theme::trend(look, row.memory.last(width), width), theme::accent(look)),
        Column::Restarts => {
            let style = if one.restarts > 0 { theme::warn(look) } else { theme::dim() };
            (text::right(&one.restarts.to_string(), width), style)
        }
        Column::Uptime => (text::right(&one.uptime_ms.map_or_else(none, short_duration), width), plain),
        Column::Pid => (text::right(&one.pid.map_or_else(none, |pid| pid.to_string()), width), theme::dim()),
    }
}
