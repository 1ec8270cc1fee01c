//! Which key asks for what. What is done about it, the model says.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::Move;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    /// To where one came from; out, from the overview.
    Back,
    Pause,
    Enter,
    Help,
    Move(Move),
}

/// What the help says of them.
pub(super) const HELP: [(&str, &str); 7] = [
    ("q, Ctrl-C", "quit"),
    ("Esc", "back to the overview; there: quit"),
    ("p, Space", "hold the picture, and let it go on; ages go on all the same"),
    ("Up, Down", "choose a verification, or scroll (also k, j)"),
    ("PageUp, PageDown", "the same by ten (also Home, End)"),
    ("Enter", "show the chosen verification, or the newest; back from it"),
    ("?", "this help"),
];

/// What a key asks for, if anything.
pub(super) fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char('c') if is_control => Key::Quit,
        KeyCode::Char(_) if is_control => return None,
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Esc => Key::Back,
        KeyCode::Char('p' | ' ') => Key::Pause,
        KeyCode::Enter => Key::Enter,
        KeyCode::Char('?' | 'h') => Key::Help,
        KeyCode::Up | KeyCode::Char('k') => Key::Move(Move::Up),
        KeyCode::Down | KeyCode::Char('j') => Key::Move(Move::Down),
        KeyCode::PageUp => Key::Move(Move::PageUp),
        KeyCode::PageDown => Key::Move(Move::PageDown),
        KeyCode::Home => Key::Move(Move::First),
        KeyCode::End => Key::Move(Move::Last),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_what_the_help_says() {
        let press = |code, modifiers| key(KeyEvent::new(code, modifiers));
        let rows = [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Key::Quit)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Quit)),
            (KeyCode::Char('c'), KeyModifiers::NONE, None),
            (KeyCode::Char('p'), KeyModifiers::CONTROL, None),
            (KeyCode::Esc, KeyModifiers::NONE, Some(Key::Back)),
            (KeyCode::Char('?'), KeyModifiers::SHIFT, Some(Key::Help)),
            (KeyCode::PageDown, KeyModifiers::NONE, Some(Key::Move(Move::PageDown))),
        ];
        for (code, modifiers, asked) in rows {
            assert_eq!(press(code, modifiers), asked, "{code:?} {modifiers:?}");
        }
        let released =
            KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(key(released), None);
    }
}
