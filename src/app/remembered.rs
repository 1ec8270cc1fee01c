//! A bounded memory of what was asked for last: what is used stays, what is not is forgotten.
//!
//! It is never asked whether something is so, only spared asking again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// What was asked for last.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    /// Entries of one generation; two are kept.
    generation_max: usize,
    generations: Mutex<Generations<K, V>>,
}

/// What is found in the old generation moves to the new one; a full new one becomes the old.
#[derive(Debug)]
struct Generations<K, V> {
    new: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V: Clone> Remembered<K, V> {
    /// Nothing yet; never more than two generations of so many.
    pub(crate) fn new(generation_max: usize) -> Self {
        let generations = Generations { new: HashMap::new(), old: HashMap::new() };
        Self { generation_max, generations: Mutex::new(generations) }
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        // Every change leaves the maps whole, so a panic elsewhere does not spoil them.
        let mut kept = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.new.len() >= self.generation_max && !kept.new.contains_key(&key) {
            kept.old = std::mem::take(&mut kept.new);
        }
        kept.new.insert(key, value);
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        let mut kept = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept.new.get(&key) {
            return Some(value.clone());
        }
        let value = kept.old.remove(&key)?;
        drop(kept);
        self.insert(key, value.clone());
        Some(value)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let kept = self.generations.lock().unwrap();
        kept.new.len() + kept.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept_and_the_used_ones_longest() {
        const MAX: usize = 1_000;
        let kept = Remembered::new(MAX);
        for number in 0..4 * MAX {
            kept.insert(number, number + 1);
            assert_eq!(kept.get(0), Some(1), "it is asked for all the time");
        }
        assert_eq!((kept.get(1), kept.get(4 * MAX - 1)), (None, Some(4 * MAX)));
        assert!(kept.len() <= 2 * MAX);
    }
}
