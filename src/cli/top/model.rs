//! What is known of a facilitator, and what of it somebody looks at. Pure: time comes with what is
//! told, nothing is asked and nothing is drawn here.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;

use ccd402_domain::event::Event;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::keys::Key;
use super::wire::{Block, Jobs, Page, Ready, Reason, Row, Stats, Status};

/// Verifications that are kept.
const ROWS_MAX: usize = 200;
/// Rows of a page up or down.
const PAGE_ROWS: usize = 10;
/// Lines that one verification is scrolled by, at most: about as many as are said of it.
const SCROLL_MAX: u16 = 18;

/// Something, and when it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told<T> {
    pub(super) value: T,
    pub(super) at: DateTime<Utc>,
}

/// What was asked together; each has its own answer, or why there is none.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) at: DateTime<Utc>,
    pub(super) health: Result<String, String>,
    pub(super) ready: Result<Ready, String>,
    pub(super) ever: Result<Stats, String>,
    pub(super) hour: Result<Hour, String>,
    pub(super) page: Result<Page, String>,
    /// None where the key does not allow it.
    pub(super) jobs: Option<Result<Jobs, String>>,
    /// None where the key does not allow it, or the stream tells it.
    pub(super) block: Option<Block>,
    /// Of assets that were new, by name.
    pub(super) decimals: HashMap<String, u8>,
}

/// What was counted since a time, by the minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hour {
    pub(super) from: DateTime<Utc>,
    pub(super) stats: Stats,
}

/// What comes in.
#[derive(Debug)]
pub(super) enum News {
    Round(Box<Round>),
    Event {
        position: u64,
        at: DateTime<Utc>,
        event: Box<Event>,
    },
    /// The stream is open, or why it is not.
    Stream(Result<(), String>),
}

/// What is known of a facilitator.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) server: String,
    pub(super) health: Option<Told<String>>,
    pub(super) ready: Option<Told<Ready>>,
    pub(super) ever: Option<Told<Stats>>,
    pub(super) hour: Option<Told<Hour>>,
    pub(super) jobs: Option<Told<Jobs>>,
    pub(super) block: Option<Block>,
    /// Newest first.
    pub(super) rows: Option<Told<Vec<Row>>>,
    pub(super) decimals: HashMap<String, u8>,
    /// Position of the newest event that was heard of.
    pub(super) head: u64,
    /// Why not everything of the last round was answered, and since when that is so.
    pub(super) trouble: Option<Told<String>>,
    /// Why there is no stream.
    pub(super) no_stream: Option<String>,
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Open {
    #[default]
    Overview,
    /// The verification that is chosen, scrolled by so many lines.
    One(u16),
    /// Which key does what.
    Help,
}

/// What somebody looks at.
#[derive(Debug)]
pub(super) struct View {
    state: State,
    /// As it was when it was held.
    held: Option<Box<State>>,
    chosen: Option<Uuid>,
    pub(super) open: Open,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            health: None,
            ready: None,
            ever: None,
            hour: None,
            jobs: None,
            block: None,
            rows: None,
            decimals: HashMap::new(),
            head: 0,
            trouble: None,
            no_stream: None,
        }
    }

    /// The newest verifications.
    pub(super) fn rows(&self) -> &[Row] {
        self.rows.as_ref().map_or(&[], |rows| &rows.value)
    }

    /// Takes in what was told.
    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Round(round) => self.round(*round),
            News::Event { position, at, event } => self.event(position, at, &event),
            News::Stream(open) => self.no_stream = open.err(),
        }
    }

    fn round(&mut self, round: Round) {
        let Round { at, health, ready, ever, hour, page, jobs, block, decimals } = round;
        let mut trouble = None;
        keep(&mut self.health, health, at, &mut trouble);
        keep(&mut self.ready, ready, at, &mut trouble);
        keep(&mut self.ever, ever, at, &mut trouble);
        keep(&mut self.hour, hour, at, &mut trouble);
        match jobs {
            Some(jobs) => keep(&mut self.jobs, jobs, at, &mut trouble),
            None => self.jobs = None,
        }
        match page {
            Ok(page) => self.page(page, at),
            Err(why) => trouble = trouble.or(Some(why)),
        }
        if let Some(Told { value: Stats { as_of, lag: Some(lag), .. }, .. }) = &self.ever {
            self.head = self.head.max(as_of.saturating_add(lag.events));
        }
        block.into_iter().for_each(|block| self.followed(block));
        self.decimals.extend(decimals);
        let since = self.trouble.as_ref().map_or(at, |trouble| trouble.at);
        self.trouble = trouble.map(|value| Told { value, at: since });
    }

    /// What the stream has told already may be newer than the page.
    fn page(&mut self, page: Page, at: DateTime<Utc>) {
        let mut rows = std::mem::take(&mut self.rows).map_or_else(Vec::new, |rows| rows.value);
        page.verifications.into_iter().for_each(|row| note(&mut rows, row));
        self.set_rows(rows, at);
    }

    fn set_rows(&mut self, mut rows: Vec<Row>, at: DateTime<Utc>) {
        rows.sort_by_key(|row| Reverse((row.requested_at, row.id)));
        rows.truncate(ROWS_MAX);
        self.rows = Some(Told { value: rows, at });
    }

    fn event(&mut self, position: u64, at: DateTime<Utc>, event: &Event) {
        self.head = self.head.max(position);
        match event {
            Event::VerificationRequested(requested) => {
                let Told { value: mut rows, at: told } =
                    self.rows.take().unwrap_or(Told { value: Vec::new(), at });
                note(&mut rows, Row::requested(requested, position));
                self.set_rows(rows, told.max(at));
            }
            Event::VerificationConfirmed(confirmed) => {
                let block = confirmed.block.into();
                self.decided(confirmed.verification.0, (position, at), |row| {
                    row.status = Status::Confirmed;
                    row.block = Some(block);
                });
            }
            Event::VerificationFailed(failed) => {
                let (code, detail) = (failed.rejection.code.as_str(), &failed.rejection.detail);
                let reason = Reason { code: code.to_owned(), detail: detail.clone() };
                self.decided(failed.verification.0, (position, at), |row| {
                    row.status = Status::Failed;
                    row.reason = Some(reason);
                });
            }
            Event::BlockFollowed(followed) => self.followed(followed.block.into()),
            _ => {}
        }
    }

    /// Of a verification that is not shown, the next page tells if it should be.
    fn decided(&mut self, id: Uuid, at: (u64, DateTime<Utc>), decide: impl FnOnce(&mut Row)) {
        let (position, at) = at;
        let rows = self.rows.iter_mut().flat_map(|rows| &mut rows.value);
        let mut rows = rows.filter(|row| row.id == id && row.changed < position);
        if let Some(row) = rows.next() {
            decide(row);
            row.changed = position;
            row.decided_at = Some(at);
        }
    }

    fn followed(&mut self, block: Block) {
        if self.block.as_ref().is_none_or(|known| known.height < block.height) {
            self.block = Some(block);
        }
    }
}

