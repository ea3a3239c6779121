//! The examples do as their first lines say.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A process of the example. It is killed when this is dropped.
struct Device {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Device {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(program("device"))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, output }
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

impl Drop for Device {
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
        let mut a = Device::start(&["a", "--devices", "20"]);
        let hint = a.line("cargo run --example device -- b");
        let words: Vec<_> = hint.split_whitespace().skip_while(|word| *word != "b").collect();
        a.line("device-20 on a");
        a.line("20 devices were told");
        let secret = PathBuf::from(words.last().expect("the secret's file"));

        let mut b = Device::start(&[&words[..], &["--devices", "20"]].concat());
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
