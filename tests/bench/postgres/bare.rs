//! The statements that the log runs for a batch, with what it has written, by connections that do
//! nothing else: no facts are asked for, nothing is decided, hashed or told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{EACH, IN_FLIGHT, WRITERS};

const LOCK: &str = "SELECT position, hash FROM log_head WHERE id = 1 FOR UPDATE";
const APPEND: &str = include_str!("../../../src/store/postgres/sql/append.sql");

/// An event and the wait that it begins, as columns.
pub(crate) struct Line {
    id: Uuid,
    stream: String,
    line: Vec<u8>,
    network: String,
    transaction: Vec<u8>,
    verification: Uuid,
    closes_at: (i64, i32),
    tenant: String,
}

/// Everything that a log has written.
pub(crate) async fn lines_in(url: &str) -> Vec<Line> {
    let mut db = PgConnection::connect(url).await.expect("the server answers");
    let rows = sqlx::query(
        "SELECT id, stream, line, network, transaction, verification, closes_at_seconds, \
         closes_at_nanos, tenant FROM log_event JOIN log_waiting USING (position) \
         ORDER BY position",
    );
    let rows = rows.fetch_all(&mut db).await.expect("the log is there");
    let line = |row: &sqlx::postgres::PgRow| Line {
        id: row.get("id"),
        stream: row.get("stream"),
        line: row.get("line"),
        network: row.get("network"),
        transaction: row.get("transaction"),
        verification: row.get("verification"),
        closes_at: (row.get("closes_at_seconds"), row.get("closes_at_nanos")),
        tenant: row.get("tenant"),
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    assert_eq!(lines.len() as u64, WRITERS * EACH);
    lines
}

/// Writes them anew, in as many batches by as many connections.
pub(crate) async fn append(url: &str, lines: Vec<Line>) -> Duration {
    let mut lines = VecDeque::from(lines);
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let connection = PgConnection::connect(url).await.expect("the server answers");
        let mine: Vec<_> = lines.drain(..EACH as usize).collect();
        writers.push((connection, mine));
    }
    let since = Instant::now();
    let mut running = JoinSet::new();
    for (mut connection, lines) in writers {
        running.spawn(async move {
            for batch in lines.chunks(IN_FLIGHT as usize) {
                append_batch(&mut connection, batch).await.expect("the batch is in order");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("no writer panics");
    }
    since.elapsed()
}

async fn append_batch(db: &mut PgConnection, batch: &[Line]) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let head = sqlx::query(LOCK).fetch_one(&mut *transaction).await?;
    let position: i64 = head.get("position");
    let positions: Vec<i64> = (position + 1..).take(batch.len()).collect();
    let tip = position + batch.len() as i64;
    let all = |of: fn(&Line) -> &str| batch.iter().map(of).collect::<Vec<_>>();
    let append = sqlx::query(APPEND)
        .bind(&positions)
        .bind(batch.iter().map(|line| line.id).collect::<Vec<_>>())
        .bind(all(|line| &line.stream))
        .bind(vec![1_i64; batch.len()])
        .bind(batch.iter().map(|line| &line.line[..]).collect::<Vec<_>>())
        .bind(Vec::<&str>::new())
        .bind(Vec::<&[u8]>::new())
        .bind(Vec::<Uuid>::new())
        .bind(Vec::<i64>::new())
        .bind(all(|line| &line.network))
        .bind(batch.iter().map(|line| &line.transaction[..]).collect::<Vec<_>>())
        .bind(batch.iter().map(|line| line.verification).collect::<Vec<_>>())
        .bind(&positions)
        .bind(batch.iter().map(|line| line.closes_at.0).collect::<Vec<_>>())
        .bind(batch.iter().map(|line| line.closes_at.1).collect::<Vec<_>>())
        .bind(all(|line| &line.tenant))
        .bind(tip)
        .bind(position)
        .bind(&[0_u8; 32][..])
        .bind(Vec::<&str>::new())
        .bind(Vec::<&[u8]>::new())
        .bind(vec![batch[0].tenant.as_str()])
        .bind(vec![batch.len() as i64]);
    append.fetch_all(&mut *transaction).await?;
    transaction.commit().await
}
