//! Given events, when a command, then events or a rejection; and what a delivery does next.

use std::time::Duration;

use ccd402_protocol::code::ReasonCode;
use chrono::TimeDelta;
use uuid::Uuid;

use super::command::{Change, Command, Create};
use super::decide::{URL_BYTES_MAX, decide};
use super::delivery::{Deliveries, Next, Schedule};
use super::event::{
    Answer, DeliveryOutcome, NoAnswer, WebhookChanged, WebhookCheckpointed, WebhookDeleted,
    WebhookDelivered, WebhookDisabled, WebhookEnabled, WebhookSecretRotated, WhyDisabled,
};
use super::state::{Status, Webhook, evolve};
use super::transition::Transition;
use crate::event::Event;
use crate::ids::{VerificationId, WebhookId};
use crate::rejection::Rejection;
use crate::sample::at;
use crate::tenant::TenantId;

const URL: &str = "https://shop.example/hooks";

fn create() -> Create {
    Create {
        webhook: WebhookId(Uuid::from_u128(5)),
        tenant: TenantId::default(),
        url: URL.to_owned(),
        description: "the till".to_owned(),
        types: Transition::by_default(),
        since: 7,
        now: at(0),
    }
}

fn created() -> Event {
    decide(None, Command::Create(Box::new(create()))).unwrap().remove(0)
}

fn disabled(why: WhyDisabled) -> Event {
    WebhookDisabled { why, at: at(5) }.into()
}

fn tried(position: u64, attempt: u32, outcome: DeliveryOutcome) -> WebhookDelivered {
    WebhookDelivered {
        webhook: WebhookId(Uuid::from_u128(5)),
        verification: VerificationId(Uuid::from_u128(1)),
        position,
        transition: Transition::Confirmed,
        attempt,
        answer: Answer::Status(500),
        duration_ms: 3,
        first_at: at(0),
        at: at(0),
        outcome,
        retry_at: (outcome == DeliveryOutcome::Failed).then(|| at(60)),
    }
}

/// One event of each type.
pub(crate) fn examples() -> Vec<Event> {
    vec![
        created(),
        WebhookChanged { url: Some(URL.to_owned()), ..WebhookChanged::default() }.into(),
        WebhookSecretRotated { number: 2, previous_valid_until: at(9) }.into(),
        WebhookEnabled { at: at(6) }.into(),
        disabled(WhyDisabled::Gone),
        WebhookDeleted { at: at(7) }.into(),
        WebhookCheckpointed { scanned: 9, outstanding: [4, 8].into(), delivered_at: Some(at(3)) }
            .into(),
        tried(9, 1, DeliveryOutcome::Failed).into(),
    ]
}

fn given(events: &[Event]) -> Option<Webhook> {
    Webhook::fold(events).unwrap()
}

fn when(events: &[Event], command: Command) -> Result<Vec<Event>, ReasonCode> {
    let state = given(events);
    let decided = decide(state.as_ref(), command).map_err(|rejection: Rejection| rejection.code)?;
    let folded = decided.iter().try_fold(state, |state, event| evolve(state, event).map(Some));
    assert!(folded.is_ok(), "what was decided can be evolved");
    Ok(decided)
}

