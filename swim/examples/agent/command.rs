//! The commands on stdin, one a line.

use std::net::SocketAddr;
use swarm_swim::Tags;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Members,
    Counters,
    ShowTags,
    /// In place of all the tags there are.
    SetTags(Tags),
    /// The secrets from now on, each as a file or as digits. The first one seals.
    Keys(Vec<String>),
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
keys SECRET …      these secrets from now on, as files or digits: the first one seals, all of
                   them open; to change a secret, give every node `old new`, then every node
                   `new old`, then every node `new`
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
            "keys" if rest.is_empty() => Err("`keys` wants a secret".to_owned()),
            "keys" => Ok(Some(Self::Keys(rest.into_iter().map(String::from).collect()))),
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
        check("keys a b", Some(Command::Keys(vec!["a".to_owned(), "b".to_owned()])));
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
        check("keys", "`keys` wants a secret");
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
