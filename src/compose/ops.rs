//! The operations port: one recorder of metrics a process, and a listener of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ccd402_api::ops;
use ccd402_api::ready::Readiness;
use ccd402_api::server::{self, Limits};
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bounds of every time in seconds: from a sync of the disk to a slow block.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0, 60.0, 300.0,
];
/// Bounds of how many events were made durable at once.
const EVENTS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0];
/// How often what was recorded is gathered, so that it takes no more and more memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's one recorder.
static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// An operations port that listens.
pub(crate) struct Ops {
    pub(crate) addr: SocketAddr,
    listener: TcpListener,
    handle: PrometheusHandle,
}

impl Ops {
    /// Starts recording, and listens. To be called before what is to be measured is made.
    pub(crate) async fn listen(addr: SocketAddr) -> anyhow::Result<Self> {
        let handle = recorder()?;
        let listener = TcpListener::bind(addr)
            .await
            .with_context(|| format!("cannot listen on {addr} for operations; is it taken?"))?;
        Ok(Self { addr: listener.local_addr()?, listener, handle })
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(self, readiness: Readiness, shutdown: CancellationToken) {
        let rendered = self.handle.clone();
        let router = ops::router(readiness, Arc::new(move || rendered.render()));
        let serving = server::serve(
            self.listener,
            router,
            Limits::default(),
            shutdown.clone().cancelled_owned(),
        );
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                self.handle.run_upkeep();
            }
        };
        tokio::select! {
            () = serving => {}
            () = upkeep => {}
        }
    }
}

fn recorder() -> anyhow::Result<PrometheusHandle> {
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), EVENTS)?
        .install_recorder()
        .context("cannot record metrics")?;
    describe();
    *recorder = Some(handle.clone());
    Ok(handle)
}

/// A sentence each, for those who browse; ops/metrics.md says more.
fn describe() {
    describe_counter!("ccd402_events_total", "Events made durable, by type");
    describe_counter!("ccd402_verifications_total", "Verifications decided, by outcome and code");
    describe_counter!("ccd402_http_problems_total", "Requests that were not served, by code");
    describe_gauge!("ccd402_verifications_waiting", "Verifications that wait for a transaction");
    describe_gauge!("ccd402_log_position", "Position of the newest event");
    describe_gauge!("ccd402_follower_height", "Height of the newest block that was followed");
    describe_gauge!("ccd402_follower_lag_seconds", "Age of that block");
    describe_gauge!("ccd402_lease_held", "1 where this process holds the lease, else 0");
    describe_gauge!("ccd402_projection_lag_events", "Events that the read model is behind");
    describe_gauge!("ccd402_jobs_waiting", "Jobs that wait or run");
    describe_gauge!("ccd402_jobs_dead", "Jobs that failed for good");
    describe_gauge!("ccd402_jobs_oldest_due_seconds", "How long the oldest due job has waited");
    describe_counter!("ccd402_job_runs_total", "Tries of jobs, by kind and outcome");
    describe_counter!("ccd402_reconcile_differences_total", "Where log and chain do not agree");
    describe_gauge!("ccd402_reconciled_position", "Event up to which log and chain were compared");
    describe_gauge!("ccd402_reconciled_height", "Block up to which they were compared");
    describe_histogram!("ccd402_http_request_seconds", "From a request's head to its answer");
    describe_histogram!("ccd402_identity_check_seconds", "Checking one identity proof");
    describe_histogram!("ccd402_decision_seconds", "From a payment's handing in to its outcome");
    describe_histogram!("ccd402_log_sync_seconds", "Making what was appended durable");
    describe_histogram!("ccd402_log_sync_events", "Events made durable at once");
}
