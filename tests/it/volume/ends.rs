//! What every acknowledged submission must have come to: asked of the API, and read in the log.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ccd402_domain::event::Event;
use ccd402_domain::ids::{TransactionHash, VerificationId};
use ccd402_store::sled::{Options as LogOptions, SledLog};
use tokio::task::JoinSet;

use super::Run;
use super::cast::{CLAIMS, SUBMISSIONS};
use crate::caller::Caller;
use crate::history::History;
use crate::payments::Fate;

/// Verifications that are asked for at the same time.
const AT_ONCE: usize = 64;

/// What the API tells of one; the code is empty where it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    hash: TransactionHash,
    fate: Fate,
    code: String,
}

/// By id.
pub(super) type Ends = BTreeMap<VerificationId, Told>;

/// Asks for each until it is decided, and compares it with what it must be.
pub(super) async fn by_api(run: &Arc<Run>, caller: &Caller) -> Ends {
    let mut left = VecDeque::new();
    for acknowledged in run.loads() {
        for (item, id) in acknowledged.load.items.iter().zip(&acknowledged.ids) {
            left.push_back((id.clone(), item.hash, item.fate));
        }
    }
    let left = Arc::new(Mutex::new(left));
    let asking = (0..AT_ONCE).map(|_| {
        let (run, left, mut caller) = (Arc::clone(run), Arc::clone(&left), caller.clone());
        async move {
            let mut ends = Vec::new();
            loop {
                let next = left.lock().unwrap().pop_front();
                let Some((id, hash, fate)) = next else { return ends };
                let code = decided(&mut caller, &id).await;
                run.decided();
                ends.push((id.parse().unwrap(), Told { hash, fate, code }));
            }
        }
    });
    let ends: Ends =
        asking.collect::<JoinSet<_>>().join_all().await.into_iter().flatten().collect();
    assert_eq!(ends.len(), SUBMISSIONS, "no two submissions are one verification");
    check(&ends);
    ends
}

/// The code that it failed with; empty where it is confirmed.
async fn decided(caller: &mut Caller, id: &str) -> String {
    let path = format!("/v1/verifications/{id}?wait=20s");
    loop {
        let (status, state) = caller.call(|http, base| http.get(format!("{base}{path}"))).await;
        assert_eq!(status, 200, "{id}: {state}");
        match state["status"].as_str() {
            Some("pending") => {}
            Some("confirmed") => return String::new(),
            Some("failed") => return state["reason"]["code"].as_str().unwrap().to_owned(),
            _ => panic!("{state}"),
        }
    }
}

/// Each is what it must be, and of those that share a transfer exactly one is confirmed.
fn check(ends: &Ends) {
    let mut shared: HashMap<TransactionHash, Vec<&str>> = HashMap::new();
    for (id, Told { hash, fate, code }) in ends {
        match fate {
            Fate::Confirmed => assert_eq!(code, "", "{id}"),
            Fate::Failed(expected) => assert_eq!(code, expected, "{id}"),
            Fate::Shared => shared.entry(*hash).or_default().push(code),
        }
    }
    for (hash, mut codes) in shared {
        codes.sort_unstable();
        assert_eq!(codes, ["", "payment_already_used"], "{hash}");
    }
}

/// The log is whole and tells the same; nothing but what was acknowledged is in it.
pub(super) async fn by_log(dir: &Path, told: &Ends) {
    let begun_at = Instant::now();
    let log = SledLog::open(LogOptions::new(dir.join("log"))).await.unwrap();
    let verified = log.verify(0).await.unwrap();
    let history = History::read(&log).await;
    log.close().await;
    assert_eq!(Some(verified.position()), history.events.last().map(|event| event.position));
    let (mut requested, mut ended) = (0, BTreeMap::new());
    for recorded in &history.events {
        match &recorded.event {
            Event::VerificationRequested(event) => {
                assert!(told.contains_key(&event.verification), "{} is nobody's", recorded.stream);
                requested += 1;
            }
            Event::VerificationConfirmed(event) => {
                ended.insert(event.verification, "");
            }
            Event::VerificationFailed(event) => {
                ended.insert(event.verification, event.rejection.code.as_str());
            }
            _ => {}
        }
    }
    // That none is asked for or decided twice, `History` has seen.
    assert_eq!((requested, ended.len()), (SUBMISSIONS, SUBMISSIONS));
    for (id, Told { code, .. }) in told {
        assert_eq!(ended.get(id), Some(&code.as_str()), "{id}");
    }
    assert_eq!(history.confirmed.len(), CLAIMS);
    println!("{} events checked in {:.1?}", history.events.len(), begun_at.elapsed());
}
