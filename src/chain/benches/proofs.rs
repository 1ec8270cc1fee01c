//! Checks of identity proofs a second through the port, against bare calls of the SDK.
//!
//! Run with `cargo bench -p ccd402-chain --bench proofs`. Both sides check the same presentation of
//! one age statement on every core, in turns; the ratio says what the port costs on top of the
//! cryptography: parsing, the account from its cache, the bounded pool.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ccd402_app::ports::chain::{Chain as _, PresentationCheck};
use ccd402_chain::concordium::{Concordium, Options};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use ccd402_chain::payer::Wallet;
use ccd402_domain::ids::Digest;
use ccd402_domain::preset::Preset;
use ccd402_simchain::{Funds, IdentitySpec, Options as ChainOptions, SimChain};
use chrono::Utc;
use concordium_rust_sdk::base::id::constants::ArCurve;
use concordium_rust_sdk::base::id::types::GlobalContext;
use concordium_rust_sdk::base::web3id::{CredentialsInputs, Presentation, Web3IdAttribute};
use concordium_rust_sdk::v2::{self, BlockIdentifier};
use concordium_rust_sdk::web3id::get_public_data;

const ROUNDS: usize = 7;
/// Checks of a round, for each core.
const CHECKS: usize = 100;

type Parsed = Presentation<ArCurve, Web3IdAttribute>;

/// What a bare check takes.
struct Bare {
    presentation: String,
    parameters: GlobalContext<ArCurve>,
    public: Vec<CredentialsInputs<ArCurve>>,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (chain, check, bare) = runtime.block_on(prepare());
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let port_time = runtime.block_on(through_port(&chain, &check, cores));
        let bare_time = directly(&bare, cores);
        let per_core = |time: Duration| CHECKS as f64 / time.as_secs_f64();
        println!(
            "round {round}: port {:>6.1}/s a core, SDK {:>6.1}/s a core",
            per_core(port_time),
            per_core(bare_time)
        );
        // The first round warms up.
        if round > 0 {
            through.push(port_time);
            direct.push(bare_time);
        }
    }
    let (port_time, bare_time) = (median(&mut through), median(&mut direct));
    println!(
        "machine: {cores} cores; {CHECKS} checks a core and round, medians of {ROUNDS} rounds"
    );
    println!(
        "  ratio {:.2} (goal: 0.9 or more)",
        bare_time.as_secs_f64() / port_time.as_secs_f64()
    );
}

async fn prepare() -> (Arc<Concordium>, PresentationCheck, Arc<Bare>) {
    let chain = SimChain::start(ChainOptions::default()).await.expect("the chain starts");
    let nodes = Nodes::connect(NodeOptions::new(vec![chain.url()])).await.expect("it answers");
    let file = chain.issue(IdentitySpec::default(), Funds::ccd(1)).await.expect("an account");
    let wallet = Wallet::open(file, nodes.clone()).expect("a wallet of this chain");
    let adults = Preset { min_age: Some(18), ..Preset::default() };
    let required = adults.requirement(Utc::now().date_naive()).expect("a sound preset");
    let required = required.expect("it asks for something");
    let challenge = Digest::from_bytes([7; 32]);
    let text = wallet.prove(&required, &challenge).await.expect("an adult can prove it");
    let presentation: Parsed = serde_json::from_str(&text).expect("it is a presentation");
    let endpoint = chain.url().parse::<v2::Endpoint>().expect("a URL");
    let mut client = v2::Client::new(endpoint).await.expect("the node answers");
    let last = BlockIdentifier::LastFinal;
    let parameters = client.get_cryptographic_parameters(last).await.expect("parameters").response;
    let network = concordium_rust_sdk::base::web3id::did::Network::Testnet;
    let public = get_public_data(&mut client, network, &presentation, last).await;
    let public = public.expect("the credential is on chain").into_iter().map(|data| data.inputs);
    let bare = Bare { presentation: text.clone(), parameters, public: public.collect() };
    let payer = wallet.address();
    let check =
        PresentationCheck { presentation: text, required: Some(required), challenge, payer };
    let concordium = Arc::new(Concordium::new(nodes, Options::default()));
    // The chain lives as long as the benchmark does.
    std::mem::forget(chain);
    (concordium, check, Arc::new(bare))
}

async fn through_port(
    chain: &Arc<Concordium>,
    check: &PresentationCheck,
    cores: usize,
) -> Duration {
    let since = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    // Two callers a core, so that no core waits for its next check.
    for _ in 0..cores * 2 {
        let (chain, check) = (Arc::clone(chain), check.clone());
        tasks.spawn(async move {
            for _ in 0..CHECKS / 2 {
                let checked = chain.check_presentation(check.clone()).await;
                checked.expect("the node answers").expect("the proof holds");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no check panics");
    }
    since.elapsed()
}

fn directly(bare: &Arc<Bare>, cores: usize) -> Duration {
    let since = Instant::now();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            let bare = Arc::clone(bare);
            thread::spawn(move || {
                for _ in 0..CHECKS {
                    let presentation: Parsed =
                        serde_json::from_str(&bare.presentation).expect("it is a presentation");
                    let verified = presentation.verify(&bare.parameters, bare.public.iter());
                    verified.expect("the proof holds");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no check panics");
    }
    since.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
