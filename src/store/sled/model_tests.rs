//! Random appends, with openings between them, against a model that is simple enough to be right.

use std::collections::{BTreeMap, BTreeSet};

use ccd402_app::contract::sample::{
    append, binding_verified, confirmed, failed, network, requested, transaction, verification,
};
use proptest::prelude::*;

use super::*;

const VERIFICATIONS: u64 = 5;
const TRANSACTIONS: u64 = 3;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Requested,
    Bound,
    Confirmed,
    Failed,
}

/// Events for one stream. `lag` is how far the expected version is behind the real one.
#[derive(Debug, Clone)]
struct Part {
    number: u64,
    by: u64,
    lag: u64,
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Part>),
    Reopen,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    /// Type and cause of each event.
    streams: BTreeMap<u64, Vec<(&'static str, u64)>>,
    claims: BTreeMap<u64, u64>,
    waiting: BTreeSet<(u64, u64)>,
    head: u64,
}

impl Model {
    /// Whether all parts may happen; if so they have.
    fn take(&mut self, parts: &[(Part, u64)]) -> bool {
        let before = self.clone();
        let is_taken = parts.iter().all(|(part, expected)| self.take_part(part, *expected));
        if !is_taken {
            *self = before;
        }
        is_taken
    }

    fn take_part(&mut self, part: &Part, expected: u64) -> bool {
        let events: Vec<_> = part.kinds.iter().map(|kind| (name(*kind), expected)).collect();
        let stream = self.streams.entry(part.number).or_default();
        let version = stream.len() as u64;
        if expected != version {
            let at = usize::try_from(expected).unwrap();
            return expected < version
                && stream.get(at..at + events.len()).is_some_and(|there| there == events);
        }
        stream.extend(events);
        self.head += part.kinds.len() as u64;
        part.kinds.iter().all(|kind| self.index(part, *kind))
    }

    fn index(&mut self, part: &Part, kind: Kind) -> bool {
        match kind {
            Kind::Requested => {
                self.waiting.insert((part.by, part.number));
            }
            Kind::Bound => {}
            Kind::Failed => {
                self.waiting.remove(&(part.by, part.number));
            }
            Kind::Confirmed => {
                self.waiting.remove(&(part.by, part.number));
                return *self.claims.entry(part.by).or_insert(part.number) == part.number;
            }
        }
        true
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Requested => "VerificationRequested",
        Kind::Bound => "BindingVerified",
        Kind::Confirmed => "VerificationConfirmed",
        Kind::Failed => "VerificationFailed",
    }
}

fn to_append(part: &Part, expected: u64) -> Append {
    let events = part.kinds.iter().map(|kind| match kind {
        Kind::Requested => requested(part.number, part.by),
        Kind::Bound => binding_verified(part.number),
        Kind::Confirmed => confirmed(part.number, part.by),
        Kind::Failed => failed(part.number, part.by),
    });
    append(part.number, expected, events.collect())
}

fn parts() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(Kind::Requested),
        Just(Kind::Bound),
        Just(Kind::Confirmed),
        Just(Kind::Failed)
    ];
    let kinds = prop::collection::vec(kind, 1..4);
    let lag = prop_oneof![4 => Just(0_u64), 1 => 0..3_u64];
    let part = (0..VERIFICATIONS, 0..TRANSACTIONS, lag, kinds)
        .prop_map(|(number, by, lag, kinds)| Part { number, by, lag, kinds });
    prop::collection::vec(part, 1..4).prop_map(Step::Append)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![12 => parts(), 1 => Just(Step::Reopen)], 1..40)
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(dir.path());
    let mut log = SledLog::open(options.clone()).await.unwrap();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append(parts) => {
                let version = |number| model.streams.get(&number).map_or(0, Vec::len) as u64;
                let expected = |part: &Part| version(part.number).saturating_sub(part.lag);
                let parts: Vec<_> =
                    parts.into_iter().map(|part| (part.clone(), expected(&part))).collect();
                let appends = parts.iter().map(|(part, version)| to_append(part, *version));
                let outcome = log.append(appends.collect()).await;
                assert_eq!(outcome.is_ok(), model.take(&parts), "{outcome:?} {parts:?}");
            }
            Step::Reopen => {
                log.close().await;
                log = SledLog::open(options.clone()).await.unwrap();
            }
        }
        compare(&log, &model).await;
    }
    log.close().await;
    let rebuild = Options { rebuild_indexes: true, ..options };
    let log = SledLog::open(rebuild).await.unwrap();
    assert_ne!(log.opened().indexes_agreed, Some(false));
    assert_eq!(log.verify(0).await.unwrap().position(), model.head);
    compare(&log, &model).await;
}

async fn compare(log: &SledLog, model: &Model) {
    assert_eq!(*log.head().borrow(), model.head);
    assert_eq!(log.read_all(0, READ_EVENTS_MAX).await.unwrap().len() as u64, model.head);
    for number in 0..VERIFICATIONS {
        let stream = StreamId::verification(verification(number));
        let read = log.read_stream(&stream, 0).await.unwrap();
        let names: Vec<_> = read.iter().map(|one| one.event.name()).collect();
        let stored = model.streams.get(&number).into_iter().flatten();
        assert_eq!(names, stored.map(|(name, _)| *name).collect::<Vec<_>>());
    }
    for by in 0..TRANSACTIONS {
        let owner = log.claim_owner(&network(), transaction(by)).await.unwrap();
        assert_eq!(owner, model.claims.get(&by).copied().map(verification));
    }
    let page = log.waiting(&network(), None, READ_EVENTS_MAX).await.unwrap();
    let read = page.iter().map(|one| (one.transaction, one.verification));
    let waits = model.waiting.iter().map(|(by, number)| (transaction(*by), verification(*number)));
    assert!(read.eq(waits));
    assert_eq!(log.waiting_count(), model.waiting.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn random_appends_do_what_the_model_does(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(steps));
    }
}
