//! Rust source without comments and without what stands in strings, so that a word found in it is
//! a word of code.

/// `source` with comments left out and strings emptied. Lines stay lines.
pub(super) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !code.ends_with(is_word) => literal(rest).unwrap_or(0),
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        if taken == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (left_out, after) = rest.split_at(taken);
        code.extend(left_out.chars().filter(|c| *c == '\n'));
        if !left_out.starts_with('/') {
            code.push_str("\"\"");
        }
        rest = after;
    }
    code
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long the comment is that `text` begins with. They nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// How long the string is that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

/// How long the string with a prefix is that `text` begins with: `b"…"`, `r#"…"#`, `br"…"`.
fn literal(text: &str) -> Option<usize> {
    let prefix = text.find(|c| !matches!(c, 'r' | 'b' | 'c'))?;
    let after = &text[prefix..];
    if !text[..prefix].contains('r') {
        return after.starts_with('"').then(|| prefix + string(after));
    }
    let hashes = after.find(|c| c != '#')?;
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix + hashes + 1 + len)
}

/// How long the character literal is that `text` begins with; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let body = &text[1..];
    if let Some(escape) = body.strip_prefix('\\') {
        // The escaped character itself may be a quote.
        let first = escape.chars().next()?.len_utf8();
        return escape[first..].find('\'').map(|at| 1 + 1 + first + at + 1);
    }
    let first = body.chars().next()?.len_utf8();
    body[first..].starts_with('\'').then_some(1 + first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, code: &str) {
        assert_eq!(code_only(source), code, "of {source}");
    }

    #[test]
    fn comments_are_left_out() {
        check("a // todo!()\nb", "a \nb");
        check("a /* x /* y */ \n z */ b", "a \n b");
        check("/// docs \"quoted\nfn f() {}", "\nfn f() {}");
    }

    #[test]
    fn strings_are_emptied() {
        check(r#"f("todo!()", b"x", 'x')"#, r#"f("", "", "")"#);
        check(r##"f(r#"a "quoted" // b"#, 1)"##, r#"f("", 1)"#);
        check(r#"f("a \" // b", 1)"#, r#"f("", 1)"#);
        check("\"a\nb\" c", "\n\"\" c");
        check(r#"['"', '\'', '\\', '\u{7}'] // x"#, r#"["", "", "", ""] "#);
    }

    #[test]
    fn what_only_looks_like_a_string_stays() {
        check("fn f<'a>(x: &'a str) -> &'a str {}", "fn f<'a>(x: &'a str) -> &'a str {}");
        check("br + crab(r#type)", "br + crab(r#type)");
        check("'outer: loop { break 'outer }", "'outer: loop { break 'outer }");
    }

    #[test]
    fn a_file_that_ends_too_early_does_not_panic() {
        for source in ["\"", "'", "'\\", "r#\"", "/*", "b", "r#", "\"\\", "/* /*"] {
            code_only(source);
        }
    }
}
