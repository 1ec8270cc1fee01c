//! A QR code as an SVG image within the page.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

/// Longest text: what a telephone still reads from a screen.
const TEXT_BYTES_MAX: usize = 512;
/// White modules that the standard wants around a code.
const QUIET: i32 = 4;

/// The code; none where the text is too long for one that can be read.
pub(super) fn code(text: &str) -> Option<Markup> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    Some(html! {
        svg.qr role="img" aria-label="QR code of this page's address"
            viewBox=(format!("0 0 {side} {side}")) shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path(&code)) fill="#000" {}
        }
    })
}

/// The dark modules, a rectangle for each run of them in a row.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).count();
            let run = i32::try_from(run).expect("a code has at most 177 modules in a row");
            if run > 0 {
                let (left, top) = (x + QUIET, y + QUIET);
                write!(path, "M{left} {top}h{run}v1h-{run}z").expect("a text takes every text");
            }
            x += run.max(1);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_has_the_modules_of_the_code() {
        let code = QrCode::encode_text("https://x.example/report", QrCodeEcc::Medium).unwrap();
        let drawn = path(&code);
        let area: i32 = drawn
            .split('M')
            .skip(1)
            .map(|piece| {
                piece[piece.find('h').unwrap() + 1..piece.find('v').unwrap()]
                    .parse::<i32>()
                    .unwrap()
            })
            .sum();
        let side = code.size();
        let dark = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let dark = dark.filter(|(x, y)| code.get_module(*x, *y)).count();
        assert_eq!(usize::try_from(area).unwrap(), dark);
        assert!(drawn.starts_with("M4 4h7v1h-7z"), "the finder pattern stands in the corner");
    }

    #[test]
    fn what_no_telephone_could_read_has_no_code() {
        assert!(super::code(&"a".repeat(TEXT_BYTES_MAX)).is_some());
        assert!(super::code(&"a".repeat(TEXT_BYTES_MAX + 1)).is_none());
    }
}
