//! Numbers, money and times as people read them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Between groups of three digits: narrow, and no place to break a line.
const THIN: char = '\u{202f}';

/// How fine assets are, by their names in small letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decimals(pub(crate) HashMap<String, u8>);

/// A time: for people, for programs, and how long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) text: String,
    pub(crate) iso: String,
    /// Empty in what is sent to live pages, whose script says it: else all would change each second.
    pub(crate) age: String,
}

/// As of when ages are told; not at all where that is absent.
pub(crate) type Now = Option<DateTime<Utc>>;

impl Time {
    pub(crate) fn of(at: DateTime<Utc>, now: Now) -> Self {
        Self {
            text: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            age: now.map_or_else(String::new, |now| ago(now - at)),
        }
    }
}

impl Decimals {
    /// An amount as programs read it, empty where nobody knows how fine the asset is.
    pub(crate) fn plain(&self, amount: Amount, asset: &Asset) -> String {
        let decimals = self.0.get(&asset.to_string().to_ascii_lowercase());
        decimals.map(|decimals| amount.to_decimal(*decimals)).unwrap_or_default()
    }

    /// An amount with its asset: `1.5 CCD`. In smallest units where nobody knows how fine it is.
    pub(crate) fn money(&self, units: u128, asset: &Asset) -> String {
        match self.0.get(&asset.to_string().to_ascii_lowercase()) {
            Some(decimals) => format!("{} {asset}", decimal(units, *decimals)),
            None => format!("{} smallest units of {asset}", grouped(&units.to_string())),
        }
    }
}

/// So many, in groups of three digits.
pub(crate) fn count(count: u64) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(THIN);
        }
        text.push(digit);
    }
    text
}

fn decimal(units: u128, decimals: u8) -> String {
    let (decimals, width) = (usize::from(decimals), usize::from(decimals) + 1);
    let digits = format!("{units:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    let mut text = grouped(whole);
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// How long ago, in one unit.
pub(crate) fn ago(age: TimeDelta) -> String {
    let seconds = age.num_seconds();
    match seconds {
        ..=-2 => format!("in {}", span(-seconds)),
        -1..=0 => "just now".to_owned(),
        _ => format!("{} ago", span(seconds)),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A time that something took, by its microseconds.
pub(crate) fn took(micros: u64) -> String {
    let ms = micros as f64 / 1_000.0;
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{ms:.1} ms"),
        10_000..1_000_000 => format!("{ms:.0} ms"),
        1_000_000..120_000_000 => format!("{:.1} s", ms / 1_000.0),
        _ => span((ms / 1_000.0) as i64),
    }
}

/// How old an answer is.
pub(crate) fn age(age: Duration) -> String {
    if age < Duration::from_millis(100) {
        return "now".to_owned();
    }
    format!("{:.1} s old", age.as_secs_f64())
}

/// The beginning and the end of what is too long to be shown.
pub(crate) fn short(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 16 {
        return text.to_owned();
    }
    let ends = |part: &[char]| part.iter().collect::<String>();
    format!("{}…{}", ends(&chars[..8]), ends(&chars[chars.len() - 6..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_in_human_units() {
        let token: Asset = "EURR".parse().unwrap();
        let decimals = Decimals([("ccd".to_owned(), 6), ("eurr".to_owned(), 2)].into());
        let money = |units, asset: &Asset| decimals.money(units, asset).replace(THIN, "_");
        assert_eq!(money(1_500_000, &Asset::Ccd), "1.5 CCD");
        assert_eq!(money(0, &Asset::Ccd), "0 CCD");
        assert_eq!(money(1, &Asset::Ccd), "0.000001 CCD");
        assert_eq!(money(123_456_789, &token), "1_234_567.89 EURR");
        assert_eq!(
            Decimals::default().money(1_000, &token).replace(THIN, "_"),
            "1_000 smallest units of EURR"
        );
        assert_eq!(
            money(u128::from(u64::MAX) * 1_000, &Asset::Ccd),
            "18_446_744_073_709_551.615 CCD"
        );
    }

    #[test]
    fn ages_and_times_are_in_one_unit() {
        let ago = |seconds| ago(TimeDelta::seconds(seconds));
        let rows = [(0, "just now"), (1, "1 s ago"), (119, "119 s ago"), (120, "2 min ago")];
        for (seconds, text) in rows {
            assert_eq!(ago(seconds), text);
        }
        assert_eq!(
            (ago(7_200), ago(172_800), ago(-60)),
            ("2 h ago".into(), "2 d ago".into(), "in 60 s".into())
        );
        assert_eq!(
            [7, 1_500, 20_000, 2_500_000, 200_000_000].map(took),
            ["7 µs", "1.5 ms", "20 ms", "2.5 s", "3 min"]
        );
    }

    #[test]
    fn long_texts_are_shortened_by_characters() {
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"ä".repeat(40)), format!("{}…{}", "ä".repeat(8), "ä".repeat(6)));
    }
}
