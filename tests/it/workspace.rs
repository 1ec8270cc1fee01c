//! The rules of the workspace: who may import whom, why each dependency is there, that no crate
//! allows unsafe code, and that each reason code has its page.
//!
//! It reads manifests and `cargo metadata`; it builds nothing and asks no registry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use ccd402_protocol::code::ReasonCode;
use serde_json::Value;

/// Each crate of ours and the crates of ours that it may import. A new edge is a decision: it is
/// written down in ops/adr first.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("ccd402-protocol", &[]),
    ("ccd402-domain", &["ccd402-protocol"]),
    ("ccd402-app", &["ccd402-protocol", "ccd402-domain"]),
    ("ccd402-store", &["ccd402-protocol", "ccd402-domain", "ccd402-app"]),
    ("ccd402-chain", &["ccd402-protocol", "ccd402-domain", "ccd402-app"]),
    ("ccd402-api", &["ccd402-protocol", "ccd402-domain", "ccd402-app"]),
    ("ccd402-dashboard", &["ccd402-protocol", "ccd402-domain", "ccd402-app"]),
    ("ccd402-workers", &["ccd402-protocol", "ccd402-domain", "ccd402-app"]),
    ("ccd402-webhooks", &["ccd402-domain", "ccd402-app"]),
    ("ccd402-client", &["ccd402-protocol", "ccd402-domain"]),
    // ADR 0004: the gate speaks to the facilitator through the client's trait.
    ("ccd402-gate", &["ccd402-protocol", "ccd402-domain", "ccd402-client"]),
    // ADR 0005: the codec and the wallet file, nothing else.
    ("ccd402-simchain", &["ccd402-chain"]),
];

/// The root package: it puts all of them together and may import each.
const ROOT: &str = "ccd402";

/// Libraries that decide much about a crate, and the crates that may name them.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("concordium-rust-sdk", &["ccd402-chain", "ccd402-simchain"]),
    ("sled", &["ccd402-store"]),
    ("axum", &["ccd402-api", "ccd402-dashboard", "ccd402-gate", ROOT]),
    ("reqwest", &["ccd402-client", "ccd402-webhooks", ROOT]),
    ("apalis", &["ccd402-workers"]),
    ("sqlx", &["ccd402-store", "ccd402-workers"]),
];

/// Edges that only tests have: they may go round the rules above, but not unseen.
const FOR_TESTS: &[(&str, &str)] = &[
    // The contract suite of the event log's port, and its samples.
    ("ccd402-store", "ccd402-app"),
    ("ccd402-api", "ccd402-app"),
    // The simulated chain, for whoever needs a node.
    ("ccd402-chain", "ccd402-simchain"),
    // A log to run use cases, routes and workers on.
    ("ccd402-app", "ccd402-store"),
    ("ccd402-api", "ccd402-store"),
    ("ccd402-workers", "ccd402-store"),
    // A job queue for the routes that show it.
    ("ccd402-api", "ccd402-workers"),
];

/// Shortest and longest page of a reason code, in lines.
const PAGE_LINES: std::ops::RangeInclusive<usize> = 8..=25;

/// Names that a dependency has, ours or not.
type Edges = BTreeMap<String, BTreeSet<String>>;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--no-deps"])
        .current_dir(top())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON")
}

fn packages(metadata: &Value) -> Vec<&Value> {
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    assert!(packages.len() > MAY_IMPORT.len(), "too few packages: {}", packages.len());
    packages.iter().collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is a text"))
}

/// What each package names, for its code (`dev` false: build scripts count too) or for its tests.
fn edges(metadata: &Value, dev: bool) -> Edges {
    let of = |package: &&Value| {
        let dependencies = package["dependencies"].as_array().expect("packages list dependencies");
        let wanted = dependencies.iter().filter(|d| (d["kind"] == "dev") == dev);
        wanted.map(|dependency| text(dependency, "name").to_owned()).collect()
    };
    let packages = packages(metadata);
    packages.iter().map(|package| (text(package, "name").to_owned(), of(package))).collect()
}

fn is_ours(name: &str) -> bool {
    name.starts_with("ccd402")
}

fn may_import(from: &str, to: &str) -> bool {
    from == ROOT || MAY_IMPORT.iter().any(|(name, allowed)| *name == from && allowed.contains(&to))
}

