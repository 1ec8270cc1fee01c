//! Logs: to stderr, for people on a terminal, as JSON lines otherwise. `CCD402_LOG` filters them.
//! Traces: to an OpenTelemetry collector, once a command asks for it (`traces`).

mod exporter;
mod hops;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use self::hops::{Hops, OnlyHops};

/// Starts logging. `default` is the filter where `CCD402_LOG` says nothing.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_env("CCD402_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = fmt::layer::<Registry>().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).with_ansi(false).boxed()
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    // A second start, in tests that run several commands, changes nothing.
    let _ = registry.with(Hops.with_filter(OnlyHops)).try_init();
}
