//! Settings of `ccd402 serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use ccd402_chain::wallet::WalletFile;
use ccd402_dashboard::options::HASH;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::money::Money;
use ccd402_protocol::network::NetworkId;
use ccd402_store::postgres::Options as DatabaseOptions;
use chrono::TimeDelta;
use clap::Args;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::compose::access::Access;
use crate::compose::facilitator::Options;
use crate::config::span::Span;
use crate::telemetry::traces::Endpoint;

/// Where the facilitator listens when nothing is said.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:4020";
/// Where its data lies when nothing is said.
pub const DATA_DIR_DEFAULT: &str = "ccd402-data";
/// The variable that may hold the text of a sponsor's wallet file.
const SPONSOR_WALLET_JSON: &str = "CCD402_SPONSOR_WALLET_JSON";
/// Most pauses between tries of a delivery.
const RETRIES_MAX: usize = 20;
/// Which node it asks when nothing is said.
pub const NODE_DEFAULT: &str = "http://127.0.0.1:20000";

/// Settings, each as a flag, a variable, or a key of the file by the flag's name with underscores.
#[derive(Debug, Clone, Default, Args, Deserialize, JsonSchema)]
#[schemars(rename = "ServeSettings")]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:4020]
    #[arg(long, env = "CCD402_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Directory of the event log; made if it is missing [default: ./ccd402-data]
    #[arg(long, env = "CCD402_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// gRPC URL of a Concordium node; repeat it for failover [default: http://127.0.0.1:20000]
    #[arg(long = "node", env = "CCD402_NODE", value_name = "URL", value_delimiter = ',')]
    #[serde(default, rename = "nodes")]
    pub nodes: Vec<String>,
    /// Network that the nodes must be on: concordium, concordium-testnet or ccd:… [default: theirs]
    #[arg(long, env = "CCD402_NETWORK", value_name = "ID")]
    pub network: Option<NetworkId>,
    /// URL under which clients reach this server, for links in answers [default: relative links]
    #[arg(long, env = "CCD402_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// URL of a transaction in an explorer, with {hash} for its hash, for links of the dashboard
    /// [default: CCDScan for the networks that it shows]
    #[arg(long, env = "CCD402_EXPLORER_URL", value_name = "URL")]
    pub explorer_url: Option<String>,
    /// How long /verify and /settle wait for finality when the caller says nothing [default: 30s]
    #[arg(long, env = "CCD402_WAIT", value_name = "TIME")]
    pub wait: Option<Span>,
    /// How long /verify holds a payment for /settle [default: 60s]
    #[arg(long, env = "CCD402_RESERVATION", value_name = "TIME")]
    pub reservation: Option<Span>,
    /// How long after its challenge closed a payment made in time may be handed in [default: 24h]
    #[arg(long, env = "CCD402_PRESENTATION_GRACE", value_name = "TIME")]
    pub presentation_grace: Option<Span>,
    /// Most verifications that wait for a transaction at once [default: 1000000]
    #[arg(long, env = "CCD402_WAITING_MAX", value_name = "N")]
    pub waiting_max: Option<u64>,
    /// Most of these that may be one tenant's [default: all of them, or a quarter with --require-keys]
    #[arg(long, env = "CCD402_WAITING_MAX_PER_TENANT", value_name = "N")]
    pub waiting_max_per_tenant: Option<u64>,
    /// Memory for the event log's cache, in MiB [default: 64]
    #[arg(long, env = "CCD402_LOG_CACHE_MIB", value_name = "MIB")]
    pub log_cache_mib: Option<u64>,
    /// Serve nobody without an API key; needed to listen elsewhere than on loopback. Without it a
    /// key that is presented counts all the same [default: false]
    #[arg(long, env = "CCD402_REQUIRE_KEYS", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true", require_equals = true)]
    pub require_keys: Option<bool>,
    /// Say that a proxy that terminates TLS stands in front; needed to listen elsewhere than on
    /// loopback, so that no key travels in the open [default: false]
    #[arg(long, env = "CCD402_BEHIND_TLS_PROXY", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true", require_equals = true)]
    pub behind_tls_proxy: Option<bool>,
    /// PostgreSQL database that keeps the event log, such as postgres://USER:PASSWORD@HOST/NAME, with
    /// ?sslmode=verify-full for TLS; `ccd402 migrate` prepares it [default: the data directory]
    #[arg(long, env = "CCD402_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Redis that keeps jobs, such as redis://127.0.0.1:6379/0; a database of its own, which may be lost
    /// [default: a file in the data directory]
    #[arg(long, env = "CCD402_QUEUE_URL", value_name = "URL", hide_env_values = true)]
    pub queue_url: Option<String>,
    /// Address and port of metrics and probes, apart from the API; it asks for no key, so keep it to
    /// yourself, such as 127.0.0.1:9402 [default: none]
    #[arg(long, env = "CCD402_OPS_LISTEN", value_name = "ADDR")]
    pub ops_listen: Option<SocketAddr>,
    /// Network that webhooks may reach beside the public internet, such as 10.1.0.0/16 or
    /// 127.0.0.1; repeat it for several. Whoever may make webhooks reaches it [default: none]
    #[arg(long, env = "CCD402_WEBHOOK_ALLOW", value_name = "NET", value_delimiter = ',')]
    #[serde(default)]
    pub webhook_allow: Vec<String>,
    /// How long the receiver of a webhook may take, 1s to 30s [default: 15s]
    #[arg(long, env = "CCD402_WEBHOOK_TIMEOUT", value_name = "TIME")]
    pub webhook_timeout: Option<Span>,
    /// Pauses before each further try of a delivery; after the last it is given up
    /// [default: 5s,5m,30m,2h,5h,10h,14h,20h,24h]
    #[arg(long, env = "CCD402_WEBHOOK_RETRIES", value_name = "TIMES", value_delimiter = ',')]
    #[serde(default)]
    pub webhook_retries: Vec<Span>,
    /// Wallet file of an account that pays the fees of payers, who then need no CCD; repeat it for
    /// several, the first is the one that offers name. A wallet file's text may stand in
    /// CCD402_SPONSOR_WALLET_JSON instead [default: none, nothing is sponsored]
    #[arg(
        long = "sponsor-wallet",
        env = "CCD402_SPONSOR_WALLET",
        value_name = "FILE",
        value_delimiter = ','
    )]
    #[serde(default)]
    pub sponsor_wallets: Vec<PathBuf>,
    /// Fees that are paid for one tenant in a day (UTC), such as "25 CCD" [default: no limit]
    #[arg(long, env = "CCD402_SPONSOR_BUDGET", value_name = "CCD")]
    #[schemars(with = "Option<String>")]
    pub sponsor_budget: Option<Money>,
    /// What a sponsor's account must keep, such as "5 CCD"; below it payments are refused, and a
    /// warning is given [default: 0 CCD]
    #[arg(long, env = "CCD402_SPONSOR_BALANCE_MIN", value_name = "CCD")]
    #[schemars(with = "Option<String>")]
    pub sponsor_balance_min: Option<Money>,
    /// How long a sponsored payment is held between /verify and /settle [default: 60s]
    #[arg(long, env = "CCD402_SPONSOR_HOLD", value_name = "TIME")]
    pub sponsor_hold: Option<Span>,
    /// URL of an OpenTelemetry collector that takes traces over HTTP, such as http://127.0.0.1:4318
    /// [default: none, nothing is traced]
    #[arg(long, env = "CCD402_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub otlp_endpoint: Option<String>,
}