fn manifests(metadata: &Value) -> Vec<(PathBuf, toml::Table)> {
    let read = |package: &&Value| {
        let path = PathBuf::from(text(package, "manifest_path"));
        let manifest = std::fs::read_to_string(&path).expect("the manifest can be read");
        (path, manifest.parse().expect("the manifest is TOML"))
    };
    packages(metadata).iter().map(read).collect()
}

/// Edges of ours that the predicate does not know, as people would draw them.
fn strangers(edges: &Edges, is_known: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let pairs = edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    pairs
        // A crate may name itself: so its tests turn on its own features.
        .filter(|(from, to)| is_ours(to) && from != to && !is_known(from, to))
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect()
}

#[test]
fn crates_import_only_whom_they_may() {
    let edges = edges(&metadata(), false);
    for (name, _) in MAY_IMPORT {
        assert!(edges.contains_key(*name), "{name} is in the table but not in the workspace");
    }
    let unknown: Vec<_> = edges
        .keys()
        .filter(|name| *name != ROOT && MAY_IMPORT.iter().all(|(known, _)| known != name))
        .collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    let refused = strangers(&edges, may_import);
    assert!(refused.is_empty(), "edges that nobody decided on: {refused:#?}");
}

#[test]
fn tests_import_only_what_is_listed() {
    let edges = edges(&metadata(), true);
    let is_listed = |from: &str, to: &str| {
        from == ROOT || may_import(from, to) || FOR_TESTS.contains(&(from, to))
    };
    let refused = strangers(&edges, is_listed);
    assert!(refused.is_empty(), "edges of tests that are not listed: {refused:#?}");
}

#[test]
fn weighty_libraries_are_named_where_they_belong() {
    let edges = edges(&metadata(), false);
    for (library, allowed) in NAMED_BY {
        let names: Vec<_> = edges
            .iter()
            .filter(|(_, all)| all.contains(*library))
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(!names.is_empty(), "nobody names {library} any more: drop its row");
        let refused: Vec<_> = names.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(refused.is_empty(), "{library} is named by {refused:?}");
    }
}

#[test]
fn every_dependency_is_pinned_once_and_has_its_reason() {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let lines: Vec<&str> = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert!(lines.len() > MAY_IMPORT.len(), "[workspace.dependencies] was not found");
    let is_reasoned = |line: &&&str| {
        let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason.trim());
        line.contains("{ path = ") || !reason.is_empty()
    };
    let bare: Vec<_> = lines.iter().filter(|line| !is_reasoned(line)).collect();
    assert!(bare.is_empty(), "dependencies without a reason: {bare:#?}");
    for (path, manifest) in manifests(&metadata()) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section) else { continue };
            for (name, dependency) in table.as_table().expect("a section is a table") {
                if dependency.get("path").and_then(toml::Value::as_str) == Some(".") {
                    continue;
                }
                let is_pinned = dependency.get("workspace").and_then(toml::Value::as_bool);
                let shown = path.display();
                assert_eq!(is_pinned, Some(true), "{name} in {shown}: use `workspace = true`");
            }
        }
    }
}

#[test]
fn no_crate_allows_unsafe_code() {
    let metadata = metadata();
    for (path, manifest) in manifests(&metadata) {
        let inherits = manifest["lints"].get("workspace").and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{} must say [lints] workspace = true", path.display());
        if path == top().join("Cargo.toml") {
            let unsafe_code = &manifest["workspace"]["lints"]["rust"]["unsafe_code"];
            assert_eq!(unsafe_code.as_str(), Some("forbid"));
        }
    }
}

#[test]
fn every_reason_code_has_its_page_and_every_page_its_code() {
    let folder = top().join("ops/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("ops/errors can be listed")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let codes: BTreeSet<String> =
        ReasonCode::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    let missing: Vec<_> = codes.difference(&pages).collect();
    let stray: Vec<_> = pages.difference(&codes).collect();
    assert!(missing.is_empty() && stray.is_empty(), "missing: {missing:?}, stray: {stray:?}");
    for code in ReasonCode::ALL {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap();
        let lines = page.lines().count();
        assert!(PAGE_LINES.contains(&lines), "{code}.md has {lines} lines, not {PAGE_LINES:?}");
        assert!(page.starts_with(&format!("# `{code}`\n")), "{code}.md opens with its code");
        assert!(page.contains(code.title()), "{code}.md says the code's title");
        let again = if code.is_retryable() { "Retryable: yes." } else { "Retryable: no." };
        assert!(page.contains(again), "{code}.md says \"{again}\"");
    }
}
