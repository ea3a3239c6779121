//! The end of a network, and of those whose makers did not live to end them.

use super::PREFIX;
use std::path::Path;
use std::process::{Command, Stdio};

/// Removes the networks of runs that are over; how many namespaces those were.
pub(in super::super) fn remove_leftovers() -> usize {
    let dead = namespaces().into_iter().filter(|name| maker(name).is_some_and(|id| !is_run(id)));
    let dead: Vec<_> = dead.collect();
    dead.iter().for_each(|name| remove(name));
    dead.len()
}

/// Removes every namespace whose name begins with `prefix`.
pub(super) fn remove_all(prefix: &str) {
    namespaces().iter().filter(|name| name.starts_with(prefix)).for_each(|name| remove(name));
}

/// Kills what runs in a namespace, and removes it. What fails here was gone already, or the next
/// run finds it.
fn remove(namespace: &str) {
    let inside = output(Command::new("ip").args(["netns", "pids", namespace]));
    let ids: Vec<_> = inside.split_whitespace().collect();
    if !ids.is_empty() {
        output(Command::new("kill").arg("-KILL").args(ids));
    }
    output(Command::new("ip").args(["netns", "del", namespace]));
}

fn namespaces() -> Vec<String> {
    let list = output(Command::new("ip").args(["netns", "list"]));
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.map(String::from).collect()
}

/// The process that made a namespace, if one of these did.
fn maker(namespace: &str) -> Option<u32> {
    let (id, _) = namespace.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
    id.parse().ok()
}

/// Whether the process is a run of this program: its id may be another program's by now.
fn is_run(id: u32) -> bool {
    let name = |id: &str| std::fs::read_link(Path::new("/proc").join(id).join("exe")).ok();
    let file = |id: &str| name(id)?.file_name().map(|name| name.to_string_lossy().into_owned());
    // The file of a running program that was built anew is another one, and says so.
    let bare = |name: String| name.trim_end_matches(" (deleted)").to_owned();
    let this = file("self").map(bare);
    this.is_some() && file(&id.to_string()).map(bare) == this
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_names_its_maker() {
        assert_eq!(maker("swarmnet-4711-0-h3"), Some(4711));
        assert_eq!(maker("swarmnet-4711-0-switch"), Some(4711));
        assert_eq!(maker("swarmnet-x-0-h3"), None);
        assert_eq!(maker("swarmnet4711-0"), None);
        assert_eq!(maker("docker-1-2"), None);
    }

    #[test]
    fn this_process_is_a_run_and_the_first_one_of_the_system_is_not() {
        assert!(is_run(std::process::id()));
        assert!(!is_run(1));
        assert!(!is_run(u32::MAX));
    }
}
