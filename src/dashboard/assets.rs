//! Style, script and icon: files of the binary, under names that change with what is in them, so that
//! browsers may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::fault::Fault;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Bytes of a hash that are part of a name.
const NAME_BYTES: usize = 9;

/// A file of the binary.
struct Asset {
    stem: &'static str,
    ending: &'static str,
    media: HeaderValue,
    text: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        stem: "style",
        ending: "css",
        media: HeaderValue::from_static("text/css; charset=utf-8"),
        text: include_str!("assets/style.css"),
    },
    Asset {
        stem: "live",
        ending: "js",
        media: HeaderValue::from_static("text/javascript; charset=utf-8"),
        text: include_str!("assets/live.js"),
    },
    Asset {
        stem: "icon",
        ending: "svg",
        media: HeaderValue::from_static("image/svg+xml"),
        text: include_str!("assets/icon.svg"),
    },
];

/// Names of the files, as pages link them.
pub(crate) struct Names {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

/// The names as they are.
pub(crate) static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let [style, script, icon] = ASSETS.map(|asset| asset.name());
    Names { style, script, icon }
});

impl Asset {
    fn name(&self) -> String {
        let hash = Sha256::digest(self.text);
        let hash = URL_SAFE_NO_PAD.encode(&hash[..NAME_BYTES]);
        format!("{}.{hash}.{}", self.stem, self.ending)
    }
}

/// `GET /dashboard/assets/{file}`.
pub(crate) async fn file(Path(file): Path<String>) -> Result<Response, Fault> {
    let asset = ASSETS.into_iter().find(|asset| asset.name() == file).ok_or(Fault::NotFound)?;
    Ok(([(CONTENT_TYPE, asset.media), (CACHE_CONTROL, FOR_EVER)], asset.text).into_response())
}
