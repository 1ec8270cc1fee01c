//! Settings of `ccd402 gate`: what is for sale, where, and who decides about payments.
//!
//! One thing for sale can be said with flags alone; several are `[[route]]` tables of the file, for
//! which the settings outside are defaults. Nothing is opened or asked here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ccd402_domain::account::AccountAddress;
use ccd402_gate::gate::{PublicUrl, SETTLE_TIMEOUT_DEFAULT, VERIFY_TIMEOUT_DEFAULT};
use ccd402_gate::proxy;
use ccd402_gate::routes::Routes;
use ccd402_protocol::network::NetworkId;
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::span::Span;

mod prices;
mod terms;

pub use prices::Decimals;
use terms::Terms;

/// Where the gate listens when nothing is said.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:4402";
/// Which facilitator it asks when nothing is said.
pub const FACILITATOR_DEFAULT: &str = "http://127.0.0.1:4020";
/// Where its secret is kept when nothing is said.
pub const SECRET_FILE_DEFAULT: &str = "ccd402-data/gate.secret";
/// What costs something when nothing is said: everything.
const PATH_DEFAULT: &str = "/*";
/// Longest time that anything may be waited for.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// Settings, each as a flag, a variable, or a key of the file by the flag's name with underscores.
#[derive(Debug, Clone, Default, Args, Deserialize, JsonSchema)]
#[schemars(rename = "GateSettings")]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:4402]
    #[arg(long, env = "CCD402_GATE_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Server to protect: http:// or https://, host and port, no path
    #[arg(long, env = "CCD402_GATE_UPSTREAM", value_name = "URL")]
    pub upstream: Option<String>,
    /// Facilitator that verifies the payments [default: http://127.0.0.1:4020]
    #[arg(long, env = "CCD402_GATE_FACILITATOR", value_name = "URL")]
    pub facilitator: Option<String>,
    /// Key that the facilitator asks for, if it does
    #[arg(long, env = "CCD402_GATE_FACILITATOR_KEY", value_name = "KEY", hide_env_values = true)]
    pub facilitator_key: Option<String>,
    /// Network of payments: concordium, concordium-testnet or ccd:… [default: the facilitator's]
    #[arg(long, env = "CCD402_GATE_NETWORK", value_name = "ID")]
    pub network: Option<NetworkId>,
    /// URL by which the world reaches this gate; say it behind TLS [default: http:// and Host]
    #[arg(long, env = "CCD402_GATE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// File of the secret that seals offers; made if it is missing. Replicas share one file, and a
    /// new secret voids offers that were made before [default: ccd402-data/gate.secret]
    #[arg(long, env = "CCD402_GATE_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Paths that cost something: exact (/report), or all that begin so (/articles/*) [default: /*]
    #[arg(long, env = "CCD402_GATE_PATH", value_name = "PATTERN")]
    pub path: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    terms: Terms,
    /// Account of the facilitator's that pays the fees of sponsored payments [default: the one that
    /// the facilitator names; without one nothing sponsored is offered]
    #[arg(long, env = "CCD402_GATE_FEE_PAYER", value_name = "ADDRESS")]
    pub fee_payer: Option<AccountAddress>,
    /// How long verifying a payment may take [default: 45s]
    #[arg(long, env = "CCD402_GATE_VERIFY_TIMEOUT", value_name = "TIME")]
    pub verify_timeout: Option<Span>,
    /// How long settling a payment may take, repeats included [default: 45s]
    #[arg(long, env = "CCD402_GATE_SETTLE_TIMEOUT", value_name = "TIME")]
    pub settle_timeout: Option<Span>,
    /// How long connecting to the upstream may take [default: 5s]
    #[arg(long, env = "CCD402_GATE_CONNECT_TIMEOUT", value_name = "TIME")]
    pub connect_timeout: Option<Span>,
    /// How long the upstream may take until its response begins [default: 60s]
    #[arg(long, env = "CCD402_GATE_RESPONSE_TIMEOUT", value_name = "TIME")]
    pub response_timeout: Option<Span>,
    /// Most requests in progress; one more is answered 503 [default: 1024]
    #[arg(long, env = "CCD402_GATE_REQUESTS_MAX", value_name = "N")]
    pub requests_max: Option<usize>,
    /// Several things for sale, tried in this order.
    #[arg(skip)]
    #[serde(default, rename = "route")]
    routes: Vec<RouteTable>,
    #[arg(skip)]
    #[serde(flatten)]
    #[schemars(skip)]
    unknown: BTreeMap<String, toml::Value>,
}

