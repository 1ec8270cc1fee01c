//! Sessions as sealed cookies: whose key was shown, since when, and when it was last used.
//!
//! Nothing is kept here, so any replica with the same key opens them. A session holds no secret, and
//! is worth what its API key is worth at the moment: whether that is still good is asked by whoever
//! opens it, each time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ccd402_domain::ids::KeyId;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use rand::RngCore as _;
use rand::rngs::OsRng;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// Bytes of a session before its seal: key, id, begin, last use.
const BODY_BYTES: usize = 16 + 16 + 8 + 8;
const SEAL_BYTES: usize = 32;
/// Keep seals of one purpose from being taken for those of another; they name the layout, too.
const COOKIE: &[u8] = b"ccd402/dashboard/session/v1";
const TOKEN: &[u8] = b"ccd402/dashboard/csrf/v1";
/// How old the last use may be before a cookie is sealed anew: not with every request.
const REFRESH: TimeDelta = TimeDelta::minutes(1);

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// With which key.
    pub(crate) key: KeyId,
    id: [u8; 16],
    begun_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
}

/// Seals sessions, and opens them again.
pub(crate) struct Sealer {
    key: [u8; 32],
    idle_max: TimeDelta,
    session_max: TimeDelta,
}

impl Session {
    pub(crate) fn begin(key: KeyId, now: DateTime<Utc>) -> Self {
        let mut id = [0; 16];
        OsRng.fill_bytes(&mut id);
        Self { key, id, begun_at: now, seen_at: now }
    }

    /// The session to seal anew now, where it is time for that.
    pub(crate) fn refreshed(self, now: DateTime<Utc>) -> Option<Self> {
        (now - self.seen_at >= REFRESH).then_some(Self { seen_at: now, ..self })
    }
}

impl Sealer {
    pub(crate) fn new(key: [u8; 32], idle_max: TimeDelta, session_max: TimeDelta) -> Self {
        Self { key, idle_max, session_max }
    }

    /// The value of the session's cookie.
    pub(crate) fn seal(&self, session: &Session) -> String {
        let mut body = Vec::with_capacity(BODY_BYTES + SEAL_BYTES);
        body.extend_from_slice(session.key.0.as_bytes());
        body.extend_from_slice(&session.id);
        body.extend_from_slice(&session.begun_at.timestamp().to_be_bytes());
        body.extend_from_slice(&session.seen_at.timestamp().to_be_bytes());
        let seal = self.mac(COOKIE, &body);
        body.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(body)
    }

    /// The session of a cookie, if it was sealed here and is not over.
    pub(crate) fn open(&self, cookie: &str, now: DateTime<Utc>) -> Option<Session> {
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (body, seal) = bytes.split_at_checked(BODY_BYTES)?;
        if !bool::from(self.mac(COOKIE, body).ct_eq(seal)) {
            return None;
        }
        let time = |from: usize| {
            let seconds = body[from..from + 8].try_into().ok().map(i64::from_be_bytes)?;
            DateTime::from_timestamp(seconds, 0)
        };
        let session = Session {
            key: KeyId(Uuid::from_slice(&body[..16]).ok()?),
            id: body[16..32].try_into().ok()?,
            begun_at: time(32)?,
            seen_at: time(40)?,
        };
        let is_over =
            now - session.begun_at >= self.session_max || now - session.seen_at >= self.idle_max;
        (!is_over).then_some(session)
    }

    /// What a form must hold that is sent in a session, or by somebody who needs none.
    pub(crate) fn token(&self, session: Option<&Session>) -> String {
        let id = session.map_or([0; 16], |session| session.id);
        URL_SAFE_NO_PAD.encode(self.mac(TOKEN, &id))
    }

    /// Whether a form holds it.
    pub(crate) fn is_token(&self, session: Option<&Session>, shown: &str) -> bool {
        self.token(session).as_bytes().ct_eq(shown.as_bytes()).into()
    }

    fn mac(&self, purpose: &[u8], body: &[u8]) -> [u8; SEAL_BYTES] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(purpose);
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(key: u8) -> Sealer {
        Sealer::new([key; 32], TimeDelta::minutes(30), TimeDelta::hours(12))
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    fn begun() -> Session {
        Session::begin(KeyId(Uuid::from_u128(7)), at(0))
    }

    #[test]
    fn a_session_is_opened_by_whoever_has_the_key_and_as_it_was_sealed() {
        let (session, cookie) = (begun(), sealer(1).seal(&begun()));
        let cookie_of = sealer(1).seal(&session);
        assert_eq!(sealer(1).open(&cookie_of, at(1)), Some(session));
        assert_eq!(sealer(2).open(&cookie_of, at(1)), None);
        assert_ne!(cookie, cookie_of, "each has an id of its own");
        for at_byte in 0..cookie_of.len() {
            let mut changed = cookie_of.clone().into_bytes();
            changed[at_byte] = if changed[at_byte] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(sealer(1).open(&changed, at(1)), None, "{at_byte}");
        }
        for cookie in ["", "A", &cookie_of[1..], &format!("{cookie_of}AA")] {
            assert_eq!(sealer(1).open(cookie, at(1)), None, "{cookie}");
        }
    }

    #[test]
    fn a_session_ends_when_idle_and_after_half_a_day_at_the_latest() {
        let sealer = sealer(1);
        let mut session = begun();
        assert_eq!(sealer.open(&sealer.seal(&session), at(29)), Some(session));
        assert_eq!(sealer.open(&sealer.seal(&session), at(30)), None);
        for minutes in (20..720).step_by(20) {
            session = sealer.open(&sealer.seal(&session), at(minutes)).unwrap();
            session = session.refreshed(at(minutes)).unwrap();
            assert_eq!(session.refreshed(at(minutes)), None);
        }
        assert_eq!(sealer.open(&sealer.seal(&session), at(719)), Some(session));
        assert_eq!(sealer.open(&sealer.seal(&session), at(720)), None);
    }

    #[test]
    fn a_token_is_of_one_session() {
        let (sealer, one, two) = (sealer(1), begun(), begun());
        assert!(sealer.is_token(Some(&one), &sealer.token(Some(&one))));
        for other in [sealer.token(Some(&two)), sealer.token(None), String::new()] {
            assert!(!sealer.is_token(Some(&one), &other));
        }
        assert!(sealer.is_token(None, &sealer.token(None)));
    }
}
