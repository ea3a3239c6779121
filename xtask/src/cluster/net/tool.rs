//! The system's own tools, `ip` and `nft`, and whether they are here.

use crate::Failure;
use std::io::Write;
use std::process::{Command, Stdio};

/// What of a network of its own this system cannot give, as a sentence; `None` where it can.
pub(in super::super) fn missing() -> Option<String> {
    for (tool, package) in [("ip", "iproute2"), ("nft", "nftables")] {
        let mut version = Command::new(tool);
        version.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
        if version.status().is_err() {
            return Some(format!("`{tool}` is not installed: apt-get install -y {package}"));
        }
    }
    // The only way to know is to try: root may be root in name alone.
    let namespace = format!("{}-{}-try", super::PREFIX, std::process::id());
    let tried = ip(None, &format!("netns add {namespace}\n")).and_then(|()| {
        ip(
            Some(&namespace),
            "link add name br0 type bridge\nlink add name a type veth peer name b\n",
        )?;
        // Not every kernel has chance in its filters.
        nft(&namespace, &super::Rules { loss: 1, ..super::Rules::default() }.script())
    });
    super::leftovers::remove_all(&namespace);
    let error = tried.err()?;
    Some(format!("network namespaces need root, with CAP_SYS_ADMIN and CAP_NET_ADMIN: {error}"))
}

/// A command in a namespace, which becomes the program: its process id is the program's.
pub(in super::super) fn command_in(namespace: &str, command: &[String]) -> tokio::process::Command {
    let mut started = tokio::process::Command::new("ip");
    started.args(["netns", "exec", namespace]).args(command).stderr(Stdio::piped());
    started
}

/// Runs a script of `ip`, one command a line, in a namespace or outside of all.
pub(super) fn ip(namespace: Option<&str>, script: &str) -> Result<(), Failure> {
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", namespace]);
    }
    feed(command.args(["-batch", "-"]), script)
}

/// Runs a script of `nft` in a namespace: all of it or nothing.
pub(super) fn nft(namespace: &str, script: &str) -> Result<(), Failure> {
    feed(Command::new("ip").args(["netns", "exec", namespace, "nft", "-f", "-"]), script)
}

/// What a program prints, run in a namespace.
pub(super) fn show(namespace: &str, program: &str, args: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]).args(args);
    finish(&format!("{program} {}", args.join(" ")), command.stdin(Stdio::null()).output())
}

fn feed(command: &mut Command, script: &str) -> Result<(), Failure> {
    let output = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            let mut stdin = child.stdin.take().expect("it is piped");
            let written = stdin.write_all(script.as_bytes());
            drop(stdin);
            let output = child.wait_with_output()?;
            // A tool that refuses says why; that it then did not read on says nothing.
            if output.status.success() { written.map(|()| output) } else { Ok(output) }
        });
    let first = script.lines().next().unwrap_or_default();
    finish(first, output).map(drop)
}

fn finish(what: &str, output: std::io::Result<std::process::Output>) -> Result<String, Failure> {
    let output = output.map_err(|error| Failure::new(format!("{what}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    let reason = reason.lines().next().unwrap_or("it gave no reason");
    Err(Failure::new(format!("{what}: {reason}")))
}
