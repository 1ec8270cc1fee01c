//! `GET /dashboard/verifications.csv`: what a filter means, as a table for spreadsheets. Read a page at
//! a time as it is taken, and bounded.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query as UrlQuery, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use ccd402_app::list::Query;
use ccd402_app::ports::read_model::PAGE_ROWS_MAX;
use ccd402_app::projections::verifications::{Outcome, Row};
use ccd402_app::reads::Reads;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};

use crate::caller::Caller;
use crate::dashboard::Dashboard;
use crate::fault::Fault;
use crate::query::{Asked, Pairs};
use crate::scene::Scene;
use crate::shown::Decimals;

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
const FILE: HeaderValue = HeaderValue::from_static("attachment; filename=\"verifications.csv\"");
const COLUMNS: [&str; 18] = [
    "id",
    "tenant",
    "status",
    "code",
    "detail",
    "requested",
    "decided",
    "tookMs",
    "amount",
    "asset",
    "units",
    "method",
    "url",
    "payer",
    "payTo",
    "network",
    "transaction",
    "blockHeight",
];

/// A download under way.
struct Download {
    dashboard: Arc<Dashboard>,
    reads: Arc<Reads>,
    query: Query,
    is_begun: bool,
    left: usize,
}

pub(crate) async fn download(
    State(dashboard): State<Arc<Dashboard>>,
    caller: Caller,
    UrlQuery(pairs): UrlQuery<Pairs>,
) -> Result<Response, Fault> {
    let scene = Scene::present(&dashboard, &caller);
    file(&dashboard, &caller, &scene, pairs)
}

/// The file in a scene.
pub(crate) fn file(
    dashboard: &Arc<Dashboard>,
    caller: &Caller,
    scene: &Scene,
    pairs: Pairs,
) -> Result<Response, Fault> {
    let Asked { filter, cursor } = Asked::read(pairs, caller.only()?)?;
    let download = Download {
        dashboard: Arc::clone(dashboard),
        reads: Arc::clone(&scene.reads),
        query: Query { filter, cursor, limit: PAGE_ROWS_MAX, min_position: None },
        is_begun: false,
        left: dashboard.options.download_rows_max,
    };
    let pages = stream::unfold(Some(download), |download| async move {
        let (page, rest) = download?.page().await;
        Some((page, rest))
    });
    Ok(([(CONTENT_TYPE, CSV), (CONTENT_DISPOSITION, FILE)], Body::from_stream(pages))
        .into_response())
}

impl Download {
    /// The next rows; an error cuts the file off, so that nobody takes it for whole.
    async fn page(mut self) -> (Result<Bytes, std::io::Error>, Option<Self>) {
        let cut = |error: String| (Err(std::io::Error::other(error)), None);
        let listed = match self.reads.list(&self.query).await {
            Ok(listed) => listed,
            Err(error) => return cut(error.to_string()),
        };
        let assets: Vec<_> = listed.rows.iter().map(|row| &row.asset).collect();
        let decimals = self.dashboard.decimals(&assets).await;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let head = if self.is_begun { Ok(()) } else { writer.write_record(COLUMNS) };
        let taken = listed.rows.iter().take(self.left);
        let mut written = head;
        for row in taken {
            written = written.and_then(|()| writer.write_record(record(row, &decimals)));
        }
        let bytes = written
            .map_err(|error| error.to_string())
            .and_then(|()| writer.into_inner().map_err(|error| error.to_string()));
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return cut(error),
        };
        self.left = self.left.saturating_sub(listed.rows.len());
        self.is_begun = true;
        self.query.cursor = listed.next;
        let has_more = self.query.cursor.is_some() && self.left > 0;
        (Ok(bytes.into()), has_more.then_some(self))
    }
}

fn record(row: &Row, decimals: &Decimals) -> [String; 18] {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (code, detail, decided, height) = match &row.standing.outcome {
        Outcome::Pending { transfer } => ("", "", None, transfer.map(|block| block.height)),
        Outcome::Confirmed { block, at } => ("", "", Some(*at), Some(block.height)),
        Outcome::Failed { rejection, at } => {
            (rejection.code.as_str(), rejection.detail.as_str(), Some(*at), None)
        }
    };
    let took = decided.map(|at| (at - row.requested_at).num_milliseconds().max(0));
    [
        row.id.to_string(),
        row.tenant.to_string(),
        row.standing.status().as_str().to_owned(),
        code.to_owned(),
        harmless(detail),
        time(row.requested_at),
        decided.map(time).unwrap_or_default(),
        took.map(|ms| ms.to_string()).unwrap_or_default(),
        decimals.plain(row.amount, &row.asset),
        row.asset.to_string(),
        row.amount.units().to_string(),
        harmless(&row.resource.method),
        harmless(&row.resource.url),
        row.payer.to_string(),
        row.pay_to.to_string(),
        row.network.to_string(),
        row.transaction.to_string(),
        height.map(|height| height.to_string()).unwrap_or_default(),
    ]
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        assert_eq!(harmless("https://example.com/=1"), "https://example.com/=1");
        for text in ["=HYPERLINK(\"https://evil\")", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
    }
}
