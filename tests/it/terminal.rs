//! The program in a terminal of its own: what it draws is read back as a screen, keys are pressed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::Command;
use std::time::Duration;

use rexpect::process::PtyProcess;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;
use vt100::Parser;

/// Longest that a screen may take to show something, also where two cores are shared by many.
const PATIENCE: Duration = Duration::from_secs(120);
/// A terminal as people have it.
const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();
/// The file with the number of the program's process.
const NUMBER: &str = "number";

/// What a terminal shows by now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) text: String,
    /// Whether a program has the whole screen for itself, as editors do.
    pub(crate) is_taken: bool,
    pub(crate) is_cursor_hidden: bool,
}

/// A shell in a terminal that runs one command and says how the terminal was left.
pub(crate) struct Terminal {
    /// Killed when it is dropped.
    _process: PtyProcess,
    keys: File,
    screen: watch::Receiver<Screen>,
    dir: TempDir,
}

impl Terminal {
    /// Runs the program. At its end the shell says its code, and whether the modes of the terminal
    /// are what they were.
    pub(crate) fn run(args: &[&str]) -> Self {
        // The inner shell becomes the program, so that the number it leaves is the program's.
        let script = "stty rows $1 cols $2; number=$3; shift 3; before=$(stty -g); \
                      sh -c 'echo $$ >\"$0\"; exec \"$@\"' \"$number\" \"$@\"; code=$?; \
                      [ \"$before\" = \"$(stty -g)\" ] && left=restored || left=changed; \
                      echo \"ended with $code, modes $left\"; read wait";
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CCD402_")) {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color").args(["-c", script, "sh"]);
        command.args([ROWS.to_string(), COLUMNS.to_string()]);
        command.arg(dir.path().join(NUMBER)).arg(env!("CARGO_BIN_EXE_ccd402")).args(args);
        let process = PtyProcess::new(command).unwrap();
        let (mut output, keys) = (process.get_file_handle().unwrap(), process.get_file_handle());
        let (into, screen) = watch::channel(Screen::default());
        std::thread::spawn(move || {
            let mut parser = Parser::new(ROWS, COLUMNS, 0);
            let mut bytes = [0; 4096];
            // At its end a terminal says nothing, or that there is none.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                parser.process(&bytes[..count]);
                let shown = parser.screen();
                into.send_replace(Screen {
                    text: shown.contents(),
                    is_taken: shown.alternate_screen(),
                    is_cursor_hidden: shown.hide_cursor(),
                });
            }
        });
        Self { _process: process, keys: keys.unwrap(), screen, dir }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// The screen once it is as it should be.
    pub(crate) async fn shows(&mut self, is_it: impl Fn(&Screen) -> bool) -> Screen {
        let shown = timeout(PATIENCE, self.screen.wait_for(|screen| is_it(screen))).await;
        let shown = shown.map(|shown| shown.map(|screen| screen.clone()));
        let Ok(Ok(screen)) = shown else {
            panic!("it never shows that, but:\n{}", self.screen.borrow().text)
        };
        screen
    }

    /// The screen once it holds a text.
    pub(crate) async fn says(&mut self, text: &str) -> Screen {
        self.shows(|screen| screen.text.contains(text)).await
    }

    /// Sends the program a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let number = std::fs::read_to_string(self.dir.path().join(NUMBER)).unwrap();
        let sent = Command::new("kill").args([&format!("-{name}"), number.trim()]).status();
        assert!(sent.unwrap().success());
    }
}
