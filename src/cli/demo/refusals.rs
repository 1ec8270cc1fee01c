//! What is refused: one cheat after the other, each by the code that it must be refused with.

use anyhow::{bail, ensure};
use ccd402_chain::payer::Transfer;
use ccd402_domain::amount::Amount;
use ccd402_domain::challenge::{NONCE_BYTES, Window};
use ccd402_protocol::code::ReasonCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Teller;
use super::story::Cast;
use crate::devnet::Devnet;
use crate::devnet::hand::{Answer, Hand, Offer};
use crate::devnet::shop::{ARTICLE, REPORT};

/// Tells all of them.
pub(super) async fn tell(teller: &mut Teller, devnet: &Devnet, cast: &Cast) {
    let cheats =
        Cheats { devnet, cast, article: url(devnet, ARTICLE), report: url(devnet, REPORT) };
    teller.step("Refused: the same X-PAYMENT again", cheats.repeat()).await;
    teller.step("Refused: a stranger with the observed hash", cheats.stranger()).await;
    teller.step("Refused: a payer who is 15", cheats.minor()).await;
    teller.step("Refused: a proof made for another request", cheats.borrowed_proof()).await;
    teller.step("Refused: a transfer that is too small", cheats.too_small()).await;
    teller.step("Refused: a transfer to another account", cheats.elsewhere()).await;
    teller.step("Refused: a transfer that the chain rejected", cheats.rejected()).await;
    teller.step("Refused: an expired challenge", cheats.expired()).await;
}

fn url(devnet: &Devnet, path: &str) -> String {
    format!("{}{path}", devnet.gate_url())
}

struct Cheats<'a> {
    devnet: &'a Devnet,
    cast: &'a Cast,
    article: String,
    report: String,
}

type Told = anyhow::Result<((), String)>;

impl Cheats<'_> {
    fn payer(&self) -> &Hand {
        &self.cast.payer
    }

    async fn repeat(&self) -> Told {
        let offer = self.payer().offer(&self.article).await?;
        let payment = self.payer().pay(&offer).await?;
        let first = self.payer().present(&self.article, &payment).await?;
        ensure!(first.status == 200, "the first time it was answered {}", first.status);
        let again = self.payer().present(&self.article, &payment).await?;
        refused(&again, ReasonCode::PaymentAlreadyUsed, "the first time it was good")
    }

    async fn stranger(&self) -> Told {
        // The payer has paid and not yet presented; anybody can see the transfer on chain.
        let paid = self.payer().offer(&self.article).await?;
        let observed = self.payer().send(&paid.transfer()?).await?.hash;
        let offer = self.cast.stranger.offer(&self.article).await?;
        let stolen = offer.payload(observed, self.payer().wallet().address(), None);
        let answer = self.cast.stranger.present(&self.article, &stolen).await?;
        refused(&answer, ReasonCode::PaymentNotBound, "the transfer's memo binds another request")
    }

    async fn minor(&self) -> Told {
        let minor = &self.cast.minor;
        let offer = minor.offer(&self.report).await?;
        let why = match minor.prove(&offer, &offer.digest).await {
            Ok(_) => bail!("a 15-year-old proved to be 18"),
            Err(error) => error.to_string(),
        };
        // It pays all the same and hopes that nobody asks.
        let signed = minor.send(&offer.transfer()?).await?;
        let payment = offer.payload(signed.hash, minor.wallet().address(), None);
        let answer = minor.present(&self.report, &payment).await?;
        refused(&answer, ReasonCode::IdentityRequired, &format!("its own wallet says: {why}"))
    }

    async fn borrowed_proof(&self) -> Told {
        let first = self.payer().offer(&self.report).await?;
        let proof = self.payer().prove(&first, &first.digest).await?;
        let second = self.payer().offer(&self.report).await?;
        let signed = self.payer().send(&second.transfer()?).await?;
        let payment = second.payload(signed.hash, self.payer().wallet().address(), Some(proof));
        let answer = self.payer().present(&self.report, &payment).await?;
        refused(
            &answer,
            ReasonCode::IdentityChallengeMismatch,
            "its challenge is another request's",
        )
    }

    async fn too_small(&self) -> Told {
        let offer = self.payer().offer(&self.article).await?;
        let mut transfer = offer.transfer()?;
        transfer.amount = Amount::from_units(transfer.amount.units() - 1);
        let answer = self.pay_with(&offer, &transfer).await?;
        refused(&answer, ReasonCode::AmountMismatch, "one microCCD is missing")
    }

    async fn elsewhere(&self) -> Told {
        let offer = self.payer().offer(&self.article).await?;
        let mut transfer = offer.transfer()?;
        transfer.to = self.cast.stranger.wallet().address();
        let answer = self.pay_with(&offer, &transfer).await?;
        refused(
            &answer,
            ReasonCode::RecipientMismatch,
            "the right amount went to the wrong account",
        )
    }

    async fn rejected(&self) -> Told {
        let poor = &self.cast.poor;
        let offer = poor.offer(&self.article).await?;
        let signed = poor.send(&offer.transfer()?).await?;
        let payment = offer.payload(signed.hash, poor.wallet().address(), None);
        let answer = poor.present(&self.article, &payment).await?;
        refused(&answer, ReasonCode::TransactionFailedOnChain, "it is final, and moved nothing")
    }

    async fn expired(&self) -> Told {
        // Nobody wants to wait a day: the gate's own seal, put on an offer of the day before yesterday.
        let fresh = self.payer().offer(&self.article).await?;
        let opens_at = whole_seconds(Utc::now() - TimeDelta::hours(48));
        let window = Window { opens_at, closes_at: opens_at + TimeDelta::minutes(5) };
        let mut bare: Value = fresh.raw.clone();
        if let Some(extra) = bare["extra"].as_object_mut() {
            extra.remove("challenge");
        }
        let nonce = [7; NONCE_BYTES];
        let Some(old) = self.devnet.sealer().seal(bare, &fresh.resource, window, nonce) else {
            bail!("the gate's offer could not be sealed again");
        };
        let offer = Offer::read(old, "GET")?;
        let signed = self.payer().send(&fresh.transfer()?).await?;
        let payment = offer.payload(signed.hash, self.payer().wallet().address(), None);
        let answer = self.payer().present(&self.article, &payment).await?;
        refused(&answer, ReasonCode::ChallengeExpired, "it closed two days ago")
    }

    async fn pay_with(&self, offer: &Offer, transfer: &Transfer) -> anyhow::Result<Answer> {
        let signed = self.payer().send(transfer).await?;
        let payment = offer.payload(signed.hash, self.payer().wallet().address(), None);
        self.payer().present(&self.article, &payment).await
    }
}

fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}

/// Refused with this code, and no content.
fn refused(answer: &Answer, code: ReasonCode, because: &str) -> Told {
    ensure!(
        answer.status == 402 && answer.code == code.as_str(),
        "answered {} {:?}, but {code} is what it must be",
        answer.status,
        answer.code
    );
    Ok(((), format!("402 {code}: {because}")))
}
