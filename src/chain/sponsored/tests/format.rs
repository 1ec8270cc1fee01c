//! Transactions that cannot be read, and operations that could be read in two ways.

use ccd402_protocol::code::ReasonCode;

use super::*;
use crate::sponsored::operations;

fn refusal(example: usize, change: impl FnOnce(&mut SignedTransaction)) -> Option<ReasonCode> {
    let mut wire = wire(&examples()[example]);
    change(&mut wire);
    Signable::read(&wire).err().map(|rejection| rejection.code)
}

/// The operations of the golden token payment, without a memo, in hex.
fn golden_operations() -> String {
    let TransactionPayload::TokenUpdate { operations, .. } = wire(&examples()[2]).payload else {
        panic!("not a token update");
    };
    operations
}

fn token_payload(token_id: &str, operations: String) -> TransactionPayload {
    TransactionPayload::TokenUpdate { token_id: token_id.to_owned(), operations }
}

fn read(hex: &str) -> Option<Vec<Operation>> {
    operations::read(&hex::decode(hex).unwrap())
}

#[test]
fn each_part_that_cannot_be_read_is_refused() {
    use ReasonCode::{
        EnergyOutOfBounds, InvalidSenderAddress as Sender, InvalidTransactionFormat as Format,
    };
    type Change = fn(&mut SignedTransaction);
    let to = || account(2).to_string();
    let with_memo =
        |memo: String| TransactionPayload::TransferWithMemo { to_address: to(), memo, amount: 1 };
    let rows: [(&str, usize, Change, ReasonCode); 10] = [
        ("sponsor", 0, |wire| wire.header.sponsor.account = "us".to_owned(), Format),
        (
            "recipient",
            0,
            |wire| {
                wire.payload =
                    TransactionPayload::Transfer { to_address: "them".to_owned(), amount: 1 };
            },
            Format,
        ),
        (
            "a short signature",
            0,
            |wire| {
                wire.signatures.sender.get_mut(&0).unwrap().insert(0, "00".repeat(63));
            },
            Format,
        ),
        (
            "a signature that is not hex",
            0,
            |wire| {
                wire.signatures.sender.get_mut(&0).unwrap().insert(0, "zz".repeat(64));
            },
            Format,
        ),
        ("token", 2, |wire| wire.payload = token_payload("EU RR", golden_operations()), Format),
        ("CCD", 2, |wire| wire.payload = token_payload("CCD", golden_operations()), Format),
        ("not hex", 2, |wire| wire.payload = token_payload("EURR", "8g".to_owned()), Format),
        ("not CBOR", 2, |wire| wire.payload = token_payload("EURR", "ff".to_owned()), Format),
        (
            "energy",
            0,
            |wire| wire.header.execution_energy_amount = Some(u64::MAX),
            EnergyOutOfBounds,
        ),
        ("sender", 0, |wire| wire.header.sender = "me".to_owned(), Sender),
    ];
    for (name, example, change, expected) in rows {
        assert_eq!(refusal(example, change), Some(expected), "{name}");
    }
    let memos =
        [("not hex", "0", Some(Format)), ("long", &"00".repeat(257), Some(EnergyOutOfBounds))];
    for (name, memo, expected) in memos {
        let payload = with_memo((*memo).to_owned());
        assert_eq!(refusal(1, |wire| wire.payload = payload), expected, "{name}");
    }
}

#[test]
fn the_form_is_looked_at_before_the_sender() {
    let found = refusal(0, |wire| {
        wire.header.sender = "me".to_owned();
        wire.header.sponsor.account = "us".to_owned();
    });
    assert_eq!(found, Some(ReasonCode::InvalidTransactionFormat));
}

#[test]
fn a_memo_is_read_with_its_length_before_it_or_without() {
    let memo_of = |memo: &str| {
        let mut wire = wire(&examples()[1]);
        let TransactionPayload::TransferWithMemo { memo: written, .. } = &mut wire.payload else {
            panic!("no memo");
        };
        memo.clone_into(written);
        let signable = Signable::read(&wire).unwrap();
        let [Operation::Transfer(transfer)] = &signable.transaction().operations[..] else {
            panic!("no transfer");
        };
        transfer.memo.clone().unwrap()
    };
    assert_eq!(memo_of("0003420102"), [0x42, 1, 2]);
    assert_eq!(memo_of("420102"), [0x42, 1, 2]);
    assert_eq!(memo_of("0004420102"), [0, 4, 0x42, 1, 2], "a length of something else");
    assert_eq!(memo_of("00"), [0]);
    assert_eq!(memo_of("0000"), [0; 0]);
}

#[test]
fn operations_that_say_something_twice_are_not_read() {
    let whole = golden_operations();
    let [Operation::Transfer(transfer)] = &read(&whole).unwrap()[..] else { panic!("{whole}") };
    assert_eq!(transfer.amount.units(), 5_000_000);
    // "amount", and 1 with six decimals; "surprise", and true.
    let amount = "66616d6f756e74c4822501";
    let surprise = "687375727072697365f5";
    for twice in [amount, surprise] {
        let changed = whole.replacen("a266616d6f756e74", &format!("a3{twice}66616d6f756e74"), 1);
        assert_ne!(changed, whole);
        assert_eq!(read(&changed), None, "{twice}");
    }
    // The address of the recipient, twice.
    let address = &whole[whole.rfind("035820").unwrap()..];
    let changed = whole.replace("d99d73a2", "d99d73a3") + address;
    assert_eq!(read(&changed), None);
    assert_eq!(read(&(whole.clone() + "00")), None, "something after the end");
    assert_eq!(read(&whole[..whole.len() - 2]), None, "cut");
}

#[test]
fn every_operation_is_counted_and_others_are_no_transfers() {
    let whole = golden_operations();
    let one = &whole[2..];
    // {"pause": {}} and {"surprise": true}
    let (pause, unknown) = ("a1657061757365a0", "a1687375727072697365f5");
    let counted = |operations: &[&str]| {
        let cbor = format!("8{}{}", operations.len(), operations.concat());
        let read = read(&cbor).unwrap();
        read.iter().map(|operation| matches!(operation, Operation::Transfer(_))).collect::<Vec<_>>()
    };
    assert_eq!(counted(&[]), [false; 0]);
    assert_eq!(counted(&[one, one]), [true, true]);
    assert_eq!(counted(&[pause]), [false]);
    assert_eq!(counted(&[one, pause, unknown]), [true, false, false]);
}

#[test]
fn nesting_as_deep_as_it_can_be_is_survived() {
    // What async threads have for a stack.
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let nested = thread.spawn(|| {
        // An unknown operation whose value is lists in lists; tags in tags; maps in maps.
        for (open, close) in [("81", "00"), ("c0", "00"), ("a100", "00")] {
            let inner = open.repeat((operations::BYTES_MAX - 12) / (open.len() / 2));
            let cbor = format!("81a1687375727072697365{inner}{close}");
            let read = read(&cbor);
            assert_eq!(read, Some(vec![Operation::Other]), "{open}");
        }
        let long = "80".repeat(operations::BYTES_MAX + 1);
        assert_eq!(read(&long), None);
    });
    nested.unwrap().join().unwrap();
}
