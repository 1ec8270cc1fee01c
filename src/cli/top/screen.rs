//! The terminal: taken, drawn on, and given back as it was, however the program ends.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::Utc;
use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use super::draw::draw;
use super::keys::key;
use super::model::{News, View};

/// How often ages are drawn anew where nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// News that are taken in before they are drawn.
const NEWS_MAX: usize = 256;

/// Gives the terminal back when it is dropped; where something panics, ratatui's hook does.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows what comes in and does what keys ask for, until one of them or a signal ends it.
///
/// # Errors
/// Where there is no terminal, or nothing comes in any more.
pub(super) async fn show(mut view: View, mut news: Receiver<News>) -> anyhow::Result<()> {
    // Before the terminal is taken: a signal must find somebody who gives it back.
    let heard = |kind| signal(kind).context("signals cannot be heard");
    let mut terminate = heard(SignalKind::terminate())?;
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut hangup = heard(SignalKind::hangup())?;
    let _restored = Restored;
    let mut terminal = ratatui::try_init().context("the terminal cannot be taken")?;
    let mut keys = EventStream::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut taken = Vec::with_capacity(NEWS_MAX);
    loop {
        terminal.draw(|frame| draw(frame, &view, Utc::now())).context("it cannot be drawn")?;
        tokio::select! {
            pressed = keys.next() => {
                let pressed = pressed.context("the terminal is gone")?;
                if let Event::Key(event) = pressed.context("the terminal cannot be read")?
                    && let Some(key) = key(event)
                    && let ControlFlow::Break(()) = view.press(key)
                {
                    return Ok(());
                }
            }
            count = news.recv_many(&mut taken, NEWS_MAX) => {
                if count == 0 {
                    bail!("nobody asks the facilitator any more: this is a fault of ccd402");
                }
                taken.drain(..).for_each(|news| view.take(news));
            }
            _ = tick.tick() => {}
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        }
    }
}
