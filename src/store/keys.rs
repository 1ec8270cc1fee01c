//! Keys and small values of the one table, big-endian so that byte order is the order of numbers.
//!
//! `e|position` envelope, `s|stream|version` position, `c|network|hash` claim,
//! `w|network|hash|verification` waiting, `a|stream` attachment, `m|…` what is known of all.

use std::ops::Range;

use ::sled::IVec;
use ccd402_app::ports::log::{Position, StreamId, Waiting};
use ccd402_domain::ids::{Digest, TransactionHash, VerificationId};
use ccd402_domain::tenant::TenantId;
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Position and hash of the newest event.
pub(crate) const HEAD: &[u8] = b"m|head";
/// Version of the indexes that stand beside the events.
pub(crate) const INDEX_VERSION: &[u8] = b"m|index";
/// What is derived from events: streams, claims, who waits.
pub(crate) const INDEX_PREFIXES: [&[u8]; 3] = [b"s|", b"c|", b"w|"];

const HASH_BYTES: usize = 32;
const UUID_BYTES: usize = 16;
/// Position and time of a wait; the tenant's name follows.
const WAITING_BYTES: usize = 20;

pub(crate) fn event(position: Position) -> IVec {
    let mut key = *b"e|........";
    key[2..].copy_from_slice(&position.to_be_bytes());
    IVec::from(&key[..])
}

/// Keys of the events after a position.
pub(crate) fn events_after(position: Position) -> Range<IVec> {
    event(position.saturating_add(1))..IVec::from(&b"e}"[..])
}

pub(crate) fn position_of_event(key: &[u8]) -> Option<Position> {
    number(key.strip_prefix(b"e|")?)
}

pub(crate) fn stream(stream: &StreamId, version: u64) -> IVec {
    let mut key = Vec::with_capacity(stream.as_str().len() + 11);
    write_stream(&mut key, stream.as_str(), version);
    IVec::from(key)
}

/// The same in place of what was there, for whoever needs many.
pub(crate) fn write_stream(key: &mut Vec<u8>, stream: &str, version: u64) {
    key.clear();
    key.extend_from_slice(b"s|");
    key.extend_from_slice(stream.as_bytes());
    key.push(b'|');
    key.extend_from_slice(&version.to_be_bytes());
}

/// Keys of the events of a stream after a version.
pub(crate) fn stream_after(name: &StreamId, version: u64) -> Range<IVec> {
    stream(name, version.saturating_add(1))..stream(name, u64::MAX)
}

/// Keys of the streams whose names begin so, from after one of them.
pub(crate) fn streams_after(prefix: &str, after: Option<&StreamId>) -> Range<IVec> {
    let first = format!("s|{prefix}").into_bytes();
    let mut end = first.clone();
    // Names are ASCII: this byte is greater than any that may follow.
    end.push(0xff);
    let start = match after {
        Some(last) => past_stream(last).max(IVec::from(first)),
        None => IVec::from(first),
    };
    start..IVec::from(end)
}

/// The first key that cannot be the stream's.
fn past_stream(name: &StreamId) -> IVec {
    let mut key = stream(name, u64::MAX).to_vec();
    key.push(0);
    IVec::from(key)
}

/// The name in a stream's key.
pub(crate) fn name_of_stream(key: &[u8]) -> Option<&str> {
    let name = key.strip_prefix(b"s|")?;
    let name = name.get(..name.len().checked_sub(9)?)?;
    std::str::from_utf8(name).ok()
}

/// The last eight bytes of a stream's key.
pub(crate) fn version_of_stream(key: &[u8]) -> Option<u64> {
    number(key.get(key.len().checked_sub(8)?..)?)
}

pub(crate) fn claim(network: &NetworkId, transaction: TransactionHash) -> IVec {
    IVec::from(of_transaction(b'c', network, transaction))
}

pub(crate) fn waiting(
    network: &NetworkId,
    transaction: TransactionHash,
    verification: VerificationId,
) -> IVec {
    let mut key = of_transaction(b'w', network, transaction);
    key.extend_from_slice(verification.0.as_bytes());
    IVec::from(key)
}

/// Keys of all that wait for a transaction.
pub(crate) fn waiting_for(network: &NetworkId, transaction: TransactionHash) -> Range<IVec> {
    let first = of_transaction(b'w', network, transaction);
    let mut end = first.clone();
    end.extend_from_slice(&[0xff; UUID_BYTES + 1]);
    IVec::from(first)..IVec::from(end)
}

/// Keys of all that wait on a network, from after one of them.
pub(crate) fn waiting_after(network: &NetworkId, after: Option<&Waiting>) -> Range<IVec> {
    let mut end = format!("w|{network}").into_bytes();
    let first = match after {
        Some(last) => {
            let mut key = waiting(network, last.transaction, last.verification).to_vec();
            key.push(0);
            key
        }
        None => end.clone(),
    };
    end.push(b'}');
    IVec::from(first)..IVec::from(end)
}

