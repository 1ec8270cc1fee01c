//! The read model in a database: what was lived on files answers byte for byte the same once its log
//! is in PostgreSQL, whichever of the facilitators there is asked, and is replayed from there.

use std::path::Path;
use std::sync::Arc;

use ccd402_app::contract::sample::{append, requested};
use ccd402_app::ports::read_model::{Filter, ReadModel as _};
use ccd402_store::sqlite::{SqliteReadModel, path_in};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::postgres_server::PostgresServer;
use crate::process::{Ended, arg, run};
use crate::read_model::{Shop, get};

/// A database that holds the log of a facilitator that is stopped.
async fn imported(server: &PostgresServer, data: &Path) -> String {
    let url = server.create_database();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("log.jsonl");
    must(&["events", "export", "--data-dir", arg(data), "--out", arg(&file)]).await;
    must(&["migrate", "--database-url", &url]).await;
    must(&["events", "import", arg(&file), "--database-url", &url]).await;
    url
}

async fn must(args: &[&str]) -> Ended {
    let ended = run(args).await;
    assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
    ended
}

/// What a command says, in JSON.
async fn told(args: &[&str]) -> Value {
    must(&[args, &["--json"]].concat()).await.lines().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_answers_byte_for_byte_as_files_do() {
    let server = Arc::new(tokio::task::spawn_blocking(PostgresServer::start).await.unwrap());
    let shop = Shop::open().await;
    let running = shop.start_on(shop.dir.path(), None).await;
    let lived = shop.answers(&running).await;
    let head = *running.facilitator().log().head().borrow();
    running.stop().await.unwrap();

    let url = imported(&server, shop.dir.path()).await;
    let replay = ["replay", "--database-url", &url];
    let diff = [&replay[..], &["--diff"]].concat();
    let missing = run(&diff).await;
    assert!(
        missing.code == 1 && missing.stderr.contains("`ccd402 replay` builds it"),
        "{missing:?}"
    );
    let built = told(&replay).await;
    assert_eq!((&built["built"], &built["position"]), (&json!(true), &json!(head)));
    let equal = json!({ "equal": true, "position": head, "rows": 12 });
    assert_eq!(told(&diff).await, equal);

    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = shop.start_on(dirs[0].path(), Some(&url)).await;
    // What messages are signed with is not in the database.
    let key = |dir: &TempDir| dir.path().join("webhook.key");
    std::fs::copy(key(&dirs[0]), key(&dirs[1])).unwrap();
    let other = shop.start_on(dirs[1].path(), Some(&url)).await;
    for running in [&one, &other] {
        assert_eq!(shop.answers(running).await, lived);
        // Whoever is asked has it done by the one that may.
        let server = running.url();
        let built = told(&["replay", "--url", &server]).await;
        assert_eq!((&built["built"], &built["position"]), (&json!(true), &json!(head)));
        assert_eq!(told(&["replay", "--diff", "--url", &server]).await, equal);
        assert_eq!(shop.answers(running).await, lived, "after it was built again");
    }
    assert_eq!(told(&diff).await, equal, "beside those that run");
    let refused = run(&replay).await;
    assert!(refused.code == 1 && refused.stderr.contains("ask it, with --url"), "{refused:?}");

    // The past is a file, as that of a log in files is.
    let past = tempfile::tempdir().unwrap();
    let until = (head / 2).to_string();
    let of_files = past.path().join("of-files.sqlite");
    let of_database = path_in(past.path());
    for (place, out) in [
        (["--data-dir", arg(shop.dir.path())], &of_files),
        (["--database-url", &url], &of_database),
    ] {
        let args = [&["replay"], &place[..], &["--until", &until, "--out", arg(out)]].concat();
        assert_eq!(told(&args).await["position"], head / 2);
    }
    let rows = async || {
        let model = SqliteReadModel::open(past.path()).await;
        let page = model.list(&Filter::default(), None, 200).await.unwrap();
        model.close().await;
        page
    };
    let then = rows().await;
    std::fs::rename(&of_files, &of_database).unwrap();
    assert_eq!(rows().await, then);
    assert!(!then.rows.is_empty());

    one.stop().await.unwrap();
    assert_eq!(shop.answers(&other).await, lived, "the other goes on");
    // And does what the first did: lists and statistics reach what is appended now.
    let log = other.facilitator().log();
    let appended = log.append(vec![append(99, 0, vec![requested(99, 99)])]).await.unwrap();
    let path = format!("/v1/verifications?limit=1&minPosition={appended}");
    let newest = get(&other.url(), &path).await;
    assert!(newest.starts_with(&format!("{{\"asOf\":{appended},")), "{newest}");
    other.stop().await.unwrap();
    shop.chain.shutdown().await;
}
