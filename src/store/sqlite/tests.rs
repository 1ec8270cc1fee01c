//! The contract, and what files of their own add to it: damage, leftovers, other versions.

use std::sync::Arc;

use ccd402_app::contract::sample::{requested, time, verification};
use ccd402_app::ports::log::{Recorded, StreamId};
use ccd402_app::ports::read_model::{Difference, Filter, ReadModel, ReadModelError, Unlike};
use ccd402_app::projections::VERSION;
use tempfile::TempDir;
use uuid::Uuid;

use super::files::Files;
use super::{SqliteReadModel, path_in};

async fn fresh() -> (Arc<dyn ReadModel>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Arc::new(SqliteReadModel::open(dir.path()).await), dir)
}

ccd402_app::read_model_contract!(fresh);

fn files(dir: &TempDir) -> Files {
    Files::new(dir.path(), VERSION)
}

fn event(position: u64) -> Recorded {
    Recorded {
        position,
        id: Uuid::from_u128(u128::from(position)),
        stream: StreamId::verification(verification(position)),
        version: 1,
        time: time(),
        event: requested(position, position),
    }
}

/// A closed read model of three events.
async fn of_three() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let model = SqliteReadModel::open(dir.path()).await;
    let mut built = model.rebuild().await.unwrap();
    built.apply(&[event(1), event(2)]).await.unwrap();
    built.swap_in().await.unwrap();
    model.apply(&[event(3)]).await.unwrap();
    model.close().await;
    dir
}

async fn position(dir: &TempDir) -> Option<u64> {
    let model = SqliteReadModel::open(dir.path()).await;
    let position = *model.position().borrow();
    model.close().await;
    position
}

#[tokio::test]
async fn a_file_is_read_again_after_a_restart() {
    let dir = of_three().await;
    let model = SqliteReadModel::open(dir.path()).await;
    assert_eq!(*model.position().borrow(), Some(3));
    assert_eq!(model.list(&Filter::default(), None, 9).await.unwrap().rows.len(), 3);
    model.close().await;
    assert!(!files(&dir).building().exists());
}

#[tokio::test]
async fn what_is_no_whole_file_of_this_version_counts_as_none() {
    let whole = of_three().await;
    let bytes = std::fs::read(path_in(whole.path())).unwrap();
    let half = bytes.len() / 2 / 4_096 * 4_096;
    let mut torn = bytes.clone();
    torn[half..half + 4_096].fill(0x55);
    for damaged in [&bytes[..half], &torn, b"not a database at all, but long enough for one", b""] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path_in(dir.path()), damaged).unwrap();
        assert_eq!(position(&dir).await, None, "{} bytes", damaged.len());
    }
    for change in ["DROP INDEX by_payer", "DELETE FROM checkpoint", "CREATE TABLE t (a)"] {
        let dir = of_three().await;
        execute(&dir, change).await;
        assert_eq!(position(&dir).await, None, "{change}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_replaced_by_what_is_built() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(path_in(dir.path()), "rubbish").unwrap();
    std::fs::write(files(&dir).building(), "what a build that was killed has left").unwrap();
    let model = SqliteReadModel::open(dir.path()).await;
    let mut built = model.rebuild().await.unwrap();
    built.apply(&[event(1)]).await.unwrap();
    built.swap_in().await.unwrap();
    assert_eq!(model.list(&Filter::default(), None, 9).await.unwrap().rows.len(), 1);
    model.close().await;
    assert_eq!(position(&dir).await, Some(1));
}

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_one_and_takes_its_place() {
    let dir = of_three().await;
    let model = SqliteReadModel::open_version(dir.path(), VERSION + 1).await;
    let asked = model.list(&Filter::default(), None, 9).await;
    assert_eq!(asked, Err(ReadModelError::Building), "another version's rows are not read");
    let mut built = model.rebuild().await.unwrap();
    built.apply(&[event(1), event(2), event(3)]).await.unwrap();
    assert!(path_in(dir.path()).exists(), "who goes back to the old version finds it");
    built.swap_in().await.unwrap();
    assert_eq!(model.list(&Filter::default(), None, 9).await.unwrap().rows.len(), 3);
    assert!(!path_in(dir.path()).exists());
    model.close().await;
    let again = SqliteReadModel::open_version(dir.path(), VERSION + 1).await;
    assert_eq!(*again.position().borrow(), Some(3));
    again.close().await;
    assert_eq!(position(&dir).await, None);
}

#[tokio::test]
async fn what_is_half_built_is_removed() {
    let dir = of_three().await;
    let [building, comparing] = [files(&dir).building(), files(&dir).comparing()];
    let model = SqliteReadModel::open(dir.path()).await;
    let mut built = model.rebuild().await.unwrap();
    built.apply(&[event(1)]).await.unwrap();
    let mut compared = model.compare().await.unwrap();
    compared.apply(&[event(1)]).await.unwrap();
    assert!(building.exists() && comparing.exists());
    drop((built, compared));
    assert!(!building.exists() && !comparing.exists());
    model.close().await;
    for left in [&building, &comparing] {
        std::fs::write(left, "of a process that was killed").unwrap();
    }
    assert_eq!(position(&dir).await, Some(3));
    assert!(!building.exists() && !comparing.exists());
}

#[tokio::test]
async fn an_index_that_says_something_else_is_found_by_comparing() {
    let dir = of_three().await;
    // As if a write to the index had been lost: the table's own statement is changed for a moment.
    for change in [
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(payer,', \
         '(pay_to,') WHERE name = 'by_payer'",
        "REINDEX by_payer",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(pay_to,', \
         '(payer,') WHERE name = 'by_payer'",
    ] {
        execute(&dir, change).await;
    }
    let model = SqliteReadModel::open(dir.path()).await;
    assert_eq!(*model.position().borrow(), Some(3), "a quick look does not find it");
    let mut compared = model.compare().await.unwrap();
    compared.apply(&[event(1), event(2), event(3)]).await.unwrap();
    compared.hold().await.unwrap();
    let found = compared.end().await;
    assert!(matches!(found, Err(ReadModelError::Damaged(_))), "{found:?}");
    assert_eq!(*model.position().borrow(), None, "it is not read any more");
    model.close().await;
}

#[tokio::test]
async fn changes_are_found_by_the_index_of_ids() {
    let dir = of_three().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path_in(dir.path()));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let plan = format!("EXPLAIN QUERY PLAN {}", super::write::largest_update());
    let rows = sqlx::query(sqlx::AssertSqlSafe(plan)).fetch_all(&pool).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 3)).collect();
    assert!(steps.iter().any(|step| step.contains("USING INDEX by_id (id=?)")), "{steps:#?}");
}

async fn execute(dir: &TempDir, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path_in(dir.path()));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn a_count_that_is_wrong_is_told_by_the_event_that_began_it() {
    let dir = of_three().await;
    execute(&dir, "UPDATE tallies SET count = count + 1 WHERE number = 8 * 1 + 1").await;
    let model = SqliteReadModel::open(dir.path()).await;
    let mut comparison = model.compare().await.unwrap();
    comparison.apply(&[event(1), event(2), event(3)]).await.unwrap();
    comparison.hold().await.unwrap();
    let found = comparison.end().await.unwrap();
    assert_eq!((found.rows, found.different), (3, 1));
    let what = Unlike::Changed(vec!["count".to_owned()]);
    assert_eq!(found.differences, [Difference { number: 1, what }]);
    model.close().await;
}
