//! The schema, and what makes a database one in which no log is opened. No secret is ever shown.

use futures::future::join_all;

use super::schema::newest;
use super::tests::Ground;
use super::*;

async fn refusal(options: &Options) -> Error {
    match PostgresLog::open(options).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_empty_database_is_refused_until_it_is_migrated() {
    let ground = Ground::empty().await;
    let error = refusal(&ground.options).await;
    assert!(matches!(error, Error::SchemaOld { found: 0, .. }), "{error}");
    assert!(error.to_string().contains("ccd402 migrate"), "{error}");
    assert_eq!(migrate(&ground.options).await.unwrap(), Migrated { from: 0, to: newest() });
    ground.open().await.close().await;
    assert_eq!(migrate(&ground.options).await.unwrap(), Migrated { from: newest(), to: newest() });
    ground.open().await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_migrate_at_the_same_time() {
    for _ in 0..5 {
        let ground = Ground::empty().await;
        let migrated = join_all((0..8).map(|_| {
            let options = ground.options.clone();
            async move { tokio::spawn(async move { migrate(&options).await }).await.unwrap() }
        }));
        for one in migrated.await {
            assert_eq!(one.unwrap().to, newest());
        }
        let log = ground.open().await;
        assert_eq!(*log.head().borrow(), 0);
        log.close().await;
    }
}

#[tokio::test]
async fn a_newer_schema_is_used_where_it_says_so_and_refused_where_not() {
    let ground = Ground::new().await;
    ground
        .run("INSERT INTO _sqlx_migrations VALUES (77, 'of tomorrow', now(), true, '\\x00', 1)")
        .await;
    ground.open().await.close().await;
    let error = migrate(&ground.options).await.unwrap_err();
    assert!(matches!(error, Error::SchemaNew { found: 77, .. }), "{error}");
    ground.run("UPDATE log_compatible SET since = 77").await;
    let error = refusal(&ground.options).await;
    assert!(matches!(error, Error::SchemaNew { found: 77, .. }), "{error}");
}

#[tokio::test]
async fn a_database_that_acknowledges_too_early_is_refused() {
    let ground = Ground::new().await;
    ground
        .run(
            "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() \
             || ' SET synchronous_commit = off'; END $$",
        )
        .await;
    let error = refusal(&ground.options).await;
    assert!(matches!(error, Error::NotSynchronous), "{error}");
}

#[tokio::test]
async fn a_head_that_is_not_the_newest_event_is_refused() {
    let ground = Ground::new().await;
    ground.run("UPDATE log_head SET position = 3").await;
    let error = refusal(&ground.options).await;
    assert!(matches!(error, Error::Damaged { position: 3, .. }), "{error}");
    ground.run("DELETE FROM log_head").await;
    let error = refusal(&ground.options).await;
    assert!(matches!(error, Error::Damaged { position: 0, .. }), "{error}");
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let ground = Ground::empty().await;
    let good = ground.options.url.replace("postgres@", "nobody:hunter2@");
    let urls = [
        good.clone(),
        good.replace("/test", "/nothing-of-the-name-"),
        format!("{good}?sslmode=require"),
        format!("{good}?sslmode=hunter2"),
        "postgres://nobody:hunter2@127.0.0.1:1/log".to_owned(),
        "postgres://nobody:hunter2@no-such-host.invalid/log".to_owned(),
        "postgres://nobody:hunter2@127.0.0.1:hunter2/log".to_owned(),
        "postgres://nobody:hun#hunter2@127.0.0.1/log".to_owned(),
        "mysql://nobody:hunter2@127.0.0.1/log".to_owned(),
        "hunter2".to_owned(),
    ];
    for url in urls {
        let options = Options { retry_max: Duration::from_millis(100), ..Options::new(url) };
        for error in [refusal(&options).await, migrate(&options).await.unwrap_err()] {
            let shown = format!("{error} {error:?} {options:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
