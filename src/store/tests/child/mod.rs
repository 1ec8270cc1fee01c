//! A child process that appends until it dies, and says on its standard output what was
//! acknowledged; and what its parent does with that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use ccd402_app::contract::sample::{append, confirmed, requested, transaction, verification};
use ccd402_app::ports::log::{EventLog as _, Position, StreamId};
use ccd402_store::sled::{Options, SledLog};

const DIR: &str = "CCD402_STORE_CHILD_DIR";
const FIRST: &str = "CCD402_STORE_CHILD_FIRST";
const APPENDERS: u64 = 64;
/// Numbers that one child may use up.
pub(crate) const NUMBERS: u64 = 1_000_000;

/// An acknowledged append: the event at this version of this verification's stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged {
    pub(crate) position: Position,
    pub(crate) number: u64,
    pub(crate) version: u64,
}

/// The child's part, in a test of that name: does nothing unless a parent asked for it.
pub(crate) fn run_if_asked() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) else { return };
    let first: u64 = first.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = SledLog::open(Options::new(dir)).await.unwrap();
        for appender in 0..APPENDERS {
            tokio::spawn(append_for_ever(log.clone(), first + appender));
        }
        say(&format!("broken: {}", log.broken().await));
    });
}

async fn append_for_ever(log: SledLog, first: u64) {
    for number in (first..).step_by(usize::try_from(APPENDERS).unwrap()) {
        let mut request = append(number, 0, vec![requested(number, number)]);
        request.attachment = Some(vec![7; 2_000]);
        for (version, append) in
            [(1, request), (2, append(number, 1, vec![confirmed(number, number)]))]
        {
            let Ok(position) = log.append(vec![append]).await else { return };
            say(&format!("ack {position} {number} {version}"));
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone wants to hear nothing.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A child that appends, and what it has said.
pub(crate) struct Appending {
    pub(crate) process: Child,
    acknowledged: mpsc::Receiver<Acknowledged>,
}

impl Appending {
    /// Starts a child on a directory with numbers that no child has used.
    pub(crate) fn start(dir: &Path, round: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DIR, dir)
            .env(FIRST, (round * NUMBERS).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, acknowledged) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(one) = parse(&line) {
                    let _ = sender.send(one);
                }
            }
        });
        Self { process, acknowledged }
    }

    /// Waits until so many are acknowledged.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Acknowledged> {
        let all: Vec<_> = self.acknowledged.iter().take(count).collect();
        assert_eq!(all.len(), count, "the child ended before it was told to");
        all
    }

    /// Everything else that was acknowledged before the child died.
    pub(crate) fn rest(mut self) -> Vec<Acknowledged> {
        self.process.wait().unwrap();
        self.acknowledged.iter().collect()
    }
}

fn parse(line: &str) -> Option<Acknowledged> {
    let mut numbers = line.strip_prefix("ack ")?.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Acknowledged { position: next()?, number: next()?, version: next()? })
}

/// Opens what the child left: the chain holds, the indexes agree, nothing acknowledged is missing.
/// Returns where the log ends.
pub(crate) fn check(dir: &Path, all: &[Acknowledged]) -> Position {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let options = Options { rebuild_indexes: true, ..Options::new(dir) };
        let log = SledLog::open(options).await.unwrap();
        assert_ne!(log.opened().indexes_agreed, Some(false), "the indexes agree with the events");
        let chain = log.verify(0).await.unwrap();
        for one in all {
            let stream = StreamId::verification(verification(one.number));
            let events = log.read_stream(&stream, one.version - 1).await.unwrap();
            assert_eq!(events.first().map(|event| event.position), Some(one.position), "{one:?}");
            if one.version == 2 {
                let network = ccd402_app::contract::sample::network();
                let owner = log.claim_owner(&network, transaction(one.number)).await;
                assert_eq!(owner, Ok(Some(verification(one.number))));
            }
        }
        log.close().await;
        chain.position()
    })
}
