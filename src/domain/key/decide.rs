//! What follows from a command to a Key: events, or a rejection.

use ccd402_protocol::code::ReasonCode;

use crate::event::Event;
use crate::key::command::{Command, Creation};
use crate::key::event::{KeyCreated, KeyRevoked};
use crate::key::state::Key;
use crate::rejection::Rejection;

/// The events that follow from a command; none where it changes nothing.
///
/// # Errors
/// A [`Rejection`] where a key would be good for nothing, or is not there.
pub fn decide(state: Option<&Key>, command: Command) -> Result<Vec<Event>, Rejection> {
    match (state, command) {
        (None, Command::Create(creation)) => Ok(vec![created(*creation)?.into()]),
        // Ids are fresh: who asks again has asked before.
        (Some(_), Command::Create(_)) => Ok(Vec::new()),
        (None, Command::Revoke { .. }) => Err(Rejection::of(ReasonCode::KeyNotFound)),
        (Some(key), Command::Revoke { .. }) if key.revoked_at.is_some() => Ok(Vec::new()),
        (Some(key), Command::Revoke { now }) => {
            Ok(vec![KeyRevoked { key: key.id(), revoked_at: now }.into()])
        }
    }
}

fn created(creation: Creation) -> Result<KeyCreated, Rejection> {
    let Creation { text, terms, now } = creation;
    let refused = |detail: &str| Err(Rejection::new(ReasonCode::MalformedRequest, detail));
    if terms.scopes.is_empty() {
        return refused("a key without scopes allows nothing: say submit, read or operate");
    }
    if terms.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return refused("the key would be expired already");
    }
    Ok(KeyCreated {
        key: text.id(),
        tenant: terms.tenant,
        name: terms.name,
        scopes: terms.scopes,
        hash: text.hash(),
        prefix: text.prefix(),
        limits: terms.limits,
        created_at: now,
        expires_at: terms.expires_at,
    })
}
