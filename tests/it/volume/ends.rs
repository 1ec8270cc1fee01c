//! What every acknowledged submission must have come to: asked of the API, and read in the log.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use ccd402_app::ports::log::{EventLog, READ_EVENTS_MAX};
use ccd402_domain::event::Event;
use ccd402_domain::ids::TransactionHash;
use rand::seq::IteratorRandom as _;
use serde_json::Value;

use super::Run;
use super::messages::{Happened, TENANT};
use crate::caller::Caller;
use crate::history::History;
use crate::payments::Fate;

/// Verifications of a page.
const PAGE: usize = 200;
/// Verifications that are asked for one by one as well.
const SHOWN: usize = 500;
/// Between two tries of what the read model cannot tell yet.
const AGAIN: Duration = Duration::from_millis(500);

/// Ends by the id of the verification: the code that it failed with, empty where it is confirmed.
pub(super) type Ends = BTreeMap<String, String>;

/// Waits until all are decided, and compares each with what it must be.
pub(super) async fn by_api(run: &Run, caller: &Caller) -> Ends {
    // What one process shows another may not know yet.
    let mut caller = caller.faithful_to(0);
    all_decided(run, &mut caller).await;
    let ends = listed(&mut caller).await;
    check(run, &ends);
    let mut random = run.random(3_000);
    for (id, code) in ends.iter().choose_multiple(&mut random, SHOWN) {
        let shown = get(&mut caller, &format!("/v1/verifications/{id}")).await;
        assert_eq!(end(&shown).as_ref(), Some(code), "{id}");
    }
    ends
}

/// Until the statistics know all submissions, and none of them is pending.
async fn all_decided(run: &Run, caller: &mut Caller) {
    loop {
        let stats = get(caller, "/v1/stats").await;
        let count = |wanted: &[&str]| {
            let groups = stats["totals"].as_array().unwrap().iter();
            let groups = groups.filter(|group| wanted.contains(&group["status"].as_str().unwrap()));
            groups.map(|group| group["count"].as_u64().unwrap()).sum::<u64>()
        };
        let decided = usize::try_from(count(&["confirmed", "failed"])).unwrap();
        run.decided(decided);
        if decided == run.scale.submissions() {
            assert_eq!(count(&["confirmed"]), run.scale.claims() as u64);
            return;
        }
        let pending = get(caller, "/v1/verifications?status=pending&limit=1").await;
        if let Some(id) = pending["verifications"][0]["id"].as_str() {
            get(caller, &format!("/v1/verifications/{id}?wait=20s")).await;
        }
    }
}

/// All of them, page by page.
async fn listed(caller: &mut Caller) -> Ends {
    let (mut ends, mut cursor) = (Ends::new(), String::new());
    loop {
        let page = get(caller, &format!("/v1/verifications?limit={PAGE}{cursor}")).await;
        for shown in page["verifications"].as_array().unwrap() {
            let id = shown["id"].as_str().unwrap().to_owned();
            let code = end(shown).unwrap_or_else(|| panic!("{shown}"));
            assert_eq!(ends.insert(id, code), None, "{shown} is listed twice");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ends,
        }
    }
}

/// The code that it failed with, empty where it is confirmed; none while it is pending.
fn end(shown: &Value) -> Option<String> {
    match shown["status"].as_str() {
        Some("confirmed") => Some(String::new()),
        Some("failed") => Some(shown["reason"]["code"].as_str().unwrap().to_owned()),
        _ => None,
    }
}

/// Asks until there is an answer: after a kill the read model must first be read again.
async fn get(caller: &mut Caller, path: &str) -> Value {
    loop {
        let (status, answer) = caller.call(|http, base| http.get(format!("{base}{path}"))).await;
        match status {
            200 => return answer,
            503 => tokio::time::sleep(AGAIN).await,
            _ => panic!("{path}: {status}: {answer}"),
        }
    }
}

/// Each is what it must be, and of those that share a transfer exactly one is confirmed.
fn check(run: &Run, ends: &Ends) {
    let mut shared: HashMap<TransactionHash, Vec<&str>> = HashMap::new();
    let mut count = 0;
    for acknowledged in run.loads() {
        for (item, id) in acknowledged.load.items.iter().zip(&acknowledged.ids) {
            let code = ends.get(id).unwrap_or_else(|| panic!("{id} is lost"));
            count += 1;
            match item.fate {
                Fate::Confirmed => assert_eq!(code, "", "{id}"),
                Fate::Failed(expected) => assert_eq!(code, expected, "{id}"),
                Fate::Shared => shared.entry(item.hash).or_default().push(ends[id].as_str()),
            }
        }
    }
    let all = run.scale.submissions();
    assert_eq!((count, ends.len()), (all, all), "no two are one verification");
    for (hash, codes) in shared {
        assert_eq!(codes.len(), run.scale.copies, "{hash}");
        let used = codes.iter().filter(|code| **code == "payment_already_used").count();
        assert!(used == codes.len() - 1 && codes.contains(&""), "{hash}: {codes:?}");
    }
}

/// The log is whole and tells the same; nothing but what was acknowledged is in it. What happened to
/// each of the tenant that is told, in its order.
pub(super) async fn by_log(run: &Run, log: &dyn EventLog, ends: &Ends) -> Happened {
    let begun_at = Instant::now();
    let history = History::read(log).await;
    let (mut checked, head) = (0, *log.head().borrow());
    while checked < head {
        checked = log.check(checked, READ_EVENTS_MAX).await.unwrap().position;
    }
    assert_eq!(Some(checked), history.events.last().map(|event| event.position));
    let (mut requested, mut ended) = (0, Ends::new());
    let mut happened = Happened::new();
    for recorded in &history.events {
        let (id, what, code) = match &recorded.event {
            Event::VerificationRequested(event) => {
                requested += 1;
                if event.tenant.as_str() == TENANT {
                    happened.insert(event.verification.to_string(), Vec::new());
                }
                (event.verification, "requested", None)
            }
            Event::VerificationConfirmed(event) => (event.verification, "confirmed", Some("")),
            Event::VerificationFailed(event) => {
                (event.verification, "failed", Some(event.rejection.code.as_str()))
            }
            _ => continue,
        };
        let id = id.to_string();
        if let Some(all) = happened.get_mut(&id) {
            all.push((recorded.position, what.to_owned()));
        }
        ended.extend(code.map(|code| (id, code.to_owned())));
    }
    // That none is asked for or decided twice, `History` has seen.
    assert_eq!((requested, history.confirmed.len()), (run.scale.submissions(), run.scale.claims()));
    assert!(ended == *ends, "the log and the API tell of other ends");
    println!("{} events checked in {:.1?}", history.events.len(), begun_at.elapsed());
    happened
}
