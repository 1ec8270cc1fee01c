//! Keeps a chain in a file of records, appended and made durable before anybody hears of a block:
//! the seed and time of genesis, blocks with their items, finality, and blocks taken back. What an
//! item did is not kept; replaying it tells. What waits in the pool is not kept either.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use concordium_rust_sdk::types::hashes::BlockHash;
use sha2::{Digest, Sha256};

use crate::{Error, blocks::Block, item::Item};

/// Name of the file within the data directory.
const FILE: &str = "chain.log";
/// Version of the format, in the genesis record.
const VERSION: u8 = 1;
/// Bytes before each record: its length, a checksum of that, and one of the record.
const FRAME_BYTES: usize = 16;

/// Seed and time that a kept chain began with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) seed: u64,
    pub(crate) time_ms: u64,
}

/// Something that happened, read back.
pub(crate) enum Record {
    Block { round: u64, slot_time_ms: u64, hash: BlockHash, items: Vec<Arc<Item>> },
    Finalized { height: u64 },
    Abandoned { height: u64 },
}

/// The open file; nobody else may have it open.
pub(crate) struct BlockLog {
    file: File,
    path: PathBuf,
    /// Whether a write has failed, after which nothing is written any more.
    failed: bool,
}

impl BlockLog {
    /// Opens the chain kept in `directory`, or begins one with `origin`.
    pub(crate) fn open(
        directory: &Path,
        origin: Origin,
    ) -> Result<(Self, Origin, Vec<Record>), Error> {
        let failed = |source| Error::Data { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let path = directory.join(FILE);
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let file = file.map_err(failed)?;
        let mut log = Self { file, path, failed: false };
        match log.file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(Error::Locked(directory.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut bytes = Vec::new();
        log.file.read_to_end(&mut bytes).map_err(failed)?;
        let (frames, whole) = split(&bytes).map_err(|reason| log.damaged(reason))?;
        if whole < bytes.len() {
            log.file.set_len(whole as u64).map_err(failed)?;
        }
        let Some((first, rest)) = frames.split_first() else {
            log.append(&encode_origin(origin))?;
            File::open(directory).and_then(|d| d.sync_all()).map_err(failed)?;
            return Ok((log, origin, Vec::new()));
        };
        let damaged = || log.damaged("a record is malformed".to_owned());
        let origin = decode_origin(first).ok_or_else(damaged)?;
        let records: Option<Vec<_>> = rest.iter().map(|record| decode(record)).collect();
        let records = records.ok_or_else(damaged)?;
        Ok((log, origin, records))
    }

    pub(crate) fn append_block(&mut self, block: &Block) -> Result<(), Error> {
        let mut record = vec![1];
        record.extend(block.round.to_be_bytes());
        record.extend(block.slot_time_ms.to_be_bytes());
        record.extend(block.hash.as_ref());
        for item in &block.items {
            let item = item.encode();
            let length = u32::try_from(item.len()).expect("items are bounded when received");
            record.extend(length.to_be_bytes());
            record.extend(item);
        }
        self.append(&record)
    }

    pub(crate) fn append_finalized(&mut self, height: u64) -> Result<(), Error> {
        self.append(&[&[2], height.to_be_bytes().as_slice()].concat())
    }

    pub(crate) fn append_abandoned(&mut self, height: u64) -> Result<(), Error> {
        self.append(&[&[3], height.to_be_bytes().as_slice()].concat())
    }

    pub(crate) fn damaged(&self, reason: String) -> Error {
        Error::Damaged { path: self.path.clone(), reason }
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(record.len()).expect("a block's items are bounded by energy");
        let length = length.to_be_bytes();
        let frame = [&length, &checksum(&length)[..4], &checksum(record), record].concat();
        let written = if self.failed {
            Err(io::Error::other("an earlier write failed"))
        } else {
            self.file.write_all(&frame).and_then(|()| self.file.sync_data())
        };
        self.failed = written.is_err();
        written.map_err(|source| Error::Data { path: self.path.clone(), source })
    }
}

/// The whole records in `bytes` and how many bytes they take. What follows them was being written
/// when the process died; anything else that does not fit is damage.
fn split(bytes: &[u8]) -> Result<(Vec<&[u8]>, usize), String> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(frame) = bytes.get(at..at + FRAME_BYTES) {
        let (length, sums) = frame.split_at(4);
        if checksum(length)[..4] != sums[..4] {
            // A file may have grown before its bytes were written.
            if bytes[at..].iter().all(|byte| *byte == 0) {
                break;
            }
            return Err(format!("there is no record at byte {at}"));
        }
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let end = at + FRAME_BYTES + length;
        let Some(record) = bytes.get(at + FRAME_BYTES..end) else { break };
        if checksum(record) != sums[4..] {
            if end == bytes.len() {
                break;
            }
            return Err(format!("the record at byte {at} has another checksum"));
        }
        records.push(record);
        at = end;
    }
    Ok((records, at))
}

fn checksum(record: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(record).into();
    digest[..8].try_into().expect("a digest has 32 bytes")
}

fn encode_origin(origin: Origin) -> Vec<u8> {
    let mut record = vec![0, VERSION];
    record.extend(origin.seed.to_be_bytes());
    record.extend(origin.time_ms.to_be_bytes());
    record
}

fn decode_origin(record: &[u8]) -> Option<Origin> {
    let mut rest = record.strip_prefix(&[0, VERSION])?;
    let origin = Origin { seed: number(&mut rest)?, time_ms: number(&mut rest)? };
    rest.is_empty().then_some(origin)
}

fn decode(record: &[u8]) -> Option<Record> {
    let (kind, mut rest) = record.split_first()?;
    let record = match kind {
        1 => {
            let (round, slot_time_ms) = (number(&mut rest)?, number(&mut rest)?);
            let hash = <[u8; 32]>::try_from(rest.split_off(..32)?).ok()?.into();
            let mut items = Vec::new();
            while !rest.is_empty() {
                let length = u32::from_be_bytes(rest.split_off(..4)?.try_into().ok()?) as usize;
                items.push(Arc::new(Item::decode(rest.split_off(..length)?)?));
            }
            Record::Block { round, slot_time_ms, hash, items }
        }
        2 => Record::Finalized { height: number(&mut rest)? },
        3 => Record::Abandoned { height: number(&mut rest)? },
        _ => return None,
    };
    rest.is_empty().then_some(record)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(rest.split_off(..8)?.try_into().ok()?))
}
