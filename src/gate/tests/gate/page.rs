//! The page that browsers get, read as they read it.

use std::cell::RefCell;

use axum::Router;
use axum::routing::get as on_get;
use base64::Engine as _;
use ccd402_domain::preset::Preset;
use ccd402_gate::gate::Options;
use ccd402_gate::price::Price;
use ccd402_gate::routes::{Route, Routes};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};
use reqwest::{Method, Response};
use sha2::{Digest as _, Sha256};

use crate::kit::sponsored::{offers, sponsoring};
use crate::kit::{get, layered, options, request, route};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A document, flat: its elements with their attributes, and the text within each.
#[derive(Debug, Default)]
struct Document {
    elements: Vec<(String, Vec<(String, String)>)>,
    texts: Vec<(String, String)>,
}

#[derive(Default)]
struct Reader(RefCell<Document>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut document = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == html5ever::tokenizer::StartTag => {
                let name = tag.name.to_string();
                let attribute =
                    |it: &html5ever::Attribute| (it.name.local.to_string(), it.value.to_string());
                document.elements.push((name.clone(), tag.attrs.iter().map(attribute).collect()));
                if name == "style" {
                    return TokenSinkResult::RawData(states::RawKind::Rawtext);
                }
            }
            Token::CharacterTokens(text) => {
                let within = document.elements.last().map(|(name, _)| name.clone());
                document.texts.push((within.unwrap_or_default(), text.to_string()));
            }
            Token::ParseError(error) => panic!("not HTML: {error}"),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Document {
    fn read(html: &str) -> Self {
        let reader = Tokenizer::new(
            Reader::default(),
            TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() },
        );
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let _ = reader.feed(&input);
        reader.end();
        reader.sink.0.into_inner()
    }

    fn text(&self) -> String {
        let shown = self.texts.iter().filter(|(within, _)| within != "style");
        shown.map(|(_, text)| text.as_str()).collect()
    }

    fn count(&self, element: &str) -> usize {
        self.elements.iter().filter(|(name, _)| name == element).count()
    }
}

async fn browse(at: std::net::SocketAddr, path: &str) -> Response {
    request(Method::GET, at, path).header("accept", BROWSER).send().await.unwrap()
}

fn selling(change: impl FnOnce(&mut Route)) -> Options {
    let mut options = options(&sponsoring(), "1.5 CCD");
    let mut route = route("/report", "1.5 CCD");
    change(&mut route);
    options.routes = Routes::new(vec![route]).unwrap();
    options
}

fn app() -> Router {
    Router::new().fallback(on_get(|| async { "content" }))
}

#[tokio::test]
async fn a_browser_gets_a_page_that_says_all_of_it() {
    let gate = layered(
        selling(|route| {
            let euro = Price::parse("0.05 EURR", Some(6)).unwrap();
            route.price = vec![Price::parse("1.5 CCD", None).unwrap(), euro].into();
        }),
        app(),
    )
    .await;
    let response = browse(gate, "/report?a=1&b=2").await;
    assert_eq!(response.status(), 402);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["vary"], "accept");
    assert_eq!(offers(&response).len(), 4, "programs that call themselves browsers can still pay");
    let page = Document::read(&response.text().await.unwrap());
    let text = page.text();
    let pay_to = route("/report", "1 CCD").pay_to.to_string();
    let command = format!("ccd402 pay 'http://{gate}/report?a=1&b=2'");
    for said in ["A report", "1.5 CCD", "0.05 EURR", &pay_to, "concordium-testnet", &command] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains("sponsored") && !text.contains("You prove"), "{text}");
    assert_eq!((page.count("svg"), page.count("time"), page.count("h1")), (1, 1, 1));
}

#[tokio::test]
async fn the_page_runs_nothing_and_fetches_nothing() {
    let gate = layered(selling(|_| {}), app()).await;
    let response = browse(gate, "/report").await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let page = Document::read(&response.text().await.unwrap());
    let style: String = page
        .texts
        .iter()
        .filter(|(within, _)| within == "style")
        .map(|(_, text)| text.as_str())
        .collect();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&style));
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains(&hash), "the style sheet is the one that the policy allows");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    for element in ["script", "img", "iframe", "object", "form", "base"] {
        assert_eq!(page.count(element), 0, "{element}");
    }
    for (element, attributes) in &page.elements {
        for (name, value) in attributes {
            assert!(
                !name.starts_with("on") && name != "style" && name != "src",
                "{element} {name}"
            );
            assert!(name != "href" || value == "data:,", "{element} {value}");
        }
    }
}

