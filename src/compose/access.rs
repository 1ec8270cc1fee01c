//! Whether a facilitator may listen where it is told to: others are let in only by keys, and their
//! keys must not travel in the open.

use std::net::SocketAddr;

use anyhow::ensure;
use ccd402_app::keys::Keys;

/// Who may call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Every request needs an API key, also on loopback.
    pub require_keys: bool,
    /// The operator says that a proxy that terminates TLS stands in front.
    pub behind_tls_proxy: bool,
}

impl Access {
    /// Refuses an address that others can reach, unless they need keys and TLS is seen to.
    ///
    /// # Errors
    /// Says what to do.
    pub fn must_allow(self, listen: SocketAddr) -> anyhow::Result<()> {
        let is_safe = listen.ip().is_loopback() || (self.require_keys && self.behind_tls_proxy);
        ensure!(
            is_safe,
            "refusing to listen on {listen}, where others can reach it: say --require-keys, so \
             that only who has an API key is served, and --behind-tls-proxy, once a proxy that \
             terminates TLS stands in front; or listen on a loopback address such as 127.0.0.1"
        );
        Ok(())
    }

    /// Refuses to start where nobody could call.
    ///
    /// # Errors
    /// Says what to do.
    pub fn must_have_a_key(self, keys: &Keys) -> anyhow::Result<()> {
        ensure!(
            !self.require_keys || keys.has_good_one(),
            "API keys are required, and none is good: make one first, with `ccd402 keys create \
             --name NAME --scopes operate --data-dir DIR` (the data directory of this facilitator)"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_let_in_by_keys_and_behind_tls_alone() {
        let rows = [
            ("127.0.0.1:1", false, false, true),
            ("[::1]:1", false, false, true),
            ("127.0.0.1:1", true, false, true),
            ("0.0.0.0:1", false, false, false),
            ("0.0.0.0:1", true, false, false),
            ("[::]:1", false, true, false),
            ("192.168.0.1:1", true, true, true),
        ];
        for (listen, require_keys, behind_tls_proxy, is_allowed) in rows {
            let access = Access { require_keys, behind_tls_proxy };
            let allowed = access.must_allow(listen.parse().unwrap());
            assert_eq!(allowed.is_ok(), is_allowed, "{listen} {access:?}");
        }
    }
}
