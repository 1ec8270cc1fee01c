//! Counts that are kept beside the rows, so that an overview looks at some hundreds of them and at no
//! row. They are written in the transaction of the rows that they count.

use std::collections::HashMap;
use std::sync::LazyLock;

use ccd402_app::ports::log::Recorded;
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::ReadModelError as Error;
use ccd402_app::projections::tallies::{self, Facts};
use ccd402_domain::ids::VerificationId;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::codec::{Values, get, number, parse, status};
use super::failure;
use super::live::{Live, View};
use super::write::{CHUNKS, next_chunk, tuples};
use crate::flat::{self, time};
use crate::tallied::{self, Added, COLUMNS, Counted, GROUP, READ, Wanted};

static UPSERTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let columns = COLUMNS.join(", ");
    let upsert = |rows| {
        format!(
            "INSERT INTO tallies ({columns}) VALUES {} ON CONFLICT ({GROUP}) \
             DO UPDATE SET count = count + excluded.count, \
             amount_billions = amount_billions + excluded.amount_billions, \
             amount_rest = amount_rest + excluded.amount_rest",
            tuples(COLUMNS.len(), rows)
        )
    };
    CHUNKS.into_iter().map(upsert).collect()
});

static FACTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let select = |ids| {
        format!(
            "SELECT id, tenant, network, asset, amount_billions, amount_rest, requested_at \
             FROM verifications INDEXED BY by_id WHERE id IN ({})",
            vec!["?"; ids].join(", ")
        )
    };
    CHUNKS.into_iter().map(select).collect()
});

static WANTED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {READ} FROM tallies WHERE tenant = ?1 AND width = ?2 AND begins >= ?3 \
         AND count > 0"
    )
});

/// Adds what events change.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    events: &[Recorded],
) -> Result<(), Error> {
    let known = facts(connection, &tallies::unknown(events)).await?;
    let changes = tallies::changes(events, known);
    let changes: Vec<_> = changes.iter().collect();
    let mut rest = &changes[..];
    while let Some((chunk, statement)) = next_chunk(rest, &UPSERTS) {
        let mut values = Values::default();
        chunk.iter().for_each(|(group, change)| push(&mut values, Added::of(group, change)));
        // Made of constants alone.
        sqlx::query_with(AssertSqlSafe(statement), values.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(failure)?;
        rest = &rest[chunk.len()..];
    }
    Ok(())
}

fn push(values: &mut Values, added: Added<'_>) {
    values.text(added.tenant);
    values.int(added.width);
    values.int(added.begins);
    values.text(added.network);
    values.text(added.asset);
    values.text(added.status);
    values.text(added.code);
    values.int(added.took_ms);
    values.int(added.number);
    values.text(added.spelled);
    values.int(added.count);
    values.int(added.billions);
    values.int(added.rest);
}

/// What rows say that are there already.
async fn facts(
    connection: &mut SqliteConnection,
    ids: &[VerificationId],
) -> Result<HashMap<VerificationId, Facts>, Error> {
    let mut facts = HashMap::with_capacity(ids.len());
    let mut rest = ids;
    while let Some((chunk, statement)) = next_chunk(rest, &FACTS) {
        let mut values = Values::default();
        chunk.iter().for_each(|id| values.text(id.0.to_string()));
        let found = sqlx::query_with(AssertSqlSafe(statement), values.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(failure)?;
        for row in &found {
            let of = Facts {
                tenant: parse(row, 1)?,
                network: parse(row, 2)?,
                asset: parse(row, 3)?,
                amount: flat::amount(number(row, 4)?, number(row, 5)?)?,
                requested_at: time(get(row, 6)?),
            };
            facts.insert(parse(row, 0)?, of);
        }
        rest = &rest[chunk.len()..];
    }
    Ok(facts)
}

/// All rows at a glance.
pub(super) async fn overview(live: &Live, asked: &Asked) -> Result<Overview, Error> {
    let [ever, lately] = Wanted::by(asked)?;
    let mut view = live.view().await?;
    let ever = counted(&mut view, &ever).await?;
    let lately = counted(&mut view, &lately).await?;
    Ok(tallied::overview(view.as_of, &ever, &lately))
}

async fn counted(view: &mut View, wanted: &Wanted<'_>) -> Result<Vec<Counted>, Error> {
    let found = sqlx::query(AssertSqlSafe(WANTED.as_str()))
        .bind(wanted.tenant.to_owned())
        .bind(wanted.width)
        .bind(wanted.from)
        .fetch_all(&mut *view.transaction)
        .await
        .map_err(failure)?;
    found.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Counted, Error> {
    Ok(Counted {
        begins: time(get(row, 0)?),
        network: parse(row, 1)?,
        asset: parse(row, 2)?,
        status: status(row, 3)?,
        code: tallied::code(get(row, 4)?)?,
        took_ms: u64::try_from(get::<i64>(row, 5)?).ok(),
        count: number(row, 6)?,
        amount: tallied::amount(get(row, 7)?, get(row, 8)?),
    })
}
