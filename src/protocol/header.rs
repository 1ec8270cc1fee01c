//! The headers that carry x402 JSON: their names, and base64 in and out, with bounds.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// v1: the payment.
pub const X_PAYMENT: &str = "x-payment";
/// v1: the answer to it.
pub const X_PAYMENT_RESPONSE: &str = "x-payment-response";
/// v2: what it costs.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// v2: the payment.
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// v2: the answer to it.
pub const PAYMENT_RESPONSE: &str = "payment-response";

/// Longest payment header that is decoded. A presentation of several statements takes 10 KiB.
pub const PAYMENT_HEADER_BYTES_MAX: usize = 32 * 1024;

/// A header that is not base64 of the JSON it should hold.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Longer than [`PAYMENT_HEADER_BYTES_MAX`].
    #[error("the header is longer than {PAYMENT_HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// Not base64.
    #[error("the header is not base64")]
    NotBase64,
    /// Not the JSON expected.
    #[error("the header is not the JSON expected: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Base64 (standard alphabet, padded) of the value's JSON, as the official SDKs write it.
///
/// # Errors
/// Where the value has no JSON.
pub fn encode<T: Serialize>(value: &T) -> Result<String, HeaderError> {
    Ok(STANDARD.encode(serde_json::to_vec(value)?))
}

/// Reads base64 of either alphabet, padded or not, and the JSON in it.
///
/// # Errors
/// [`HeaderError`] says which step failed.
pub fn decode<T: DeserializeOwned>(header: &[u8]) -> Result<T, HeaderError> {
    if header.len() > PAYMENT_HEADER_BYTES_MAX {
        return Err(HeaderError::TooLong);
    }
    let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(header).ok())
        .ok_or(HeaderError::NotBase64)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_decodes(text in ".{0,200}", number in any::<u32>()) {
            let value = serde_json::json!({ "text": text, "number": number });
            let header = encode(&value).unwrap();
            let back: serde_json::Value = decode(header.as_bytes()).unwrap();
            prop_assert_eq!(back, value);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<serde_json::Value>(&bytes);
        }
    }

    #[test]
    fn over_long_headers_are_not_decoded() {
        let long = vec![b'A'; PAYMENT_HEADER_BYTES_MAX + 1];
        assert!(matches!(decode::<serde_json::Value>(&long), Err(HeaderError::TooLong)));
    }
}
