//! The codec against transactions and events made by hand; no chain is asked.

use concordium_rust_sdk::{
    base::{
        contracts_common::Amount as SdkAmount,
        protocol_level_tokens::{
            TokenAmount, TokenModuleCborTypeDiscriminator, TokenModuleEvent, TokenTransferEvent,
        },
        transactions::Memo,
    },
    types::{Energy, RejectReason, SponsorDetails, TransactionIndex},
};

use super::*;

const SENDER: SdkAddress = SdkAddress([1; 32]);
const TO: SdkAddress = SdkAddress([2; 32]);

fn read(effects: Upward<AccountTransactionEffects>) -> Result<Outcome, Error> {
    let details = AccountTransactionDetails {
        cost: SdkAmount::from_micro_ccd(1),
        sender: SENDER,
        sponsor: None,
        effects,
    };
    read_details(Upward::Known(BlockItemSummaryDetails::AccountTransaction(details)))
}

fn read_details(details: Upward<BlockItemSummaryDetails>) -> Result<Outcome, Error> {
    read_whole(details).map(|transaction| transaction.outcome)
}

fn read_whole(details: Upward<BlockItemSummaryDetails>) -> Result<FinalizedTransaction, Error> {
    let summary = BlockItemSummary {
        index: TransactionIndex { index: 0 },
        energy_cost: Energy { energy: 0 },
        hash: SdkTransactionHash::from([9; 32]),
        details,
    };
    let hash = BlockHash::from_bytes([8; 32]);
    let block = BlockRef { height: 7, hash, time: chrono::DateTime::UNIX_EPOCH };
    let read = transaction(&summary, block)?;
    assert_eq!(read.hash, TransactionHash::from_bytes([9; 32]));
    assert_eq!(read.block, block);
    Ok(read)
}

fn event(from: SdkAddress, memo: Option<&[u8]>) -> TokenEvent {
    let transfer = TokenTransferEvent {
        from: TokenHolder::Account { address: from },
        to: TokenHolder::Account { address: TO },
        amount: TokenAmount::from_raw(150, 2),
        memo: memo.map(|memo| Memo::try_from(memo.to_vec()).unwrap()),
    };
    let event = TokenEventDetails::Transfer(transfer);
    TokenEvent { token_id: "EURR".parse().unwrap(), event }
}

fn module_event() -> TokenEvent {
    let event = TokenEventDetails::Module(TokenModuleEvent {
        event_type: TokenModuleCborTypeDiscriminator::try_from("pause".to_owned()).unwrap(),
        details: vec![0xa0].into(),
    });
    TokenEvent { token_id: "EURR".parse().unwrap(), event }
}

fn of_token(events: Vec<TokenEvent>) -> Outcome {
    read(Upward::Known(AccountTransactionEffects::TokenUpdate { events })).unwrap()
}

fn transfer(asset: Asset, units: u64, memo: Option<&[u8]>) -> Outcome {
    let memo = memo.map(<[u8]>::to_vec);
    let to = AccountAddress::from_bytes([2; 32]);
    Outcome::Transfer(Transfer { to, asset, amount: Amount::from_units(units), memo })
}

#[test]
fn ccd_transfers_carry_the_memo_as_it_stands_on_chain() {
    let amount = SdkAmount::from_micro_ccd(5);
    let plain = AccountTransactionEffects::AccountTransfer { amount, to: TO };
    assert_eq!(read(Upward::Known(plain)).unwrap(), transfer(Asset::Ccd, 5, None));
    let memo = Memo::try_from(vec![0x41, 7]).unwrap();
    let with_memo = AccountTransactionEffects::AccountTransferWithMemo { amount, to: TO, memo };
    assert_eq!(read(Upward::Known(with_memo)).unwrap(), transfer(Asset::Ccd, 5, Some(&[0x41, 7])));
}

#[test]
fn one_token_transfer_and_nothing_else_is_a_transfer() {
    let eurr = || Asset::Token("EURR".to_owned());
    assert_eq!(of_token(vec![event(SENDER, None)]), transfer(eurr(), 150, None));
    assert_eq!(of_token(vec![event(SENDER, Some(&[1]))]), transfer(eurr(), 150, Some(&[1])));
    let mut alias = SENDER;
    alias.0[31] = 77;
    assert_eq!(of_token(vec![event(alias, None)]), transfer(eurr(), 150, None));
    let others = [
        vec![],
        vec![event(SENDER, None), event(SENDER, None)],
        vec![event(SENDER, None), module_event()],
        vec![module_event()],
        vec![event(TO, None)],
    ];
    for events in others {
        assert_eq!(of_token(events.clone()), Outcome::NotATransfer, "{events:?}");
    }
}

#[test]
fn who_paid_the_fee_is_told_where_it_was_not_the_sender() {
    let amount = SdkAmount::from_micro_ccd(5);
    let paid_by = |sponsor| {
        let details = AccountTransactionDetails {
            cost: SdkAmount::from_micro_ccd(0),
            sender: SENDER,
            sponsor,
            effects: Upward::Known(AccountTransactionEffects::AccountTransfer { amount, to: TO }),
        };
        let details = BlockItemSummaryDetails::AccountTransaction(details);
        let read = read_whole(Upward::Known(details)).unwrap();
        assert_eq!(read.sender, Some(address(&SENDER)));
        read.sponsorship.map(|paid| *paid)
    };
    let cost = SdkAmount::from_micro_ccd(635);
    let sponsor = AccountAddress::from_bytes([3; 32]);
    let told = paid_by(Some(SponsorDetails { sponsor: sdk_address(&sponsor), cost }));
    assert_eq!(told, Some(Sponsorship { sponsor, fee: Amount::from_units(635) }));
    assert_eq!(paid_by(None), None);
}

#[test]
fn a_scheduled_transfer_is_no_transfer() {
    let amount = vec![(
        concordium_rust_sdk::base::contracts_common::Timestamp::from(1),
        SdkAmount::from_micro_ccd(5),
    )];
    let scheduled = AccountTransactionEffects::TransferredWithSchedule { to: TO, amount };
    assert_eq!(read(Upward::Known(scheduled)).unwrap(), Outcome::NotATransfer);
}

#[test]
fn a_rejected_transaction_tells_its_reason_known_or_not() {
    for (reason, expected) in [
        (
            Upward::Known(RejectReason::InvalidAccountReference { contents: TO }),
            "InvalidAccountReference",
        ),
        (Upward::Unknown(()), "newer than this program"),
    ] {
        let effects =
            AccountTransactionEffects::None { transaction_type: None, reject_reason: reason };
        let Outcome::Rejected { reason } = read(Upward::Known(effects)).unwrap() else {
            panic!("not rejected");
        };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn what_is_unknown_is_never_guessed() {
    assert!(matches!(read(Upward::Unknown(())), Err(Error::NotUnderstood(_))));
    assert!(matches!(read_details(Upward::Unknown(())), Err(Error::NotUnderstood(_))));
}
