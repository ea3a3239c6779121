//! The examples do as their first lines say.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use swarm::{NodeName, Ring, Strategy, Weight};

/// A process of an example. It is killed when this is dropped.
struct Example {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Ends the watch over it.
    _watch: mpsc::Sender<()>,
}

/// No example of these takes longer: whoever waits for what never comes waits no longer.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

impl Example {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (watch, is_over) = mpsc::channel();
        let pid = child.id().to_string();
        std::thread::spawn(move || {
            if is_over.recv_timeout(ENDS_WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        Self { child, output, _watch: watch }
    }

    /// The next line of its output that contains `part`.
    fn line(&mut self, part: &str) -> String {
        let mut lines = String::new();
        loop {
            let from = lines.len();
            let read = self.output.read_line(&mut lines).expect("its output is text");
            assert!(read > 0, "no {part:?} in {lines}");
            if lines[from..].contains(part) {
                return lines[from..].to_owned();
            }
        }
    }

    /// The arguments of a node that joins it, as it says them, without its own name.
    fn invitation(&mut self) -> Vec<String> {
        let line = self.line(" -- b --seed ");
        let words = line.split_whitespace().skip_while(|word| *word != "--seed");
        words.map(str::to_owned).collect()
    }

    /// Another node of the cluster of that invitation.
    fn join(name: &str, node: &str, invitation: &[String], args: &[&str]) -> Self {
        let invitation = invitation.iter().map(String::as_str);
        let all: Vec<&str> =
            [node].into_iter().chain(invitation).chain(args.iter().copied()).collect();
        Self::start(name, &all)
    }

    /// Ends it without a word.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Sends it a signal, and returns what it says until it ends, and how that is.
    fn end(mut self, signal: &str) -> (String, ExitStatus) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(sent.success(), "{sent}");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("its output is text");
        (rest, self.child.wait().expect("it ends"))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example, beside this test; built where the choice of tests left it out.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test program is known");
    let folder = test.parent().and_then(Path::parent).expect("it is in deps");
    let program = folder.join("examples").join(name);
    if !program.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let args = ["build", "--package", "swarm", "--example", name];
        let built = Command::new(cargo).args(args).status().expect("cargo runs");
        assert!(built.success(), "{built}");
    }
    program
}

#[test]
fn a_device_that_is_asked_to_end_hands_its_devices_over() {
    for signal in ["-INT", "-TERM"] {
        let mut a = Example::start("device", &["a", "--devices", "20"]);
        let hint = a.line("cargo run --example device -- b");
        let words: Vec<_> = hint.split_whitespace().skip_while(|word| *word != "b").collect();
        a.line("device-20 on a");
        a.line("20 devices were told");
        let secret = PathBuf::from(words.last().expect("the secret's file"));

        let mut b = Example::start("device", &[&words[..], &["--devices", "20"]].concat());
        b.line("20 devices were told");
        // Whatever has moved to b by now, all of it runs there in the end.
        let (said, status) = a.end(signal);
        assert!(status.success(), "{signal}: {status}");
        assert!(said.contains("a leaves"), "{signal}: {said}");
        let (said, status) = b.end(signal);
        let _ = std::fs::remove_file(secret);
        assert!(status.success(), "{signal}: {status}");
        let left = said.lines().filter(|line| line.ends_with(" leaves b")).count();
        assert_eq!(left, 20, "{signal}: {said}");
    }
}

#[test]
fn scopes_have_a_lobby_each() {
    let output = Command::new(program("scopes")).output().expect("the example starts");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("its output is text");
    let guests = said.lines().map(|line| line.split_once(": ").expect("a sentence").1);
    let guests: Vec<_> = guests.collect();
    let in_lobby = |guests: u64| format!("{guests} in the lobby, 1 rooms");
    assert_eq!(guests, [1, 3, 2].map(in_lobby));
}

#[test]
fn a_conflict_ends_with_both_balances() {
    let output = Command::new(program("conflict")).output().expect("the example starts");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("its output is text");
    let lines: Vec<_> = said.lines().collect();
    let wanted =
        ["savings on a: 1 and 10", "savings on b has ended, the one on a stays", "balance: 11"];
    assert_eq!(lines, wanted);
}

/// The number of a line `run N on NODE`.
fn run(line: &str) -> u64 {
    let number = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no run: {line}"))
}

#[test]
fn a_job_runs_on_through_the_death_of_its_host() {
    let every = ["--every", "1"];
    let mut a = Example::start("singleton", &[&["a"][..], &every].concat());
    let invitation = a.invitation();
    a.line("the job is on a");
    let mut b = Example::join("singleton", "b", &invitation, &every);
    b.line("the job is on ");
    // Where it runs once the ring has both.
    let mut ring = Ring::new();
    for name in ["a", "b"] {
        ring.add(NodeName::new(name).expect("a name"), Weight::default());
    }
    let is_on_a = ring.owner(b"the-job").is_some_and(|owner| owner.as_str() == "a");
    let (mut host, mut other) = if is_on_a { (a, b) } else { (b, a) };
    let mut last = run(&host.line("run "));
    for _ in 0..2 {
        let next = run(&host.line("run "));
        assert!(next > last, "{next} after {last}");
        last = next;
    }
    host.kill();
    // It may have had runs of its own before the job moved away.
    let first = loop {
        match run(&other.line("run ")) {
            before if before < last => (),
            first => break first,
        }
    };
    assert!(first < last + 30, "{first} after {last}: detection takes a few seconds");
    assert!(run(&other.line("run ")) > first);
    let (_, status) = other.end("-TERM");
    let _ = std::fs::remove_file(invitation.last().expect("the secret's file"));
    assert!(status.success(), "{status}");
}

#[test]
fn counters_keep_what_they_have_counted() {
    let mut a = Example::start("counter", &["a"]);
    let invitation = a.invitation();
    a.line("a has counted");
    let mut b = Example::join("counter", "b", &invitation, &[]);
    let through_b = b.invitation();
    b.line("b has counted");
    let (said, status) = a.end("-TERM");
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("0 of "), "{said}");
    let mut c = Example::join("counter", "c", &through_b, &["--times", "0"]);
    c.line("c has counted");
    let (_, status) = b.end("-INT");
    assert!(status.success(), "{status}");
    let (said, status) = c.end("-TERM");
    let _ = std::fs::remove_file(invitation.last().expect("the secret's file"));
    assert!(status.success(), "{status}");
    let moved = said.lines().filter_map(|line| line.split_once(" comes to c at "));
    for (counter, count) in moved {
        assert_eq!(count, "20", "{counter}");
    }
}

#[test]
fn a_leader_stops_below_the_quorum_and_runs_again_above_it() {
    let mut a = Example::start("quorum", &["a"]);
    let invitation = a.invitation();
    a.line("below the quorum");
    let mut b = Example::join("quorum", "b", &invitation, &[]);
    b.line("the leader is on ");
    a.line("the leader is on ");
    b.kill();
    a.line("1 of 2 nodes");
    let mut c = Example::join("quorum", "c", &invitation, &[]);
    a.line("the quorum is back");
    c.line("the leader is on ");
    let (_, status) = c.end("-TERM");
    assert!(status.success(), "{status}");
    let (_, status) = a.end("-TERM");
    let _ = std::fs::remove_file(invitation.last().expect("the secret's file"));
    assert!(status.success(), "{status}");
}
