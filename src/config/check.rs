//! What a configuration file says, what is wrong with it, and the settings that follow from it.
//!
//! Keys, variables and defaults are asked of the settings' own types, so that nothing is said twice.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{Arg, Args, Command, FromArgMatches as _, ValueEnum};
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;

use crate::config::{gate, serve};

/// What a secret is shown as.
const HIDDEN: &str = "(hidden)";
/// Changes after which a word is no misspelling of another any more.
const DISTANCE_MAX: usize = 3;

/// Whose configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Of the facilitator.
    Serve,
    /// Of the gate.
    Gate,
}

/// A file that was looked at.
#[derive(Debug)]
pub struct Report {
    /// Whose it is.
    pub of: Kind,
    /// What is wrong, with its place.
    pub problems: Vec<String>,
    /// What follows from file and variables.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its key in the file.
    pub key: String,
    /// Its value, as people write it.
    pub value: String,
    /// Where that comes from.
    pub source: String,
}

impl Kind {
    /// The command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Gate => "gate",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Serve => serve::Settings::augment_args(Command::new("serve")),
            Self::Gate => gate::Settings::augment_args(Command::new("gate")),
        }
    }

    fn keys(self) -> BTreeSet<String> {
        match self {
            Self::Serve => keys_of::<serve::Settings>(),
            Self::Gate => keys_of::<gate::Settings>(),
        }
    }

    /// Whether text and variables make sense together.
    fn judge(self, text: &str) -> anyhow::Result<()> {
        let matches = self.command().try_get_matches_from([self.name()])?;
        match self {
            Self::Serve => {
                let settings = serve::Settings::from_arg_matches(&matches)?;
                settings.or(toml::from_str(text)?).options()?;
            }
            Self::Gate => {
                let settings = gate::Settings::from_arg_matches(&matches)?;
                settings.or(toml::from_str(text)?).plan(gate::Decimals::AsWritten)?;
            }
        }
        Ok(())
    }

    /// The kind that knows more of a file's keys.
    fn guess(file: &toml::Table) -> Self {
        let known = |kind: Self| {
            let keys = kind.keys();
            file.keys().filter(|key| keys.contains(*key)).count()
        };
        if known(Self::Gate) > known(Self::Serve) { Self::Gate } else { Self::Serve }
    }
}

/// Looks at a file.
///
/// # Errors
/// Where it cannot be read.
pub fn check(path: &Path, of: Option<Kind>) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let file: toml::Table = match text.parse() {
        Ok(file) => file,
        Err(error) => {
            let of = of.unwrap_or(Kind::Serve);
            return Ok(Report { of, problems: vec![error.to_string()], settings: Vec::new() });
        }
    };
    let of = of.unwrap_or_else(|| Kind::guess(&file));
    let mut problems = unknown(of, &file, &text);
    if problems.is_empty() {
        problems.extend(of.judge(&text).err().map(|error| format!("{error:#}")));
    }
    Ok(Report { of, problems, settings: settings(of, &file) })
}

fn keys_of<T: JsonSchema>() -> BTreeSet<String> {
    properties(schema_for!(T).as_value())
}