#[tokio::test]
async fn what_must_be_proven_is_told_in_words() {
    let gate = layered(
        selling(|route| {
            route.identity = Preset {
                min_age: Some(18),
                residence_in: vec!["DK".into(), "SE".into()],
                issuers: vec![0, 3],
                ..Preset::default()
            };
        }),
        app(),
    )
    .await;
    let text = Document::read(&browse(gate, "/report").await.text().await.unwrap()).text();
    assert!(text.contains("that you are at least 18 years old"), "{text}");
    assert!(text.contains("country of residence is one of DK, SE"), "{text}");
    assert!(text.contains("one of the identity providers 0, 3 issued"), "{text}");
    assert!(!text.contains("sponsored"), "a sponsored payment carries no proof: {text}");
}

#[tokio::test]
async fn nothing_breaks_out_of_the_page() {
    let hostile = "</style><script>alert(1)</script>\"'&amp;";
    let gate = layered(selling(|route| route.description = Some(hostile.to_owned())), app()).await;
    // What HTTP lets through of quotes and entities; a `<` in a target is no HTTP.
    let query = "q=%3Cscript%3E'&lt;b&gt;{onload=x}";
    let ask = async |query: &str| {
        let host = "Accept: text/html\r\nConnection: close";
        crate::kit::raw(
            gate,
            &format!("GET /report?{query} HTTP/1.1\r\nHost: {gate}\r\n{host}\r\n\r\n"),
        )
        .await
    };
    assert!(ask("<b>").await.starts_with("HTTP/1.1 400 "));
    let answer = ask(query).await;
    assert!(answer.starts_with("HTTP/1.1 402 "), "{answer}");
    let page = Document::read(answer.split_once("\r\n\r\n").unwrap().1);
    assert_eq!((page.count("script"), page.count("b"), page.count("style")), (0, 0, 1));
    for shown in [hostile, query] {
        assert!(page.text().contains(shown), "{shown} is shown as it is written");
    }
}

#[tokio::test]
async fn only_prices_that_are_offered_are_shown() {
    let prices = ["1.5 CCD", "0.05 EURR", "3 USDR", "4 GBPR"];
    let gate = layered(
        selling(|route| {
            let parsed =
                prices.map(|text| Price::parse(text, (!text.ends_with("CCD")).then_some(2)));
            route.price = parsed.map(Result::unwrap).to_vec().into();
        }),
        app(),
    )
    .await;
    let response = browse(gate, &format!("/report?x={}", "y".repeat(1_900))).await;
    let offered: Vec<_> = offers(&response).iter().map(|it| it["asset"].clone()).collect();
    let page = Document::read(&response.text().await.unwrap());
    for price in prices {
        let asset = price.split_once(' ').unwrap().1;
        assert_eq!(page.text().contains(price), offered.iter().any(|it| it == asset), "{price}");
    }
    assert!(offered.iter().all(|it| it != "GBPR"), "{offered:?}");
}

#[tokio::test]
async fn programs_get_json_as_ever() {
    let gate = layered(selling(|_| {}), app()).await;
    for accept in ["*/*", "application/json", "text/html;q=0.5, application/json"] {
        let asked = request(Method::GET, gate, "/report").header("accept", accept);
        let response = asked.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json", "{accept}");
        assert_eq!(response.headers()["vary"], "accept");
    }
    assert_eq!(get(gate, "/report").await.headers()["content-type"], "application/json");
    let headed = request(Method::HEAD, gate, "/report").header("accept", BROWSER);
    let headed = headed.send().await.unwrap();
    assert_eq!(headed.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(offers(&headed).len(), 2);
    assert_eq!(headed.text().await.unwrap(), "");
    let posted = request(Method::POST, gate, "/report").header("accept", BROWSER);
    assert_eq!(posted.send().await.unwrap().headers()["content-type"], "application/json");
}

#[tokio::test]
async fn a_refused_payment_is_told_on_the_page() {
    let gate = layered(selling(|_| {}), app()).await;
    let offer = offers(&get(gate, "/report").await).remove(0);
    let mut forged = offer.clone();
    forged["amount"] = "1".into();
    let payment = crate::kit::sponsored::sponsored(&forged, 1);
    let asked = request(Method::GET, gate, "/report")
        .header("accept", BROWSER)
        .header("PAYMENT-SIGNATURE", payment);
    let page = Document::read(&asked.send().await.unwrap().text().await.unwrap());
    let told = "The payment was not taken: The challenge was not issued here (challenge_not_ours).";
    assert!(page.text().contains(told), "{}", page.text());
}
