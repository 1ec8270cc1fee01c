//! Who pays, and what is handed in for it.
//!
//! A payer plays turns: an offer, a transfer on chain, and the submissions that name it. What they
//! must come to is decided here; who hands them in is the clients' business.

use std::sync::Arc;

use ccd402::devnet::hand::{Hand, Offer};
use ccd402_domain::amount::Amount;
use ccd402_domain::ids::TransactionHash;
use ccd402_simchain::Handle;
use chrono::TimeDelta;
use futures::future::join_all;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use super::Run;
use super::client::Doors;
use crate::payments::{Fate, PRICE, Payment, Seller, Terms};

/// Who pays at the same time: the transfers of each are one after the other.
pub(super) const PAYERS: usize = 4;
/// Turns that make a round.
const TURNS_OF_A_ROUND: usize = 16;
/// Of these, those whose transfer pays for several submissions.
const SHARED_OF_A_ROUND: usize = 3;
/// Submissions of a round beside those: of twelve that pay for one, one that is too small, four that
/// name another's transfer, and of the first half four, which makes two, that never come.
const OTHERS_OF_A_ROUND: usize = 12 + 1 + 4 + 2;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Turns of each payer; half of them make whole rounds.
    pub(super) turns: usize,
    /// How often a transfer that pays for several submissions is handed in.
    pub(super) copies: usize,
}

impl Scale {
    fn rounds(self) -> usize {
        PAYERS * self.turns / TURNS_OF_A_ROUND
    }

    /// Submissions in all.
    pub(super) fn submissions(self) -> usize {
        self.rounds() * (SHARED_OF_A_ROUND * self.copies + OTHERS_OF_A_ROUND)
    }

    /// Transfers that must be claimed in the end: all but the one of a round that is too small.
    pub(super) fn claims(self) -> usize {
        self.rounds() * (TURNS_OF_A_ROUND - 1)
    }
}

/// CCD for a turn: the price, and more than the fee.
const CCD_A_TURN: usize = 6;

/// How long an offer lives that nobody pays.
const UNPAID_LIFE: TimeDelta = TimeDelta::seconds(20);

/// One payment to hand in.
pub(super) struct Item {
    pub(super) body: String,
    pub(super) hash: TransactionHash,
    pub(super) fate: Fate,
}

impl Item {
    fn new(offer: &Offer, payer: &Hand, hash: TransactionHash, fate: Fate) -> Self {
        let payload = offer.payload(hash, payer.wallet().address(), None);
        let payment = Payment::new(offer, &payload, hash, fate);
        Self { body: payment.request.to_string(), hash, fate }
    }
}

/// Those who pay, with enough money.
pub(super) async fn payers(scale: Scale, chain: &Handle, seller: &Seller) -> Vec<Hand> {
    let ccd = u32::try_from(scale.turns * CCD_A_TURN).unwrap();
    join_all((0..PAYERS).map(|_| seller.payer(chain, ccd))).await
}

/// All of them play all their turns.
pub(super) fn play(
    run: &Run,
    seller: &Arc<Seller>,
    payers: Vec<Hand>,
    doors: &Doors,
) -> JoinSet<()> {
    let player = |(number, payer): (u64, Hand)| Player {
        seller: Arc::clone(seller),
        payer,
        doors: doors.clone(),
        scale: run.scale,
        random: run.random(1_000 + number),
    };
    (0..).zip(payers).map(player).map(Player::play).collect()
}

struct Player {
    seller: Arc<Seller>,
    payer: Hand,
    doors: Doors,
    scale: Scale,
    random: StdRng,
}

impl Player {
    async fn play(mut self) {
        let mut before = self.seller.offer(Terms::default());
        for turn in 0..self.scale.turns {
            let place = turn % TURNS_OF_A_ROUND;
            let offer = self.seller.offer(Terms::default());
            let hash = self.pay(&offer, place == 15).await;
            let fate = match place {
                0..=11 => Fate::Confirmed,
                12..=14 => Fate::Shared,
                _ => Fate::Failed("amount_mismatch"),
            };
            let item = |fate| Item::new(&offer, &self.payer, hash, fate);
            let mut items = vec![item(fate)];
            if fate == Fate::Shared {
                items.extend((1..self.scale.copies).map(|_| item(fate)));
            }
            if matches!(place, 3 | 6 | 9 | 12) {
                let unbound = Fate::Failed("payment_not_bound");
                items.push(Item::new(&before, &self.payer, hash, unbound));
            }
            // Early, so that they have expired by the time all the others are decided.
            if turn < self.scale.turns / 2 && matches!(place, 2 | 5 | 8 | 11) {
                items.push(self.never_sent());
            }
            self.doors.hand_over(items, &mut self.random).await;
            before = offer;
        }
    }

    async fn pay(&self, offer: &Offer, is_too_small: bool) -> TransactionHash {
        let mut transfer = offer.transfer().unwrap();
        transfer.amount = Amount::from_units(PRICE - u64::from(is_too_small));
        self.payer.send(&transfer).await.unwrap().hash
    }

    fn never_sent(&mut self) -> Item {
        let offer = self.seller.offer(Terms { life: UNPAID_LIFE, ..Terms::default() });
        let hash = TransactionHash::from_bytes(self.random.r#gen());
        Item::new(&offer, &self.payer, hash, Fate::Failed("transaction_not_found"))
    }
}
