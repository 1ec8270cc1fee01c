//! The log in a real PostgreSQL server: what the port asks of every log, and the ground on which the
//! other tests stand.

use std::sync::Arc;

use ccd402_app::ports::log::EventLog;
use sqlx::{Connection as _, PgConnection};

use super::*;

#[path = "../../../tests/support/postgres_server.rs"]
mod postgres_server;
pub(super) use postgres_server::PostgresServer;

/// A database with a log, and the server that it lives on.
pub(super) struct Ground {
    pub(super) server: Arc<PostgresServer>,
    pub(super) options: Options,
}

impl Ground {
    /// On the server that these tests share.
    pub(super) async fn new() -> Self {
        Self::on(on_a_thread(PostgresServer::shared).await).await
    }

    /// On a server that may be stopped.
    pub(super) async fn alone() -> Self {
        Self::on(Arc::new(on_a_thread(PostgresServer::start).await)).await
    }

    async fn on(server: Arc<PostgresServer>) -> Self {
        let ground = Self::empty_on(server);
        migrate(&ground.options).await.unwrap();
        ground
    }

    /// A database that holds nothing yet.
    pub(super) async fn empty() -> Self {
        Self::empty_on(on_a_thread(PostgresServer::shared).await)
    }

    fn empty_on(server: Arc<PostgresServer>) -> Self {
        let options = Options::new(server.create_database());
        Self { server, options }
    }

    /// One more replica.
    pub(super) async fn open(&self) -> PostgresLog {
        PostgresLog::open(&self.options).await.unwrap()
    }

    /// A connection beside all replicas.
    pub(super) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.options.url).await.unwrap()
    }

    /// Runs statements beside all replicas.
    pub(super) async fn run(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The server's processes are waited for, which a task must not do.
pub(super) async fn on_a_thread<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn fresh() -> (Arc<dyn EventLog>, Ground) {
    let ground = Ground::new().await;
    (Arc::new(ground.open().await), ground)
}

ccd402_app::log_contract!(fresh);
