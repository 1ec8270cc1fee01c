//! Asks a facilitator for all that an overview shows, again and again, and follows its stream.
//!
//! What the key does not allow is asked once, and never again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use ccd402_domain::event::Event;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::figures::hour_from;
use super::model::{Hour, News, Round};
use super::wire::{Asset, Block, Health, Jobs, Line, Page, Stats, Told};
use crate::cli::remote::{Lines, Messages, NO_BODY, Refused, Server};

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long the stream may say nothing: it says so every 15 seconds where nothing happens.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// How soon a stream that broke off is taken up again, at first and at most.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// Verifications that are asked for.
const ROWS: usize = 100;
/// How many of the newest events are looked at for the newest block.
const LOOK_BACK: u64 = 200;
/// What is followed.
const TYPES: &str = "VerificationRequested,VerificationConfirmed,VerificationFailed,BlockFollowed";

/// Asks one facilitator.
pub(super) struct Asker {
    server: Server,
    /// Whether the key has turned out to have no scope `operate`.
    is_operator: bool,
    is_block_known: bool,
    /// Assets of which was asked, whatever was answered.
    assets: HashSet<String>,
}

impl Asker {
    pub(super) fn new(server: Server) -> Self {
        Self { server, is_operator: true, is_block_known: false, assets: HashSet::new() }
    }

    /// The first round: somebody must be there, and the key must be good.
    ///
    /// # Errors
    /// Where nobody answers, or the key is refused.
    pub(super) async fn first(&mut self) -> anyhow::Result<Round> {
        self.server.probe::<Health>("/health").await?;
        if let Err(error) = self.get::<Stats>("/v1/stats").await
            && let Some(Refused { status, .. }) = error.downcast_ref()
            && matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        {
            return Err(error);
        }
        Ok(self.round().await)
    }

    /// Asks for everything once.
    pub(super) async fn round(&mut self) -> Round {
        let at = Utc::now();
        let from = hour_from(at);
        let since = from.to_rfc3339_opts(SecondsFormat::Secs, true);
        let of_hour = format!("/v1/stats?step=minute&from={since}");
        let page = format!("/v1/verifications?limit={ROWS}");
        let (health, ready, ever, hour, page) = tokio::join!(
            timely(self.server.probe::<Health>("/health")),
            timely(self.server.probe("/readyz")),
            self.get::<Stats>("/v1/stats?step=day&lag=true"),
            self.get::<Stats>(&of_hour),
            self.get::<Page>(&page),
        );
        let jobs = self.jobs().await;
        let block = self.block(ever.as_ref().ok()).await;
        let decimals = self.decimals(ever.as_ref().ok(), page.as_ref().ok()).await;
        Round {
            at,
            health: health.map(|health| health.status).map_err(why),
            ready: ready.map_err(why),
            ever: ever.map_err(why),
            hour: hour.map(|stats| Hour { from, stats }).map_err(why),
            page: page.map_err(why),
            jobs,
            block,
            decimals,
        }
    }

    async fn jobs(&mut self) -> Option<Result<Jobs, String>> {
        if !self.is_operator {
            return None;
        }
        let jobs = self.get::<Jobs>("/v1/jobs?limit=1").await;
        if jobs.as_ref().is_err_and(is_no_scope) {
            self.is_operator = false;
            return None;
        }
        Some(jobs.map_err(why))
    }

    /// The newest block that was followed, as the log says; once, for the stream tells the next.
    async fn block(&mut self, ever: Option<&Stats>) -> Option<Block> {
        let stats = ever.filter(|_| self.is_operator && !self.is_block_known)?;
        let head = stats.as_of + stats.lag.map_or(0, |lag| lag.events);
        let path = format!("/v1/events?after={}", head.saturating_sub(LOOK_BACK));
        let looking = async {
            let mut lines = Lines::from(self.server.get(&path).await?);
            let mut newest = None;
            while let Some(Line { kind, data }) = lines.next().await? {
                if kind.starts_with("ccd402.BlockFollowed.") {
                    newest = Some(data);
                }
            }
            let read = |data: Box<RawValue>| Event::read_json("BlockFollowed", data.get());
            Ok(newest.map(read).transpose()?)
        };
        // Where it cannot be had, the stream tells the next one soon.
        let Ok(Some(Event::BlockFollowed(followed))) = timely(looking).await else { return None };
        self.is_block_known = true;
        Some(followed.block.into())
    }

