//! Whole screens: what a view is drawn as, in any room, whatever others have written.

use std::collections::HashMap;
use std::ops::ControlFlow;

use ccd402_app::contract::sample;
use ccd402_domain::event::Event;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use uuid::Uuid;

use super::draw::draw;
use super::figures::{Figures, hour_from};
use super::keys::Key;
use super::lines;
use super::model::{Hour, Move, News, Round, State, View};
use super::wire::{Block, Jobs, Page, Ready, Row, Stats, Status};

fn now() -> DateTime<Utc> {
    "2026-11-26T16:20:30Z".parse().unwrap()
}

fn row(number: u128, status: &str, url: &str, asset: &str) -> Row {
    let mut row = json!({
        "id": Uuid::from_u128(number),
        "status": status,
        "payment": {
            "network": "ccd:local", "transaction": "ab".repeat(32),
            "payer": "3kBx", "payTo": "4abc",
            "asset": asset, "amount": "1500000", "resource": { "method": "GET", "url": url },
        },
        "usage": "free",
        "requestedAt": now() - TimeDelta::seconds(number as i64),
        "tenant": "default",
        "changed": 100 - number as u64,
    });
    if status == "failed" {
        row["reason"] = json!({ "code": "amount_mismatch", "detail": "too little" });
    }
    serde_json::from_value(row).unwrap()
}

fn rows() -> Vec<Row> {
    vec![
        row(1, "pending", "https://shop.example/report", "CCD"),
        row(2, "confirmed", "https://shop.example/article", "EURR"),
        row(3, "failed", "https://shop.example/print", "CCD"),
    ]
}

fn stats(counts: [u64; 3]) -> Stats {
    let group = |(status, count): (&str, u64)| {
        json!({ "network": "ccd:local", "asset": "CCD", "status": status, "count": count,
                "amount": (count * 1_500_000).to_string() })
    };
    let totals: Vec<_> =
        ["pending", "confirmed", "failed"].into_iter().zip(counts).map(group).collect();
    let mut by_time = totals.clone();
    by_time
        .iter_mut()
        .for_each(|group| group["begins"] = json!(hour_from(now()) + TimeDelta::minutes(59)));
    serde_json::from_value(json!({
        "asOf": 90, "totals": totals, "byTime": { "groups": by_time, "isCut": false },
        "refusals": [{ "code": "amount_mismatch", "count": 4 }, { "code": "expired", "count": 1 }],
        "finality": { "count": 1204, "p50Ms": 2100, "p90Ms": 4000, "p99Ms": 9000 },
        "lag": { "events": 9, "jobsWaiting": 3, "jobsDead": 0 },
    }))
    .unwrap()
}

fn round(rows: Vec<Row>) -> Round {
    let parts =
        ["follower", "log", "node", "projection"].map(|part| (part.to_owned(), "ok".to_owned()));
    Round {
        at: now() - TimeDelta::seconds(1),
        health: Ok("ok".to_owned()),
        ready: Ok(Ready { status: "ok".to_owned(), parts: parts.into() }),
        ever: Ok(stats([3, 1204, 5])),
        hour: Ok(Hour { from: hour_from(now()), stats: stats([3, 120, 4]) }),
        page: Ok(Page { verifications: rows }),
        jobs: Some(Ok(Jobs { waiting: 3, dead: 1, oldest_due_seconds: 7 })),
        block: Some(Block {
            height: 12_345,
            hash: "cd".repeat(32),
            time: now() - TimeDelta::seconds(2),
        }),
        decimals: HashMap::from([("CCD".to_owned(), 6), ("EURR".to_owned(), 2)]),
    }
}

fn view() -> View {
    let mut state = State::new("http://127.0.0.1:4020");
    state.take(News::Round(Box::new(round(rows()))));
    View::new(state)
}

fn screen(view: &View, (columns, rows): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, view, now())).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = buffer.content.chunks(usize::from(columns.max(1)));
    cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>()).collect()
}

fn trimmed(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.trim_end()).collect()
}

fn press(view: &mut View, keys: &[Key]) -> bool {
    keys.iter().any(|key| view.press(*key) == ControlFlow::Break(()))
}

#[test]
fn everything_is_seen_on_a_terminal_of_24_lines() {
    let drawn = screen(&view(), (80, 24));
    let expected = include_str!("tests/overview.txt");
    assert_eq!(trimmed(&drawn).join("\n"), expected.trim_end(), "\n{}\n", drawn.join("\n"));
}

