//! Cursors of lists: a row's place, sealed with the filter that the list was asked with.
//!
//! Callers must not look inside. The seal finds what was damaged, or used for another list; it keeps
//! no secret and protects nothing: whose rows are shown is said by the filter alone.

use ccd402_domain::ids::uuid_of;
use chrono::DateTime;
use uuid::Uuid;

use crate::ports::read_model::{Filter, Place};

/// Seconds, nanoseconds and number of a place.
const PLACE_BYTES: usize = 8 + 4 + 8;
const SEAL_BYTES: usize = 16;

/// The cursor of what follows a row.
#[must_use]
pub(crate) fn write(place: Place, filter: &Filter) -> String {
    let mut bytes = Vec::with_capacity(PLACE_BYTES + SEAL_BYTES);
    bytes.extend_from_slice(&place.requested_at.timestamp().to_be_bytes());
    bytes.extend_from_slice(&place.requested_at.timestamp_subsec_nanos().to_be_bytes());
    bytes.extend_from_slice(&place.number.to_be_bytes());
    let seal = seal(&bytes, filter);
    bytes.extend_from_slice(seal.as_bytes());
    hex::encode(bytes)
}

/// The place in a cursor; `None` where it is no cursor of a list with this filter.
#[must_use]
pub(crate) fn read(cursor: &str, filter: &Filter) -> Option<Place> {
    let mut bytes = [0; PLACE_BYTES + SEAL_BYTES];
    hex::decode_to_slice(cursor, &mut bytes).ok()?;
    let (place, sealed) = bytes.split_at(PLACE_BYTES);
    if sealed != seal(place, filter).as_bytes() {
        return None;
    }
    let seconds = i64::from_be_bytes(place[..8].try_into().ok()?);
    let nanos = u32::from_be_bytes(place[8..12].try_into().ok()?);
    let number = u64::from_be_bytes(place[12..].try_into().ok()?);
    Some(Place { requested_at: DateTime::from_timestamp(seconds, nanos)?, number })
}

fn seal(place: &[u8], filter: &Filter) -> Uuid {
    let parts = [
        filter.tenant.as_ref().map(ToString::to_string),
        filter.status.map(|status| status.as_str().to_owned()),
        filter.payer.map(|account| account.to_string()),
        filter.pay_to.map(|account| account.to_string()),
        filter.asset.as_ref().map(|asset| asset.to_string().to_ascii_uppercase()),
        filter.network.as_ref().map(ToString::to_string),
        filter.resource.clone(),
        filter.transaction.map(|hash| hash.to_string()),
        filter.from.map(|time| time.to_rfc3339()),
        filter.to.map(|time| time.to_rfc3339()),
    ];
    // A part that is empty is not one that is missing.
    let parts = parts.map(|part| part.map_or_else(String::new, |text| format!("={text}")));
    let mut all: Vec<&[u8]> = vec![b"cursor/v1", place];
    all.extend(parts.iter().map(String::as_bytes));
    uuid_of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_for_its_own_list_only() {
        let requested_at = DateTime::from_timestamp(1_800_000_000, 123_456_789).unwrap();
        let place = Place { requested_at, number: 42 };
        let filter = Filter { resource: Some("https://a/".to_owned()), ..Filter::default() };
        let cursor = write(place, &filter);
        assert_eq!(read(&cursor, &filter), Some(place));
        assert_eq!(read(&cursor, &Filter::default()), None);
        let empty = Filter { resource: Some(String::new()), ..Filter::default() };
        assert_eq!(read(&write(place, &empty), &Filter::default()), None);
    }

    #[test]
    fn a_cursor_with_any_digit_changed_is_refused() {
        let place = Place { requested_at: DateTime::UNIX_EPOCH, number: 7 };
        let cursor = write(place, &Filter::default());
        for at in 0..cursor.len() {
            let digit = if &cursor[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &cursor[..at], &cursor[at + 1..]);
            assert_eq!(read(&changed, &Filter::default()), None, "digit {at}");
        }
        for other in ["", "0", &cursor[1..], &format!("{cursor}00"), "zz"] {
            assert_eq!(read(other, &Filter::default()), None, "{other}");
        }
    }
}
