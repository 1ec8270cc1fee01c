//! Runs that are killed anywhere: at the end every payment that the chain took has brought its
//! content, or was taken by a run that was killed before it could read it.

use futures::future::join_all;
use rand::Rng as _;

use super::server::CONTENT;
use super::ways::sponsored;
use super::*;
use crate::payer::record::State;

const RESOURCES: usize = 5;
const ROUNDS: usize = 15;
/// Several times what one payment takes here.
const KILL_AFTER_MS_MAX: u64 = 60;

async fn buy(payer: &Payer, url: &str) -> Result<(), Error> {
    assert_eq!(payer.get(url).await?.bytes(100).await?, CONTENT.as_bytes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_runs_never_make_a_payment_that_nobody_knows_of() {
    let world = World::start().await;
    world.server.state().tweak = sponsored;
    let payer = Arc::new(world.payer(world.options()));
    let urls: Vec<_> =
        (0..RESOURCES).map(|number| format!("{}&number={number}", world.server.url())).collect();
    let mut bought = 0;
    for _ in 0..ROUNDS {
        let runs = urls.iter().map(|url| {
            let (payer, url) = (payer.clone(), url.clone());
            let kill_after_ms = rand::thread_rng().gen_range(0..KILL_AFTER_MS_MAX);
            async move {
                let run = tokio::spawn(async move { buy(&payer, &url).await });
                tokio::time::sleep(Duration::from_millis(kill_after_ms)).await;
                run.abort();
                matches!(run.await, Ok(Ok(())))
            }
        });
        bought += join_all(runs).await.into_iter().filter(|is_bought| *is_bought).count();
    }

    // Whoever comes later finishes what was left behind, while time goes on.
    let (clock, ticks) = (world.clock.clone(), Duration::from_millis(20));
    let time = tokio::spawn(async move {
        loop {
            tokio::time::sleep(ticks).await;
            clock.advance(TimeDelta::seconds(2));
        }
    });
    while world.records().iter().any(|record| record.is_open()) || bought == 0 {
        let runs = join_all(urls.iter().map(|url| buy(&payer, url))).await;
        for run in runs {
            match run {
                Ok(()) => bought += 1,
                Err(Error::Spent { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    time.abort();

    let records = world.records();
    let lost = records.iter().filter(|record| match &record.state {
        State::Failed { reason, .. } => reason.contains("used before"),
        _ => false,
    });
    let paid = records.iter().filter(|record| matches!(record.state, State::Paid { .. })).count();
    let taken = world.chain.state().numbered.len();
    assert!(paid >= bought, "a run may be killed after its last piece of content");
    assert_eq!(taken, paid + lost.count());
    // Each number was used by one of them.
    let numbers: Vec<_> = world.chain.state().numbered.keys().copied().collect();
    assert_eq!(numbers, (1..=taken as u64).collect::<Vec<_>>());
}
