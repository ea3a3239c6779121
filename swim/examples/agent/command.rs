//! The commands on stdin, one a line.

use std::net::SocketAddr;
use swarm_swim::{KeyId, Tags};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Members,
    Counters,
    ShowTags,
    /// In place of all the tags there are.
    SetTags(Tags),
    Keys,
    /// The secret, as a file or as digits.
    Install(String),
    Use(KeyId),
    Remove(KeyId),
    Join(Vec<SocketAddr>),
    Help,
    Leave,
}

/// What `help` prints.
pub(crate) const HELP: &str = "\
members            the members, this node included
counters           what happened how often, this node's health and its open streams
tags               this node's tags
tags KEY=VALUE …   changes them: these are all it has then
keys               what this node's keys are called, the one that seals first
install SECRET     a new secret, as a file or digits, for all members; to change the secret,
                   install the new one, use it, then remove the old one
use KEY            all members seal with this key
remove KEY         all members forget this key
join ADDRESS …     more addresses where a member may be
leave              says goodbye and ends
help               this text";

impl Command {
    /// Reads a line. An empty one is no command.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut words = line.split_whitespace();
        let Some(verb) = words.next() else { return Ok(None) };
        let rest: Vec<&str> = words.collect();
        let alone = |command| match rest.first() {
            None => Ok(Some(command)),
            Some(extra) => Err(format!("`{verb}` stands alone, found {extra:?}")),
        };
        match verb {
            "members" => alone(Self::Members),
            "counters" => alone(Self::Counters),
            "help" => alone(Self::Help),
            "leave" => alone(Self::Leave),
            "tags" if rest.is_empty() => Ok(Some(Self::ShowTags)),
            "tags" => Ok(Some(Self::SetTags(tags(rest)?))),
            "keys" => alone(Self::Keys),
            "install" => Ok(Some(Self::Install(one(verb, "a secret", &rest)?.to_owned()))),
            "use" => Ok(Some(Self::Use(key(verb, &rest)?))),
            "remove" => Ok(Some(Self::Remove(key(verb, &rest)?))),
            "join" if rest.is_empty() => Err("`join` wants an address".to_owned()),
            "join" => {
                let address = |text: &str| {
                    text.parse().map_err(|_| format!("{text:?} is no address: want ip:port"))
                };
                let seeds: Result<Vec<_>, String> = rest.into_iter().map(address).collect();
                Ok(Some(Self::Join(seeds?)))
            }
            _ => Err(format!("{verb:?} is no command; `help` lists them")),
        }
    }
}

fn one<'a>(verb: &str, what: &str, rest: &[&'a str]) -> Result<&'a str, String> {
    match rest {
        [one] => Ok(one),
        _ => Err(format!("`{verb}` wants {what}")),
    }
}

fn key(verb: &str, rest: &[&str]) -> Result<KeyId, String> {
    let text = one(verb, "a key, as `keys` shows it", rest)?;
    text.parse().map_err(|error| format!("{text:?} is no key: {error}"))
}

/// Reads tags, each as `key=value`.
///
/// # Errors
///
/// A sentence about the first one that is wrong.
pub(crate) fn tags(pairs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Tags, String> {
    let mut tags = Tags::default();
    for pair in pairs {
        let pair = pair.as_ref();
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("{pair:?} is no tag: want key=value"));
        };
        if tags.get(key).is_some() {
            return Err(format!("the tag {key:?} is given twice"));
        }
        tags.set(key, value).map_err(|error| error.to_string())?;
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_says_why_not() {
        let check = |line: &str, command: Option<Command>| {
            assert_eq!(Command::parse(line), Ok(command));
        };
        check("  ", None);
        check("members", Some(Command::Members));
        check(" leave ", Some(Command::Leave));
        check("tags", Some(Command::ShowTags));
        check("tags a=1", Some(Command::SetTags(tags(["a=1"]).expect("a tag"))));
        check("keys", Some(Command::Keys));
        check("install a", Some(Command::Install("a".to_owned())));
        check("use 00000000000000ff", Some(Command::Use(KeyId([0, 0, 0, 0, 0, 0, 0, 255]))));
        let seeds = vec!["[::1]:7".parse().expect("an address")];
        check("join [::1]:7", Some(Command::Join(seeds)));
    }

    #[test]
    fn a_wrong_line_gets_a_sentence() {
        let check = |line: &str, sentence: &str| {
            assert_eq!(Command::parse(line), Err(sentence.to_owned()));
        };
        check("mebers", "\"mebers\" is no command; `help` lists them");
        check("leave now", "`leave` stands alone, found \"now\"");
        check("tags a", "\"a\" is no tag: want key=value");
        check("tags a=1 a=2", "the tag \"a\" is given twice");
        let wrong = "the tag \"\" cannot be written: want a key without `=`, and no line breaks";
        check("tags =1", wrong);
        check("join", "`join` wants an address");
        check("install", "`install` wants a secret");
        check("remove x", "\"x\" is no key: a key is called by sixteen hex digits");
        check("join there", "\"there\" is no address: want ip:port");
    }

    #[test]
    fn every_command_of_the_help_is_one() {
        for line in HELP.lines().filter(|line| !line.starts_with(' ')) {
            let verb = line.split_whitespace().next().expect("a verb");
            let is_unknown = |sentence: String| sentence.contains("is no command");
            assert!(!Command::parse(verb).is_err_and(is_unknown), "{verb}");
        }
    }
}