fn properties(schema: &Value) -> BTreeSet<String> {
    let properties = schema["properties"].as_object();
    properties.map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

fn unknown(of: Kind, file: &toml::Table, text: &str) -> Vec<String> {
    let known = of.keys();
    let mut problems: Vec<_> =
        file.keys().filter(|key| !known.contains(*key)).map(|key| misspelt(key, &known)).collect();
    let routes = file.get("route").and_then(toml::Value::as_array).filter(|_| of == Kind::Gate);
    let known = properties(&schema_for!(gate::Settings).as_value()["$defs"]["RouteTable"]);
    for route in routes.into_iter().flatten().filter_map(toml::Value::as_table) {
        let strange = route.keys().filter(|key| !known.contains(*key));
        problems.extend(strange.map(|key| misspelt(key, &known)));
    }
    for problem in &mut problems {
        let key = problem.split('`').nth(1).unwrap_or_default();
        let is_there = |line: &str| {
            let rest = line.trim_start().strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
        };
        if let Some(line) = text.lines().position(is_there) {
            problem.insert_str(0, &format!("line {}: ", line + 1));
        }
    }
    problems
}

fn misspelt(key: &str, known: &BTreeSet<String>) -> String {
    let nearest = known.iter().map(|known| (distance(key, known), known)).min();
    match nearest {
        Some((changes, nearest)) if changes <= DISTANCE_MAX => {
            format!("`{key}` is not known; `{nearest}` is")
        }
        _ => format!("`{key}` is not known"),
    }
}

/// Letters that must be put in, taken away or changed to get from one word to another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

fn settings(of: Kind, file: &toml::Table) -> Vec<Setting> {
    let command = of.command();
    let matches = command.clone().try_get_matches_from([of.name()]).ok();
    let setting = |arg: &Arg| {
        let key = arg.get_id().as_str();
        let from_env = matches
            .as_ref()
            .filter(|matches| matches.value_source(key) == Some(ValueSource::EnvVariable))
            .and_then(|matches| matches.get_raw(key));
        let (value, source) = match (from_env, file.get(key)) {
            (Some(values), _) => {
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                let name = arg.get_env().unwrap_or_default().to_string_lossy();
                (values.join(","), format!("variable {name}"))
            }
            (None, Some(value)) => (value.to_string(), "file".to_owned()),
            (None, None) => (default_of(arg), "default".to_owned()),
        };
        let is_secret = arg.is_hide_env_values_set() && source != "default";
        let value = if is_secret { HIDDEN.to_owned() } else { value };
        Setting { key: key.to_owned(), value, source }
    };
    command.get_arguments().map(setting).collect()
}

/// As the help says it.
fn default_of(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let default = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
    default.map_or_else(|| "none".to_owned(), |(default, _)| default.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        check(file.path(), None).unwrap()
    }

    #[test]
    fn unknown_keys_are_told_with_the_nearest_known_one_and_their_line() {
        let report = report("# mine\ndata_dir = \"d\"\npublic_ulr = \"https://a.example\"\n");
        assert_eq!(report.of, Kind::Serve);
        assert_eq!(report.problems, ["line 3: `public_ulr` is not known; `public_url` is"]);
    }

    #[test]
    fn keys_of_route_tables_are_looked_at_too() {
        let text =
            "upstream = \"http://127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nprise = \"1 CCD\"\n";
        let report = report(text);
        assert_eq!(report.of, Kind::Gate);
        assert_eq!(report.problems, ["line 4: `prise` is not known; `price` is"]);
    }

    #[test]
    fn bad_values_are_told_with_their_place() {
        for (text, said) in [
            ("wait = 30\n", "line 1"),
            ("listen = \"here\"\n", "line 1"),
            ("wait = \"30 days\"\n", "wait must be"),
            ("wait = \n", "line 1"),
        ] {
            let report = report(text);
            assert!(report.problems[0].contains(said), "{text}: {:?}", report.problems);
        }
    }

    #[test]
    fn settings_say_where_they_come_from_and_no_secret() {
        let report = report("upstream = \"http://127.0.0.1:1\"\nfacilitator_key = \"secret-1\"\n");
        let of = |key: &str| report.settings.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!((&*of("upstream").source, &*of("listen").source), ("file", "default"));
        assert_eq!(of("listen").value, "127.0.0.1:4402");
        assert_eq!(of("facilitator_key").value, HIDDEN);
        assert!(!format!("{report:?}").contains("secret-1"));
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!((distance("wait", "wait"), distance("wiat", "wait")), (0, 2));
        assert_eq!((distance("", "ab"), distance("nodes", "node")), (2, 1));
    }
}