#[test]
fn commands_have_the_events_that_they_should() {
    let (enable, delete) = (Command::Enable { now: at(6) }, Command::Delete { now: at(7) });
    let disable = Command::Disable { why: WhyDisabled::Operator, now: at(5) };
    let rotate = Command::RotateSecret { previous_valid_until: at(9) };
    let off = [created(), disabled(WhyDisabled::Operator)];
    let gone = [created(), WebhookDeleted { at: at(7) }.into()];
    let rows = [
        ("made again", &[created()][..], Command::Create(Box::new(create())), Ok(vec![])),
        ("enabled while on", &[created()], enable.clone(), Ok(vec![])),
        ("enabled", &off, enable.clone(), Ok(vec![WebhookEnabled { at: at(6) }.into()])),
        ("disabled", &[created()], disable.clone(), Ok(vec![off[1].clone()])),
        ("disabled while off", &off, disable, Ok(vec![])),
        ("rotated", &[created()], rotate.clone(), {
            Ok(vec![WebhookSecretRotated { number: 2, previous_valid_until: at(9) }.into()])
        }),
        ("deleted", &off, delete.clone(), Ok(vec![gone[1].clone()])),
        ("deleted twice", &gone, delete, Err(ReasonCode::WebhookNotFound)),
        ("rotated after the end", &gone, rotate, Err(ReasonCode::WebhookNotFound)),
        ("never there", &[], enable, Err(ReasonCode::WebhookNotFound)),
    ];
    for (name, events, command, wanted) in rows {
        assert_eq!(when(events, command), wanted, "{name}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let url = |url: String| Change { url: Some(url), ..Change::default() };
    let refused = ReasonCode::WebhookUrlRefused;
    let rows = [
        (url(String::new()), refused),
        (url("https://a.example/ b".to_owned()), refused),
        (url(format!("https://a.example/{}", "x".repeat(URL_BYTES_MAX))), refused),
        (
            Change { description: Some("a\nb".to_owned()), ..Change::default() },
            ReasonCode::MalformedRequest,
        ),
        (Change { types: Some([].into()), ..Change::default() }, ReasonCode::MalformedRequest),
    ];
    for (change, code) in rows {
        assert_eq!(when(&[created()], Command::Change(change.clone())), Err(code), "{change:?}");
    }
    let same = Change { url: Some(URL.to_owned()), ..Change::default() };
    assert_eq!(when(&[created()], Command::Change(same)), Ok(vec![]));
}

#[test]
fn history_that_no_decision_makes_is_broken() {
    let rows = [
        vec![disabled(WhyDisabled::Gone)],
        vec![created(), created()],
        vec![created(), WebhookEnabled { at: at(1) }.into()],
        vec![created(), WebhookSecretRotated { number: 3, previous_valid_until: at(1) }.into()],
        vec![created(), WebhookDeleted { at: at(1) }.into(), disabled(WhyDisabled::Gone)],
    ];
    for history in rows {
        let broken = Webhook::fold(&history).unwrap_err();
        assert_eq!(broken.version, history.len() as u64, "{history:?}");
    }
}

#[test]
fn while_rotations_overlap_all_their_secrets_sign() {
    let rotated = |number: u64, until| {
        WebhookSecretRotated { number, previous_valid_until: at(until) }.into()
    };
    let webhook = given(&[created(), rotated(2, 9), rotated(3, 12)]).unwrap();
    let signing = |now| webhook.secrets.signing(at(now)).collect::<Vec<_>>();
    assert_eq!(signing(8), [3, 2, 1]);
    assert_eq!(signing(9), [3, 2]);
    assert_eq!(signing(12), [3]);
}

#[test]
fn a_message_never_bears_more_than_four_signatures() {
    let rotated = |number| WebhookSecretRotated { number, previous_valid_until: at(99) }.into();
    let history: Vec<Event> = std::iter::once(created()).chain((2..=9).map(rotated)).collect();
    let webhook = given(&history).unwrap();
    assert_eq!(webhook.secrets.signing(at(8)).collect::<Vec<_>>(), [9, 8, 7, 6]);
}

#[test]
fn a_webhook_hears_what_it_chose_and_what_came_after_it() {
    let webhook = given(&[created()]).unwrap();
    assert_eq!(webhook.status, Status::Enabled);
    assert!(webhook.hears(Transition::Confirmed, 8));
    assert!(!webhook.hears(Transition::Confirmed, 7), "it was before");
    assert!(!webhook.hears(Transition::Requested, 8), "it was not asked for");
    let types = Some([Transition::Confirmed, Transition::Requested].into());
    let changed = WebhookChanged { types, since: 20, ..WebhookChanged::default() };
    let webhook = given(&[created(), changed.into()]).unwrap();
    assert!(webhook.hears(Transition::Confirmed, 8), "it heard of that before");
    assert!(!webhook.hears(Transition::Requested, 20), "it did not hear of that before");
    assert!(webhook.hears(Transition::Requested, 21));
    assert!(!webhook.hears(Transition::Failed, 21));
}

#[test]
fn the_next_is_not_sent_before_the_former_is_settled() {
    use DeliveryOutcome::{Delivered, Failed, GivenUp};
    let send = |position, attempt, due| Next::Send { position, attempt, due_at: due };
    let later = Some(at(60));
    let rows = [
        (vec![], send(3, 1, None)),
        (vec![tried(3, 1, Failed)], send(3, 2, later)),
        (vec![tried(3, 1, Failed), tried(3, 2, Delivered)], send(5, 1, None)),
        (vec![tried(3, 1, GivenUp), tried(5, 1, Failed)], send(5, 2, later)),
        (vec![tried(3, 1, Delivered), tried(5, 1, Delivered)], Next::Nothing),
        // By hand and in vain: what is settled stays so.
        (vec![tried(3, 1, Delivered), tried(3, 2, Failed)], send(5, 1, None)),
    ];
    for (tries, wanted) in rows {
        let deliveries = Deliveries::fold(&tries);
        assert_eq!(deliveries.next([3, 5, 9], 5), wanted, "{tries:?}");
    }
}

#[test]
fn the_schedule_is_the_specification_s_and_ends() {
    let schedule = Schedule::default();
    let (failed, none) = (Answer::Status(500), (None, 0.0));
    let mut pauses = Vec::new();
    for attempt in 1.. {
        let (outcome, retry_at) = schedule.outcome(failed, attempt, none, at(0));
        let Some(retry_at) = retry_at else {
            assert_eq!((outcome, attempt), (DeliveryOutcome::GivenUp, 10));
            break;
        };
        pauses.push((retry_at - at(0)).num_seconds());
    }
    assert_eq!(pauses, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    let (_, jittered) = schedule.outcome(failed, 2, (None, 1.0), at(0));
    assert_eq!(jittered, Some(at(360)));
}

#[test]
fn a_receiver_s_wish_is_honoured_within_bounds() {
    let schedule = Schedule::default();
    let asked = |seconds| {
        let wish = (Some(Duration::from_secs(seconds)), 0.0);
        schedule.outcome(Answer::Status(503), 1, wish, at(0)).1.unwrap() - at(0)
    };
    assert_eq!(asked(60), TimeDelta::seconds(60));
    assert_eq!(asked(1), TimeDelta::seconds(5), "never sooner than the schedule");
    assert_eq!(asked(1_000_000), TimeDelta::hours(24));
}

#[test]
fn every_answer_reads_back_from_its_json() {
    for answer in [Answer::Status(204), Answer::Error(NoAnswer::TimedOut)] {
        let tried: Event =
            WebhookDelivered { answer, ..tried(9, 1, DeliveryOutcome::Failed) }.into();
        let text = String::from_utf8(tried.to_json().unwrap()).unwrap();
        assert_eq!(Event::read_json("WebhookDelivered", &text).unwrap(), tried);
        let json = serde_json::from_str(&text).unwrap();
        assert_eq!(Event::from_json("WebhookDelivered", &json).unwrap(), tried);
    }
}

#[test]
fn only_2xx_is_an_answer_that_takes_the_message() {
    for (status, is_taken) in [(199, false), (200, true), (204, true), (299, true), (302, false)] {
        assert_eq!(Answer::Status(status).is_taken(), is_taken, "{status}");
    }
    assert!(!Answer::Error(NoAnswer::TimedOut).is_taken());
}
