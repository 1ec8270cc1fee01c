//! Who pays the fees of sponsored payments: said in the options, or asked of the facilitator.
//!
//! It is asked when an offer is first made that needs it, remembered for some minutes, and asked
//! again beside the offers after that. A facilitator that does not answer costs an offer a short
//! wait at times, and the sponsored way of paying; never the other one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ccd402_client::facilitator::Facilitator;
use ccd402_domain::account::AccountAddress;
use ccd402_protocol::code::ReasonCode;
use ccd402_protocol::facilitator::SupportedResponse;
use ccd402_protocol::network::NetworkId;
use ccd402_protocol::requirements::SCHEME_EXACT;
use ccd402_protocol::version::X402Version;
use serde_json::Value;

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(300);
/// Shortest time between two questions, whatever happens.
const PAUSE: Duration = Duration::from_secs(10);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The fee payer, as far as it is known.
pub(crate) enum FeePayer {
    /// By the options.
    Said(AccountAddress),
    /// By the facilitator.
    Asked(Arc<Asking>),
}

/// What the facilitator said last.
pub(crate) struct Asking {
    facilitator: Arc<dyn Facilitator>,
    network: NetworkId,
    memory: Mutex<Memory>,
    /// Held by the one who asks.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    account: Option<AccountAddress>,
    asked_at: Option<Instant>,
    good_for: Duration,
}

impl FeePayer {
    pub(crate) fn new(
        said: Option<AccountAddress>,
        facilitator: Arc<dyn Facilitator>,
        network: NetworkId,
    ) -> Self {
        match said {
            Some(account) => Self::Said(account),
            None => Self::Asked(Arc::new(Asking {
                facilitator,
                network,
                memory: Mutex::default(),
                turn: Arc::default(),
            })),
        }
    }

    /// The account that offers may name now; none where nothing is sponsored, or nobody says.
    pub(crate) async fn account(&self) -> Option<AccountAddress> {
        match self {
            Self::Said(account) => Some(*account),
            Self::Asked(asking) => asking.account().await,
        }
    }

    /// A payment was refused. Where that says that its fee payer is none any more, the next offer
    /// asks anew.
    pub(crate) fn hear(&self, code: &str) {
        let doubtful = [ReasonCode::FeePayerNotManagedByFacilitator, ReasonCode::UnsupportedScheme];
        if let Self::Asked(asking) = self
            && doubtful.iter().any(|own| own.as_str() == code)
        {
            asking.remember(|memory| memory.good_for = memory.good_for.min(PAUSE));
        }
    }
}

impl Asking {
    async fn account(self: &Arc<Self>) -> Option<AccountAddress> {
        let memory = self.memory();
        if memory.is_good(Instant::now()) {
            return memory.account;
        }
        if let Some(account) = memory.account {
            // Offers do not wait for a change that is rare.
            if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
                let asking = Arc::clone(self);
                tokio::spawn(async move {
                    asking.ask().await;
                    drop(turn);
                });
            }
            return Some(account);
        }
        let turn = self.turn.lock().await;
        if !self.memory().is_good(Instant::now()) {
            self.ask().await;
        }
        drop(turn);
        self.memory().account
    }

    async fn ask(&self) {
        let answer = tokio::time::timeout(PATIENCE, self.facilitator.supported()).await;
        let asked_at = Some(Instant::now());
        match answer {
            Ok(Ok(supported)) => {
                let account = fee_payer(&supported, &self.network);
                self.remember(|memory| *memory = Memory { account, asked_at, good_for: FRESH });
            }
            failed => {
                let error = failed.map_or_else(
                    |_| "it took too long".to_owned(),
                    |answer| answer.map_or_else(|error| error.to_string(), |_| String::new()),
                );
                tracing::warn!(error, "the facilitator does not say whether it sponsors");
                self.remember(|memory| {
                    memory.asked_at = asked_at;
                    memory.good_for = PAUSE;
                });
            }
        }
    }

    fn memory(&self) -> Memory {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Memory {
    fn is_good(&self, now: Instant) -> bool {
        self.asked_at.is_some_and(|at| now.saturating_duration_since(at) < self.good_for)
    }
}

/// The first fee payer that is announced for v2 on the network.
fn fee_payer(supported: &SupportedResponse, network: &NetworkId) -> Option<AccountAddress> {
    let is_ours = |name: &str| name.parse().is_ok_and(|id: NetworkId| id == *network);
    supported
        .kinds
        .iter()
        .filter(|kind| kind.x402_version == X402Version::V2 && kind.scheme == SCHEME_EXACT)
        .filter(|kind| is_ours(&kind.network))
        .filter_map(|kind| kind.extra.as_ref()?.get("feePayer").and_then(Value::as_str))
        .find_map(|account| account.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fee_payer_is_that_of_the_network_in_version_2() {
        let [one, two] = [1, 2].map(|byte| AccountAddress::from_bytes([byte; 32]));
        let network: NetworkId = "concordium-testnet".parse().unwrap();
        let kind = |version: u64, scheme: &str, network: &str, extra: Value| json!({ "x402Version": version, "scheme": scheme, "network": network, "extra": extra });
        let ours = network.as_str();
        let rows = [
            (vec![kind(2, "exact", ours, json!({ "feePayer": one }))], Some(one)),
            (vec![kind(2, "exact", ours, json!({ "feePayer": "nobody" }))], None),
            (vec![kind(2, "exact", "ccd:0", json!({ "feePayer": one }))], None),
            (vec![kind(2, "upto", ours, json!({ "feePayer": one }))], None),
            (vec![kind(1, "exact", "concordium-testnet", json!({ "feePayer": one }))], None),
            (
                vec![
                    kind(2, "exact", "eip155:1", json!({ "feePayer": "0x1" })),
                    kind(2, "exact", ours, json!({ "assetTransferMethod": "transaction-hash" })),
                    kind(2, "exact", ours, json!({ "feePayer": two })),
                ],
                Some(two),
            ),
        ];
        for (row, (kinds, expected)) in rows.into_iter().enumerate() {
            let supported = serde_json::from_value(json!({ "kinds": kinds })).unwrap();
            assert_eq!(fee_payer(&supported, &network), expected, "row {row}");
        }
    }

    #[test]
    fn what_is_known_grows_old() {
        let asked_at = Instant::now();
        let mut memory = Memory { asked_at: Some(asked_at), good_for: FRESH, account: None };
        assert!(!Memory::default().is_good(asked_at));
        assert!(memory.is_good(asked_at + FRESH / 2) && !memory.is_good(asked_at + FRESH));
        memory.good_for = memory.good_for.min(PAUSE);
        assert!(!memory.is_good(asked_at + PAUSE));
    }
}
