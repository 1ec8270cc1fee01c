//! The part of the read model's contract about comparing what is read with what the log makes.

use ccd402_domain::amount::Amount;

use super::{Model, apply, begin, of, paying};
use crate::contract::sample::{confirmed, followed, requested};
use crate::ports::log::{Recorded, StreamId};
use crate::ports::read_model::{
    Compared, Comparison, DIFFERENCES_MAX, Difference, ReadModelError, Unlike,
};

/// Each way in which a row can differ is told, with its number.
pub async fn what_was_lived_is_compared_with_what_is_replayed(model: Model) {
    begin(&model).await;
    let log: Vec<_> = (1..=30).map(|n| of(n, n, 1, requested(n, n))).collect();
    let nothing = |at: u64| {
        let stream = StreamId::follower(&super::network());
        Recorded { stream, ..of(at, 0, 1, followed(at)) }
    };
    let mut lived = log.clone();
    lived[3] = of(4, 4, 1, paying(4, |payment| payment.amount = Amount::from_units(1)));
    lived[6] = nothing(7);
    apply(&model, &lived).await;
    let mut replayed = log.clone();
    replayed[8] = nothing(9);
    let found = compare(&model, &replayed).await;
    let difference = |number, what| Difference { number, what };
    let amount = Unlike::Changed(vec!["amount_rest".to_owned()]);
    let differences =
        vec![difference(4, amount), difference(7, Unlike::Missing), difference(9, Unlike::Surplus)];
    assert_eq!(found, Compared { position: 30, rows: 29, different: 3, differences });

    begin(&model).await;
    apply(&model, &log.iter().map(|event| nothing(event.position)).collect::<Vec<_>>()).await;
    let found = compare(&model, &log).await;
    assert_eq!((found.rows, found.different), (30, 30));
    assert_eq!(found.differences.len(), DIFFERENCES_MAX);
}

/// Counts come to the same however events came together, and however much was paid.
pub async fn counts_are_alike_however_events_came_together(model: Model) {
    let large =
        |number, units| paying(number, move |payment| payment.amount = Amount::from_units(units));
    let log = [
        of(1, 1, 1, large(1, 700_000_000)),
        of(2, 2, 1, large(2, 800_000_000)),
        of(3, 1, 2, confirmed(1, 1)),
    ];
    for together in 1..=log.len() {
        begin(&model).await;
        for events in log.chunks(together) {
            apply(&model, events).await;
        }
        let found = compare(&model, &log).await;
        let expected = Compared { position: 3, rows: 2, different: 0, differences: Vec::new() };
        assert_eq!(found, expected, "{together} together");
    }
}

/// What is read goes on meanwhile: it is written, and another may be swapped in.
pub async fn a_comparison_is_with_what_is_held(model: Model) {
    assert!(matches!(hold(&model).await, Err(ReadModelError::Building)));
    begin(&model).await;
    let log: Vec<_> = (1..=50).map(|n| of(n, n, 1, requested(n, n))).collect();
    apply(&model, &log[..40]).await;
    let mut comparison = model.compare().await.expect("one can begin");
    comparison.apply(&log[..40]).await.expect("they follow");
    assert_eq!(comparison.hold().await, Ok(40));
    apply(&model, &log[40..]).await;
    apply(&model, &[of(51, 1, 2, confirmed(1, 1))]).await;
    begin(&model).await;
    apply(&model, &log[..1]).await;
    let equal = Compared { position: 40, rows: 40, different: 0, differences: Vec::new() };
    assert_eq!(comparison.end().await, Ok(equal));
    // What was held has harmed nobody.
    apply(&model, &log[1..]).await;
    assert_eq!(super::rows(&model, &super::Filter::default()).await.len(), 50);

    let mut behind = model.compare().await.expect("one can begin");
    behind.apply(&log[..49]).await.expect("they follow");
    assert_eq!(behind.hold().await, Ok(50));
    assert!(behind.end().await.is_err(), "rows of two times are not compared");
    let mut dropped = model.compare().await.expect("one can begin");
    dropped.apply(&log).await.expect("they follow");
    drop(dropped);
}

async fn hold(model: &Model) -> Result<Box<dyn Comparison>, ReadModelError> {
    let mut comparison = model.compare().await?;
    comparison.hold().await?;
    Ok(comparison)
}

async fn compare(model: &Model, events: &[Recorded]) -> Compared {
    let mut comparison = model.compare().await.expect("one can begin");
    comparison.apply(events).await.expect("they follow");
    assert_eq!(comparison.hold().await, Ok(comparison.position()));
    comparison.end().await.expect("both can be read")
}
