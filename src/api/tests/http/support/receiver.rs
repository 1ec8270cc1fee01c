//! A receiver of webhooks that answers as it is told. How messages are signed and where they may go
//! is tried elsewhere, with the sender itself.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use ccd402_app::ports::webhooks::{Message, Sent, UrlRefused, WebhookSender};
use ccd402_domain::webhook::event::Answer;

/// Where nothing may be sent to.
pub(crate) const INSIDE: &str = "http://127.0.0.1/";

/// Answers with what it was told, and with 204 once that is used up.
#[derive(Default)]
pub(crate) struct Receiver {
    answers: Mutex<Vec<Answer>>,
    messages: Mutex<Vec<Message>>,
}

impl Receiver {
    pub(crate) fn will_answer(&self, answers: &[Answer]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// What has arrived since the last time.
    pub(crate) fn arrived(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap())
    }
}

#[async_trait]
impl WebhookSender for Receiver {
    fn check(&self, url: &str) -> Result<(), UrlRefused> {
        if url == INSIDE { Err(UrlRefused("it leads inside".to_owned())) } else { Ok(()) }
    }

    async fn send(&self, message: Message) -> Sent {
        self.messages.lock().unwrap().push(message);
        let mut answers = self.answers.lock().unwrap();
        let is_told = !answers.is_empty();
        let answer = if is_told { answers.remove(0) } else { Answer::Status(204) };
        Sent { answer, retry_after: None, duration: Duration::from_millis(3) }
    }
}
