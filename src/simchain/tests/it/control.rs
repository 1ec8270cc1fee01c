//! The control service, as another process uses it.

use ccd402_simchain::{Control, Fault, FaultKind, Funds, IdentitySpec};

use crate::support::TestChain;

#[tokio::test]
async fn wallets_and_faults_come_over_the_socket() {
    let mut chain = TestChain::start().await;
    let control = Control::connect(&chain.handle.url()).await.unwrap();
    let funds = Funds::ccd(7).token("EURR", 1_000_000);
    let wallet = control.issue(IdentitySpec::default(), funds).await.unwrap();
    assert_eq!(wallet.network, chain.handle.network_id());
    assert_eq!(chain.balance(&wallet.address).await, 7_000_000);

    let fail = FaultKind::FailRpc { method: None, code: 14, message: "down".to_owned() };
    control.fault(&Fault::new(fail)).await.unwrap();
    assert!(chain.client.get_consensus_info().await.is_err());
    control.clear_faults().await.unwrap();
    assert!(chain.client.get_consensus_info().await.is_ok());

    let impossible = IdentitySpec::default().with("shoeSize", "44");
    let error = control.issue(impossible, Funds::default()).await.unwrap_err();
    assert!(error.to_string().contains("shoeSize"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_address() {
    let error = Control::connect("http://127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
