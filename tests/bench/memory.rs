//! Resident memory of `ccd402 serve` with 100,000 and with 1,000,000 verifications pending.
//!
//! Run with `cargo bench --bench memory`. The server is the real binary in a process of its own.

mod load;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ccd402::devnet::shop::ARTICLE;
use ccd402::devnet::{Devnet, Options};
use ccd402_simchain::{Funds, IdentitySpec};
use load::Template;
use serde_json::{Value, json};

/// Verifications pending, and the memory in MiB that they may take.
const GOALS: [(u64, u64); 2] = [(100_000, 300), (1_000_000, 500)];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
    runtime.shutdown_background();
}

async fn run() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let net_dir = dir.path().join("net");
    std::fs::create_dir(&net_dir).expect("a directory");
    let net = Devnet::start(Options::quick(net_dir)).await.expect("the devnet starts");
    let payer = net.hand(IdentitySpec::default(), Funds::ccd(1)).await.expect("an account");
    let offer = payer.offer(&format!("{}{ARTICLE}", net.gate_url())).await.expect("an offer");
    let hash = "f".repeat(64);
    let payload = offer.payload(hash.parse().expect("64 digits"), payer.wallet().address(), None);
    let body = json!({
        "x402Version": 1, "paymentPayload": payload, "paymentRequirements": offer.raw,
    });

    let data_dir = dir.path().join("serve");
    let (server, addr) = serve(&net.chain().url(), &data_dir);
    let idle = resident_mib(&server);
    let template = Arc::new(Template::post("/v1/verifications", &body.to_string(), &hash));
    println!("resident, idle: {idle} MiB");
    let mut pending = 0;
    for (goal, goal_mib) in GOALS {
        let load = load::run(addr, Arc::clone(&template), (64, goal - pending), "202").await;
        pending += load.answered;
        let full = resident_mib(&server);
        println!(
            "{pending} pending, the last in {:.1} s: {full} MiB, {:.2} of the goal of {goal_mib}",
            load.time.as_secs_f64(),
            full as f64 / goal_mib as f64
        );
    }
}

/// The server; ends with whoever has it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // What failed before is told; this must not hide it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(node: &str, data_dir: &std::path::Path) -> (Server, SocketAddr) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_ccd402"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--node", node, "--data-dir"])
        .arg(data_dir)
        .env("CCD402_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let stdout = server.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says when it is ready");
    let ready: Value = serde_json::from_str(&line).expect("one JSON object");
    let url = ready["url"].as_str().expect("with its URL");
    let addr = url.trim_start_matches("http://").parse().expect("an address");
    (Server(server), addr)
}

fn resident_mib(Server(server): &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))
        .expect("Linux tells of processes");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib / 1024
}
