//! The one sorted table of bytes that a log is kept in, as far as it is read.
//!
//! Writing differs between adapters (a durable batch, a map in memory) and is theirs.

use std::collections::BTreeMap;
use std::ops::Range;

use ::sled::IVec;

use crate::error::Error;

/// Entries of a range, in the order of their keys.
pub(crate) type Entries<'a> = Box<dyn DoubleEndedIterator<Item = Result<(IVec, IVec), Error>> + 'a>;

/// Reads of the table.
pub(crate) trait Table {
    /// The value of a key.
    fn value(&self, key: &[u8]) -> Result<Option<IVec>, Error>;

    /// Entries of a range.
    fn entries(&self, keys: Range<IVec>) -> Entries<'_>;
}

impl Table for ::sled::Tree {
    fn value(&self, key: &[u8]) -> Result<Option<IVec>, Error> {
        Ok(self.get(key)?)
    }

    fn entries(&self, keys: Range<IVec>) -> Entries<'_> {
        Box::new(self.range(keys).map(|entry| Ok(entry?)))
    }
}

impl Table for BTreeMap<IVec, IVec> {
    fn value(&self, key: &[u8]) -> Result<Option<IVec>, Error> {
        Ok(self.get(key).cloned())
    }

    fn entries(&self, keys: Range<IVec>) -> Entries<'_> {
        if keys.start >= keys.end {
            return Box::new(std::iter::empty());
        }
        Box::new(self.range(keys).map(|(key, value)| Ok((key.clone(), value.clone()))))
    }
}
