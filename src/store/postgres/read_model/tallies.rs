//! Counts that are kept beside the rows, so that an overview looks at some hundreds of them and at no
//! row. They are written in the transaction of the rows that they count, as arrays, one a column.

use std::collections::HashMap;

use ccd402_app::ports::log::Recorded;
use ccd402_app::ports::overview::{Asked, Overview};
use ccd402_app::ports::read_model::ReadModelError;
use ccd402_app::projections::tallies::{self, Facts};
use ccd402_domain::ids::VerificationId;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::codec::{get, number, parse, status};
use super::failure::Failure;
use super::schema::Build;
use super::view::{Question, View};
use crate::flat::{self, time};
use crate::tallied::{self, Added, COLUMNS, Counted, GROUP, READ, Wanted};

/// Adds what events change.
pub(super) async fn write(
    db: &mut PgConnection,
    build: &Build,
    events: &[Recorded],
) -> Result<(), Failure> {
    let known = facts(db, build, &tallies::unknown(events)).await?;
    let changes = tallies::changes(events, known);
    if changes.is_empty() {
        return Ok(());
    }
    let mut columns = Columns::default();
    changes.iter().for_each(|(group, change)| columns.add(Added::of(group, change)));
    let statement = upsert(&build.table("tallies"));
    columns.bind(sqlx::query(AssertSqlSafe(statement))).execute(db).await?;
    Ok(())
}

fn upsert(table: &str) -> String {
    format!(
        "INSERT INTO {table} AS old ({}) SELECT * FROM unnest($1::text[], $2::bigint[], \
         $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], \
         $10::text[], $11::bigint[], $12::bigint[], $13::bigint[]) ON CONFLICT ({GROUP}) \
         DO UPDATE SET count = old.count + excluded.count, \
         amount_billions = old.amount_billions + excluded.amount_billions, \
         amount_rest = old.amount_rest + excluded.amount_rest",
        COLUMNS.join(", ")
    )
}

/// What rows say that are there already.
async fn facts(
    db: &mut PgConnection,
    build: &Build,
    ids: &[VerificationId],
) -> Result<HashMap<VerificationId, Facts>, Failure> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let select = format!(
        "SELECT id, tenant, network, asset, amount_billions, amount_rest, requested_at FROM {} \
         WHERE id = ANY($1)",
        build.table("verifications")
    );
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let found = sqlx::query(AssertSqlSafe(select)).bind(ids).fetch_all(db).await?;
    let read = |row: &PgRow| {
        let of = Facts {
            tenant: parse(row, 1)?,
            network: parse(row, 2)?,
            asset: parse(row, 3)?,
            amount: flat::amount(number(row, 4)?, number(row, 5)?)?,
            requested_at: time(get(row, 6)?),
        };
        Ok((VerificationId(get(row, 0)?), of))
    };
    Ok(found.iter().map(read).collect::<Result<_, ReadModelError>>()?)
}

/// What is added to counts, in columns.
#[derive(Default)]
struct Columns<'a> {
    tenants: Vec<&'a str>,
    widths: Vec<i64>,
    begins: Vec<i64>,
    networks: Vec<&'a str>,
    assets: Vec<&'a str>,
    statuses: Vec<&'static str>,
    codes: Vec<&'static str>,
    took_ms: Vec<i64>,
    numbers: Vec<i64>,
    spelled: Vec<String>,
    counts: Vec<i64>,
    billions: Vec<i64>,
    rests: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, added: Added<'a>) {
        self.tenants.push(added.tenant);
        self.widths.push(added.width);
        self.begins.push(added.begins);
        self.networks.push(added.network);
        self.assets.push(added.asset);
        self.statuses.push(added.status);
        self.codes.push(added.code);
        self.took_ms.push(added.took_ms);
        self.numbers.push(added.number);
        self.spelled.push(added.spelled);
        self.counts.push(added.count);
        self.billions.push(added.billions);
        self.rests.push(added.rest);
    }

    /// Binds all, in the order of `COLUMNS`.
    fn bind(self, statement: Query<'_, Postgres, PgArguments>) -> Query<'_, Postgres, PgArguments> {
        statement
            .bind(self.tenants)
            .bind(self.widths)
            .bind(self.begins)
            .bind(self.networks)
            .bind(self.assets)
            .bind(self.statuses)
            .bind(self.codes)
            .bind(self.took_ms)
            .bind(self.numbers)
            .bind(self.spelled)
            .bind(self.counts)
            .bind(self.billions)
            .bind(self.rests)
    }
}

/// All rows at a glance.
pub(super) struct Glance<'a>(pub(super) &'a Asked);

impl Question for Glance<'_> {
    type Answer = Overview;

    async fn ask(&self, view: &mut View) -> Result<Overview, Failure> {
        let [ever, lately] = Wanted::by(self.0)?;
        let ever = counted(view, &ever).await?;
        let lately = counted(view, &lately).await?;
        Ok(tallied::overview(view.as_of, &ever, &lately))
    }
}

async fn counted(view: &mut View, wanted: &Wanted<'_>) -> Result<Vec<Counted>, Failure> {
    let table = view.build.table("tallies");
    let mut query = QueryBuilder::new(format!("SELECT {READ} FROM {table} WHERE tenant = "));
    query.push_bind(wanted.tenant.to_owned());
    query.push(" AND width = ").push_bind(wanted.width);
    query.push(" AND begins >= ").push_bind(wanted.from).push(" AND count > 0");
    let found = view.rows(&mut query).await?;
    Ok(found.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &PgRow) -> Result<Counted, ReadModelError> {
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
