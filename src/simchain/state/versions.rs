//! A value with its history by block height, so that a query about an old block is answered from
//! that block's state, and a block that is taken back leaves no trace.

/// The value's versions, each with the height of the block that made it.
#[derive(Debug)]
pub(crate) struct Versions<T>(Vec<(u64, T)>);

impl<T: Clone> Versions<T> {
    pub(crate) fn new(height: u64, value: T) -> Self {
        Self(vec![(height, value)])
    }

    /// The value after the block of this height; none before there was any.
    pub(crate) fn at(&self, height: u64) -> Option<&T> {
        let after = self.0.partition_point(|(since, _)| *since <= height);
        after.checked_sub(1).map(|last| &self.0[last].1)
    }

    pub(crate) fn latest(&self) -> &T {
        &self.0.last().expect("made with one version, and `revert` keeps one").1
    }

    /// The value to change in the block of this height, and whether that is its first change.
    pub(crate) fn edit(&mut self, height: u64) -> (&mut T, bool) {
        let (since, value) = self.0.last().expect("made with one version, and `revert` keeps one");
        let first = *since < height;
        if first {
            let value = value.clone();
            self.0.push((height, value));
        }
        (&mut self.0.last_mut().expect("just looked at").1, first)
    }

    /// Forgets what blocks above `height` did; false if nothing is left.
    pub(crate) fn revert(&mut self, height: u64) -> bool {
        let keep = self.0.partition_point(|(since, _)| *since <= height);
        if keep == 0 {
            return false;
        }
        self.0.truncate(keep);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_height_sees_its_own_version() {
        let mut value = Versions::new(2, 'a');
        assert_eq!(*value.edit(5).0, 'a');
        *value.edit(5).0 = 'b';
        assert_eq!((value.at(1), value.at(4), value.at(9)), (None, Some(&'a'), Some(&'b')));
        assert!(value.revert(4));
        assert_eq!(value.latest(), &'a');
        assert!(!value.revert(1));
    }
}