#[test]
fn a_larger_one_shows_more_of_each() {
    let mut view = view();
    let many = (1..=60).map(|n| row(n, "confirmed", "https://shop.example/x", "CCD")).collect();
    view.take(News::Round(Box::new(round(many))));
    let shown = |size| screen(&view, size).iter().filter(|line| line.contains("GET")).count();
    assert_eq!((shown((80, 24)), shown((160, 60))), (11, 47));
    let line = screen(&view, (160, 60)).into_iter().find(|line| line.contains("GET")).unwrap();
    assert!(line.contains("https://shop.example/x"), "{line}");
}

#[test]
fn what_is_dead_or_amiss_or_away_is_said() {
    let mut view = view();
    let mut amiss = round(rows());
    amiss.health = Ok("node_unavailable".to_owned());
    let parts = [("node".to_owned(), "node_unavailable".to_owned())];
    amiss.ready = Ok(Ready { status: "node_unavailable".to_owned(), parts: parts.into() });
    view.take(News::Round(Box::new(amiss)));
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(drawn.contains("health node_unavailable; ready node_unavailable"), "{drawn}");
    assert!(drawn.contains("jobs 3 waiting for 7 s, 1 dead"), "{drawn}");

    let away = |at| {
        let why = || "nobody answers".to_owned();
        let mut round = round(Vec::new());
        round.at = at;
        (round.health, round.ready) = (Err(why()), Err(why()));
        (round.ever, round.hour, round.page) = (Err(why()), Err(why()), Err(why()));
        News::Round(Box::new(round))
    };
    view.take(away(now() - TimeDelta::seconds(30)));
    view.take(away(now()));
    view.take(News::Stream(Err("the stream broke off".to_owned())));
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(drawn.contains("not told (since 30 s ago): nobody answers"), "{drawn}");
    assert!(drawn.contains("no stream: the stream broke off"), "{drawn}");
    assert!(drawn.contains("confirmed      1,204"), "what was told last stays: {drawn}");

    view.take(News::Round(Box::new(round(rows()))));
    view.take(News::Stream(Ok(())));
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(!drawn.contains("not told (") && !drawn.contains("no stream"), "{drawn}");
}

#[test]
fn a_tenant_sees_what_it_is_told() {
    let mut state = State::new("http://127.0.0.1:4020");
    let told = Round { jobs: None, block: None, ..round(rows()) };
    state.take(News::Round(Box::new(told)));
    let drawn = screen(&View::new(state), (80, 24)).join("\n");
    assert!(drawn.contains("block not told; log 99"), "{drawn}");
    assert!(drawn.contains("jobs 3 waiting, 0 dead; final"), "{drawn}");
}

#[test]
fn what_others_write_cannot_steer_the_terminal() {
    let hostile = "http://x/\u{1b}[2J\r\n\u{9b}1m\u{202e}\u{200b}\u{7}";
    let mut view = view();
    let mut row = row(1, "failed", hostile, "A\u{1b}c");
    row.payment.resource.method = "G\nT".to_owned();
    row.tenant = hostile.to_owned();
    row.payment.payer = hostile.to_owned();
    let reason = row.reason.as_mut().unwrap();
    (reason.code, reason.detail) = ("\u{1b}c".to_owned(), hostile.to_owned());
    let mut told = round(vec![row]);
    told.health = Ok(hostile.to_owned());
    told.ready = Ok(Ready {
        status: hostile.to_owned(),
        parts: [(hostile.to_owned(), hostile.to_owned())].into(),
    });
    told.jobs = Some(Err(hostile.to_owned()));
    view.take(News::Round(Box::new(told)));
    view.take(News::Stream(Err(hostile.to_owned())));
    let text = lines::all(&Figures::of(view.state(), now()), view.state(), 80);
    assert!(
        text.contains("G\\nT http://x/\\u{1b}[2J\\r\\n\\u{9b}1m\\u{202e}\\u{200b}\\u{7}"),
        "{text}"
    );
    for keys in [&[][..], &[Key::Enter]] {
        press(&mut view, keys);
        let drawn = screen(&view, (200, 40)).join("\n");
        assert!(drawn.contains("\\u{1b}[2J\\r\\n"), "{drawn}");
        let is_steering =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
        assert!(!drawn.chars().chain(text.chars()).any(is_steering), "{drawn}");
    }
}

