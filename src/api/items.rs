//! Cuts the body of a batch into its items, without reading or copying them.
//!
//! A JSON array is cut at its outermost commas, so that an item that is no JSON spoils nobody else's;
//! NDJSON at its line feeds. What an item is worth is decided where it is decoded.

/// A JSON array that cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnArray;

/// Items of NDJSON; empty lines are none.
pub(crate) fn of_lines(body: &[u8]) -> Vec<&[u8]> {
    body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()).collect()
}

/// Items of a JSON array.
///
/// # Errors
/// Where brackets or quotes are not closed, or something stands around the array.
pub(crate) fn of_array(body: &[u8]) -> Result<Vec<&[u8]>, NotAnArray> {
    let body = body.trim_ascii();
    let inner = body.strip_prefix(b"[").and_then(|body| body.strip_suffix(b"]"));
    let inner = inner.ok_or(NotAnArray)?;
    let mut items = Vec::new();
    let (mut begin, mut depth) = (0, 0_usize);
    let mut at = 0;
    while let Some(&byte) = inner.get(at) {
        match byte {
            b'"' => at = end_of_text(inner, at).ok_or(NotAnArray)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1).ok_or(NotAnArray)?,
            b',' if depth == 0 => {
                items.push(inner[begin..at].trim_ascii());
                begin = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if depth > 0 {
        return Err(NotAnArray);
    }
    let last = inner[begin..].trim_ascii();
    if !(items.is_empty() && last.is_empty()) {
        items.push(last);
    }
    Ok(items)
}

/// Where the text that begins here ends: the place of its closing quote.
fn end_of_text(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &str) -> Result<Vec<&str>, NotAnArray> {
        let items = of_array(body.as_bytes())?;
        Ok(items.into_iter().map(|item| std::str::from_utf8(item).unwrap()).collect())
    }

    #[test]
    fn an_array_is_cut_at_its_outermost_commas() {
        let rows: [(&str, &[&str]); 7] = [
            ("[]", &[]),
            (" [ \n] ", &[]),
            ("[1]", &["1"]),
            (r#"[{"a":[1,2]}, {"b":"x,]"}]"#, &[r#"{"a":[1,2]}"#, r#"{"b":"x,]"}"#]),
            (r#"["\"", "\\", "a\\\","]"#, &[r#""\"""#, r#""\\""#, r#""a\\\",""#]),
            (r#"[{"a":}, 2,]"#, &[r#"{"a":}"#, "2", ""]),
            ("[,]", &["", ""]),
        ];
        for (body, items) in rows {
            assert_eq!(cut(body).as_deref(), Ok(items), "{body}");
        }
    }

    #[test]
    fn what_is_not_closed_cannot_be_cut() {
        for body in ["", "[", "]", "{}", "[{]", "[1}]", "[\"]", r#"["\"]"#, "[1] 2", r#"["\"#] {
            assert_eq!(cut(body), Err(NotAnArray), "{body}");
        }
    }

    #[test]
    fn lines_are_items_unless_they_are_empty() {
        assert_eq!(of_lines(b"{}\r\n\n [1]\n"), [&b"{}"[..], b"[1]"]);
        assert!(of_lines(b"\n \n").is_empty());
    }
}
