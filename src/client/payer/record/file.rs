//! A record as it lies on disk. Reading it checks that its parts agree.
//!
//! A program from before sponsored payments reads records of transfers, and stops at one of a
//! sponsored payment, as it must: it could not finish it.

use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::binding::Resource;
use ccd402_domain::ids::{Digest, TransactionHash};
use ccd402_protocol::network::NetworkId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payer::record::{self, Means, Open, State};

/// The only version of records so far.
const VERSION: u32 = 1;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    version: u32,
    resource: Resource,
    network: NetworkId,
    payer: AccountAddress,
    pay_to: AccountAddress,
    asset: Asset,
    amount: Amount,
    offer: Value,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<TransactionHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sponsored: Option<Sponsored>,
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
    state: State,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sponsored {
    sponsor: AccountAddress,
    sequence_number: u64,
}

impl TryFrom<Record> for record::Record {
    type Error = String;

    fn try_from(file: Record) -> Result<Self, String> {
        if file.version != VERSION {
            return Err(format!("version {} is not known here", file.version));
        }
        let digest = file.digest;
        let means = match (file.hash, file.sponsored) {
            (Some(hash), None) => Means::Transfer { hash, digest },
            (None, Some(Sponsored { sponsor, sequence_number })) => {
                Means::Sponsored { digest, sponsor, sequence_number }
            }
            _ => return Err("it is not of one way of paying".to_owned()),
        };
        let record = Self {
            resource: file.resource,
            network: file.network,
            payer: file.payer,
            pay_to: file.pay_to,
            asset: file.asset,
            amount: file.amount,
            offer: file.offer,
            means,
            expires_at: file.expires_at,
            created_at: file.created_at,
            open: file.open,
            state: file.state,
        };
        let is_transfer = matches!(record.means, Means::Transfer { .. });
        let agrees = match &record.open {
            None => !record.is_open(),
            Some(open) => record.is_open() && open.transfer.is_some() == is_transfer,
        };
        if agrees { Ok(record) } else { Err("its state and its contents disagree".to_owned()) }
    }
}

impl From<record::Record> for Record {
    fn from(record: record::Record) -> Self {
        let (digest, hash, sponsored) = match record.means {
            Means::Transfer { hash, digest } => (digest, Some(hash), None),
            Means::Sponsored { digest, sponsor, sequence_number } => {
                (digest, None, Some(Sponsored { sponsor, sequence_number }))
            }
        };
        Self {
            version: VERSION,
            resource: record.resource,
            network: record.network,
            payer: record.payer,
            pay_to: record.pay_to,
            asset: record.asset,
            amount: record.amount,
            offer: record.offer,
            digest,
            hash,
            sponsored,
            expires_at: record.expires_at,
            created_at: record.created_at,
            open: record.open,
            state: record.state,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(change: impl FnOnce(&mut Value)) -> Result<record::Record, String> {
        let account = AccountAddress::from_bytes([1; 32]);
        let mut file = json!({
            "version": 1,
            "resource": { "method": "GET", "url": "https://shop.example/" },
            "network": "ccd:07070707070707070707070707070707",
            "payer": account, "payTo": account, "asset": "CCD", "amount": "5", "offer": {},
            "digest": "11".repeat(32), "hash": "22".repeat(32),
            "expiresAt": "2026-11-22T12:00:00Z", "createdAt": "2026-11-22T11:00:00Z",
            "open": {
                "x402Version": 2, "header": "abc",
                "transfer": { "hash": "22".repeat(32), "bytes": "AAEC" },
            },
            "state": "unfinished",
        });
        change(&mut file);
        let read: record::Record =
            serde_json::from_value(file.clone()).map_err(|error| error.to_string())?;
        assert_eq!(serde_json::to_value(&read).unwrap(), file, "it is written as it was read");
        Ok(read)
    }

    fn sponsored(file: &mut Value) {
        let account = AccountAddress::from_bytes([1; 32]);
        file["sponsored"] = json!({ "sponsor": account, "sequenceNumber": 7 });
        let fields = file.as_object_mut().unwrap();
        fields.remove("hash");
        fields["open"].as_object_mut().unwrap().remove("transfer");
    }

    #[test]
    fn records_of_both_ways_are_written_as_they_are_read() {
        let transfer = file(|_| {}).unwrap();
        assert_eq!(transfer.id().to_string(), format!("transfer {}", "22".repeat(32)));
        let sponsored = file(sponsored).unwrap();
        assert_eq!(sponsored.id().to_string(), format!("sponsored payment {}", "11".repeat(32)));
        assert_eq!(sponsored.sequence_number(), Some(7));
    }

    #[test]
    fn parts_that_disagree_are_refused() {
        type Change = fn(&mut Value);
        let table: &[(&str, Change)] = &[
            ("version 2", |file| file["version"] = json!(2)),
            ("one way of paying", |file| {
                sponsored(file);
                file["hash"] = json!("22".repeat(32));
            }),
            ("one way of paying", |file| {
                file.as_object_mut().unwrap().remove("hash");
            }),
            ("disagree", |file| {
                file.as_object_mut().unwrap().remove("open");
            }),
            ("disagree", |file| {
                let transfer = file["open"]["transfer"].clone();
                sponsored(file);
                file["open"]["transfer"] = transfer;
            }),
            ("unknown field", |file| file["more"] = json!(1)),
        ];
        for (text, change) in table {
            let error = file(change).unwrap_err();
            assert!(error.contains(text), "{text}: {error}");
        }
    }
}
