//! The code in the papers is code that runs.

use super::{Problems, read};
use crate::Failure;
use std::path::Path;

/// The quick start, which README.md and docs/start.md show word for word.
pub(super) const QUICKSTART: &str = "swarm/examples/quickstart.rs";

/// A quick start above this is not one.
const QUICKSTART_LINES_MAX: usize = 40;

/// The contents of the book.
const SUMMARY: &str = "SUMMARY.md";

const EXAMPLES: &str = "swarm/examples";

pub(super) fn check(root: &Path) -> Result<Problems, Failure> {
    let mut problems = Vec::new();
    if let Some(quickstart) = read(&root.join(QUICKSTART))? {
        problems.extend(check_length(&quickstart));
        for page in ["README.md", "docs/start.md"] {
            if let Some(text) = read(&root.join(page))? {
                problems.extend(check_verbatim(page, &text, &quickstart));
            }
        }
    }
    let pages = read_all(&root.join("docs"), "md")?;
    problems.extend(check_summary(&pages));
    if root.join(EXAMPLES).is_dir() {
        let examples = read_all(&root.join(EXAMPLES), "rs")?;
        for (page, text) in pages {
            problems.extend(check_passages(&format!("docs/{page}"), &text, &examples));
        }
    }
    Ok(problems)
}

/// The book has every page, and only pages that are there.
fn check_summary(pages: &[(String, String)]) -> Problems {
    let Some((_, summary)) = pages.iter().find(|(page, _)| page == SUMMARY) else {
        return Problems::new();
    };
    let listed = |page: &str| summary.contains(&format!("]({page})"));
    let mut problems = Problems::new();
    for (page, _) in pages.iter().filter(|(page, _)| page != SUMMARY && !listed(page)) {
        problems.push(format!("docs/{SUMMARY}: {page} is not in it"));
    }
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    for (page, _) in links.filter(|(page, _)| !pages.iter().any(|(known, _)| known == page)) {
        problems.push(format!("docs/{SUMMARY}: there is no page {page}"));
    }
    problems
}

fn check_length(quickstart: &str) -> Option<String> {
    let n_lines = quickstart.lines().count();
    (n_lines > QUICKSTART_LINES_MAX)
        .then(|| format!("{QUICKSTART}: {n_lines} lines, {QUICKSTART_LINES_MAX} at most"))
}

fn check_verbatim(page: &str, text: &str, quickstart: &str) -> Option<String> {
    let shown = rust_blocks(text).iter().any(|(_, block)| block == quickstart);
    (!shown).then(|| format!("{page}: no `rust` block is {QUICKSTART}, byte for byte"))
}

/// Every block has to be a passage of an example, whatever its indentation.
fn check_passages(page: &str, text: &str, examples: &[(String, String)]) -> Problems {
    let examples: Vec<Vec<&str>> =
        examples.iter().map(|(_, text)| text.lines().map(str::trim).collect()).collect();
    let mut problems = Vec::new();
    for (line, block) in rust_blocks(text) {
        let block: Vec<&str> = block.lines().map(str::trim).collect();
        let found = |example: &Vec<&str>| example.windows(block.len()).any(|part| part == block);
        if block.is_empty() || !examples.iter().any(found) {
            problems.push(format!("{page}:{line}: the code is in no example of {EXAMPLES}"));
        }
    }
    problems
}

/// The blocks fenced as `rust`, each with the line it begins on.
fn rust_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        match (&mut open, line.trim_end()) {
            (None, "```rust") => open = Some((number + 1, String::new())),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), _) => block.push_str(line),
            (None, _) => (),
        }
    }
    blocks
}

/// The files of a folder that end in `extension`, and their texts, in order. No folder, no files.
fn read_all(folder: &Path, extension: &str) -> Result<Vec<(String, String)>, Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|found| found == extension)
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
            && let Some(text) = read(&path)?
        {
            files.push((name.to_owned(), text));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Start\n\n```rust\nfn main() {\n    run();\n}\n```\n\n```text\nx\n```\n";
    const EXAMPLE: &str = "fn main() {\n    run();\n}\n";

    #[test]
    fn a_page_that_shows_the_quick_start_passes() {
        assert_eq!(check_verbatim("README.md", PAGE, EXAMPLE), None);
    }

    #[test]
    fn a_page_that_shows_another_one_is_found() {
        for other in ["fn main() {\n    run(1);\n}\n", "fn main() {\n  run();\n}\n", "x\n"] {
            assert!(check_verbatim("README.md", PAGE, other).is_some());
        }
        assert!(check_verbatim("README.md", "no code", EXAMPLE).is_some());
    }

    #[test]
    fn a_book_that_lacks_a_page_or_lists_none_is_found() {
        let pages = |summary: &str, page: &str| {
            [(SUMMARY.to_owned(), summary.to_owned()), (page.to_owned(), String::new())]
        };
        assert_eq!(check_summary(&pages("- [A](a.md)\n", "a.md")), Problems::new());
        assert_eq!(check_summary(&pages("- [A](a.md)\n", "b.md")).len(), 2);
        assert_eq!(check_summary(&[("a.md".to_owned(), String::new())]), Problems::new());
    }

    #[test]
    fn a_quick_start_that_grew_is_found() {
        assert_eq!(check_length(&"x\n".repeat(40)), None);
        assert!(check_length(&"x\n".repeat(41)).is_some());
    }

    #[test]
    fn code_that_is_in_no_example_is_found() {
        let found = |code: &str| {
            let page = format!("# Page\n```rust\n{code}\n```\n");
            check_passages("docs/page.md", &page, &[("example.rs".into(), EXAMPLE.into())])
        };
        assert!(found("run();").is_empty());
        assert!(found("fn main() {\nrun();").is_empty());
        assert_eq!(
            found("stop();"),
            ["docs/page.md:3: the code is in no example of swarm/examples"]
        );
        assert_eq!(found("run();\nfn main() {").len(), 1, "the order counts");
        assert_eq!(found("").len(), 1);
    }
}
