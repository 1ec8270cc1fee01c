//! Where messages may go: to addresses of the public internet, and to networks that the
//! configuration allows. Whoever names a URL must not reach the operator's own machines by it.
//!
//! A table, so that it can be read. Names are not resolved here: their addresses are checked when
//! they are known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ccd402_app::ports::webhooks::UrlRefused;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::Url;

/// Ports of services that read a request as commands, or that no receiver listens on.
const PORTS_REFUSED: &[u16] =
    &[0, 19, 21, 22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 465, 587, 993, 995, 3_306];
/// Names that mean this machine or the network around it, whatever a name server says.
const NAMES_REFUSED: &[&str] = &["localhost", "local", "internal", "localdomain", "home.arpa"];

/// Networks that are not the public internet, in IPv4.
const REFUSED_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // behind carriers' NAT, and metadata at 100.100.100.200
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // metadata of a cloud, at a public address
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, and metadata at 169.254.169.254
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments, and metadata at 192.0.0.192
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
];

/// What is public in IPv6; all the rest is not: loopback, unspecified, mapped and NAT64 addresses,
/// unique-local, link-local, multicast.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of that is not.
const REFUSED_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Where messages may go.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
}

impl Guard {
    /// The public internet, and these networks.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether messages may go to an address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // A mapped address is the IPv4 address that it means.
        let address = address.to_canonical();
        self.allow.iter().any(|net| net.contains(&address)) || is_public(address)
    }

    /// A URL that may be sent to, as far as it can be said without asking a name server.
    ///
    /// # Errors
    /// Why it may not.
    pub fn url(&self, text: &str) -> Result<Url, UrlRefused> {
        let refused = |why: &str| Err(UrlRefused(why.to_owned()));
        let Ok(url) = Url::parse(text) else { return refused("this is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return refused("only http and https URLs can be sent to");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("a URL with a user or a password is not sent to: check the signature");
        }
        if url.fragment().is_some() {
            return refused("a URL with a fragment is not sent to");
        }
        if url.port_or_known_default().is_none_or(|port| PORTS_REFUSED.contains(&port)) {
            return refused("this port is not one that webhooks are sent to");
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return refused("the URL has no host");
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_allowed = match bare.parse::<IpAddr>() {
            Ok(address) => self.allows(address),
            Err(_) => !is_local_name(bare) || !self.allow.is_empty(),
        };
        if !is_allowed {
            return refused("the URL leads into a network that webhooks are not sent to");
        }
        Ok(url)
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_within = |local: &&str| {
        name.strip_suffix(*local).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    // A name without a dot is found in the operator's own domain, if at all.
    !name.contains('.') || NAMES_REFUSED.iter().any(is_within)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !REFUSED_V4.iter().any(|net| v4(*net).contains(&address)),
        IpAddr::V6(address) => {
            v6(PUBLIC_V6).contains(&address)
                && !REFUSED_V6.iter().any(|net| v6(*net).contains(&address))
        }
    }
}

fn v4((address, bits): (Ipv4Addr, u8)) -> Ipv4Net {
    Ipv4Net::new(address, bits).expect("the table has prefixes of at most 32 bits")
}

fn v6((address, bits): (Ipv6Addr, u8)) -> Ipv6Net {
    Ipv6Net::new(address, bits).expect("the table has prefixes of at most 128 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_allowed() {
        let guard = Guard::default();
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in refused {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]
        {
            assert!(guard.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn urls_that_lead_inside_or_are_no_web_are_refused() {
        let guard = Guard::default();
        let refused = [
            "",
            "shop.example/hook",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "gopher://shop.example/",
            "https://",
            "https://user@shop.example/",
            "https://user:word@shop.example/",
            "https://shop.example/#part",
            "http://shop.example:22/",
            "http://shop.example:0/",
            "http://localhost/",
            "http://LOCALHOST:8080/",
            "http://a.localhost/",
            "http://metadata.google.internal/",
            "http://printer.local/",
            "http://router/",
            "http://localhost./",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
        ];
        for url in refused {
            assert!(guard.url(url).is_err(), "{url}");
        }
        for url in
            ["https://shop.example/hook?a=b", "http://1.1.1.1:8080/", "https://[2606:4700::1]/"]
        {
            assert!(guard.url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_the_configuration_allows_is_allowed_and_nothing_beside_it() {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1"] {
            assert!(guard.allows(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "::1", "fc00::1"] {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
        assert!(guard.url("http://127.0.0.1:8080/hook").is_ok());
        assert!(guard.url("http://localhost:8080/hook").is_ok(), "its address is checked later");
        assert!(guard.url("http://10.0.0.1/").is_err());
    }
}
