//! The contract, over a real server, as the process that holds the lease.

use std::sync::Arc;

use ccd402_app::ports::lease::{Fence, LeaseName, Leases as _};
use ccd402_app::ports::read_model::ReadModel;

use super::*;
use crate::postgres::tests::Ground;

/// A lease of the read model, taken by another process than all before.
pub(super) async fn taken(ground: &Ground) -> Fence {
    let log = ground.open().await;
    ground.run("UPDATE log_lease SET until = now()").await;
    let leases = log.leases("a test", Duration::from_secs(60));
    let fence = leases.take(&LeaseName::new("read-model")).await.unwrap().unwrap();
    log.close().await;
    fence
}

/// A replica that writes.
pub(super) async fn writing(ground: &Ground) -> PostgresReadModel {
    let model = PostgresReadModel::open(&ground.options).await.unwrap();
    model.hold(Some(taken(ground).await));
    model
}

async fn fresh() -> (Arc<dyn ReadModel>, Ground) {
    let ground = Ground::new().await;
    (Arc::new(writing(&ground).await), ground)
}

ccd402_app::read_model_contract!(fresh);