/// A `[[route]]` table; what it leaves out is taken from the settings outside.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct RouteTable {
    path: String,
    #[serde(flatten)]
    terms: Terms,
    #[serde(flatten)]
    #[schemars(skip)]
    unknown: BTreeMap<String, toml::Value>,
}

/// A gate as it is to be started.
#[derive(Debug)]
pub struct Plan {
    /// Address of the gate.
    pub listen: SocketAddr,
    /// The server behind, and how long it may take.
    pub proxy: proxy::Options,
    /// The network, where it is not to be asked for.
    pub network: Option<NetworkId>,
    /// How the world names the gate.
    pub public_url: Option<PublicUrl>,
    /// Where the secret is kept.
    pub secret_file: PathBuf,
    /// What is for sale.
    pub routes: Routes,
    /// Who pays fees, where the facilitator is not to be asked.
    pub fee_payer: Option<AccountAddress>,
    /// How long `/verify` may take.
    pub verify_timeout: Duration,
    /// How long `/settle` may take.
    pub settle_timeout: Duration,
}

impl Settings {
    /// These settings, and for those that are missing the other ones.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            upstream: self.upstream.or(other.upstream),
            facilitator: self.facilitator.or(other.facilitator),
            facilitator_key: self.facilitator_key.or(other.facilitator_key),
            network: self.network.or(other.network),
            public_url: self.public_url.or(other.public_url),
            secret_file: self.secret_file.or(other.secret_file),
            path: self.path.or(other.path),
            terms: self.terms.or(other.terms),
            fee_payer: self.fee_payer.or(other.fee_payer),
            verify_timeout: self.verify_timeout.or(other.verify_timeout),
            settle_timeout: self.settle_timeout.or(other.settle_timeout),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            response_timeout: self.response_timeout.or(other.response_timeout),
            requests_max: self.requests_max.or(other.requests_max),
            routes: if self.routes.is_empty() { other.routes } else { self.routes },
            unknown: self.unknown.into_iter().chain(other.unknown).collect(),
        }
    }

    /// URL of the facilitator.
    #[must_use]
    pub fn facilitator(&self) -> &str {
        self.facilitator.as_deref().unwrap_or(FACILITATOR_DEFAULT)
    }

    /// The tokens that prices are in, outside and in each route.
    #[must_use]
    pub fn tokens(&self) -> BTreeSet<String> {
        let terms = self.routes.iter().map(|table| &table.terms).chain([&self.terms]);
        terms.flat_map(Terms::tokens).collect()
    }

    /// The gate that these settings describe.
    ///
    /// # Errors
    /// Where a setting is unknown, missing or makes no sense; the message says what to change.
    pub fn plan(self, decimals: Decimals<'_>) -> anyhow::Result<Plan> {
        known("the configuration", &self.unknown)?;
        let upstream = self.upstream.as_deref();
        let upstream = upstream.context("say with --upstream which server to protect")?;
        let mut proxy = proxy::Options::new(upstream.parse()?);
        set_time("connect_timeout", self.connect_timeout, &mut proxy.connect_timeout)?;
        set_time("response_timeout", self.response_timeout, &mut proxy.response_timeout)?;
        if let Some(requests_max) = self.requests_max {
            ensure!((1..=1_000_000).contains(&requests_max), "requests_max must be 1 to 1000000");
            proxy.requests_max = requests_max;
            proxy.connections_max = proxy.connections_max.max(requests_max);
        }
        let (mut verify_timeout, mut settle_timeout) =
            (VERIFY_TIMEOUT_DEFAULT, SETTLE_TIMEOUT_DEFAULT);
        set_time("verify_timeout", self.verify_timeout, &mut verify_timeout)?;
        set_time("settle_timeout", self.settle_timeout, &mut settle_timeout)?;
        let public_url = self.public_url.map(|url| url.parse()).transpose()?;
        let routes = routes(self.path.as_deref(), &self.terms, self.routes, decimals)?;
        ensure!(
            public_url.is_some() || !routes.are_discoverable(),
            "say with --public-url where strangers find what is discoverable"
        );
        let listen = LISTEN_DEFAULT.parse().expect("the default is an address");
        Ok(Plan {
            listen: self.listen.unwrap_or(listen),
            proxy,
            network: self.network,
            public_url,
            secret_file: self.secret_file.unwrap_or_else(|| SECRET_FILE_DEFAULT.into()),
            routes,
            fee_payer: self.fee_payer,
            verify_timeout,
            settle_timeout,
        })
    }
}

