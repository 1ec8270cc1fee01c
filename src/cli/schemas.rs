//! `ccd402 schemas`: writes the JSON Schemas of events and configuration, and the OpenAPI document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use ccd402_domain::event::Event;
use ccd402_store::newest_version;
use clap::Args as ClapArgs;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use crate::config::{gate, serve};
use crate::output::Output;

/// Write the JSON Schemas of events and configuration files, and the OpenAPI document of the API.
///
/// They are those of this version: events/TYPE.vN.json is the `data` of one type of event,
/// config.json is both configuration files, openapi.json is what a server shows at /docs.
///
/// Example: ccd402 schemas --out schemas
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Directory to write to; made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Where a file cannot be written.
#[expect(clippy::needless_pass_by_value, reason = "the shape of every command")]
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let documents = documents();
    for (name, document) in &documents {
        write(&args.out.join(name), document)?;
    }
    let (out, count) = (args.out.display().to_string(), documents.len());
    Output::from_flag(args.json).print(
        &format!("{count} schemas in {out}"),
        &json!({ "event": "written", "dir": out, "files": count }),
    );
    Ok(ExitCode::SUCCESS)
}

/// Every document by its path.
fn documents() -> Vec<(String, Value)> {
    let events = Event::schemas().into_iter().map(|(name, schema)| {
        (format!("events/{name}.v{}.json", newest_version(name)), schema.to_value())
    });
    let mut schemas = SchemaGenerator::default();
    let serve = schemas.subschema_for::<serve::Settings>();
    let gate = schemas.subschema_for::<gate::Settings>();
    let config = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration files of ccd402: that of `serve`, and that of `gate`",
        "anyOf": [serve, gate],
        "$defs": schemas.take_definitions(true),
    });
    let api = ccd402_api::openapi::document();
    events.chain([("config.json".to_owned(), config), ("openapi.json".to_owned(), api)]).collect()
}

fn write(path: &Path, document: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document).expect("JSON can be written");
    let dir = path.parent().expect("a file in a directory");
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
