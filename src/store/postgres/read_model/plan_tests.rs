//! How the database goes about pages and changes: by an index in the order of the list, whether it
//! knows anything of the rows or not.

use ccd402_app::contract::sample::{
    confirmed, failed, network, other_network, payment, time, transaction,
};
use ccd402_app::ports::read_model::{PAGE_ROWS_MAX, Status};
use ccd402_app::projections::verifications::Changes;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::tenant::TenantId;
use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Row as _};

use super::tests::{asked, build, of, writing};
use super::*;
use crate::postgres::tests::Ground;

/// Enough of them that scanning all costs more than an index does.
const ROWS: u64 = 20_000;

/// Rows of which no part of a filter selects all.
fn mixed() -> Vec<Recorded> {
    let mut events = asked(ROWS);
    for (number, recorded) in (0..).zip(&mut events) {
        let Event::VerificationRequested(request) = &mut recorded.event else { continue };
        let paid = Arc::make_mut(&mut request.payment);
        let is_even = number % 2 == 0;
        request.tenant = if is_even { "default" } else { "shop" }.parse().unwrap();
        paid.pay_to = payment(number % 300).payer;
        paid.asset = if is_even { "CCD" } else { "USDR" }.parse().unwrap();
        paid.network = if is_even { network() } else { other_network() };
        request.requested_at = time() + TimeDelta::milliseconds(number.cast_signed());
    }
    let failed = (1..=ROWS / 2).map(|n| of(ROWS + n, 2 * n, 2, failed(2 * n, 2 * n)));
    events.extend(failed);
    events
}

/// Filters, and the index that each page is read by.
fn filters() -> Vec<(Filter, &'static str)> {
    let all = Filter::default();
    let tenant = Some(TenantId::default());
    let failed = Some(Status::Failed);
    let singles = [
        (all.clone(), "by_time"),
        (Filter { from: Some(time()), ..all.clone() }, "by_time"),
        (Filter { tenant: tenant.clone(), ..all.clone() }, "by_tenant"),
        (Filter { status: failed, ..all.clone() }, "by_status"),
        (Filter { status: Some(Status::Pending), ..all.clone() }, "by_status"),
        (Filter { tenant: tenant.clone(), status: failed, ..all.clone() }, "by_tenant_status"),
        (Filter { payer: Some(payment(3).payer), ..all.clone() }, "by_payer"),
        (Filter { pay_to: Some(payment(3).payer), ..all.clone() }, "by_pay_to"),
        (Filter { resource: Some(payment(3).resource.url), ..all.clone() }, "by_url"),
        (Filter { transaction: Some(transaction(3)), ..all.clone() }, "by_transaction"),
        (Filter { asset: Some(Asset::Ccd), ..all.clone() }, "by_asset"),
        (Filter { asset: Some("EURR".parse().unwrap()), ..all.clone() }, "by_asset"),
        (Filter { network: Some(network()), ..all.clone() }, "by_network"),
        (Filter { network: Some(other_network()), ..all.clone() }, "by_network"),
    ];
    let with_tenant = singles.clone().into_iter().skip(6).map(|(filter, index)| {
        let is_larger = matches!(index, "by_asset" | "by_network");
        let filter = Filter { tenant: tenant.clone(), status: failed, ..filter };
        (filter, if is_larger { "by_tenant_status" } else { index })
    });
    with_tenant.chain(singles.clone()).collect()
}

async fn explain(db: &mut PgConnection, build: &Build, list: &List<'_>) -> String {
    let mut query = QueryBuilder::<Postgres>::new("EXPLAIN ");
    list.push(&mut query, build);
    let rows = query.build().persistent(false).fetch_all(db).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

async fn all_pages_are_read_by_an_index(model: &PostgresReadModel, table: &Build) {
    let mut db = model.shared.listers.connection().await;
    let place = Place { requested_at: time() + TimeDelta::seconds(9), number: 17 };
    for (filter, index) in filters() {
        for (after, max) in [(None, 1), (None, PAGE_ROWS_MAX), (Some(place), 50)] {
            let plan = explain(&mut db, table, &List { filter: &filter, after, max }).await;
            let by = format!("Index Scan Backward using {}", table.table(index));
            assert!(plan.contains(&by), "{filter:?}, {index}: {plan}");
            let other = ["Seq Scan", "Bitmap", "Sort"].iter().any(|step| plan.contains(step));
            assert!(!other, "{filter:?}: {plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_scans_what_it_does_not_show() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    let mut db = ground.connect().await;
    let events = mixed();
    build(&model, &events).await;
    let built = catalog::current(&mut db, VERSION).await.unwrap().unwrap().build;
    all_pages_are_read_by_an_index(&model, &built).await;

    // Rows that came one by one into an empty build: the planner was told nothing of them.
    build(&model, &[]).await;
    let grown = catalog::current(&mut db, VERSION).await.unwrap().unwrap().build;
    let table = grown.table("verifications");
    let unknown = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
    sqlx::raw_sql(AssertSqlSafe(unknown)).execute(&mut db).await.unwrap();
    for page in events.chunks(4_096) {
        model.apply(page).await.unwrap();
    }
    all_pages_are_read_by_an_index(&model, &grown).await;

    // The largest change, as it is written.
    let confirmed: Vec<_> = (1..=4_096).map(|n| of(2 * ROWS + n, n, 2, confirmed(n, n))).collect();
    let changes = Changes::of(&confirmed).unwrap();
    let mut writer = model.shared.writer.lock().await;
    let mut db = writer.take().await.unwrap();
    for build in [&built, &grown] {
        let mut columns = codec::PatchColumns::default();
        changes.patches.iter().for_each(|(id, patch)| columns.add(*id, patch));
        let explain = format!("EXPLAIN {}", write::update(&build.table("verifications")));
        let query = columns.bind(sqlx::query(AssertSqlSafe(explain)).persistent(false));
        let rows = query.fetch_all(&mut db).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let by = format!("Index Scan using {}", build.table("by_id"));
        assert!(plan.iter().any(|step| step.contains(&by)), "{plan:#?}");
    }
}
