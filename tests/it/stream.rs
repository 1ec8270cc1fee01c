//! `GET /v1/stream` over a real log: a reader that is cut off again and again hears of every event,
//! once, while thousands are written.

use std::time::Duration;

use ccd402_app::contract::sample::{append, confirmed, requested};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::TestApp;

/// Verifications that are written; each is two events.
const WRITTEN: u64 = 3_000;
/// Longest that the reader may need for all of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads some messages after a position, then goes away in the middle of whatever comes next.
async fn read_some(app: &TestApp, after: u64, messages: usize) -> Vec<u64> {
    let request = app.http.get(app.api("/v1/stream")).header("last-event-id", after.to_string());
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let (mut text, mut seen) = (String::new(), Vec::new());
    while seen.len() < messages {
        let Some(chunk) = response.chunk().await.unwrap() else { break };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((message, rest)) = text.split_once("\n\n") {
            if message.contains("\ndata: ") && seen.len() < messages {
                let id = message.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
                seen.push(id.parse().unwrap());
            }
            text = rest.to_owned();
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_and_goes_hears_of_every_event_once() {
    let app = TestApp::start().await;
    let log = app.net.facilitator().facilitator().log().clone();
    let writing = tokio::spawn(async move {
        for number in 1..=WRITTEN {
            let events = vec![requested(number, number), confirmed(number, number)];
            log.append(vec![append(number, 0, events)]).await.unwrap();
        }
        *log.head().borrow()
    });
    let mut random = StdRng::seed_from_u64(402);
    let reading = async {
        let mut heard = Vec::new();
        // Never more than will surely come: the follower adds some, sooner or later.
        while (heard.len() as u64) < 2 * WRITTEN {
            let left = 2 * WRITTEN - heard.len() as u64;
            let messages = random.gen_range(1..400_u64).min(left);
            let after = heard.last().copied().unwrap_or(0);
            heard.extend(read_some(&app, after, messages as usize).await);
        }
        let written = writing.await.unwrap();
        let (after, left) = (heard.len() as u64, written.saturating_sub(heard.len() as u64));
        if left > 0 {
            heard.extend(read_some(&app, after, left as usize).await);
        }
        (heard, written)
    };
    let heard = tokio::time::timeout(PATIENCE, reading).await;
    let (heard, written) = heard.expect("it hears of everything");
    assert!(written > 2 * WRITTEN, "the follower's events are among them");
    assert_eq!(heard, (1..=written).collect::<Vec<_>>());
    app.stop().await;
}
