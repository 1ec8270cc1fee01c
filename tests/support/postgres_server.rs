//! A PostgreSQL server of one test process: on a free port of the loopback, with a directory of its
//! own, stopped at the end, and a database for each test. Nothing is synced to disk (fsync = off):
//! killing it loses nothing, losing power would.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// Who the server runs as where the tests run as root, as which it refuses to.
const USER: &str = "postgres";
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
max_connections = 300
log_min_messages = panic
";

/// A PostgreSQL server.
pub(crate) struct PostgresServer {
    port: u16,
    dir: TempDir,
    databases: AtomicU32,
    running: Mutex<Option<Running>>,
}

/// The server's process, and the thread that waits for it: it dies with that one, even where the
/// tests are killed.
struct Running {
    id: u32,
    waiting: JoinHandle<()>,
}

impl PostgresServer {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        if is_root() {
            let id = |flag| run_for_text(Command::new("id").args([flag, USER])).parse().unwrap();
            chown(dir.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        let server = Self {
            port: free_port(),
            dir,
            databases: AtomicU32::new(0),
            running: Mutex::new(None),
        };
        let mut initdb = server.command("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--username", USER, "--pgdata"]).arg(server.data());
        run_for_text(&mut initdb);
        let settings = OpenOptions::new().append(true).open(server.data().join("postgresql.conf"));
        settings.unwrap().write_all(SETTINGS.as_bytes()).unwrap();
        server.restart();
        server
    }

    /// The one that the tests of this process share, as long as one of them holds it.
    #[allow(dead_code, reason = "a test that stops it starts its own")]
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// The URL of a new, empty database.
    pub(crate) fn create_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut createdb = self.command("createdb");
        createdb.args(["--host=127.0.0.1", "--username", USER, "--port", &self.port.to_string()]);
        run_for_text(createdb.arg(&name));
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Kills it at once: what is not committed is lost, and connections break.
    pub(crate) fn kill(&self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            self.signal_to(running.id, "QUIT");
            running.waiting.join().unwrap();
        }
    }

    /// Starts it again under the same address, with everything that was committed.
    pub(crate) fn restart(&self) {
        self.kill();
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (started, starting) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let mut child = postgres.spawn().expect("setpriv is a part of util-linux");
            started.send(child.id()).unwrap();
            child.wait().unwrap();
        });
        let id = starting.recv().unwrap();
        *self.running.lock().unwrap() = Some(Running { id, waiting });
        let port = self.port.to_string();
        let begun = Instant::now();
        let is_ready = || {
            let mut ask = self.command("pg_isready");
            ask.args(["--quiet", "--host=127.0.0.1", "--port", &port]).status().unwrap().success()
        };
        while !is_ready() {
            assert!(begun.elapsed() < START_MAX, "PostgreSQL did not start");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal_to(&self, id: u32, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A program of PostgreSQL's, as a user who may run the server, that does not outlive us.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=QUIT").current_dir("/");
        if is_root() {
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
        }
        command.arg(binaries().join(program));
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian keeps them out of the path, by version.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(version);
    newest.expect("PostgreSQL is installed (Debian: apt-get install postgresql)").join("bin")
}

fn is_root() -> bool {
    run_for_text(Command::new("id").arg("-u")) == "0"
}

fn run_for_text(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
