//! The node: whether it is there, on which network, how far behind, and what time it has.

use std::time::Duration;

use ccd402_app::ports::chain::Chain as _;
use ccd402_chain::concordium::{Concordium, Options as ChainOptions};
use ccd402_chain::nodes::{Nodes, Options as NodeOptions};
use chrono::{TimeDelta, Utc};

use super::Finding;
use crate::compose::facilitator::Options;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Age of the last final block from which a node is behind, and from which it is of no use.
const BEHIND: TimeDelta = TimeDelta::seconds(60);
const FAR_BEHIND: TimeDelta = TimeDelta::minutes(10);
/// How far a block may lie in the future of this machine's clock.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(10);

/// Asks the nodes.
pub(super) async fn node(options: &Options) -> Vec<Finding> {
    let mut nodes = NodeOptions::new(options.nodes.clone());
    nodes.network = options.network.clone();
    (nodes.connect_timeout, nodes.request_timeout) = (PATIENCE, PATIENCE);
    let urls = options.nodes.join(", ");
    let nodes = match Nodes::connect(nodes).await {
        Ok(nodes) => nodes,
        Err(error) => {
            let to_do = "start the node, or name another with --node; `ccd402 simchain` runs a \
                         simulated one";
            return vec![Finding::fail("node", format!("{urls}: {error}"), to_do)];
        }
    };
    let chain = Concordium::new(nodes, ChainOptions::default());
    let found = format!("{urls} is there, on {}", chain.network());
    let mut findings = vec![Finding::ok("node", found)];
    match chain.tip().await {
        Ok(tip) => findings.extend(times(Utc::now() - tip.time, tip.height)),
        Err(error) => {
            let to_do = "look at the node's own log";
            findings.push(Finding::fail("chain", error.to_string(), to_do));
        }
    }
    findings
}

/// What the age of the last final block says about the node and about this machine's clock.
fn times(age: TimeDelta, height: u64) -> [Finding; 2] {
    let seconds = age.num_seconds();
    let block = format!("the last final block, {height}, is {seconds} s old");
    let wait = "wait until the node has caught up, or name another with --node";
    let chain = match age {
        _ if age > FAR_BEHIND => Finding::fail("chain", block, wait),
        _ if age > BEHIND => Finding::warn("chain", block, wait),
        _ => Finding::ok("chain", block),
    };
    let clock = if age < -SKEW_MAX {
        let found = format!("it is {} s behind the chain's", -seconds);
        Finding::fail("clock", found, "set this machine's clock by NTP: times decide payments")
    } else {
        Finding::ok("clock", "it is not behind the chain's")
    };
    [chain, clock]
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_block_that_is_old_or_of_tomorrow_is_told() {
        let rows = [
            (5, Level::Ok, Level::Ok),
            (90, Level::Warn, Level::Ok),
            (700, Level::Fail, Level::Ok),
            (-5, Level::Ok, Level::Ok),
            (-30, Level::Ok, Level::Fail),
        ];
        for (age, chain, clock) in rows {
            let found = times(TimeDelta::seconds(age), 7);
            assert_eq!(found.map(|finding| finding.level), [chain, clock], "{age}");
        }
    }
}
