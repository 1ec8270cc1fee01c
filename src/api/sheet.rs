//! Statistics as one table in CSV (RFC 4180), for spreadsheets: a row a group, the table it belongs
//! to in the first column.
//!
//! Spreadsheets take cells that begin with `=`, `+`, `-` or `@` for formulas, and URLs are written by
//! strangers: such cells get a `'` in front, as do those that already begin with one of the
//! characters that are skipped on the way to such a sign.

use std::borrow::Cow;

use crate::wire::stats::{Group, Stats, Table};

const HEADER: [&str; 8] =
    ["table", "key", "network", "asset", "status", "count", "amount", "milliseconds"];

/// The table.
pub(crate) fn of(stats: &Stats<'_>) -> Vec<u8> {
    let mut sheet = Sheet(csv::WriterBuilder::new().terminator(CRLF).from_writer(Vec::new()));
    sheet.row(HEADER);
    sheet.row(["asOf", &stats.as_of.to_string(), "", "", "", "", "", ""]);
    for group in &stats.totals {
        sheet.group("totals", "", group);
    }
    sheet.groups("byPayTo", &stats.by_pay_to, |of| (of.pay_to.into(), &of.group));
    sheet.groups("byResource", &stats.by_resource, |of| (of.resource.into(), &of.group));
    let begins = |time: chrono::DateTime<chrono::Utc>| {
        time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    };
    sheet.groups("byTime", &stats.by_time, |of| (begins(of.begins).into(), &of.group));
    for refusals in &stats.refusals {
        let count = refusals.count.to_string();
        sheet.row(["refusals", refusals.code.as_str(), "", "", "failed", &count, "", ""]);
    }
    let finality = &stats.finality;
    let count = finality.count.to_string();
    for (key, ms) in [("p50", finality.p50_ms), ("p90", finality.p90_ms), ("p99", finality.p99_ms)]
    {
        sheet.row(["finality", key, "", "", "confirmed", &count, "", &ms.to_string()]);
    }
    if let Some(lag) = &stats.lag {
        let told =
            [("events", Some(lag.events)), ("jobs", lag.jobs_waiting), ("deadJobs", lag.jobs_dead)];
        for (key, count) in told {
            if let Some(count) = count {
                sheet.row(["lag", key, "", "", "", &count.to_string(), "", ""]);
            }
        }
    }
    sheet.0.into_inner().expect("memory takes every write")
}

const CRLF: csv::Terminator = csv::Terminator::CRLF;

struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    fn row(&mut self, cells: [&str; HEADER.len()]) {
        let cells = cells.map(harmless);
        let cells = cells.iter().map(|cell| cell.as_bytes());
        self.0.write_record(cells).expect("memory takes every write, and all rows are as long");
    }

    fn group(&mut self, table: &str, key: &str, group: &Group<'_>) {
        let count = group.count.to_string();
        let Group { network, asset, status, amount, .. } = group;
        self.row([table, key, network, asset, status, &count, amount, ""]);
    }

    fn groups<'a, G>(
        &mut self,
        name: &str,
        table: &'a Table<G>,
        part: impl Fn(&'a G) -> (Cow<'a, str>, &'a Group<'a>),
    ) {
        for group in &table.groups {
            let (key, group) = part(group);
            self.group(name, &key, group);
        }
        if table.is_cut {
            self.row([name, "(there are more)", "", "", "", "", "", ""]);
        }
    }
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || cell.starts_with(['\t', '\r', '\n']);
    if is_formula { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n", "＝1"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["", "a=b", "https://a/?b=-1", "12", "2026-01-01T00:00:00Z"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