/// Keeps what is new; what is not told stays as it was told last, with its age.
fn keep<T>(
    kept: &mut Option<Told<T>>,
    told: Result<T, String>,
    at: DateTime<Utc>,
    trouble: &mut Option<String>,
) {
    match told {
        Ok(value) => *kept = Some(Told { value, at }),
        Err(why) => {
            trouble.get_or_insert(why);
        }
    }
}

/// A row as it stands by now: the one with the newer event counts.
fn note(rows: &mut Vec<Row>, row: Row) {
    match rows.iter_mut().find(|known| known.id == row.id) {
        Some(known) if known.changed > row.changed => {}
        Some(known) => *known = row,
        None => rows.push(row),
    }
}

impl View {
    pub(super) fn new(state: State) -> Self {
        Self { state, held: None, chosen: None, open: Open::default() }
    }

    /// Takes in what was told; what is held stays as it is.
    pub(super) fn take(&mut self, news: News) {
        self.state.take(news);
    }

    /// What is to be seen.
    pub(super) fn state(&self) -> &State {
        self.held.as_deref().unwrap_or(&self.state)
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Where the chosen verification stands in the list, if one is chosen and still there.
    pub(super) fn chosen(&self) -> Option<usize> {
        let chosen = self.chosen?;
        self.state().rows().iter().position(|row| row.id == chosen)
    }

    /// Does what a key asks for; breaks where it ends the program.
    pub(super) fn press(&mut self, key: Key) -> ControlFlow<()> {
        match (key, self.open) {
            (Key::Quit, _) | (Key::Back, Open::Overview) => return ControlFlow::Break(()),
            (Key::Back, _) | (Key::Enter, Open::One(_) | Open::Help) | (Key::Help, Open::Help) => {
                self.open = Open::Overview;
            }
            (Key::Help, _) => self.open = Open::Help,
            (Key::Pause, _) => {
                self.held = match self.held.take() {
                    Some(_) => None,
                    None => Some(Box::new(self.state.clone())),
                };
            }
            (Key::Enter, Open::Overview) => self.open_one(),
            (Key::Move(by), Open::One(lines)) => {
                let lines = lines.saturating_add_signed(by.lines());
                self.open = Open::One(lines.min(SCROLL_MAX));
            }
            (Key::Move(by), Open::Overview) => self.choose(by),
            (Key::Move(_), Open::Help) => {}
        }
        ControlFlow::Continue(())
    }

    fn open_one(&mut self) {
        if self.chosen().is_none() {
            self.chosen = self.state().rows().first().map(|row| row.id);
        }
        if self.chosen.is_some() {
            self.open = Open::One(0);
        }
    }

    /// Chooses by id, so that it stays chosen while others come in above it. The first step from
    /// nowhere is to the newest.
    fn choose(&mut self, by: Move) {
        let rows = self.state().rows();
        let last = rows.len().saturating_sub(1);
        let at = match (by, self.chosen()) {
            (Move::First, _) => None,
            (Move::Last, _) => Some(last),
            (Move::Down | Move::PageDown, None) => Some(0),
            (Move::Up | Move::PageUp, None | Some(0)) => None,
            (Move::Up, Some(at)) => Some(at - 1),
            (Move::Down, Some(at)) => Some((at + 1).min(last)),
            (Move::PageUp, Some(at)) => Some(at.saturating_sub(PAGE_ROWS)),
            (Move::PageDown, Some(at)) => Some((at + PAGE_ROWS).min(last)),
        };
        self.chosen = at.and_then(|at| rows.get(at)).map(|row| row.id);
    }
}

/// A way through a list or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

impl Move {
    fn lines(self) -> i16 {
        let page = i16::try_from(PAGE_ROWS).unwrap_or(i16::MAX);
        match self {
            Self::Up => -1,
            Self::Down => 1,
            Self::PageUp => -page,
            Self::PageDown => page,
            Self::First => i16::MIN,
            Self::Last => i16::MAX,
        }
    }
}
