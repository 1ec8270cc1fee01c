//! Where the facilitator is met: its port, and the URL by which the world knows it.

use std::net::SocketAddr;
use std::time::Duration;

use ccd402_api::options::PublicUrl;
use tokio::net::TcpListener;

use super::Finding;

/// How long the public URL may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the port is free, or a facilitator's that runs on the data directory.
pub(super) async fn port(listen: SocketAddr, is_running: bool) -> Finding {
    const NAME: &str = "port";
    match TcpListener::bind(listen).await {
        Ok(_) => Finding::ok(NAME, format!("{listen} is free")),
        Err(_) if is_running => {
            Finding::ok(NAME, format!("{listen} is taken, as by the facilitator that runs"))
        }
        Err(error) => {
            let to_do = "stop what listens there, or choose another with --listen";
            Finding::fail(NAME, format!("{listen} cannot be listened on: {error}"), to_do)
        }
    }
}

/// Whether the public URL leads to a facilitator.
pub(super) async fn public_url(url: Option<&PublicUrl>) -> Finding {
    const NAME: &str = "public URL";
    let Some(url) = url else { return Finding::ok(NAME, "none: links in answers are relative") };
    let answer = async {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let health: serde_json::Value =
            http.get(format!("{url}/health")).send().await?.json().await?;
        Ok::<_, reqwest::Error>(health["status"].as_str().map(str::to_owned))
    };
    let to_do = "start the facilitator and the proxy before it, or mend --public-url";
    match answer.await {
        Ok(Some(status)) => Finding::ok(NAME, format!("{url} answers: {status}")),
        Ok(None) => Finding::warn(NAME, format!("{url} is no facilitator"), to_do),
        Err(error) => Finding::warn(NAME, format!("{url} does not answer: {error}"), to_do),
    }
}
