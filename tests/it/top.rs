//! `ccd402 top` in a real terminal, over a facilitator that is paid.

use ccd402::devnet::shop::ARTICLE;
use ccd402_simchain::{Control, FaultKind};

use crate::process::{Process, arg, run};
use crate::support::{TestApp, verify_request};
use crate::terminal::Terminal;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_seen_to_turn_from_pending_to_confirmed() {
    let app = TestApp::start().await;
    let chain = Control::connect(&app.net.chain().url()).await.unwrap();
    let url = app.net.facilitator().url();
    let mut terminal = Terminal::run(&["top", "--url", &url, "--every", "500ms"]);
    terminal.says("no verification yet").await;

    let hand = app.adult().await;
    let offer = hand.offer(&app.shop(ARTICLE)).await.unwrap();
    chain.fault(&FaultKind::DelayFinality.into()).await.unwrap();
    let payload = hand.pay(&offer).await.unwrap();
    let accepted = app.ask("/v1/verifications", &verify_request(&offer, &payload)).await;
    let id = accepted["id"].as_str().unwrap();
    let screen = terminal.shows(|screen| is_counted(&screen.text, "pending", "1")).await;
    assert!(screen.is_taken && screen.is_cursor_hidden, "{screen:?}");
    terminal.shows(|screen| is_listed(&screen.text, "pending")).await;
    chain.clear_faults().await.unwrap();
    terminal.shows(|screen| is_listed(&screen.text, "confirmed")).await;
    terminal.shows(|screen| is_counted(&screen.text, "confirmed", "1")).await;
    let screen = terminal.says("0.5 CCD (1), last hour 0.5 CCD").await;
    assert!(screen.text.contains("health ok; ready ok"), "{}", screen.text);
    assert!(!screen.text.contains("block not told"), "{}", screen.text);

    terminal.press("\r");
    terminal.says(id).await;
    terminal.press("\u{1b}");
    terminal.says("by minute").await;
    terminal.press("q");
    let screen = terminal.says("ended with").await;
    assert!(screen.text.contains("ended with 0, modes restored"), "{}", screen.text);
    assert!(!screen.is_taken && !screen.is_cursor_hidden, "{screen:?}");
    once(&url, id).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facilitator_that_goes_away_is_waited_for_and_a_signal_gives_the_terminal_back() {
    let dir = tempfile::tempdir().unwrap();
    let chain = ["simchain", "--listen", "127.0.0.1:0", "--block-time", "250ms"];
    let (chain, ready) = Process::serve(&chain).await;
    let node = ready["url"].as_str().unwrap().to_owned();
    let serve = async |listen: &str| {
        let data = dir.path().join("data");
        let serve = ["serve", "--listen", listen, "--node", &node, "--data-dir", arg(&data)];
        Process::serve(&serve).await
    };
    let (facilitator, ready) = serve("127.0.0.1:0").await;
    let url = ready["url"].as_str().unwrap().to_owned();
    let mut terminal = Terminal::run(&["top", "--url", &url, "--every", "500ms"]);
    terminal.says("ready ok").await;
    facilitator.kill().await;
    terminal.says("not told (since").await;
    terminal.says("no stream: ").await;
    let (facilitator, _) = serve(url.trim_start_matches("http://")).await;
    let is_well = |text: &str| !text.contains("not told (") && !text.contains("no stream");
    terminal.shows(|screen| screen.text.contains("ready ok") && is_well(&screen.text)).await;
    terminal.signal("TERM");
    let screen = terminal.says("ended with").await;
    assert!(screen.text.contains("ended with 0, modes restored"), "{}", screen.text);
    assert!(!screen.is_taken && !screen.is_cursor_hidden, "{screen:?}");
    for process in [facilitator, chain] {
        assert!(process.terminate().await.success());
    }
    let mut terminal = Terminal::run(&["top", "--url", &url]);
    let screen = terminal.says("ended with 1, modes restored").await;
    assert!(screen.text.contains("nobody answers at"), "{}", screen.text);
}

/// How many there are at a status now.
fn is_counted(text: &str, status: &str, now: &str) -> bool {
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    text.lines().any(|line| words(line) == format!("{status} {now}"))
}

/// Whether a verification in the list, which begins with its time, is at a status.
fn is_listed(text: &str, status: &str) -> bool {
    text.lines().any(|line| line.contains(status) && line.contains("GET"))
}

/// What programs are told, who have no terminal.
async fn once(url: &str, id: &str) {
    let refused = run(&["top", "--url", url]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    assert!(refused.stderr.contains("--once"), "{refused:?}");
    let json = run(&["top", "--url", url, "--once", "--json"]).await;
    assert_eq!(json.code, 0, "{json:?}");
    let [overview] = &json.lines()[..] else { panic!("one object: {json:?}") };
    let confirmed = &overview["verifications"][1];
    assert_eq!((&confirmed["status"], &confirmed["now"]), (&"confirmed".into(), &1.into()));
    assert_eq!(confirmed["byMinute"].as_array().unwrap().len(), 60, "{overview}");
    assert_eq!(overview["volume"][0]["ever"]["money"], "0.5 CCD", "{overview}");
    assert_eq!(overview["volume"][0]["ever"]["amount"], "500000", "{overview}");
    assert_eq!((&overview["newest"][0]["id"], &overview["health"]), (&id.into(), &"ok".into()));
    assert!(overview["block"]["height"].as_u64() > Some(0), "{overview}");
    assert_eq!(overview["jobs"]["dead"], 0, "{overview}");
    assert!(overview.get("trouble").is_none(), "{overview}");
    let text = run(&["top", "--url", url, "--once"]).await;
    assert_eq!(text.code, 0, "{text:?}");
    assert!(is_listed(&text.stdout, "confirmed") && !text.stdout.contains('\u{1b}'), "{text:?}");
}
