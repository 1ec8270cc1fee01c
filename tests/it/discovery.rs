//! What is paid for through a gate whose routes may be found is listed by the facilitator, whichever
//! way it is paid, and listed again from the log alone.

use std::sync::Arc;
use std::time::Duration;

use ccd402::compose::wallet::ChainWallet;
use ccd402::devnet::shop::{self, ARTICLE, FREE, TOKEN_ARTICLE};
use ccd402_chain::payer::Wallet;
use ccd402_client::http::{HttpFacilitator, Options as HttpOptions};
use ccd402_client::payer::Payer;
use ccd402_client::payer::journal::Journal;
use ccd402_client::payer::options::{Limit, Options, Way};
use ccd402_domain::amount::Amount;
use ccd402_gate::gate::{Gate, Options as GateOptions};
use ccd402_gate::layer::GateLayer;
use ccd402_gate::price::Price;
use ccd402_gate::routes::{Route, Routes};
use ccd402_gate::secret::Secret;
use ccd402_simchain::{Funds, IdentitySpec};
use serde_json::{Value, json};
use tower::Layer as _;

use crate::support::TestApp;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gate of its own before the shop: the article and all below may be found, tokens buy in secret.
async fn open_shop(app: &TestApp) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let price = Price::parse("0.5 CCD", None).unwrap();
    let route = |path: &str| Route::new(path.parse().unwrap(), price.clone(), app.net.pay_to());
    let described = Some("How to brew tea".to_owned());
    let routes = Routes::new(vec![
        Route { discoverable: true, description: described, ..route("/article*") },
        route(TOKEN_ARTICLE),
    ]);
    let http = HttpFacilitator::new(HttpOptions::new(&app.net.facilitator().url()).unwrap());
    let secret = Secret::new(vec![7; 32]).unwrap();
    let gate = Gate::new(GateOptions {
        public_url: Some(url.parse().unwrap()),
        ..GateOptions::new(
            routes.unwrap(),
            secret,
            Arc::new(http.unwrap()),
            app.net.network().clone(),
        )
    });
    let served = GateLayer::new(Arc::new(gate)).layer(shop::router().into_service());
    let served = axum::Router::new().fallback_service(served);
    tokio::spawn(async move { axum::serve(listener, served).await });
    url
}

/// Pays in one way, in x402 v2.
async fn pay(app: &TestApp, url: &str, way: Way) {
    let file = app.net.wallet(IdentitySpec::default(), Funds::ccd(100)).await.unwrap();
    let wallet = Wallet::open(file, app.net.nodes().clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path().join("payments")).unwrap();
    let most = Limit { asset: "CCD".parse().unwrap(), amount: Amount::from_units(500_000) };
    let options =
        Options { limits: vec![most], timeout: PATIENCE, way: Some(way), ..Options::default() };
    let payer = Payer::new(Arc::new(ChainWallet::new(wallet)), journal, options).unwrap();
    let answer = payer.get(url).await.unwrap();
    assert!(answer.payment.is_some(), "{url}");
}

async fn listed(app: &TestApp) -> Value {
    let url = app.api("/discovery/resources?type=http");
    app.http.get(url).send().await.unwrap().json().await.unwrap()
}

/// The list once it holds that many terms in all.
async fn listed_once(app: &TestApp, terms: usize) -> Value {
    let count = |listed: &Value| -> usize {
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|item| item["accepts"].as_array().unwrap().len()).sum()
    };
    let wait = async {
        loop {
            let listed = listed(app).await;
            if count(&listed) == terms {
                return listed;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

/// The last line of what an operator asks of the read model.
async fn operate(app: &TestApp, what: &str) -> Value {
    let response = app.http.post(app.api(&format!("/v1/projections:{what}"))).send().await.unwrap();
    let text = response.text().await.unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_is_found_by_strangers_and_again_after_a_replay() {
    let app = TestApp::start().await;
    let shop = open_shop(&app).await;
    let article = format!("{shop}{ARTICLE}");
    app.http.get(&article).send().await.unwrap();
    app.http.get(format!("{shop}{FREE}")).send().await.unwrap();
    assert_eq!(listed(&app).await["pagination"]["total"], 0, "nobody has paid yet");

    pay(&app, &format!("{article}?page=1"), Way::Hash).await;
    let first = listed_once(&app, 1).await;
    let item = &first["items"][0];
    assert_eq!((&item["resource"], &item["x402Version"]), (&json!(article), &json!(2)));
    assert_eq!(item["description"], "How to brew tea");
    assert_eq!(item["accepts"][0]["amount"], "500000");
    assert_eq!(item["accepts"][0]["extra"]["assetTransferMethod"], "transaction-hash");

    pay(&app, &format!("{shop}{TOKEN_ARTICLE}"), Way::Hash).await;
    pay(&app, &format!("{article}?page=2"), Way::Sponsored).await;
    let second = listed_once(&app, 2).await;
    assert_eq!(second["pagination"]["total"], 1, "{second}");
    let accepts = &second["items"][0]["accepts"];
    assert!(accepts[0]["extra"]["feePayer"].is_string(), "{accepts}");
    assert_eq!(accepts[1], item["accepts"][0]);

    let payer = app.adult().await;
    let offer = payer.offer(&article).await.unwrap();
    let payment = payer.pay(&offer).await.unwrap();
    assert_eq!(payer.present(&article, &payment).await.unwrap().status, 200);
    let wait = async {
        while listed(&app).await["items"][0]["x402Version"] != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();

    let living = listed(&app).await;
    assert_eq!(operate(&app, "verify").await["status"], "equal");
    assert_eq!(operate(&app, "rebuild").await["status"], "built");
    assert_eq!(listed(&app).await, living);
    app.stop().await;
}
