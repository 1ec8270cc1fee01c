//! A machine that loses power at a random moment loses nothing that was acknowledged.
//!
//! ext4 on a loop device is shut down in the middle of writes (`EXT4_IOC_SHUTDOWN`, without
//! flushing its journal): whatever was not made durable is gone. Needs root, loop devices,
//! mkfs.ext4 and python3 (for the ioctl); says so and does nothing where one is missing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};
use std::process::Command;

mod child;

use child::{Appending, check};

const ROUNDS: u64 = 20;
/// A log lives through some rounds, then a new one begins: losing power early is tried, too.
const ROUNDS_PER_LOG: u64 = 4;
/// The moment of the loss, counted in acknowledged appends.
const ACKNOWLEDGED_MAX: u64 = 1_000;
const IMAGE_BYTES: u64 = 1024 * 1024 * 1024;
/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`.
const SHUTDOWN: &str = "import fcntl, os, struct, sys; \
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

#[test]
fn child() {
    child::run_if_asked();
}

#[test]
fn nothing_acknowledged_is_lost_by_power_loss() {
    let dir = tempfile::tempdir().unwrap();
    let disk = match Disk::new(dir.path()) {
        Ok(disk) => disk,
        Err(reason) => {
            println!("SKIPPED, power loss was not tried: {reason}");
            return;
        }
    };
    let (mut log, mut all) = (PathBuf::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % ROUNDS_PER_LOG == 0 {
            log = disk.mount_point.join(format!("log-{round}"));
            all.clear();
        }
        let moment = RandomState::new().hash_one(round) % ACKNOWLEDGED_MAX + 1;
        disk.mount().unwrap();
        let child = Appending::start(&log, round);
        all.extend(child.wait_for(usize::try_from(moment).unwrap()));
        run("python3", &["-c", SHUTDOWN, text(&disk.mount_point)]).unwrap();
        // The child finds that it cannot write any more, and ends by itself.
        all.extend(child.rest());
        disk.unmount().unwrap();

        disk.mount().unwrap();
        let end = check(&log, &all);
        println!("round {round}: {} acknowledged, the log ends at {end}", all.len());
        assert!(end >= all.len() as u64);
        disk.unmount().unwrap();
    }
}

/// A file system in a file.
struct Disk {
    image: PathBuf,
    mount_point: PathBuf,
}

impl Disk {
    /// Makes one, or says why that is impossible here.
    fn new(dir: &Path) -> Result<Self, String> {
        let disk = Self { image: dir.join("disk.img"), mount_point: dir.join("disk") };
        std::fs::create_dir(&disk.mount_point).map_err(|e| e.to_string())?;
        let image = File::create(&disk.image).map_err(|e| e.to_string())?;
        image.set_len(IMAGE_BYTES).map_err(|e| e.to_string())?;
        run("mkfs.ext4", &["-q", "-F", text(&disk.image)])?;
        run("python3", &["-c", "import fcntl"])?;
        disk.mount()?;
        disk.unmount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", text(&self.image), text(&self.mount_point)])
    }

    fn unmount(&self) -> Result<(), String> {
        run("umount", &[text(&self.mount_point)])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // After a failed assertion it may still be mounted.
        let _ = self.unmount();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program} failed: {said}")) }
}