impl Settings {
    /// These settings, and for those that are missing the other ones.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            data_dir: self.data_dir.or(other.data_dir),
            nodes: or_all(self.nodes, other.nodes),
            network: self.network.or(other.network),
            public_url: self.public_url.or(other.public_url),
            explorer_url: self.explorer_url.or(other.explorer_url),
            wait: self.wait.or(other.wait),
            reservation: self.reservation.or(other.reservation),
            presentation_grace: self.presentation_grace.or(other.presentation_grace),
            waiting_max: self.waiting_max.or(other.waiting_max),
            waiting_max_per_tenant: self.waiting_max_per_tenant.or(other.waiting_max_per_tenant),
            log_cache_mib: self.log_cache_mib.or(other.log_cache_mib),
            require_keys: self.require_keys.or(other.require_keys),
            behind_tls_proxy: self.behind_tls_proxy.or(other.behind_tls_proxy),
            database_url: self.database_url.or(other.database_url),
            queue_url: self.queue_url.or(other.queue_url),
            ops_listen: self.ops_listen.or(other.ops_listen),
            webhook_allow: or_all(self.webhook_allow, other.webhook_allow),
            webhook_timeout: self.webhook_timeout.or(other.webhook_timeout),
            webhook_retries: or_all(self.webhook_retries, other.webhook_retries),
            sponsor_wallets: or_all(self.sponsor_wallets, other.sponsor_wallets),
            sponsor_budget: self.sponsor_budget.or(other.sponsor_budget),
            sponsor_balance_min: self.sponsor_balance_min.or(other.sponsor_balance_min),
            sponsor_hold: self.sponsor_hold.or(other.sponsor_hold),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
        }
    }

    /// Where traces go, if anywhere.
    ///
    /// # Errors
    /// Where that is no URL.
    pub fn collector(&self) -> anyhow::Result<Option<Endpoint>> {
        self.otlp_endpoint.as_deref().map(str::parse).transpose()
    }

    /// What the facilitator is started with.
    ///
    /// # Errors
    /// Where a setting makes no sense; the message says what to change.
    pub fn options(self) -> anyhow::Result<Options> {
        self.collector()?;
        let listen = LISTEN_DEFAULT.parse().expect("the default is an address");
        let listen = self.listen.unwrap_or(listen);
        let data_dir = self.data_dir.unwrap_or_else(|| DATA_DIR_DEFAULT.into());
        let nodes = if self.nodes.is_empty() { vec![NODE_DEFAULT.to_owned()] } else { self.nodes };
        let mut options = Options::new(listen, data_dir, nodes);
        options.access = Access {
            require_keys: self.require_keys.unwrap_or(false),
            behind_tls_proxy: self.behind_tls_proxy.unwrap_or(false),
        };
        options.access.must_allow(listen)?;
        options.ops_listen = self.ops_listen;
        options.database = self.database_url.map(DatabaseOptions::new);
        options.queue_url = self.queue_url;
        options.network = self.network;
        options.public_url = self.public_url.map(|url| url.parse()).transpose()?;
        options.explorer = self.explorer_url.map(explorer).transpose()?;
        set_time("wait", self.wait, &mut options.wait)?;
        set_time("reservation", self.reservation, &mut options.reservation)?;
        set_time("presentation_grace", self.presentation_grace, &mut options.presentation_grace)?;
        if let Some(waiting_max) = self.waiting_max {
            ensure!(waiting_max > 0, "waiting_max must be at least 1");
            options.waiting_max = waiting_max;
        }
        if let Some(max) = self.waiting_max_per_tenant {
            let all = options.waiting_max;
            ensure!((1..=all).contains(&max), "waiting_max_per_tenant must be 1 to {all}");
            options.waiting_max_per_tenant = Some(max);
        }
        if let Some(mib) = self.log_cache_mib {
            ensure!((8..=65_536).contains(&mib), "log_cache_mib must be 8 to 65536");
            options.log_cache_bytes = mib * 1024 * 1024;
        }
        options.webhooks.allow = networks(&self.webhook_allow)?;
        if let Some(timeout) = self.webhook_timeout {
            let (least, most) = (Duration::from_secs(1), Duration::from_secs(30));
            options.webhooks.timeout = timeout.within("webhook_timeout", least, most)?;
        }
        if !self.webhook_retries.is_empty() {
            options.webhooks.schedule.pauses = pauses(&self.webhook_retries)?;
        }
        options.sponsors.wallets = wallets(&self.sponsor_wallets)?;
        let limits = &mut options.sponsors.limits;
        limits.budget_per_day =
            self.sponsor_budget.map(|money| ccd("sponsor_budget", &money)).transpose()?;
        if let Some(money) = self.sponsor_balance_min {
            limits.balance_min = ccd("sponsor_balance_min", &money)?;
        }
        if let Some(hold) = self.sponsor_hold {
            let (least, most) = (Duration::from_secs(5), Duration::from_secs(2 * 3_600));
            limits.hold = TimeDelta::from_std(hold.within("sponsor_hold", least, most)?)?;
        }
        Ok(options)
    }
}

