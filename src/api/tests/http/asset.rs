//! `GET /v1/assets/{asset}`.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{TestApi, answer};

#[tokio::test]
async fn an_asset_is_told_as_the_chain_has_it() {
    let api = TestApi::start().await;
    for (asked, asset) in [("CCD", "CCD"), ("EURR", "EURR"), ("eurr", "EURR")] {
        let (status, told) = answer(api.get(&format!("/v1/assets/{asked}"))).await;
        assert_eq!((status, &told["asset"]), (StatusCode::OK, &json!(asset)), "{told}");
        assert_eq!(told["decimals"], 6);
        assert!(told["network"].as_str().unwrap().starts_with("ccd:"), "{told}");
    }
    for unknown in ["USDR", "ccd", "%20", &"x".repeat(200)] {
        let (status, told) = answer(api.get(&format!("/v1/assets/{unknown}"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
        assert_eq!(told["code"], "asset_not_found");
    }
}
