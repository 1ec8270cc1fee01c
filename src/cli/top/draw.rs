//! Draws what somebody looks at, in whatever room there is. Pure: the same view at the same time is
//! the same screen.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::figures::Figures;
use super::keys::HELP;
use super::lines;
use super::model::{Open, State, View};
use super::wire::Status;
use super::words::{ago, clip, count, plain, width};

/// Less than that shows nothing of use.
const WIDTH_MIN: u16 = 20;
const HEIGHT_MIN: u16 = 4;
/// From so many columns on, what was paid and what was refused stand side by side.
const WIDTH_BESIDE: u16 = 72;
/// Rows that the list keeps for itself, with its head.
const LIST_MIN: u16 = 4;
/// Rows of how many there are, with their head.
const COUNTS: u16 = 4;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, now: DateTime<Utc>) {
    let area = frame.area();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        frame.render_widget("too small", area);
        return;
    }
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    title(frame, head, view, now);
    match view.open {
        Open::Overview => overview(frame, body, view, now),
        Open::One(scrolled) => one(frame, body, (view, scrolled), now),
        Open::Help => help(frame, body),
    }
    let keys = match view.open {
        Open::Overview => " q quit  p pause  Up/Down choose  Enter show  ? help",
        Open::One(_) => " Esc back  Up/Down scroll  p pause  q quit",
        Open::Help => " Esc back  q quit",
    };
    frame.render_widget(Line::from(clip(keys, foot.width.into())).dim(), foot);
}

fn title(frame: &mut Frame<'_>, area: Rect, view: &View, now: DateTime<Utc>) {
    let held = if view.is_held() { " PAUSED " } else { "" };
    let right = format!("{held} {} UTC ", now.format("%H:%M:%S"));
    let left = format!(" ccd402 top  {}", plain(&view.state().server));
    let room = usize::from(area.width).saturating_sub(right.len());
    let left = clip(&left, room);
    let fill = " ".repeat(room.saturating_sub(width(&left)));
    frame.render_widget(Line::from(format!("{left}{fill}{right}")).reversed(), area);
}

fn overview(frame: &mut Frame<'_>, area: Rect, view: &View, now: DateTime<Utc>) {
    let state = view.state();
    let figures = Figures::of(state, now);
    let facts = facts(&figures, state, now);
    let facts_rows = (facts.len() as u16).min(area.height.saturating_sub(LIST_MIN)).max(1);
    let left = area.height.saturating_sub(facts_rows);
    let counts_rows = if left >= COUNTS + LIST_MIN { COUNTS } else { 0 };
    let spare = left - counts_rows;
    let needed = figures.volume.len().max(figures.refusals.len()).max(1) as u16;
    let middle_rows = if spare < 9 { 0 } else { (1 + needed).min(1 + spare / 3).max(2) };
    let rows = [facts_rows, counts_rows, middle_rows].map(Constraint::Length);
    let [at_facts, at_counts, at_middle, at_list] =
        Layout::vertical(rows.into_iter().chain([Constraint::Fill(1)])).areas(area);
    let columns = usize::from(area.width);
    let cut = |(text, style): &(String, Style)| Line::styled(clip(text, columns), *style);
    frame.render_widget(Text::from_iter(facts.iter().map(cut)), at_facts);
    counts(frame, at_counts, &figures);
    middle(frame, at_middle, &figures);
    list(frame, at_list, view, now);
}

/// What is said first; what is amiss, in colour.
fn facts(figures: &Figures<'_>, state: &State, now: DateTime<Utc>) -> Vec<(String, Style)> {
    let bad = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let mark = |is_bad: bool| if is_bad { bad } else { Style::new() };
    let mut facts = Vec::new();
    if let Some(trouble) = &state.trouble {
        let since = ago(trouble.at, now);
        facts.push((format!(" not told (since {since}): {}", plain(&trouble.value)), bad));
    }
    let is_amiss = lines::is_amiss(figures);
    facts.push((format!(" {}", lines::health(figures)), mark(is_amiss)));
    facts.push((format!(" {}", lines::progress(figures, state)), Style::new()));
    let is_dead = figures.jobs.is_some_and(|jobs| jobs.dead > 0);
    facts.push((format!(" {}", lines::work(figures)), mark(is_dead)));
    facts
}

fn counts(frame: &mut Frame<'_>, area: Rect, figures: &Figures<'_>) {
    let columns = usize::from(area.width);
    let head = Line::from(clip(&lines::counted_head(), columns)).dim();
    let counted = figures.verifications.iter().map(|counted| {
        Line::styled(clip(&lines::counted(counted, columns), columns), style(counted.status))
    });
    frame.render_widget(Text::from_iter([head].into_iter().chain(counted)), area);
}

