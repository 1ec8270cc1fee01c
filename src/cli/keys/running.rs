//! Keys of a facilitator that runs, through its API.

use ccd402_domain::ids::KeyId;
use ccd402_domain::key::command::Terms;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::shown::{Created, Shown};
use crate::cli::remote::{NO_BODY, Server};

/// Where keys are.
const KEYS: &str = "/v1/keys";
/// Keys asked for at once.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    keys: Vec<Shown>,
    next: Option<KeyId>,
}

pub(super) async fn create(server: &Server, terms: &Terms) -> anyhow::Result<Created> {
    let body = json!({
        "tenant": terms.tenant,
        "name": terms.name,
        "scopes": terms.scopes,
        "limits": terms.limits,
        "expiresAt": terms.expires_at,
    });
    server.ask(Method::POST, KEYS, Some(&body)).await
}

pub(super) async fn list(server: &Server) -> anyhow::Result<Vec<Shown>> {
    let mut all = Vec::new();
    let mut path = format!("{KEYS}?limit={PAGE}");
    loop {
        let page: Page = server.ask(Method::GET, &path, NO_BODY).await?;
        all.extend(page.keys);
        let Some(next) = page.next else { return Ok(all) };
        path = format!("{KEYS}?limit={PAGE}&after={next}");
    }
}

pub(super) async fn revoke(server: &Server, id: KeyId) -> anyhow::Result<Shown> {
    server.ask(Method::DELETE, &format!("{KEYS}/{id}"), NO_BODY).await
}
