//! Lets processes that share a log and a Redis know of each other's appends and callers at once.

use std::time::Duration;

use ccd402_api::rates::Rates;
use ccd402_store::postgres::Hints;
use ccd402_workers::relay::{Relay, Word};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often the others are told how much keys call: a key may call more than it may for so long.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// Keys that are told of at once.
const KEYS_MAX: usize = 1_000;

/// Shortest time between two words of appends: under load there are hundreds a second, and each has
/// every other process look.
const APPENDED_PAUSE: Duration = Duration::from_millis(25);

/// Tells and hears until told to stop.
pub(crate) async fn run(relay: Relay, hints: Hints, rates: Rates, stop: CancellationToken) {
    let hear = |word| match word {
        Word::Appended => hints.look.notify_one(),
        Word::Called(calls) => calls.iter().for_each(|(key, count)| rates.charge(*key, *count)),
    };
    let tell = async {
        tokio::join!(tell_of_appends(&relay, &hints), tell_of_calls(&relay, &rates));
    };
    tokio::join!(stop.run_until_cancelled(tell), relay.hear(hear, stop.clone()));
}

/// The first append is told of at once, those of the time thereafter together.
async fn tell_of_appends(relay: &Relay, hints: &Hints) {
    loop {
        hints.appended.notified().await;
        relay.tell(Word::Appended).await;
        tokio::time::sleep(APPENDED_PAUSE).await;
    }
}

async fn tell_of_calls(relay: &Relay, rates: &Rates) {
    let mut ticks = tokio::time::interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for calls in rates.take_counted().chunks(KEYS_MAX) {
            relay.tell(Word::Called(calls.to_vec())).await;
        }
    }
}
