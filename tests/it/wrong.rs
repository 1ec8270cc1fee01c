//! Wrong payments, made with the devnet's wallets, and the code that each must be refused with.

use ccd402::devnet::hand::{Hand, Offer};
use ccd402::devnet::shop::ARTICLE;
use ccd402_chain::payer::Transfer;
use ccd402_domain::challenge::{Challenge, NONCE_BYTES, Window};
use ccd402_simchain::{Funds, IdentitySpec};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{TestApp, verify_request};

/// A wrong payment: the request to the facilitator, ready to be sent.
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) request: Value,
}

pub(crate) struct Cast {
    pub(crate) app: TestApp,
    pub(crate) payer: Hand,
    pub(crate) other: Hand,
    pub(crate) poor: Hand,
}

impl Cast {
    pub(crate) async fn assemble() -> Self {
        let app = TestApp::start().await;
        let poor = app.net.hand(IdentitySpec::default(), Funds::ccd(1)).await.unwrap();
        Self { payer: app.adult().await, other: app.adult().await, poor, app }
    }

    pub(crate) async fn offer(&self, path: &str) -> Offer {
        self.payer.offer(&self.app.shop(path)).await.unwrap()
    }

    /// The offer with a change in it, sealed by the gate's secret as if the gate had made it.
    pub(crate) fn resealed(
        &self,
        offer: &Offer,
        window: Option<Window>,
        change: impl Fn(&mut Value),
    ) -> Offer {
        let mut bare = offer.raw.clone();
        let extra = bare["extra"].as_object_mut().unwrap();
        let challenge = extra.remove("challenge").unwrap();
        let challenge: Challenge = challenge.as_str().unwrap().parse().unwrap();
        change(&mut bare);
        let window = window.unwrap_or(challenge.window);
        let nonce = [9; NONCE_BYTES];
        let sealed = self.app.net.sealer().seal(bare, &offer.resource, window, nonce).unwrap();
        Offer::read(sealed, "GET").unwrap()
    }

    pub(crate) async fn transferred(
        &self,
        code: &'static str,
        path: &str,
        change: fn(&mut Transfer),
    ) -> Wrong {
        let offer = self.offer(path).await;
        let mut transfer = offer.transfer().unwrap();
        change(&mut transfer);
        let signed = self.payer.send(&transfer).await.unwrap();
        let payload = offer.payload(signed.hash, self.payer.wallet().address(), None);
        Wrong { code, request: verify_request(&offer, &payload) }
    }

    /// A payment that is right, with a change in the request that is sent for it.
    pub(crate) async fn changed(&self, code: &'static str, change: impl Fn(&mut Value)) -> Wrong {
        let offer = self.offer(ARTICLE).await;
        let hash =
            self.payer.wallet().build_transfer(&offer.transfer().unwrap()).await.unwrap().hash;
        let payload = offer.payload(hash, self.payer.wallet().address(), None);
        let mut request = verify_request(&offer, &payload);
        change(&mut request);
        Wrong { code, request }
    }

    /// A payment for the report by the payer, with whatever presentation.
    pub(crate) async fn proven(
        &self,
        code: &'static str,
        offer: &Offer,
        proof: Option<Value>,
    ) -> Wrong {
        let signed = self.payer.send(&offer.transfer().unwrap()).await.unwrap();
        let payload = offer.payload(signed.hash, self.payer.wallet().address(), proof);
        Wrong { code, request: verify_request(offer, &payload) }
    }
}

/// Asks `/verify` and then `/settle` with each request: both refuse with the row's code.
pub(crate) async fn check(cast: &Cast, table: Vec<Wrong>) {
    for (row, wrong) in table.into_iter().enumerate() {
        let verified = cast.app.ask("/verify", &wrong.request).await;
        assert_eq!(verified["isValid"], false, "row {row}: {verified}");
        assert_eq!(verified["invalidReason"], wrong.code, "row {row}: {verified}");
        let settled = cast.app.ask("/settle", &wrong.request).await;
        assert_eq!(settled["success"], false, "row {row}: {settled}");
        assert_eq!(settled["errorReason"], wrong.code, "row {row}: {settled}");
    }
}

pub(crate) fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}
