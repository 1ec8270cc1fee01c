//! Bars over time as SVG: where each stands and how high it is. What they count is for the pages.
//!
//! Shapes have classes, not colours: light and dark are the style sheet's.

use crate::shown;

/// Size of the drawing, in its own units; browsers scale it.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;
/// Room on the left for what the lines mean, and below for times.
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 20.0;
const TOP: f64 = 8.0;
/// Between two bars, as a part of their width.
const GAP: f64 = 0.18;
/// The least height of what is there at all.
const LEAST: f64 = 1.5;

/// A step of time and how many of each sort it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// For people, such as `15:00`.
    pub(crate) label: String,
    /// Class and number, from the bottom up.
    pub(crate) parts: Vec<(&'static str, u64)>,
}

/// A chart, measured out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bars {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) bars: Vec<Bar>,
    pub(crate) lines: Vec<Line>,
    pub(crate) ticks: Vec<Tick>,
}

/// Something of one colour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    /// Said when it is pointed at.
    pub(crate) title: String,
}

/// A line across, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) y: String,
    pub(crate) label: String,
}

/// A time below.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) x: String,
    pub(crate) label: String,
}

/// Bars of these columns, with a time below every so many of them.
pub(crate) fn bars(columns: &[Column], every: usize) -> Bars {
    let sum = |column: &Column| column.parts.iter().map(|(_, count)| count).sum::<u64>();
    let top = round(columns.iter().map(sum).max().unwrap_or(0));
    let (room, base) = (HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM);
    let step = (WIDTH - LEFT) / columns.len().max(1) as f64;
    let mut chart = Bars {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        bars: Vec::new(),
        lines: Vec::new(),
        ticks: Vec::new(),
    };
    for (at, column) in columns.iter().enumerate() {
        let x = LEFT + step * at as f64;
        let mut y = base;
        for (class, count) in column.parts.iter().filter(|(_, count)| *count > 0) {
            let height = (*count as f64 / top as f64 * room).max(LEAST);
            y -= height;
            chart.bars.push(Bar {
                class,
                x: place(x + step * GAP / 2.0),
                y: place(y),
                width: place(step * (1.0 - GAP)),
                height: place(height),
                title: format!("{}: {} {class}", column.label, shown::count(*count)),
            });
        }
        if at % every.max(1) == 0 {
            let label = column.label.clone();
            chart.ticks.push(Tick { x: place(x + step / 2.0), label });
        }
    }
    for part in [0, 1, 2] {
        let y = place(base - room * f64::from(part) / 2.0);
        chart
            .lines
            .push(Line { y, label: shown::count(top * u64::try_from(part).unwrap_or(0) / 2) });
    }
    chart
}

/// The least round and even number that is no less.
fn round(most: u64) -> u64 {
    let mut step = 2_u64;
    loop {
        for times in [1, 2, 5] {
            let Some(round) = step.checked_mul(times) else { return u64::MAX };
            if round >= most {
                return round;
            }
        }
        let Some(next) = step.checked_mul(10) else { return u64::MAX };
        step = next;
    }
}

fn place(at: f64) -> String {
    format!("{at:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(label: &str, confirmed: u64, failed: u64) -> Column {
        Column { label: label.into(), parts: vec![("confirmed", confirmed), ("failed", failed)] }
    }

    #[test]
    fn bars_stand_on_each_other_and_within_the_drawing() {
        let chart = bars(&[column("15:00", 3, 1), column("15:01", 0, 0), column("15:02", 0, 4)], 2);
        assert_eq!(chart.bars.len(), 3);
        let number = |text: &String| text.parse::<f64>().unwrap();
        let (below, above) = (&chart.bars[0], &chart.bars[1]);
        let top_of_below = number(&below.y);
        assert!((number(&above.y) + number(&above.height) - top_of_below).abs() < 0.2);
        for bar in &chart.bars {
            assert!(number(&bar.y) >= TOP && number(&bar.y) + number(&bar.height) <= HEIGHT);
            assert!(number(&bar.x) >= LEFT && number(&bar.x) + number(&bar.width) <= WIDTH);
        }
        assert_eq!(above.title, "15:00: 1 failed");
        let labels: Vec<_> = chart.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["15:00", "15:02"]);
        assert_eq!(
            chart.lines.iter().map(|line| line.label.as_str()).collect::<Vec<_>>(),
            ["0", "2", "4"]
        );
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(bars(&[], 1).bars, []);
        assert_eq!(
            [0, 1, 3, 4, 5, 9, 11, 101, u64::MAX].map(round),
            [2, 2, 4, 4, 10, 10, 20, 200, u64::MAX]
        );
    }
}
