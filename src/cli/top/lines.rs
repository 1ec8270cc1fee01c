//! An overview in lines of words: what the screen and `--once` say alike. Where they stand and in
//! which colour is not decided here.

use chrono::{DateTime, Utc};

use super::figures::{Count, Figures, MINUTES, Volume};
use super::model::State;
use super::wire::Row;
use super::words::{ago, clip, count, lag, money, plain, sparkline, time, took};

/// How the facilitator is, part by part.
pub(super) fn health(figures: &Figures<'_>) -> String {
    let health = figures.health.map_or_else(|| "not told".to_owned(), plain);
    let Some(ready) = figures.ready else { return format!("health {health}") };
    let part = |(part, word): (&String, &String)| match word.as_str() {
        "ok" => plain(part),
        word => format!("{} {}", plain(part), plain(word).to_uppercase()),
    };
    let parts: Vec<_> = ready.parts.iter().map(part).collect();
    format!("health {health}; ready {} ({})", plain(&ready.status), parts.join(", "))
}

/// How far chain and log have come.
pub(super) fn progress(figures: &Figures<'_>, state: &State) -> String {
    let now = figures.at;
    let block = match &state.block {
        Some(block) => {
            format!("block {}, {} behind", count(block.height), lag(block.time, now))
        }
        None => "block not told".to_owned(),
    };
    let log = match (&figures.log, &state.ever) {
        (Some(log), Some(told)) => format!(
            "log {}, numbers of {} ({} behind), {}",
            count(log.head),
            count(log.as_of),
            count(log.head.saturating_sub(log.as_of)),
            ago(told.at, now)
        ),
        _ => "log not told".to_owned(),
    };
    format!("{block}; {log}")
}

/// What waits, and how long payments took.
pub(super) fn work(figures: &Figures<'_>) -> String {
    let jobs = match figures.jobs {
        Some(jobs) => {
            let oldest = jobs.oldest_due_seconds.map(|seconds| format!(" for {seconds} s"));
            let oldest = oldest.unwrap_or_default();
            format!("jobs {} waiting{oldest}, {} dead", count(jobs.waiting), count(jobs.dead))
        }
        None => "jobs not told".to_owned(),
    };
    let finality = match figures.finality {
        Some(finality) if finality.count > 0 => {
            let [p50, p90, p99] = [finality.p50_ms, finality.p90_ms, finality.p99_ms].map(took);
            format!("final p50 {p50}, p90 {p90}, p99 {p99} of {}", count(finality.count))
        }
        _ => "final: none yet".to_owned(),
    };
    format!("{jobs}; {finality}")
}

/// What stands above [`counted`].
pub(super) fn counted_head() -> String {
    format!(" {:<10}{:>10}{:>11}  by minute, up to now", "", "now", "last hour")
}

/// How many stand at a status, with bars in the columns that are left.
pub(super) fn counted(counted: &Count, columns: usize) -> String {
    let Count { status, now, last_hour, by_minute } = counted;
    let (now, last_hour) = (count(*now), count(*last_hour));
    let words = format!(" {:<10}{now:>10}{last_hour:>11}  ", status.as_str());
    let bars = sparkline(by_minute, columns.saturating_sub(words.len() + 1).min(MINUTES));
    format!("{words}{bars}")
}

/// What was paid in an asset.
pub(super) fn paid(volume: &Volume) -> String {
    let Volume { ever, last_hour, .. } = volume;
    format!(" {} ({}), last hour {}", ever.money, count(ever.count), last_hour.money)
}

/// A verification in the list, in so many columns.
pub(super) fn listed(row: &Row, state: &State, columns: usize) -> String {
    let payment = &row.payment;
    let at = row.requested_at.format("%H:%M:%S");
    let resource = format!("{} {}", plain(&payment.resource.method), plain(&payment.resource.url));
    let paid = clip(&amount(row, state), 20);
    let code = row.reason.as_ref().map(|reason| plain(&reason.code)).unwrap_or_default();
    let left = columns.saturating_sub(44 + code.len());
    // In the column of the resource: what is refused is told by its code first.
    let space = if code.is_empty() { "" } else { " " };
    let shown = clip(&resource, left);
    format!(" {at}  {:<9}  {paid:>18}  {code}{space}{shown}", row.status.as_str())
}

fn amount(row: &Row, state: &State) -> String {
    let payment = &row.payment;
    match payment.amount.parse() {
        Ok(units) => {
            let decimals = state.decimals.get(&payment.asset).copied();
            money(units, &payment.asset, decimals)
        }
        Err(_) => format!("{} {}", plain(&payment.amount), plain(&payment.asset)),
    }
}

/// Everything of one verification: what it is called, and what it is.
pub(super) fn one(row: &Row, state: &State, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let payment = &row.payment;
    let at = |at: DateTime<Utc>| format!("{}, {}", time(at), ago(at, now));
    let mut lines = vec![("id", row.id.to_string()), ("status", row.status.as_str().to_owned())];
    if let Some(reason) = &row.reason {
        lines.push(("code", plain(&reason.code)));
        lines.push(("reason", plain(&reason.detail)));
    }
    lines.push(("amount", amount(row, state)));
    lines.push(("method", plain(&payment.resource.method)));
    lines.push(("resource", plain(&payment.resource.url)));
    lines.push(("payer", plain(&payment.payer)));
    lines.push(("paid to", plain(&payment.pay_to)));
    lines.push(("network", plain(&payment.network)));
    lines.push(("transaction", plain(&payment.transaction)));
    if let Some(block) = &row.block {
        lines.push(("block", format!("{}, {}", count(block.height), at(block.time))));
        lines.push(("block hash", plain(&block.hash)));
    }
    lines.push(("usage", row.usage.as_deref().map_or_else(|| "not told yet".to_owned(), plain)));
    lines.push(("tenant", plain(&row.tenant)));
    lines.push(("requested", at(row.requested_at)));
    lines.extend(row.decided_at.map(|decided| ("decided", at(decided))));
    lines.push(("position", count(row.changed)));
    lines
}

/// The whole overview, a line a fact, for `--once`.
pub(super) fn all(figures: &Figures<'_>, state: &State, columns: usize) -> String {
    let mut lines = vec![format!("{}, {}", plain(figures.server), time(figures.at))];
    lines.extend(figures.trouble.map(|trouble| format!("not told: {}", plain(trouble))));
    lines.extend([health(figures), progress(figures, state), work(figures)]);
    lines.push(counted_head());
    lines.extend(figures.verifications.iter().map(|of| counted(of, columns)));
    lines.push("paid:".to_owned());
    lines.extend(figures.volume.iter().map(paid));
    lines.push("refused:".to_owned());
    let refused = figures.refusals.iter();
    lines.extend(refused.map(|of| format!(" {} {}", count(of.count), plain(&of.code))));
    lines.push("newest:".to_owned());
    // Whole, for whoever searches: a terminal breaks lines by itself.
    lines.extend(figures.newest.iter().map(|row| listed(row, state, usize::MAX)));
    let trimmed: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n")
}

/// Whether something must be looked at.
pub(super) fn is_amiss(figures: &Figures<'_>) -> bool {
    figures.health.is_some_and(|word| word != "ok")
        || figures.ready.is_some_and(|ready| ready.status != "ok")
}
