//! Which nodes take names, by what they are called.

use crate::ConfigError;
use regex::Regex;
use std::collections::BTreeSet;
use std::fmt;
use swarm_base::NodeName;

/// Which nodes an entry of [`Builder::allow`](crate::Builder::allow) or
/// [`Builder::deny`](crate::Builder::deny) means.
///
/// A string means the node of exactly this name, and all whose names it matches as a regular
/// expression. That is looked for anywhere in a name: `b` is in `web-1`, `^b` is not.
#[derive(Clone, PartialEq, Eq)]
pub struct NodePattern {
    text: String,
    meaning: Meaning,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Either,
    Name,
    Regex,
}

impl NodePattern {
    /// The node of exactly this name, whatever it would mean as a regular expression.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self { text: name.into(), meaning: Meaning::Name }
    }

    /// The nodes whose names this regular expression matches, in the syntax of the crate `regex`.
    /// The start of a node fails where it is none.
    #[must_use]
    pub fn regex(regex: impl Into<String>) -> Self {
        Self { text: regex.into(), meaning: Meaning::Regex }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn compile(&self, setting: &'static str) -> Result<Entry, ConfigError> {
        let wrong = |want: String| ConfigError::new(setting, format!("{:?}", self.text), want);
        // As a regular expression it would mean every node, and comes of a variable without value.
        if self.text.is_empty() {
            return Err(wrong("the name of a node or a regular expression".to_owned()));
        }
        let regex = match self.meaning {
            Meaning::Name => None,
            Meaning::Either | Meaning::Regex => Some(Regex::new(&self.text).map_err(|error| {
                // The last line says what is wrong, those before it show where.
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                let reason = reason.trim_start_matches("error: ").trim_end_matches('.');
                wrong(format!("a regular expression ({reason})"))
            })?),
        };
        let name = (self.meaning != Meaning::Regex).then(|| self.text.clone());
        Ok(Entry { text: self.text.clone(), name, regex })
    }
}

impl From<&str> for NodePattern {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for NodePattern {
    fn from(text: String) -> Self {
        Self { text, meaning: Meaning::Either }
    }
}

impl fmt::Display for NodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for NodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// The nodes that are there for a moment only, to look at a release or to change it
/// (tracker.ex: `@global_blacklist`).
const BUILT_IN: [&str; 3] = ["^remsh.*$", "^.+_upgrader_.+$", "^.+_maint_.+$"];

/// The lists of a node, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    text: String,
    name: Option<String>,
    regex: Option<Regex>,
}

/// What the lists say of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// It takes names.
    Admitted,
    /// There is an allow list, and nothing in it means this node.
    NotAllowed,
    /// There is no allow list, and this entry of the deny list means it.
    Denied(&'a str),
}

impl Lists {
    /// # Errors
    ///
    /// [`ConfigError`] names the list, the entry, and what is wrong with it.
    pub(crate) fn new(allow: &[NodePattern], deny: &[NodePattern]) -> Result<Self, ConfigError> {
        let built_in = BUILT_IN.map(NodePattern::regex);
        let compile = |setting| move |pattern: &NodePattern| pattern.compile(setting);
        Ok(Self {
            allow: allow.iter().map(compile("allow")).collect::<Result<_, _>>()?,
            deny: deny.iter().chain(&built_in).map(compile("deny")).collect::<Result<_, _>>()?,
        })
    }

    /// Whether names may be placed on this node. An allow list decides alone, so that whoever is
    /// in it takes names whatever denies it (tracker.ex: `ignore_node?/1`).
    pub(crate) fn verdict(&self, node: &NodeName) -> Verdict<'_> {
        let means = |entry: &&Entry| entry.means(node.as_str());
        if !self.allow.is_empty() {
            return match self.allow.iter().find(means) {
                Some(_) => Verdict::Admitted,
                None => Verdict::NotAllowed,
            };
        }
        match self.deny.iter().find(means) {
            Some(entry) => Verdict::Denied(&entry.text),
            None => Verdict::Admitted,
        }
    }

    /// Who is allowed, in words: the same for lists that mean the same.
    pub(crate) fn allowed(&self) -> String {
        in_words(&self.allow)
    }

    /// Who is denied, in words.
    pub(crate) fn denied(&self) -> String {
        in_words(&self.deny)
    }

    pub(crate) fn admit(&self, node: &NodeName) -> bool {
        self.verdict(node) == Verdict::Admitted
    }
}

