//! Feeds: what is asked for and may be seen, from any position on, and nothing twice.

use ccd402_app::contract::payments::Handed;
use ccd402_app::feed::{Filter, Status};
use ccd402_app::ports::log::Position;
use ccd402_app::submit::Submitted;
use ccd402_domain::ids::VerificationId;
use ccd402_domain::tenant::{Reach, TenantId};

use crate::support::Bench;

/// One payment of each tenant, confirmed.
async fn two_tenants() -> (Bench, [TenantId; 2], [VerificationId; 2]) {
    let bench = Bench::new().await;
    let tenants = ["shop", "other"].map(|name| name.parse::<TenantId>().unwrap());
    let mut ids = Vec::new();
    for (tenant, number) in tenants.iter().zip(1..) {
        let body = Handed::by(number).body();
        let submitted = bench.facilitator.submit(tenant, &body, None).await.unwrap().unwrap();
        let Submitted::New(id) = submitted else { panic!("it is new") };
        ids.push(id);
    }
    bench.finalize(&[&Handed::by(1), &Handed::by(2)]).await;
    (bench, tenants, ids.try_into().unwrap())
}

/// Everything from a position on that a feed shows, by position and name.
async fn shown(
    bench: &Bench,
    reach: Reach,
    filter: Filter,
    after: Position,
) -> Vec<(Position, &'static str)> {
    let head = *bench.facilitator.log().head().borrow();
    let mut feed = bench.facilitator.feed(reach, filter, after);
    let mut shown = Vec::new();
    while feed.position() < head {
        for recorded in feed.next().await.unwrap().unwrap() {
            shown.push((recorded.position, recorded.event.name()));
        }
    }
    shown
}

#[tokio::test(start_paused = true)]
async fn a_tenant_sees_its_own_events_and_the_operator_all() {
    let (bench, [shop, _], [id, other]) = two_tenants().await;
    let all = shown(&bench, Reach::All, Filter::default(), 0).await;
    let head = *bench.facilitator.log().head().borrow();
    assert_eq!(all.iter().map(|(at, _)| *at).collect::<Vec<_>>(), (1..=head).collect::<Vec<_>>());
    assert!(all.iter().any(|(_, name)| *name == "BlockFollowed"));
    let reach = Reach::Tenant(shop);
    let own = shown(&bench, reach.clone(), Filter::default(), 0).await;
    let names: Vec<_> = own.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["VerificationRequested", "VerificationConfirmed"]);
    let others = Filter { verification: Some(other), ..Filter::default() };
    assert!(shown(&bench, reach.clone(), others, 0).await.is_empty());
    let rest = shown(&bench, reach.clone(), Filter::default(), own[0].0).await;
    assert_eq!(rest, own[1..]);
    // Whoever starts anew knows no facts: they are read from the log.
    let restarted = bench.another();
    let mut feed = restarted.feed(reach.clone(), Filter::default(), own[0].0);
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = feed.next().await.unwrap().unwrap();
    }
    assert_eq!(seen[0].stream.as_verification(), Some(id));
    assert_eq!(restarted.history(&reach, other).await.unwrap(), None);
    assert_eq!(restarted.history(&reach, id).await.unwrap().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_asked_for_must_hold() {
    let (bench, _, [id, _]) = two_tenants().await;
    let history = bench.facilitator.history(&Reach::All, id).await.unwrap().unwrap();
    let payment = bench.state(id).await.payment;
    let (requested, confirmed) = (history[0].position, history[1].position);
    let transaction = Some(payment.transaction);
    let everyone = Filter { pay_to: Some(payment.pay_to), ..Filter::default() };
    let rows = [
        (Filter { transaction, ..Filter::default() }, vec![requested, confirmed]),
        (Filter { verification: Some(id), ..Filter::default() }, vec![requested, confirmed]),
        (
            Filter { transaction, status: Some(Status::Confirmed), ..Filter::default() },
            vec![confirmed],
        ),
        (
            Filter {
                transaction,
                types: vec!["VerificationRequested".to_owned()],
                ..Filter::default()
            },
            vec![requested],
        ),
        (Filter { transaction, status: Some(Status::Failed), ..Filter::default() }, vec![]),
    ];
    for (filter, expected) in rows {
        let seen = shown(&bench, Reach::All, filter.clone(), 0).await;
        assert_eq!(seen.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert_eq!(shown(&bench, Reach::All, everyone, 0).await.len(), 4, "both are paid to one");
    let nobody = Filter { payer: Some(payment.pay_to), ..Filter::default() };
    assert!(shown(&bench, Reach::All, nobody, 0).await.is_empty());
}
