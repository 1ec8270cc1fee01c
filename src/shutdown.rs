//! When the process is asked to stop: Ctrl-C or SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first request to stop. A second one ends the process at once.
pub async fn requested() {
    first().await;
    tokio::spawn(async {
        first().await;
        std::process::exit(130);
    });
}

async fn first() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without handlers the operating system's defaults end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
