//! How deep a TOML text goes, before it is parsed: a parser goes down with it, and a stack has an end.

/// Keys on the way to a setting, `learners.maml.inner_lr` being three: what is deeper is no setting.
pub(super) const MOST_KEYS: usize = 32;

/// Where more than [`MOST_KEYS`] keys are joined by points, or as many brackets are open; nowhere in what people write.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut joined, mut open) = (0, 0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            // A comment: it may hold anything.
            b'#' => {
                at += bytes[at..].iter().take_while(|&&b| b != b'\n').count();
                continue;
            }
            b'.' => joined += 1,
            b'[' | b'{' => (joined, open) = (0, open + 1),
            b']' | b'}' => (joined, open) = (0, open.saturating_sub(1)),
            byte if byte.is_ascii_alphanumeric() || b"_- \t".contains(&byte) => {}
            // Letters of other scripts are no bare keys, but an error that is not ours to find.
            byte if !byte.is_ascii() => {}
            _ => joined = 0,
        }
        if joined >= MOST_KEYS || open > MOST_KEYS {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The place behind a string that begins here; the end of the text if it does not end.
fn end_of_string(bytes: &[u8], begin: usize) -> usize {
    let quote = bytes[begin];
    let is_long = bytes[begin..].starts_with(&[quote; 3]);
    let mut at = begin + if is_long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !is_long => return at,
            byte if byte == quote && !is_long => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_deep_and_what_overflows_a_stack_is() {
        for plain in [
            "about = \"................................................\"\n[learners.maml]\n",
            "values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 3.1, 3.2, 3.3, 3.4]",
            "# ............................................................\na.b.c = 1",
            "a = \"\"\"x\" . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . \"\"\"",
        ] {
            assert_eq!(too_deep(plain), None, "{plain}");
        }
        let deep = vec!["a"; 60_000].join(".");
        for text in [
            format!("{deep} = 1"),
            format!("[{deep}]"),
            format!("x = {{ {deep} = 1 }}"),
            format!("\"=\".{deep} = 1"),
            vec!["\"=\""; 60_000].join(" . "),
            format!("x = {{ s = \"\"\"a\"b\"\"\", {deep} = 1 }}"),
            format!("x = {}", "[".repeat(60_000)),
        ] {
            assert!(too_deep(&text).is_some(), "{:.40}", text);
        }
    }
}
