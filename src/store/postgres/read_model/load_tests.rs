//! How much a build and a writer take, and how long questions over a million rows take. Measured on
//! demand: `cargo test --release -p ccd402-store --lib read_model::load -- --ignored --nocapture`

use std::time::Instant;

use ccd402_app::contract::sample::{
    binding_verified, confirmed, payment, requested, time, verification,
};
use ccd402_app::ports::log::StreamId;
use ccd402_app::ports::read_model::Status;
use ccd402_domain::event::Event;
use ccd402_domain::verification::event::{Consumer, PaymentConsumed};
use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::tests::writing;
use super::*;
use crate::postgres::tests::Ground;

/// Rows; four events each.
const ROWS: u64 = 1_000_000;
/// How many are asked for before the first of them is decided.
const OPEN: u64 = 10_000;
/// Events that are applied together, as the projector reads them.
const TOGETHER: usize = 4_096;

/// The events of so many verifications after some, many of them open at a time.
fn events(first: u64, count: u64, mut position: u64) -> Vec<Recorded> {
    let mut events = Vec::new();
    let mut happen = |number: u64, version, event: Event| {
        position += 1;
        let stream = StreamId::verification(verification(number));
        let at =
            time() + TimeDelta::milliseconds(number.cast_signed() + 700 * i64::from(version > 2));
        let id = Uuid::from_u128(u128::from(position));
        events.push(Recorded { position, id, stream, version, time: at, event });
    };
    for number in first..first + count {
        let Event::VerificationRequested(mut request) = requested(number, number) else {
            panic!("the sample is a request")
        };
        let paid = Arc::make_mut(&mut request.payment);
        paid.resource.url = format!("https://example.com/{}", number % 5_000);
        paid.pay_to = payment(number % 300).payer;
        request.requested_at = time() + TimeDelta::milliseconds(number.cast_signed());
        happen(number, 1, request.into());
    }
    for number in first..first + count {
        happen(number, 2, binding_verified(number));
        happen(number, 3, confirmed(number, number));
    }
    for number in first..first + count {
        happen(number, 4, PaymentConsumed { by: Consumer::Settle }.into());
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures and takes long"]
async fn how_much_a_build_takes_and_a_million_rows_answer() {
    let ground = Ground::alone().await;
    ground.run("ALTER SYSTEM SET fsync = on").await;
    ground.run("SELECT pg_reload_conf()").await;
    let model = writing(&ground).await;
    let mut built = model.rebuild().await.unwrap();
    let mut took = Duration::ZERO;
    for first in (0..ROWS).step_by(OPEN as usize) {
        let events = events(first, OPEN, first * 4);
        let begun = Instant::now();
        for page in events.chunks(TOGETHER) {
            built.apply(page).await.unwrap();
        }
        took += begun.elapsed();
    }
    let begun = Instant::now();
    built.swap_in().await.unwrap();
    let indexed = begun.elapsed();
    let rate = |took: Duration| ROWS as f64 * 4.0 / took.as_secs_f64();
    println!("{ROWS} rows written: {:.0} events/s; indexes {indexed:.1?}", rate(took));
    println!("built in all: {:.0} events/s", rate(took + indexed));

    for (name, filter) in [
        ("all", Filter::default()),
        ("pending", Filter { status: Some(Status::Pending), ..Filter::default() }),
        ("a payer's", Filter { payer: Some(payment(77).payer), ..Filter::default() }),
        ("a seller's", Filter { pay_to: Some(payment(7).payer), ..Filter::default() }),
    ] {
        let begun = Instant::now();
        let page = model.list(&filter, None, 50).await.unwrap();
        let listed = begun.elapsed();
        let begun = Instant::now();
        let stats = model.stats(&filter, Step::Hour).await.unwrap();
        let rows: u64 = stats.totals.iter().map(|tally| tally.count).sum();
        let counted = begun.elapsed();
        println!(
            "{name}: {} rows listed in {listed:.1?}; {rows} counted in {counted:.1?}",
            page.rows.len()
        );
    }

    for (name, from) in [("ever", DateTime::UNIX_EPOCH), ("a week", time() - TimeDelta::days(7))] {
        let asked = Asked { tenant: None, from, step: Step::Hour };
        let begun = Instant::now();
        let told = model.overview(&asked).await.unwrap();
        let took = begun.elapsed();
        let rows: u64 = told.totals.iter().map(|tally| tally.count).sum();
        println!("overview of {name}: {rows} in {took:.1?}");
    }

    for size in [16, 256, 4_096] {
        let live = events(
            ROWS + size as u64 * 100_000,
            OPEN,
            *model.position().borrow().as_ref().unwrap(),
        );
        let begun = Instant::now();
        for page in live.chunks(size) {
            model.apply(page).await.unwrap();
        }
        let rate = live.len() as f64 / begun.elapsed().as_secs_f64();
        println!("live, {size} at a time: {rate:.0} events/s");
    }
}
