//! What can go wrong between the read model and its database, what of it passes, and what it means
//! to whoever asked.

use std::time::Duration;

use ccd402_app::ports::read_model::ReadModelError;

use crate::error::Error;
use crate::postgres::connect::Tries;

/// Code of a statement that took longer than it may.
const TOO_LONG: &str = "57014";
/// Codes of tables and columns that are not there. A build that was replaced is dropped: whoever has
/// looked before that looks again.
const GONE: [&str; 2] = ["42P01", "42703"];
/// Class of codes of damaged data and indexes.
const DAMAGED: &str = "XX0";
/// Codes that say that somebody else has just made the same table.
const MADE: [&str; 3] = ["23505", "42P07", "42710"];

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database failed.
    Database(Error),
    /// The read model says so.
    Model(ReadModelError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<ReadModelError> for Failure {
    fn from(error: ReadModelError) -> Self {
        Self::Model(error)
    }
}

impl From<Failure> for ReadModelError {
    fn from(failure: Failure) -> Self {
        let error = match failure {
            Failure::Model(error) => return error,
            Failure::Database(error) => error,
        };
        match code(&error).as_deref() {
            Some(TOO_LONG) => Self::TooLarge,
            Some(code) if GONE.contains(&code) || code.starts_with(DAMAGED) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Failure {
    /// Whether a table is not there.
    pub(super) fn is_gone(&self) -> bool {
        self.has_code(&GONE)
    }

    /// Whether a table is there that should have been made.
    pub(super) fn is_made(&self) -> bool {
        self.has_code(&MADE)
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        let Self::Database(error) = self else { return false };
        code(error).is_some_and(|code| codes.contains(&code.as_str()))
    }
}

fn code(error: &Error) -> Option<String> {
    let Error::Postgres(error) = error else { return None };
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Tries again what fails in a way that passes, for so long.
pub(super) async fn retry<R, F>(
    max: Duration,
    mut run: impl FnMut() -> F,
) -> Result<R, ReadModelError>
where
    F: Future<Output = Result<R, Failure>>,
{
    let mut again = Again::new(max);
    loop {
        match run().await {
            Ok(result) => return Ok(result),
            Err(failure) => again.after(failure).await?,
        }
    }
}

/// Tries of one thing, for so long.
pub(super) struct Again {
    tries: Tries,
    is_second_look: bool,
}

impl Again {
    /// The first is now.
    pub(super) fn new(max: Duration) -> Self {
        Self { tries: Tries::new(max), is_second_look: false }
    }

    /// Waits for the next, where it is of use; says what the failure means where it is not.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), ReadModelError> {
        if failure.is_gone() && !self.is_second_look {
            self.is_second_look = true;
            return Ok(());
        }
        match failure {
            Failure::Database(error) if code(&error).as_deref() != Some(TOO_LONG) => {
                Ok(self.tries.wait_after(error).await.map_err(Failure::Database)?)
            }
            failure => Err(failure.into()),
        }
    }
}