fn in_words(entries: &[Entry]) -> String {
    let word = |Entry { text, name, regex }: &Entry| match (name, regex) {
        (Some(_), Some(_)) => format!("{text:?}"),
        (None, _) => format!("regex {text:?}"),
        (_, None) => format!("name {text:?}"),
    };
    let words: BTreeSet<String> = entries.iter().map(word).collect();
    match words.is_empty() {
        true => "nobody".to_owned(),
        false => Vec::from_iter(words).join(", "),
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self::new(&[], &[]).expect("the built-in patterns compile")
    }
}

impl Entry {
    fn means(&self, node: &str) -> bool {
        self.name.as_deref() == Some(node)
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(allow: &[NodePattern], deny: &[NodePattern], nodes: [&str; 4]) -> [bool; 4] {
        let lists = Lists::new(allow, deny).expect("the patterns are sound");
        nodes.map(|node| lists.admit(&NodeName::new(node).expect("a name")))
    }

    #[test]
    fn a_string_is_a_name_or_a_regex() {
        let nodes = ["a.b", "a-b", "xa.b", "c"];
        let check = |entry: NodePattern, want: [bool; 4]| {
            assert_eq!(admitted(std::slice::from_ref(&entry), &[], nodes), want, "{entry} allowed");
            let others = want.map(|means| !means);
            assert_eq!(
                admitted(&[], std::slice::from_ref(&entry), nodes),
                others,
                "{entry} denied"
            );
        };
        check("a.b".into(), [true, true, true, false]);
        check("^a.b$".into(), [true, true, false, false]);
        check(r"^a\.b$".to_owned().into(), [true, false, false, false]);
        check(NodePattern::name("a.b"), [true, false, false, false]);
        check(NodePattern::regex("(?i)^[AX]"), [true, true, true, false]);
        // As a regular expression it is none of its own name.
        let plus = "a+b@host";
        let lists = Lists::new(&[], &[plus.into()]).expect("it is a regular expression, too");
        let node = NodeName::new(plus).expect("a name");
        assert_eq!(lists.verdict(&node), Verdict::Denied(plus));
        let lists = Lists::new(&[], &[NodePattern::regex(plus)]).expect("as before");
        assert!(lists.admit(&node));
        check(NodePattern::name("["), [false; 4]);
    }

    #[test]
    fn nodes_for_a_moment_are_denied_unless_an_allow_list_has_them() {
        let nodes = ["remsh-1", "a_upgrader_1", "a_maint_1", "a"];
        let one = || [NodePattern::from("^a$")];
        assert_eq!(admitted(&[], &[], nodes), [false, false, false, true]);
        assert_eq!(admitted(&[], &one(), nodes), [false; 4], "what is denied comes on top");
        assert_eq!(admitted(&one(), &one(), nodes), [false, false, false, true], "allow wins");
        let all = [NodePattern::from(".")];
        assert_eq!(admitted(&all, &all, nodes), [true; 4]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let check = |pattern: NodePattern, want: &str| {
            let allowed = Lists::new(std::slice::from_ref(&pattern), &[]).expect_err("wrong");
            assert_eq!(allowed.to_string(), format!("allow is {want}"));
            let denied = Lists::new(&[], &["ok".into(), pattern]).expect_err("wrong");
            assert_eq!(denied.to_string(), format!("deny is {want}"));
        };
        check("a[".into(), r#""a[", it must be a regular expression (unclosed character class)"#);
        let want = r#""(a", it must be a regular expression (unclosed group)"#;
        check(NodePattern::regex("(a"), want);
        let want = r#""", it must be the name of a node or a regular expression"#;
        check("".into(), want);
        check(NodePattern::name(""), want);
        let large = Lists::new(&["a{1000}{1000}{1000}".into()], &[]).expect_err("too large");
        assert!(large.want.contains("size limit"), "{large}");
    }
}
