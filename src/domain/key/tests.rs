//! Keys: their text, and given events, when a command, then events or a rejection.

use ccd402_protocol::code::ReasonCode;
use uuid::Uuid;

use super::command::{Command, Creation, KeyName, NotAKeyName, Terms};
use super::decide::decide;
use super::event::{KeyRevoked, Limits};
use super::scope::{Scope, Scopes};
use super::state::Key;
use super::text::{KeyText, NotAKeyText};
use crate::event::Event;
use crate::ids::KeyId;
use crate::sample::at;

fn text() -> KeyText {
    KeyText::new(KeyId(Uuid::from_u128(0x0199_1234 << 96)), [0xfb; 32])
}

fn terms() -> Terms {
    Terms {
        tenant: "shop".parse().unwrap(),
        name: "the gate".parse().unwrap(),
        scopes: [Scope::Submit].into_iter().collect(),
        limits: Limits::default(),
        expires_at: Some(at(100)),
    }
}

fn create(terms: Terms) -> Command {
    Command::Create(Box::new(Creation { text: text(), terms, now: at(0) }))
}

fn created() -> Event {
    decide(None, create(terms())).unwrap().remove(0)
}

fn revoked(seconds: i64) -> Event {
    KeyRevoked { key: text().id(), revoked_at: at(seconds) }.into()
}

/// One event of each type, for the table of all.
pub(crate) fn examples() -> Vec<Event> {
    vec![created(), revoked(50)]
}

fn when(given: &[Event], command: Command) -> Result<Vec<Event>, ReasonCode> {
    decide(Key::fold(given).unwrap().as_ref(), command).map_err(|why| why.code)
}

#[test]
fn a_key_is_made_once_and_taken_back_once() {
    let revoke = || Command::Revoke { now: at(50) };
    assert_eq!(when(&[], revoke()), Err(ReasonCode::KeyNotFound));
    assert_eq!(when(&[created()], create(terms())), Ok(vec![]));
    assert_eq!(when(&[created()], revoke()), Ok(vec![revoked(50)]));
    assert_eq!(when(&[created(), revoked(40)], revoke()), Ok(vec![]));
}

#[test]
fn a_key_that_is_good_for_nothing_is_not_made() {
    let nothing = Terms { scopes: Scopes::default(), ..terms() };
    let late = Terms { expires_at: Some(at(0)), ..terms() };
    for useless in [nothing, late] {
        assert_eq!(when(&[], create(useless)), Err(ReasonCode::MalformedRequest));
    }
}

#[test]
fn a_key_is_good_until_it_expires_or_is_revoked() {
    let key = Key::fold(&[created()]).unwrap().unwrap();
    assert_eq!(key.must_be_good(at(99)), Ok(()));
    assert_eq!(key.must_be_good(at(100)), Err(ReasonCode::KeyExpired));
    let key = Key::fold(&[created(), revoked(50)]).unwrap().unwrap();
    assert_eq!(key.must_be_good(at(49)), Err(ReasonCode::KeyRevoked), "whatever the clock says");
}

#[test]
fn history_that_no_decision_makes_is_broken() {
    let mut foreign = revoked(50);
    if let Event::KeyRevoked(revoked) = &mut foreign {
        revoked.key = KeyId(Uuid::nil());
    }
    let rows = [
        vec![revoked(50)],
        vec![created(), created()],
        vec![created(), foreign],
        vec![created(), revoked(50), revoked(50)],
    ];
    for history in rows {
        assert_eq!(Key::fold(&history).unwrap_err().version, history.len() as u64);
    }
}

#[test]
fn the_text_reads_back_and_hides_its_secret() {
    let text = text();
    let revealed = text.reveal();
    assert_eq!(revealed.len(), "ccd402_".len() + 32 + 1 + 43);
    let read: KeyText = revealed.parse().unwrap();
    assert_eq!((read.id(), read.hash()), (text.id(), text.hash()));
    assert!(revealed.starts_with(&text.prefix()));
    assert_eq!(text.prefix(), "ccd402_0199123400000000");
    let secret = revealed.rsplit_once("0_").unwrap().1;
    let json = String::from_utf8(created().to_json().unwrap()).unwrap();
    for shown in [format!("{text:?}"), format!("{:?}", created()), json] {
        assert!(!shown.contains(secret) && !shown.contains("251, 251"), "{shown}");
    }
}

#[test]
fn what_is_not_a_key_is_refused() {
    let good = text().reveal();
    let rows = [
        String::new(),
        "ccd402_".to_owned(),
        good[1..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        good.replacen("ccd402_0", "ccd402_x", 1),
        format!("ccd402_{}", "ä".repeat(60)),
    ];
    for text in rows {
        assert_eq!(text.parse::<KeyText>().unwrap_err(), NotAKeyText, "{text}");
    }
}

#[test]
fn names_are_for_people() {
    assert_eq!("Läden, 2. Stock".parse::<KeyName>().unwrap().to_string(), "Läden, 2. Stock");
    for text in ["", "  ", "a\nb", &"x".repeat(101)] {
        assert_eq!(text.parse::<KeyName>(), Err(NotAKeyName), "{text:?}");
    }
}
