//! Answers that are kept for a while, so that many who ask the same cost one question.
//!
//! How long depends on what an answer took: an expensive one is asked for again later. What is kept
//! is bounded, and made again where it was forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shortest and longest time that an answer is kept.
const KEPT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// An answer is kept for so many times what it took: no question is asked for more than a twentieth
/// of the time.
const KEPT_FOR: u32 = 20;
/// Most answers that are kept.
const ANSWERS_MAX: usize = 512;

/// An answer, and how old it is.
#[derive(Debug, Clone)]
pub struct Aged<V> {
    /// The answer.
    pub value: Arc<V>,
    /// How long ago it was asked for.
    pub age: Duration,
}

struct Answer<V> {
    value: Arc<V>,
    asked_at: Instant,
    until: Instant,
}

/// One question: who asks it waits for whoever is asking it already.
type Question<V> = Arc<tokio::sync::Mutex<Option<Answer<V>>>>;

/// Answers by question.
pub struct Kept<K, V> {
    questions: Mutex<HashMap<K, Question<V>>>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { questions: Mutex::default() }
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    /// What is kept, or what is answered now.
    ///
    /// # Errors
    /// As asking has; an error is not kept.
    pub async fn get<E>(
        &self,
        key: K,
        ask: impl Future<Output = Result<V, E>>,
    ) -> Result<Aged<V>, E> {
        let question = self.question(key);
        let mut kept = question.lock().await;
        let now = Instant::now();
        if let Some(answer) = kept.as_ref().filter(|answer| now < answer.until) {
            return Ok(Aged { value: Arc::clone(&answer.value), age: now - answer.asked_at });
        }
        let value = Arc::new(ask.await?);
        let kept_for = (now.elapsed() * KEPT_FOR).clamp(KEPT.0, KEPT.1);
        let (shown, until) = (Arc::clone(&value), Instant::now() + kept_for);
        *kept = Some(Answer { value, asked_at: now, until });
        Ok(Aged { value: shown, age: now.elapsed() })
    }

    fn question(&self, key: K) -> Question<V> {
        // Every change leaves the map whole, so a panic elsewhere does not spoil it.
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        if questions.len() >= ANSWERS_MAX && !questions.contains_key(&key) {
            let now = Instant::now();
            // Those who wait for an answer hold on to its question themselves.
            questions.retain(|_, question| {
                question.try_lock().is_ok_and(|kept| kept.as_ref().is_some_and(|a| now < a.until))
            });
            if questions.len() >= ANSWERS_MAX {
                questions.clear();
            }
        }
        Arc::clone(questions.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_took_long_is_kept_longer() {
        let (kept, asked) = (Kept::default(), AtomicU64::new(0));
        let ask = async |took: u64| {
            let answer = async {
                tokio::time::sleep(Duration::from_millis(took)).await;
                Ok::<_, Infallible>(asked.fetch_add(1, Ordering::Relaxed))
            };
            *kept.get("all", answer).await.unwrap().value
        };
        assert_eq!((ask(500).await, ask(500).await), (0, 0));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(ask(1).await, 0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((ask(1).await, ask(1).await), (1, 1));
        tokio::time::advance(Duration::from_millis(1_100)).await;
        assert_eq!(ask(1).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_kept() {
        let kept = Kept::default();
        for key in 0..3 * ANSWERS_MAX {
            let answer = kept.get(key, async { Ok::<_, Infallible>(key) }).await.unwrap();
            assert_eq!(*answer.value, key);
            assert!(kept.questions.lock().unwrap().len() <= ANSWERS_MAX);
        }
    }
}
