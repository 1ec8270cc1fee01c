//! The unmodified npm SDK against the chain: starts a chain on the system's clock, writes a wallet
//! and runs the checks of `tests/conformance/websdk` with node.

use std::{path::Path, process::Stdio, time::Duration};

use ccd402_simchain::{Funds, IdentitySpec, Options, SimChain};

#[tokio::test]
#[ignore = "needs node and `npm ci` in tests/conformance/websdk; run with --ignored"]
async fn official_typescript_sdk_works_against_the_chain() {
    let options = Options {
        block_time: Duration::from_millis(200),
        finality_delay: Duration::from_millis(200),
        ..Options::default()
    };
    let chain = SimChain::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut wallets = Vec::new();
    for name in ["payer.json", "sponsor.json"] {
        let funds = Funds::ccd(100).token("EURR", 5_000_000);
        let path = directory.path().join(name);
        chain.issue(IdentitySpec::default(), funds).await.unwrap().write(&path).unwrap();
        wallets.push(path);
    }

    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/websdk");
    let checks = std::env::var_os("CCD402_WEBSDK_CHECKS").map_or(checks, Into::into);
    let status = tokio::process::Command::new("node")
        .arg("--test")
        .current_dir(checks)
        .env("CCD402_NODE", chain.url())
        .env("CCD402_WALLET", &wallets[0])
        .env("CCD402_SPONSOR", &wallets[1])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .unwrap();
    assert!(status.success());
    chain.shutdown().await;
}
