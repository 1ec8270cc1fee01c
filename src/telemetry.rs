//! Logs: to stderr, for people on a terminal, as JSON lines otherwise. `CCD402_LOG` filters them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. `default` is the filter where `CCD402_LOG` says nothing.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_env("CCD402_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, in tests that run several commands, changes nothing.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_ansi(false).try_init()
    };
}