/// All keys that begin with a prefix ending in `|`.
pub(crate) fn prefixed(prefix: &[u8]) -> Range<IVec> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    IVec::from(prefix)..IVec::from(end)
}

/// Transaction and verification of a waiting key.
pub(crate) fn waiter_of(key: &[u8]) -> Option<(TransactionHash, VerificationId)> {
    let at = key.len().checked_sub(HASH_BYTES + UUID_BYTES)?;
    let (hash, uuid) = key[at..].split_at(HASH_BYTES);
    let hash = TransactionHash::from_bytes(hash.try_into().ok()?);
    Some((hash, VerificationId(Uuid::from_slice(uuid).ok()?)))
}

/// Network, transaction and, of a wait, the verification in the key of a claim or of a wait.
pub(crate) fn parts_of(key: &[u8]) -> Option<(&str, &[u8], Option<Uuid>)> {
    let (rest, verification) = match key.strip_prefix(b"w|") {
        Some(rest) => {
            let (rest, uuid) = rest.split_at_checked(rest.len().checked_sub(UUID_BYTES)?)?;
            (rest, Some(Uuid::from_slice(uuid).ok()?))
        }
        None => (key.strip_prefix(b"c|")?, None),
    };
    let (network, hash) = rest.split_at_checked(rest.len().checked_sub(HASH_BYTES)?)?;
    let network = std::str::from_utf8(network.strip_suffix(b"|")?).ok()?;
    Some((network, hash, verification))
}

/// The stream in the key of an attachment.
pub(crate) fn stream_of_attachment(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(b"a|")?).ok()
}

pub(crate) fn attachment(stream: &StreamId) -> IVec {
    IVec::from(format!("a|{stream}").into_bytes())
}

pub(crate) fn position_value(position: Position) -> IVec {
    IVec::from(&position.to_be_bytes()[..])
}

pub(crate) fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// A claim: who holds it, and by which event.
pub(crate) fn claim_value(owner: VerificationId, position: Position) -> IVec {
    let mut value = [0; UUID_BYTES + 8];
    value[..UUID_BYTES].copy_from_slice(owner.0.as_bytes());
    value[UUID_BYTES..].copy_from_slice(&position.to_be_bytes());
    IVec::from(&value[..])
}

pub(crate) fn read_claim(value: &[u8]) -> Option<(VerificationId, Position)> {
    let (owner, position) = value.split_at_checked(UUID_BYTES)?;
    Some((VerificationId(Uuid::from_slice(owner).ok()?), number(position)?))
}

/// A wait: which event began it, when it becomes pointless, and whose it is.
pub(crate) fn waiting_value(
    position: Position,
    closes_at: DateTime<Utc>,
    tenant: &TenantId,
) -> IVec {
    let mut value = Vec::with_capacity(WAITING_BYTES + tenant.as_str().len());
    value.extend_from_slice(&position.to_be_bytes());
    value.extend_from_slice(&closes_at.timestamp().to_be_bytes());
    value.extend_from_slice(&closes_at.timestamp_subsec_nanos().to_be_bytes());
    value.extend_from_slice(tenant.as_str().as_bytes());
    IVec::from(value)
}

/// Whose a wait is.
pub(crate) fn tenant_of_waiting(value: &[u8]) -> Option<TenantId> {
    std::str::from_utf8(value.get(WAITING_BYTES..)?).ok()?.parse().ok()
}

pub(crate) fn read_waiting(value: &[u8]) -> Option<(Position, DateTime<Utc>)> {
    let value: &[u8; WAITING_BYTES] = value.first_chunk()?;
    let seconds = i64::from_be_bytes(value[8..16].try_into().ok()?);
    let nanos = u32::from_be_bytes(value[16..].try_into().ok()?);
    Some((number(&value[..8])?, DateTime::from_timestamp(seconds, nanos)?))
}

pub(crate) fn head_value(position: Position, hash: Digest) -> IVec {
    let mut value = [0; 8 + HASH_BYTES];
    value[..8].copy_from_slice(&position.to_be_bytes());
    value[8..].copy_from_slice(hash.as_bytes());
    IVec::from(&value[..])
}

pub(crate) fn read_head(value: &[u8]) -> Option<(Position, Digest)> {
    let (position, hash) = value.split_at_checked(8)?;
    Some((number(position)?, Digest::from_bytes(hash.try_into().ok()?)))
}

fn of_transaction(kind: u8, network: &NetworkId, transaction: TransactionHash) -> Vec<u8> {
    let name = network.as_str().as_bytes();
    let mut key = Vec::with_capacity(name.len() + 3 + HASH_BYTES + UUID_BYTES + 1);
    key.extend_from_slice(&[kind, b'|']);
    key.extend_from_slice(name);
    key.push(b'|');
    key.extend_from_slice(transaction.as_bytes());
    key
}
