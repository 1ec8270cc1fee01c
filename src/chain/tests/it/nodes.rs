//! Several nodes: another network is refused, and one that fails is replaced.

use ccd402_app::ports::chain::Chain;
use ccd402_chain::{Error, nodes::Nodes};
use ccd402_simchain::{Fault, FaultKind};

use crate::support::*;

#[tokio::test]
async fn nodes_of_another_network_are_refused() {
    let (chain, other) = (chain().await, chain_of(1).await);
    let ours = chain.network_id().parse().unwrap();
    let mut options = options(&[other.url()]);
    options.network = Some(ours);
    let refused = Nodes::connect(options.clone()).await.err();
    assert!(matches!(refused, Some(Error::WrongNetwork { .. })), "{refused:?}");

    options.endpoints = vec![other.url(), chain.url()];
    let nodes = Nodes::connect(options.clone()).await.unwrap();
    let excluded: Vec<_> = nodes.health().iter().map(|node| node.excluded).collect();
    assert_eq!(excluded, [true, false]);
    assert!(port_of(nodes).tip().await.is_ok());

    // Without a configured network the first that answers decides.
    options.network = None;
    let nodes = Nodes::connect(options).await.unwrap();
    assert_eq!(nodes.network().as_str(), other.network_id());
    assert!(nodes.health()[1].excluded);
}

#[tokio::test]
async fn a_node_that_goes_away_is_replaced_by_the_next() {
    let chain = chain().await;
    let first = Proxy::to(&chain).await;
    let second = Proxy::to(&chain).await;
    let nodes = Nodes::connect(options(&[first.url(), second.url()])).await.unwrap();
    let port = port_of(nodes);
    let tip = port.tip().await.unwrap();
    first.cut();
    assert_eq!(port.tip().await.unwrap(), tip);
    let answers: Vec<_> = port.nodes().health().iter().map(|node| node.answers).collect();
    assert_eq!(answers, [false, true]);
}

#[tokio::test]
async fn a_question_that_fails_now_and_then_is_asked_again() {
    let chain = chain().await;
    let port = port(&chain).await;
    let (method, message) = (Some("GetConsensusInfo".to_owned()), "too many requests".to_owned());
    let kind = FaultKind::FailRpc { method, code: 13, message };
    chain.fault(Fault { kind, for_ms: None, count: Some(2) });
    within("an answer", port.tip()).await.unwrap();
}
