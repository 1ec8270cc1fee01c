//! The binding digest as a transfer's memo: a CBOR byte string, as wallets expect memos to be CBOR.

use crate::ids::Digest;

/// CBOR head of a byte string of 32 bytes (RFC 8949, major type 2 with a one-byte length).
const HEAD: [u8; 2] = [0x58, 32];

/// The memo that carries this digest.
#[must_use]
pub fn encode(digest: &Digest) -> Vec<u8> {
    [&HEAD[..], digest.as_bytes()].concat()
}

/// Whether the memo carries this digest and nothing else.
#[must_use]
pub fn carries(memo: &[u8], digest: &Digest) -> bool {
    memo.strip_prefix(&HEAD) == Some(digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_digest_is_carried() {
        let digest = Digest::from_bytes([3; 32]);
        let memo = encode(&digest);
        assert!(carries(&memo, &digest));
        assert!(!carries(&memo, &Digest::from_bytes([4; 32])));
        assert!(!carries(&memo[..33], &digest));
        assert!(!carries(&[memo.as_slice(), &[0]].concat(), &digest));
    }
}
