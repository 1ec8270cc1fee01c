//! Embeds the pages of the error codes, `ops/errors/<code>.md`, so that the server can show them.
//!
//! Which codes must have a page is checked elsewhere; here is embedded what there is.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

const PAGES: &str = "../../ops/errors";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PAGES}");
    let mut paths = Vec::new();
    if Path::new(PAGES).is_dir() {
        for entry in fs::read_dir(PAGES)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut table = String::from("&[");
    for path in &paths {
        let code = path.file_stem().unwrap_or_default().to_string_lossy();
        // The text, not its path: what was built does not need the checkout that it was built from.
        let text = fs::read_to_string(path)?;
        write!(table, "({code:?}, {text:?}),").map_err(io::Error::other)?;
    }
    table.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("pages.rs"), table)
}