fn or_all<T>(these: Vec<T>, others: Vec<T>) -> Vec<T> {
    if these.is_empty() { others } else { these }
}

/// A link that leads to the web and nowhere else.
fn explorer(url: String) -> anyhow::Result<String> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    ensure!(
        is_web && url.contains(HASH),
        "explorer_url begins with https:// and has {HASH} where the transaction's hash belongs"
    );
    Ok(url)
}

/// Networks, or single addresses.
fn networks(texts: &[String]) -> anyhow::Result<Vec<IpNet>> {
    let parse = |text: &String| {
        let address = text.parse().map(|address: IpAddr| IpNet::from(address));
        let net = address.or_else(|_| text.parse()).ok();
        net.with_context(|| {
            format!("webhook_allow: {text} is no network; write it like 10.1.0.0/16 or fd00::/8")
        })
    };
    texts.iter().map(parse).collect()
}

fn pauses(spans: &[Span]) -> anyhow::Result<Vec<Duration>> {
    ensure!(spans.len() <= RETRIES_MAX, "webhook_retries has at most {RETRIES_MAX} pauses");
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(7 * 24 * 3_600));
    spans.iter().map(|span| span.within("each of webhook_retries", least, most)).collect()
}

/// The sponsors' wallets: of these files, and of the variable that holds one.
fn wallets(files: &[PathBuf]) -> anyhow::Result<Vec<WalletFile>> {
    let mut wallets = Vec::new();
    for file in files {
        wallets.push(WalletFile::read(file)?);
    }
    if let Ok(text) = std::env::var(SPONSOR_WALLET_JSON) {
        let text = Zeroizing::new(text);
        let wallet = WalletFile::from_text(&text);
        let wallet = wallet.map_err(|why| anyhow!("{SPONSOR_WALLET_JSON} is no wallet: {why}"));
        wallets.push(wallet?);
    }
    Ok(wallets)
}

