//! Asks on the terminal whether to pay. Anything but a clear yes is a no.

use std::io::{BufRead as _, Write as _};

use async_trait::async_trait;
use ccd402_client::payer::options::{Consent, Quote};

/// Whoever sits before the terminal.
pub(super) struct Terminal;

#[async_trait]
impl Consent for Terminal {
    async fn consents(&self, quote: &Quote) -> bool {
        let question = format!("Pay {} {}? [y/N] ", quote.amount, quote.asset);
        let asked = tokio::task::spawn_blocking(move || ask(&question)).await;
        asked.is_ok_and(|answer| answer.is_ok_and(|yes| yes))
    }
}

fn ask(question: &str) -> std::io::Result<bool> {
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{question}")?;
    terminal.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (line, yes) in [("y\n", true), (" YES \n", true), ("\n", false), ("yep\n", false)] {
            assert_eq!(is_yes(line), yes, "{line:?}");
        }
    }
}
