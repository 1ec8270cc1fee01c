//! The program itself, run as people run it: servers until they are told to stop, tools to the end.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longest that a command may take, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(120);

/// A child that runs. It is killed when it is dropped; what it logged is shown where a test fails.
pub(crate) struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    log: watch::Receiver<String>,
    args: String,
}

/// What a tool came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts the program.
    pub(crate) fn spawn(args: &[&str]) -> Self {
        Self::spawn_with(args, &[])
    }

    /// Starts it with these variables.
    pub(crate) fn spawn_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(args);
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let (into, log) = watch::channel(String::new());
        tokio::spawn(collect(child.stderr.take().unwrap(), into));
        Self { child, stdout, log, args: args.join(" ") }
    }

    /// Starts a server with `--json` and reads the line that says it is ready.
    pub(crate) async fn serve(args: &[&str]) -> (Self, Value) {
        Self::serve_with(args, &[]).await
    }

    /// The same, with these variables.
    pub(crate) async fn serve_with(args: &[&str], variables: &[(&str, &str)]) -> (Self, Value) {
        let mut process = Self::spawn_with(&[args, &["--json"]].concat(), variables);
        let ready = process.line().await;
        assert_eq!(ready["event"], "ready", "{}: {ready}", process.args);
        (process, ready)
    }

    /// The next line of stdout, which is JSON.
    pub(crate) async fn line(&mut self) -> Value {
        let line = timeout(PATIENCE, self.stdout.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{} says nothing", self.args)).unwrap();
        let line = line.unwrap_or_else(|| panic!("{} ended: {}", self.args, self.logged()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Until a line of stderr begins so.
    pub(crate) async fn says(&mut self, begins: &str) {
        let is_said = |log: &String| log.lines().any(|line| line.starts_with(begins));
        let said = timeout(PATIENCE, self.log.wait_for(is_said)).await;
        let said = said.map(|said| said.is_ok());
        assert_eq!(said, Ok(true), "{} never says {begins:?}: {}", self.args, self.logged());
    }

    /// Until it has logged this.
    pub(crate) async fn logs(&mut self, what: &str) {
        let logged = timeout(PATIENCE, self.log.wait_for(|log| log.contains(what))).await;
        let logged = logged.map(|logged| logged.is_ok());
        assert_eq!(logged, Ok(true), "{} never logs {what:?}: {}", self.args, self.logged());
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it a signal by its name, such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let (name, id) = (format!("-{name}"), self.id().to_string());
        assert!(std::process::Command::new("kill").args([name, id]).status().unwrap().success());
    }

    /// SIGKILL, at once.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; waits for the end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("{} does not stop", self.args)).unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn logged(&self) -> String {
        self.log.borrow().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.args, self.logged());
        }
    }
}

/// Runs a tool to its end.
pub(crate) async fn run(args: &[&str]) -> Ended {
    let output = timeout(PATIENCE, command(args).stdout(Stdio::piped()).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{} does not end", args.join(" "))).unwrap();
    Ended {
        code: output.status.code().expect("nobody killed it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// The program with nothing set in its environment that changes what it does.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccd402"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CCD402_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn collect(from: impl AsyncRead + Unpin, into: watch::Sender<String>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        into.send_modify(|log| {
            log.push_str(&line);
            log.push('\n');
        });
    }
}

impl Ended {
    /// The lines of stdout as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        self.stdout.lines().map(read).collect()
    }
}