/// Fees are paid in CCD and in nothing else.
fn ccd(name: &str, money: &Money) -> anyhow::Result<Amount> {
    ensure!(money.asset == Asset::Ccd, "{name} is in CCD: write it like \"25 CCD\"");
    money.units(None).with_context(|| name.to_owned())
}

fn set_time(name: &str, value: Option<Span>, time: &mut Duration) -> anyhow::Result<()> {
    if let Some(value) = value {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(7 * 24 * 3_600));
        *time = value.within(name, least, most)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(waiting_max: Option<u64>, per_tenant: Option<u64>) -> anyhow::Result<Options> {
        let settings =
            Settings { waiting_max, waiting_max_per_tenant: per_tenant, ..Settings::default() };
        settings.options()
    }

    #[test]
    fn a_tenant_may_not_be_allowed_more_than_all() {
        assert_eq!(options(None, None).unwrap().waiting_max_per_tenant, None);
        assert_eq!(options(Some(10), Some(10)).unwrap().waiting_max_per_tenant, Some(10));
        for (all, one) in [(Some(10), 11), (Some(10), 0), (None, 1_000_001)] {
            let refused = options(all, Some(one)).unwrap_err().to_string();
            assert!(refused.contains("waiting_max_per_tenant must be 1 to"), "{refused}");
        }
    }
}
