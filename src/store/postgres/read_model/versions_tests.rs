//! What is built, replaced and left behind: each version for itself, and nothing for ever.

use std::collections::BTreeSet;

use sqlx::Row as _;

use super::tests::{asked, build, different, stands, taken, writing};
use super::*;
use crate::postgres::tests::Ground;

/// Every table of rows that is there, by version and build.
async fn tables(ground: &Ground) -> BTreeSet<String> {
    let mut db = ground.connect().await;
    let names = "SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'rm%\\_verifications'";
    let rows = sqlx::query(names).fetch_all(&mut db).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn read(ground: &Ground, version: u32) -> String {
    let mut db = ground.connect().await;
    let current = catalog::current(&mut db, version).await.unwrap().unwrap();
    current.build.table("verifications")
}

async fn open_version(ground: &Ground, version: u32) -> PostgresReadModel {
    let model = PostgresReadModel::open_version(&ground.options, version).await.unwrap();
    model.hold(Some(taken(ground).await));
    model
}

async fn expire(ground: &Ground) {
    ground.run("UPDATE read_model_build SET kept_until = now() - interval '1 second'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_run_side_by_side() {
    let ground = Ground::new().await;
    let old = open_version(&ground, 7).await;
    build(&old, &asked(3)).await;
    let new = open_version(&ground, 8).await;
    assert_eq!(new.checkpoint().await, Ok(None), "another version's rows are not read");
    build(&new, &asked(5)).await;
    assert_eq!(tables(&ground).await, [read(&ground, 7).await, read(&ground, 8).await].into());

    old.hold(Some(taken(&ground).await));
    old.apply(&asked(4)).await.unwrap();
    build(&old, &asked(4)).await;
    expire(&ground).await;
    old.shared.tidy().await;
    new.hold(Some(taken(&ground).await));
    new.shared.tidy().await;
    assert_eq!(different(&old, &asked(4)).await, 0);
    assert_eq!(different(&new, &asked(5)).await, 0);
    for model in [&old, &new] {
        model.close().await;
    }
    assert_eq!(tables(&ground).await, [read(&ground, 7).await, read(&ground, 8).await].into());

    // Nobody writes the older one any more.
    let day =
        "UPDATE read_model_build SET kept_until = now() - interval '25 hours' WHERE version = 7";
    ground.run(day).await;
    let newest = open_version(&ground, 8).await;
    newest.shared.tidy().await;
    assert_eq!(tables(&ground).await, [read(&ground, 8).await].into());
    // Who goes back builds it again, and leaves what is newer alone.
    let old = open_version(&ground, 7).await;
    assert_eq!(*old.position().borrow(), None);
    ground.run("UPDATE read_model_build SET kept_until = now() - interval '25 hours'").await;
    build(&old, &asked(1)).await;
    old.shared.tidy().await;
    assert_eq!(different(&newest, &asked(5)).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_half_built_is_removed() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(3)).await;
    let live: BTreeSet<String> = [read(&ground, VERSION).await].into();
    let mut built = model.rebuild().await.unwrap();
    built.apply(&asked(1)).await.unwrap();
    let mut compared = model.compare().await.unwrap();
    compared.apply(&asked(1)).await.unwrap();
    assert_eq!(tables(&ground).await.len(), 3);
    drop((built, compared));
    model.close().await;
    assert_eq!(tables(&ground).await, live, "what was dropped is gone once it is closed");

    // A process that was killed drops nothing.
    let killed = writing(&ground).await;
    std::mem::forget(killed.rebuild().await.unwrap());
    std::mem::forget(killed.compare().await.unwrap());
    let model = writing(&ground).await;
    model.shared.tidy().await;
    assert_eq!(tables(&ground).await.len(), 3, "its time is not over");
    expire(&ground).await;
    // Whoever builds next clears it away.
    let built = model.rebuild().await.unwrap();
    let there = tables(&ground).await;
    assert!(there.len() == 2 && there.is_superset(&live), "{there:?}");
    built.swap_in().await.unwrap();
    stands(&model, Some(0)).await;
    expire(&ground).await;
    model.shared.tidy().await;
    assert_eq!(tables(&ground).await, [read(&ground, VERSION).await].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_not_removed_before_it_was_compared() {
    let ground = Ground::new().await;
    let model = writing(&ground).await;
    build(&model, &asked(3)).await;
    let mut compared = model.compare().await.unwrap();
    compared.apply(&asked(3)).await.unwrap();
    assert_eq!(compared.hold().await, Ok(3));
    let held = read(&ground, VERSION).await;
    build(&model, &asked(4)).await;
    let old = "UPDATE read_model_build SET kept_until = now() - interval '1 second' WHERE build = \
               (SELECT build FROM read_model_build WHERE kept_until < now() + interval '5 minutes')";
    ground.run(old).await;
    model.shared.tidy().await;
    assert!(tables(&ground).await.contains(&held));
    let found = compared.end().await.unwrap();
    assert_eq!((found.rows, found.different), (3, 0));
    model.shared.tidy().await;
    assert!(!tables(&ground).await.contains(&held));
}