    /// How fine the assets are of which nothing was known.
    async fn decimals(&mut self, ever: Option<&Stats>, page: Option<&Page>) -> HashMap<String, u8> {
        let groups = ever.into_iter().flat_map(|ever| ever.totals.iter().map(|group| &group.asset));
        let rows = page.into_iter().flat_map(|page| &page.verifications);
        let assets: HashSet<_> = groups.chain(rows.map(|row| &row.payment.asset)).collect();
        let mut decimals = HashMap::new();
        for asset in assets {
            if self.assets.contains(asset) {
                continue;
            }
            let told = self.get::<Asset>(&path_of(asset)).await;
            // A node that is away may be there later; an asset that is refused stays so.
            if told.is_ok() || told.as_ref().is_err_and(|error| error.is::<Refused>()) {
                self.assets.insert(asset.clone());
            }
            decimals.extend(told.ok().map(|told| (asset.clone(), told.decimals)));
        }
        decimals
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        timely(self.server.ask(Method::GET, path, NO_BODY)).await
    }
}

async fn timely<T>(answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(ANSWER_MAX, answer).await.context("there is no answer")?
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn why(error: anyhow::Error) -> String {
    format!("{error:#}")
}

fn is_no_scope(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.status == StatusCode::FORBIDDEN)
}

/// The path of an asset: ids of tokens may hold `%`.
fn path_of(asset: &str) -> String {
    let mut url = Url::parse("http://facilitator/v1/assets/").expect("it is a URL");
    url.path_segments_mut().expect("it has a path").pop_if_empty().push(asset);
    url.path().to_owned()
}

/// Asks again and again, until nobody listens.
pub(super) async fn keep_asking(mut asker: Asker, every: Duration, tell: Sender<News>) {
    loop {
        tokio::time::sleep(every).await;
        let round = Box::new(asker.round().await);
        if tell.send(News::Round(round)).await.is_err() {
            return;
        }
    }
}

/// Follows the stream from after a position, through breaks, until nobody listens.
pub(super) async fn keep_following(server: Server, after: Option<u64>, tell: Sender<News>) {
    let mut follower = Follower { server, after, tell, pause: RETRY };
    loop {
        let ended = follower.follow().await;
        let reason = ended.map_or_else(why, |()| "the server has ended the stream".to_owned());
        if follower.tell.send(News::Stream(Err(reason))).await.is_err() {
            return;
        }
        tokio::time::sleep(follower.pause).await;
        follower.pause = (follower.pause * 2).min(RETRY_MAX);
    }
}

struct Follower {
    server: Server,
    after: Option<u64>,
    tell: Sender<News>,
    pause: Duration,
}

impl Follower {
    /// Until the stream ends, or nobody listens any more.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let after = self.after.map(|after| format!("&after={after}")).unwrap_or_default();
        let opened = timely(self.server.get(&format!("/v1/stream?type={TYPES}{after}"))).await;
        if let Err(error) = &opened
            && let Some(Refused { status: StatusCode::BAD_REQUEST, .. }) = error.downcast_ref()
        {
            // Another log, or an older one: where we were, it has not come yet.
            self.after = None;
        }
        let mut messages = Messages::from(opened?);
        self.tell.send(News::Stream(Ok(()))).await?;
        self.pause = RETRY;
        while let Some(message) =
            timeout(SILENCE_MAX, messages.next()).await.context("the stream is silent")??
        {
            if let Some(data) = message.data {
                let Told { position, kind, time, data } = serde_json::from_str(&data)?;
                self.tell_event(position, time, Event::read_json(&kind, data.get())?).await?;
            }
            if let Some(id) = message.id {
                self.after = Some(id.parse()?);
            }
        }
        Ok(())
    }

    async fn tell_event(
        &self,
        position: u64,
        at: DateTime<Utc>,
        event: Event,
    ) -> anyhow::Result<()> {
        let event = Box::new(event);
        Ok(self.tell.send(News::Event { position, at, event }).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_one_part_of_a_path() {
        let rows = [("EURR", "EURR"), ("A%2FB", "A%252FB"), ("../x", "..%2Fx"), ("a?b", "a%3Fb")];
        for (asset, part) in rows {
            assert_eq!(path_of(asset), format!("/v1/assets/{part}"));
        }
    }
}
