//! Numbers, money, times and texts of others, as a terminal shows them.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::text::Span;

/// From least to most.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A text of somebody else's, on one line: what would steer the terminal, or turn or hide what
/// stands beside it, is spelt out.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Marks of direction, separators of lines, and what has no width.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// At most so many columns of it; `…` says that there is more.
pub(super) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut left = columns.saturating_sub(1);
    for c in text.chars() {
        let Some(after) = left.checked_sub(width(c.encode_utf8(&mut [0; 4]))) else { break };
        left = after;
        clipped.push(c);
    }
    if columns > 0 {
        clipped.push('…');
    }
    clipped
}

/// Columns that it takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// So many, in groups of three digits.
pub(super) fn count(count: u64) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount with its asset: `1.5 CCD`. In smallest units where nobody knows how fine it is.
pub(super) fn money(units: u128, asset: &str, decimals: Option<u8>) -> String {
    let asset = plain(asset);
    match decimals {
        Some(decimals) => format!("{} {asset}", decimal(units, decimals)),
        None => format!("{} smallest units of {asset}", grouped(&units.to_string())),
    }
}

fn decimal(units: u128, decimals: u8) -> String {
    let (decimals, width) = (usize::from(decimals), usize::from(decimals) + 1);
    let digits = format!("{units:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let mut text = grouped(whole);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// How long ago, in one unit. Clocks differ a little: what has not been yet is now.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at).num_seconds() {
        ..1 => "now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// So many seconds, in one unit.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Milliseconds that something took.
pub(super) fn took(ms: u64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => span(i64::try_from(ms / 1_000).unwrap_or(i64::MAX)),
    }
}

/// A time for people.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How far the newest block is behind.
pub(super) fn lag(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span((now - at).max(TimeDelta::zero()).num_seconds())
}

/// Bars of at most so many columns, the highest the most; neighbours share one where there are
/// more.
pub(super) fn sparkline(values: &[u64], columns: usize) -> String {
    if columns == 0 || values.is_empty() {
        return String::new();
    }
    // From the end, so that the newest bar is always a whole one.
    let sum = |part: &[u64]| part.iter().fold(0, |sum: u64, value| sum.saturating_add(*value));
    let bars: Vec<u64> = values.rchunks(values.len().div_ceil(columns)).map(sum).collect();
    let most = bars.iter().copied().max().unwrap_or(0).max(1);
    let bar = |value: u64| match value {
        0 => ' ',
        _ => {
            let height = u128::from(value) * BARS.len() as u128 / u128::from(most);
            BARS[(height as usize).saturating_sub(1)]
        }
    };
    bars.into_iter().rev().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_cannot_steer_the_terminal() {
        let rows = [
            ("https://shop.example/ä?q=日本", "https://shop.example/ä?q=日本"),
            ("a\x1b[2Jb\r\n\tc\x07", "a\\u{1b}[2Jb\\r\\n\\tc\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("pay\u{202e}txt.exe", "pay\\u{202e}txt.exe"),
            ("a\u{200b}b\u{2028}c\u{e0041}", "a\\u{200b}b\\u{2028}c\\u{e0041}"),
        ];
        for (text, shown) in rows {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_by_columns() {
        assert_eq!(clip("short", 5), "short");
        assert_eq!(clip("shorter", 5), "shor…");
        assert_eq!(clip("日本日本", 5), "日本…");
        assert_eq!(clip("日本日本", 4), "日…");
        assert_eq!([clip("ab", 1), clip("ab", 0)], ["…", ""]);
    }

    #[test]
    fn money_is_in_human_units() {
        assert_eq!(money(1_500_000, "CCD", Some(6)), "1.5 CCD");
        assert_eq!(money(1, "CCD", Some(6)), "0.000001 CCD");
        assert_eq!(money(123_456_789, "EURR", Some(2)), "1,234,567.89 EURR");
        assert_eq!(money(5, "EURR", Some(0)), "5 EURR");
        assert_eq!(money(1_000, "X\n", None), "1,000 smallest units of X\\n");
        assert!(
            money(u128::MAX, "CCD", Some(38)).starts_with("3.40282366920938463463374607431768")
        );
    }

    #[test]
    fn times_are_in_one_unit() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(9);
        let ago = |seconds| ago(now - TimeDelta::seconds(seconds), now);
        let rows =
            [(-9, "now"), (0, "now"), (1, "1 s ago"), (120, "2 min ago"), (7_200, "2 h ago")];
        for (seconds, text) in rows {
            assert_eq!(ago(seconds), text);
        }
        assert_eq!([0, 999, 1_500, 200_000].map(took), ["0 ms", "999 ms", "1.5 s", "3 min"]);
        assert_eq!(lag(now + TimeDelta::seconds(2), now), "0 s");
    }

    #[test]
    fn bars_share_columns_and_stay_within_them() {
        assert_eq!(sparkline(&[0, 1, 2, 4, 8], 5), " ▁▂▄█");
        assert_eq!(sparkline(&[1, 0, 0, 3, 3], 3), "▁ █");
        assert_eq!(sparkline(&[0, 0], 9), "  ");
        assert_eq!(sparkline(&[u64::MAX / 60; 60], 7).chars().count(), 7);
        assert_eq!((sparkline(&[], 5), sparkline(&[1], 0)), (String::new(), String::new()));
    }
}
