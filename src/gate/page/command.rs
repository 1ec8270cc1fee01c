//! The command that pays for an address, fit for a shell.
//!
//! Nothing is run here.

/// What to type.
pub(super) fn pay(method: &str, url: &str) -> String {
    match method {
        "GET" => format!("ccd402 pay {}", quoted(url)),
        _ => format!("ccd402 pay --method {} {}", quoted(method), quoted(url)),
    }
}

/// One word for every POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%@+,".contains(&byte);
    if !text.is_empty() && !text.starts_with(['-', '~']) && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_address_as_it_is() {
        let rows = [
            ("https://x.example/a", "ccd402 pay https://x.example/a"),
            ("https://x.example/a?b=1&c=2", "ccd402 pay 'https://x.example/a?b=1&c=2'"),
            ("https://x.example/$(reboot)", "ccd402 pay 'https://x.example/$(reboot)'"),
            ("https://x.example/';reboot;'", r"ccd402 pay 'https://x.example/'\'';reboot;'\'''"),
        ];
        for (url, expected) in rows {
            assert_eq!(pay("GET", url), expected);
        }
        assert_eq!(pay("POST", "http://a"), "ccd402 pay --method POST http://a");
    }
}
