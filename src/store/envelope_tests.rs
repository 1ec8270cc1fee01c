//! The line as others read it, and what a checker of exports must find.

use ccd402_app::contract::sample;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn context(stream: &StreamId) -> Context<'_> {
    let id = Uuid::from_u128(1);
    Context { id, stream, version: 3, time: sample::time(), cause: sample::cause(2) }
}

fn line_at(position: Position, event: &Event, previous: Digest) -> (Vec<u8>, Digest) {
    let stream = StreamId::verification(sample::verification(1));
    let (line, _) = Unplaced::new(&context(&stream), event).unwrap();
    line.place(position, previous)
}

#[test]
fn a_line_is_a_cloud_event_whose_last_member_is_its_hash() {
    let previous = Digest::from_bytes([0xab; 32]);
    let (line, hash) = line_at(17, &sample::confirmed(1, 5), previous);
    let text = String::from_utf8(line).unwrap();
    assert!(!text.contains('\n'));
    let read: Value = serde_json::from_str(&text).unwrap();
    let data = sample::confirmed(1, 5).to_json().unwrap();
    let data: Value = serde_json::from_slice(&data).unwrap();
    let expected = json!({
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000001",
        "source": "ccd402",
        "type": "ccd402.VerificationConfirmed.v1",
        "time": "2026-11-22T10:00:00.123456Z",
        "datacontenttype": "application/json",
        "subject": sample::transaction(5).to_string(),
        "stream": format!("verification-{}", sample::verification(1)),
        "version": 3,
        "causationid": sample::cause(2).to_string(),
        "correlationid": sample::verification(1).to_string(),
        "data": data,
        "position": 17,
        "prevhash": previous.to_string(),
        "hash": hash.to_string(),
    });
    assert_eq!(read, expected);
    let without_hash = format!("{}}}", text.rsplit_once(",\"hash\":").unwrap().0);
    assert_eq!(Digest::from_bytes(Sha256::digest(without_hash).into()), hash);
}

#[test]
fn times_keep_every_digit_and_have_milliseconds_at_least() {
    for (nanos, text) in [
        (0, "2026-11-22T10:00:00.000Z"),
        (120_000_000, "2026-11-22T10:00:00.120Z"),
        (123_456_000, "2026-11-22T10:00:00.123456Z"),
        (1, "2026-11-22T10:00:00.000000001Z"),
    ] {
        let time = DateTime::from_timestamp(1_795_341_600, nanos).unwrap();
        assert_eq!(rfc3339(time), text);
        assert_eq!(text.parse(), Ok(time));
    }
}

#[test]
fn a_chain_takes_its_lines_in_order_only() {
    let (first, hash) = line_at(1, &sample::requested(1, 5), Chain::default().hash());
    let (second, end) = line_at(2, &sample::confirmed(1, 5), hash);
    let mut chain = Chain::default();
    let stream = StreamId::verification(sample::verification(1));
    let (named, version) = chain.check(&first).unwrap();
    assert_eq!((&*named, version), (stream.as_str(), context(&stream).version));
    chain.check(&second).unwrap();
    assert_eq!(chain, Chain::after(2, end));

    Chain::default().check(&second).expect_err("the first line is missing");
    chain.check(&second).expect_err("it was there already");
    let elsewhere = line_at(1, &sample::requested(1, 5), end).0;
    Chain::default().check(&elsewhere).expect_err("it follows another line");
}

#[test]
fn events_of_a_newer_version_are_not_guessed() {
    let (line, _) = line_at(1, &sample::followed(1), Chain::default().hash());
    let text = String::from_utf8(line).unwrap();
    for other in ["ccd402.BlockFollowed.v2", "ccd402.Unheard.v1", "other.BlockFollowed.v1"] {
        let newer = text.replace("ccd402.BlockFollowed.v1", other);
        read(1, newer.as_bytes()).expect_err(other);
    }
    read(1, text.as_bytes()).unwrap();
}

proptest! {
    #[test]
    fn every_changed_byte_is_found(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let (mut line, _) = line_at(1, &sample::requested(1, 5), Chain::default().hash());
        let at = at.index(line.len());
        line[at] ^= flip;
        // Hex digits of the hash itself read the same in both cases.
        let is_case = flip == 0x20 && line[at].is_ascii_alphabetic();
        prop_assume!(!(is_case && at >= line.len() - 70));
        prop_assert!(Chain::default().check(&line).is_err());
    }
}