fn middle(frame: &mut Frame<'_>, area: Rect, figures: &Figures<'_>) {
    let halves = [Constraint::Percentage(55), Constraint::Fill(1)];
    let areas: [Rect; 2] = if area.width >= WIDTH_BESIDE {
        Layout::horizontal(halves).areas(area)
    } else {
        Layout::vertical(halves).areas(area)
    };
    let paid: Vec<_> = figures.volume.iter().map(lines::paid).collect();
    let refused = figures.refusals.iter();
    let refused: Vec<_> =
        refused.map(|of| format!(" {:>8}  {}", count(of.count), plain(&of.code))).collect();
    for ((name, lines), area) in [("Paid", paid), ("Refused", refused)].into_iter().zip(areas) {
        let area = ruled(frame, area, name);
        let lines = if lines.is_empty() { vec![" nothing yet".to_owned()] } else { lines };
        let shown = fitting(lines, area.height.into());
        let cut = shown.iter().map(|line| Line::from(clip(line, area.width.into())));
        frame.render_widget(Text::from_iter(cut), area);
    }
}

/// As many as there is room for; the last says how many more there are.
fn fitting(mut lines: Vec<String>, rows: usize) -> Vec<String> {
    if lines.len() > rows && rows > 0 {
        let more = lines.len() + 1 - rows;
        lines.truncate(rows - 1);
        lines.push(format!(" … and {more} more"));
    }
    lines
}

fn list(frame: &mut Frame<'_>, area: Rect, view: &View, now: DateTime<Utc>) {
    let state = view.state();
    let age =
        state.rows.as_ref().map_or_else(String::new, |rows| format!(", {}", ago(rows.at, now)));
    let stream = match &state.no_stream {
        Some(why) => format!("; no stream: {}", plain(why)),
        None => String::new(),
    };
    let area = ruled(frame, area, &format!("Newest{age}{stream}"));
    let (rows, columns) = (state.rows(), usize::from(area.width));
    if rows.is_empty() {
        frame.render_widget(Line::from(clip(" no verification yet", columns)).dim(), area);
        return;
    }
    let (chosen, height) = (view.chosen(), usize::from(area.height));
    let first = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(height));
    let shown = rows.iter().enumerate().skip(first).take(height).map(|(at, row)| {
        let mut text = clip(&lines::listed(row, state, columns), columns);
        let mut style = style(row.status);
        if chosen == Some(at) {
            // The whole line, and a mark where there are no colours.
            text.replace_range(..1, ">");
            style = style.add_modifier(Modifier::REVERSED);
        }
        Line::styled(text, style)
    });
    frame.render_widget(Text::from_iter(shown), area);
}

fn one(frame: &mut Frame<'_>, area: Rect, (view, scrolled): (&View, u16), now: DateTime<Utc>) {
    let state = view.state();
    let area = ruled(frame, area, "Verification");
    let Some(row) = view.chosen().and_then(|at| state.rows().get(at)) else {
        frame.render_widget(" it is not among the newest any more", area);
        return;
    };
    let said = lines::one(row, state, now).into_iter().map(|(name, what)| {
        Line::from(vec![Span::from(format!(" {name:<13}")).dim(), Span::from(what)])
    });
    let text = Paragraph::new(Text::from_iter(said)).wrap(Wrap { trim: false });
    frame.render_widget(text.scroll((scrolled, 0)), area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let area = ruled(frame, area, "Keys");
    let said = HELP.iter().map(|(keys, what)| {
        Line::from(vec![Span::from(format!(" {keys:<18}")).bold(), Span::from(*what)])
    });
    let told = [
        "",
        " Each number is as old as is said beside it. The list is live where there is a stream.",
        " What a key's scope does not allow is not asked for: a tenant sees its own.",
    ];
    let text = Text::from_iter(said.chain(told.map(Line::from)));
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), area);
}

/// A line with a name; what is below it.
fn ruled(frame: &mut Frame<'_>, area: Rect, name: &str) -> Rect {
    let name = clip(&format!(" {name} "), usize::from(area.width).saturating_sub(2));
    // Of the border alone: a style of the block is one of what stands in it, too.
    let dim = Style::new().add_modifier(Modifier::DIM);
    let name = Line::styled(format!("─{name}"), dim);
    let block = Block::new().borders(Borders::TOP).border_style(dim).title(name);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

fn style(status: Status) -> Style {
    match status {
        Status::Pending => Style::new().fg(Color::Yellow),
        Status::Confirmed => Style::new().fg(Color::Green),
        Status::Failed => Style::new().fg(Color::Red),
    }
}