#[test]
fn verifications_come_in_and_turn_by_what_the_stream_tells() {
    let mut view = view();
    let at = now();
    let tell = |view: &mut View, position, event: Event| {
        view.take(News::Event { position, at, event: Box::new(event) });
    };
    let id = sample::verification(7).0;
    let status =
        |view: &View| view.state().rows().iter().find(|row| row.id == id).map(|row| row.status);
    tell(&mut view, 101, sample::confirmed(7, 7));
    assert_eq!(status(&view), None, "nothing is known of it");
    tell(&mut view, 102, sample::requested(7, 7));
    assert_eq!(status(&view), Some(Status::Pending));
    tell(&mut view, 103, sample::confirmed(7, 7));
    assert_eq!(status(&view), Some(Status::Confirmed));
    // A page that was made before, and an event that comes again, turn nothing back.
    tell(&mut view, 102, sample::requested(7, 7));
    let mut old = view.state().rows().iter().find(|row| row.id == id).unwrap().clone();
    (old.status, old.changed) = (Status::Pending, 102);
    view.take(News::Round(Box::new(round(vec![old]))));
    assert_eq!(status(&view), Some(Status::Confirmed));
    assert_eq!((view.state().rows().len(), view.state().head), (4, 103));
    let followed = view.state().block.as_ref().map(|block| block.height);
    tell(&mut view, 104, sample::followed(followed.unwrap() + 1));
    assert_eq!(view.state().block.as_ref().map(|block| block.height), Some(12_346));
}

#[test]
fn keys_move_hold_show_and_end() {
    let mut view = view();
    assert_eq!(view.chosen(), None);
    press(&mut view, &[Key::Move(Move::Down), Key::Move(Move::Down)]);
    assert_eq!(view.chosen(), Some(1));
    // It stays chosen while another one comes in above it.
    let newer = Row { requested_at: now(), ..row(9, "pending", "https://shop.example/new", "CCD") };
    view.take(News::Round(Box::new(round(vec![newer]))));
    assert_eq!(view.chosen(), Some(2));
    let drawn = screen(&view, (80, 24));
    assert!(drawn.iter().any(|line| line.starts_with(">16:20:28  confirmed")), "{drawn:#?}");
    press(&mut view, &[Key::Enter]);
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(
        drawn.contains("amount       15,000 EURR") && drawn.contains(&"ab".repeat(32)),
        "{drawn}"
    );
    assert!(!press(&mut view, &[Key::Back, Key::Help]));
    assert!(screen(&view, (80, 24)).join("\n").contains("hold the picture"));
    press(&mut view, &[Key::Back, Key::Pause]);
    view.take(News::Round(Box::new(Round { ever: Ok(stats([8, 8, 8])), ..round(rows()) })));
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(drawn.contains("PAUSED") && drawn.contains("1,204"), "{drawn}");
    press(&mut view, &[Key::Pause]);
    let drawn = screen(&view, (80, 24)).join("\n");
    assert!(!drawn.contains("PAUSED") && drawn.contains("confirmed          8"), "{drawn}");
    for way in [Move::PageDown, Move::Last, Move::PageUp, Move::Up, Move::First, Move::Up] {
        press(&mut view, &[Key::Move(way)]);
        assert!(view.chosen().is_none_or(|at| at < 4), "{way:?}");
    }
    assert_eq!(view.chosen(), None);
    assert!(press(&mut view, &[Key::Back]), "Esc ends it from the overview");
    assert!(press(&mut view, &[Key::Help, Key::Quit]), "q ends it from anywhere");
}

proptest! {
    #[test]
    fn any_room_and_any_text_can_be_drawn(
        columns in 1_u16..130,
        height in 1_u16..50,
        texts in proptest::collection::vec(any::<String>(), 0..20),
        opened in 0_usize..3,
    ) {
        let mut view = view();
        let of = |(at, text): (usize, &String)| Row {
            id: Uuid::from_u128(at as u128 + 50),
            ..row(2, "failed", text, text)
        };
        let told = texts.iter().enumerate().map(of).collect();
        view.take(News::Round(Box::new(round(told))));
        press(&mut view, [&[][..], &[Key::Move(Move::Last), Key::Enter], &[Key::Help]][opened]);
        let drawn = screen(&view, (columns, height));
        prop_assert_eq!(drawn.len(), usize::from(height));
        prop_assert!(!drawn.iter().any(|line| line.chars().any(char::is_control)));
    }
}