fn routes(
    path: Option<&str>,
    terms: &Terms,
    tables: Vec<RouteTable>,
    decimals: Decimals<'_>,
) -> anyhow::Result<Routes> {
    if tables.is_empty() {
        let route = terms.clone().route(path.unwrap_or(PATH_DEFAULT), decimals)?;
        return Ok(Routes::new(vec![route])?);
    }
    ensure!(path.is_none(), "say what is for sale either with `path` or with [[route]] tables");
    let mut routes = Vec::with_capacity(tables.len());
    for table in tables {
        let name = format!("the route {}", table.path);
        known(&name, &table.unknown)?;
        let terms = table.terms.or(terms.clone());
        routes.push(terms.route(&table.path, decimals).context(name)?);
    }
    Ok(Routes::new(routes)?)
}

fn known(place: &str, unknown: &BTreeMap<String, toml::Value>) -> anyhow::Result<()> {
    match unknown.keys().next() {
        Some(key) => bail!("{place} has a key that is not known: `{key}`"),
        None => Ok(()),
    }
}

fn set_time(name: &str, value: Option<Span>, time: &mut Duration) -> anyhow::Result<()> {
    if let Some(value) = value {
        *time = value.within(name, Duration::from_millis(10), WAIT_MAX)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    fn nothing_known() -> BTreeMap<String, u8> {
        BTreeMap::new()
    }

    fn planned(text: &str) -> Plan {
        read(text).plan(Decimals::Known(&nothing_known())).unwrap()
    }

    fn base() -> String {
        let pay_to = AccountAddress::from_bytes([7; 32]);
        format!("upstream = \"http://127.0.0.1:8000\"\npay_to = \"{pay_to}\"\nprice = \"1 CCD\"\n")
    }

    fn refusal(text: &str) -> String {
        match toml::from_str::<Settings>(text) {
            Ok(settings) => {
                format!("{:#}", settings.plan(Decimals::Known(&nothing_known())).unwrap_err())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn three_settings_are_enough() {
        let plan = planned(&base());
        assert_eq!(plan.listen.to_string(), LISTEN_DEFAULT);
        assert_eq!(read(&base()).facilitator(), FACILITATOR_DEFAULT);
        let shown = format!("{:?}", plan.routes);
        assert!(shown.contains("\"/*\"") && shown.contains("Amount(1000000)"), "{shown}");
    }

    #[test]
    fn only_what_has_a_public_url_is_discoverable() {
        let routes = "[[route]]\npath = \"/a\"\n[[route]]\npath = \"/b\"\ndiscoverable = false\n";
        let text = format!("{}discoverable = true\n", base());
        assert!(refusal(&format!("{text}{routes}")).contains("--public-url"));
        let text = format!("{text}public_url = \"https://shop.example\"\n{routes}");
        let shown = format!("{:?}", planned(&text).routes);
        let (first, second) = shown.split_at(shown.find("\"/b\"").unwrap());
        assert!(first.contains("discoverable: true"), "{first}");
        assert!(second.contains("discoverable: false"), "{second}");
        assert!(!planned(&base()).routes.are_discoverable());
    }

    #[test]
    fn routes_take_what_they_leave_out_from_outside() {
        let text = base()
            + "min_age = 18\n[[route]]\npath = \"/a\"\n[[route]]\npath = \"/b\"\nmin_age = 0\n\
               price = \"2 EURR\"\ndecimals = 2\nchallenge_life = \"1m\"\n";
        let shown = format!("{:?}", planned(&text).routes);
        let (first, second) = shown.split_at(shown.find("\"/b\"").unwrap());
        assert!(first.contains("min_age: Some(18)") && first.contains("Amount(1000000)"));
        assert!(second.contains("min_age: None") && second.contains("Amount(200)"), "{second}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let rows = [
            ("mim_age = 18\n", "`mim_age`"),
            ("[[route]]\npath = \"/a\"\nprize = \"1 CCD\"\n", "`prize`"),
            ("path = \"/a\"\n[[route]]\npath = \"/b\"\n", "[[route]]"),
            ("[[route]]\npath = \"/a/../b\"\n", "/a/../b"),
            ("[[route]]\npath = \"/a\"\nprice = \"2 EURR\"\n", "decimals"),
            ("[[route]]\npath = \"/a\"\nprice = [\"2 CCD\", \"2 EURR\"]\n", "decimals"),
            ("[[route]]\npath = \"/a\"\nprice = []\n", "0 prices"),
            ("ways = [\"cash\"]\n", "sponsored"),
            ("ways = \"sponsored\"\nmin_age = 18\n", "identity proof"),
            ("flow = \"later\"\n", "upfront"),
            ("fee_payer = \"nobody\"\n", "fee_payer"),
            ("[[route]]\npath = \"/a\"\nmethods = [\"get\"]\n", "capital"),
            ("residence_in = [\"Denmark\"]\n", "Denmark"),
            ("issuers = [0]\n", "nothing must be proven"),
            ("challenge_life = \"25h\"\n", "24 h"),
            ("connect_timeout = \"0s\"\n", "connect_timeout"),
            ("public_url = \"shop.example\"\n", "shop.example"),
        ];
        for (more, said) in rows {
            let refusal = refusal(&(base() + more));
            assert!(refusal.contains(said), "{more}: {refusal}");
        }
        assert!(refusal("price = \"1 CCD\"\n").contains("--upstream"));
        assert!(refusal("upstream = \"http://x\"\n").contains("--price"));
    }

    #[test]
    fn prices_may_be_several_each_in_units_of_people() {
        let text = base()
            + "[[route]]\npath = \"/a\"\nprice = [\"1.5 CCD\", \"0.05 EURR\", \"3 USDR\"]\n\
               decimals = [6, 2]\nways = \"hash\"\nflow = \"upfront\"\n";
        let shown = format!("{:?}", planned(&text).routes);
        for said in ["Amount(1500000)", "Amount(50000)", "Amount(300)", "[Hash]", "Upfront"] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        let refused = refusal(&text.replace("[6, 2]", "[6, 2, 2]"));
        assert!(refused.contains("3 numbers for 2 tokens"), "{refused}");
    }

    #[test]
    fn what_was_said_first_counts() {
        let flags = read("price = \"2 CCD\"\n");
        let settings = flags.or(read(&base()));
        let shown = format!("{:?}", settings.plan(Decimals::AsWritten).unwrap().routes);
        assert!(shown.contains("Amount(2000000)"), "{shown}");
    }
}
