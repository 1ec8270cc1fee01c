//! What follows from a command to a Webhook.
//!
//! Whether a URL may be reached is not decided here: that takes a look at the network.

use std::collections::BTreeSet;

use ccd402_protocol::code::ReasonCode;

use crate::event::Event;
use crate::rejection::Rejection;
use crate::webhook::command::{Change, Command, Create};
use crate::webhook::event::{
    WebhookChanged, WebhookCreated, WebhookDeleted, WebhookDisabled, WebhookEnabled,
    WebhookSecretRotated,
};
use crate::webhook::state::{Status, Webhook};
use crate::webhook::transition::Transition;

/// Longest URL.
pub const URL_BYTES_MAX: usize = 2_048;
/// Longest description.
pub const DESCRIPTION_BYTES_MAX: usize = 512;

/// The events that follow from a command; none where it changes nothing.
///
/// # Errors
/// A [`Rejection`] where there is no such webhook any more, or a setting makes no sense.
pub fn decide(state: Option<&Webhook>, command: Command) -> Result<Vec<Event>, Rejection> {
    let Some(state) = state.filter(|state| state.status != Status::Deleted) else {
        return match command {
            Command::Create(create) if state.is_none() => created(*create),
            _ => Err(Rejection::of(ReasonCode::WebhookNotFound)),
        };
    };
    match command {
        // The same id means the same call, made again.
        Command::Create(_) => Ok(Vec::new()),
        Command::Change(change) => changed(state, change),
        Command::RotateSecret { previous_valid_until } => {
            let number = state.secrets.number + 1;
            Ok(vec![WebhookSecretRotated { number, previous_valid_until }.into()])
        }
        Command::Enable { .. } if state.status == Status::Enabled => Ok(Vec::new()),
        Command::Enable { now } => Ok(vec![WebhookEnabled { at: now }.into()]),
        Command::Disable { .. } if state.status != Status::Enabled => Ok(Vec::new()),
        Command::Disable { why, now } => Ok(vec![WebhookDisabled { why, at: now }.into()]),
        Command::Delete { now } => Ok(vec![WebhookDeleted { at: now }.into()]),
    }
}

fn created(create: Create) -> Result<Vec<Event>, Rejection> {
    let Create { webhook, tenant, url, description, types, since, now } = create;
    may_be(Some(&url), Some(&description), Some(&types))?;
    let created_at = now;
    let created = WebhookCreated { webhook, tenant, url, description, types, since, created_at };
    Ok(vec![created.into()])
}

fn changed(state: &Webhook, change: Change) -> Result<Vec<Event>, Rejection> {
    let Change { url, description, types, since } = change;
    may_be(url.as_deref(), description.as_deref(), types.as_ref())?;
    let changed = WebhookChanged {
        url: url.filter(|url| *url != state.url),
        description: description.filter(|description| *description != state.description),
        types: types.filter(|types| !types.iter().eq(state.types.keys())),
        since,
    };
    if changed == (WebhookChanged { since, ..WebhookChanged::default() }) {
        return Ok(Vec::new());
    }
    Ok(vec![changed.into()])
}

fn may_be(
    url: Option<&str>,
    description: Option<&str>,
    types: Option<&BTreeSet<Transition>>,
) -> Result<(), Rejection> {
    let is_url = |url: &str| {
        (1..=URL_BYTES_MAX).contains(&url.len()) && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if url.is_some_and(|url| !is_url(url)) {
        let rule = format!("a URL has 1 to {URL_BYTES_MAX} visible ASCII characters");
        return Err(Rejection::new(ReasonCode::WebhookUrlRefused, rule));
    }
    let is_short =
        |text: &str| text.len() <= DESCRIPTION_BYTES_MAX && !text.chars().any(char::is_control);
    if description.is_some_and(|description| !is_short(description)) {
        let rule = format!("a description has at most {DESCRIPTION_BYTES_MAX} bytes, one line");
        return Err(Rejection::new(ReasonCode::MalformedRequest, rule));
    }
    if types.is_some_and(BTreeSet::is_empty) {
        let rule = "name at least one type of event, or leave types out";
        return Err(Rejection::new(ReasonCode::MalformedRequest, rule));
    }
    Ok(())
}
