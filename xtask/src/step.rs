//! Commands that run one after the other, each with its time, up to the first that fails.

#![expect(clippy::disallowed_methods, reason = "a person waits for it: real time is measured")]

use crate::{Failure, output, root};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// A command with a name. Which lines of its output are worth seeing again is up to its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    name: &'static str,
    program: String,
    args: Vec<String>,
    env: Option<(&'static str, &'static str)>,
    output: Output,
    /// The exit status with which it says that this system cannot run it.
    skips: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Plain,
    /// The lines in which a test runner counts are repeated at the very end.
    TestRunner,
}

/// The exit status of commands of this program that say so.
pub(crate) const MISSING: i32 = 77;

/// How the report at the end is written.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Report {
    /// Write the report as JSON, one object on one line
    #[arg(long)]
    json: bool,
    /// Only list the steps
    #[arg(long)]
    list: bool,
}

impl Step {
    /// `cargo` with `args`, separated by white space.
    pub(crate) fn cargo(name: &'static str, args: &str) -> Self {
        Self {
            name,
            program: cargo(),
            args: args.split_whitespace().map(String::from).collect(),
            env: None,
            output: Output::Plain,
            skips: None,
        }
    }

    /// This very program with `args`.
    pub(crate) fn xtask(name: &'static str, args: &str) -> Self {
        let this = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
        Self { program: this.to_string_lossy().into_owned(), ..Self::cargo(name, args) }
    }

    /// One more argument, white space and all.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With a variable of the environment.
    pub(crate) fn env(self, name: &'static str, value: &'static str) -> Self {
        Self { env: Some((name, value)), ..self }
    }

    /// Skipped where it ends with `status`, by which it says that this system cannot run it.
    pub(crate) fn skipped_at(self, status: i32) -> Self {
        Self { skips: Some(status), ..self }
    }

    /// A test runner, whose closing lines are repeated at the very end.
    pub(crate) fn test_runner(self) -> Self {
        Self { output: Output::TestRunner, ..self }
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let mut line = String::new();
        if let Some((name, value)) = self.env {
            let _ = write!(line, "{name}={value:?} ");
        }
        let program = self.program.rsplit('/').next().unwrap_or(&self.program);
        line.push_str(program);
        for arg in &self.args {
            let _ = match arg.contains(' ') {
                true => write!(line, " '{arg}'"),
                false => write!(line, " {arg}"),
            };
        }
        line
    }

    /// Runs it; what it ended with, and its closing lines.
    fn run(&self) -> io::Result<(ExitStatus, Vec<String>)> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(root()).envs(self.env);
        if self.output == Output::Plain {
            return Ok((command.status()?, Vec::new()));
        }
        if io::stderr().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut closing = std::thread::scope(|scope| {
            let err = scope.spawn(|| err.map_or(Ok(Vec::new()), |err| pass(err, io::stderr())));
            let out = out.map_or(Ok(Vec::new()), |out| pass(out, io::stdout()))?;
            let err = err.join().expect("passing lines on does not panic")?;
            io::Result::Ok([out, err].concat())
        })?;
        closing.retain(|line| !line.contains(" 0 passed; 0 failed"));
        Ok((child.wait()?, closing))
    }
}

/// The cargo that runs this program, or the one that the shell would find.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Runs `steps` in order and says how long each took.
///
/// # Errors
///
/// Names the first step that failed; the steps after it did not run.
pub(crate) fn run(steps: &[Step], report: Report) -> Result<(), Failure> {
    if report.list {
        for step in steps {
            output::line(format_args!("{:<12} {}", step.name, step.line()))?;
        }
        return Ok(());
    }
    let mut done = Summary::default();
    let failure = steps.iter().find_map(|step| done.take(step).err());
    match report.json {
        true => output::line(done.to_json(failure.is_none()))?,
        false => output::line(done.to_text().trim_end())?,
    }
    failure.map_or(Ok(()), Err)
}

#[derive(Default, Serialize)]
struct Summary {
    steps: Vec<Taken>,
    closing: Vec<String>,
}

#[derive(Serialize)]
struct Taken {
    name: &'static str,
    seconds: f64,
    /// Also where it was skipped: nothing failed.
    passed: bool,
    skipped: bool,
}

impl Summary {
    fn take(&mut self, step: &Step) -> Result<(), Failure> {
        eprintln!("== {}: {}", step.name, step.line());
        let start = Instant::now();
        let ended = step.run();
        let seconds = start.elapsed().as_secs_f64();
        let code = ended.as_ref().ok().and_then(|(status, _)| status.code());
        let skipped = step.skips.is_some() && code == step.skips;
        let passed = skipped || code == Some(0);
        self.steps.push(Taken { name: step.name, seconds, passed, skipped });
        let (status, closing) = ended.map_err(|error| {
            Failure::new(format!("step {} did not run: {}: {error}", step.name, step.program))
        })?;
        self.closing.extend(closing);
        if !passed {
            let line = step.line();
            return Err(Failure::new(format!("step {} failed ({status}): {line}", step.name)));
        }
        let verdict = if skipped { "skipped" } else { "passed" };
        eprintln!("== {}: {verdict} in {seconds:.1} s\n", step.name);
        Ok(())
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for Taken { name, seconds, passed, skipped } in &self.steps {
            let verdict = match (passed, skipped) {
                (_, true) => "skipped",
                (true, _) => "passed",
                (false, _) => "FAILED",
            };
            let _ = writeln!(text, "{name:<12} {verdict:<7}{seconds:>7.1} s");
        }
        let total: f64 = self.steps.iter().map(|taken| taken.seconds).sum();
        let _ = writeln!(text, "{:<12}        {total:>7.1} s", "all");
        for line in &self.closing {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn to_json(&self, passed: bool) -> String {
        let mut report = serde_json::to_value(self).expect("text and numbers");
        report["passed"] = passed.into();
        report.to_string()
    }
}

/// Passes lines on and keeps those in which a test runner counts.
fn pass(from: impl Read, mut to: impl Write) -> io::Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut closing = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let text = without_colours(&String::from_utf8_lossy(&line));
        let text = text.trim();
        if text.starts_with("Summary [") || text.starts_with("test result: ") {
            closing.push(text.to_owned());
        }
        line.clear();
    }
    to.flush()?;
    Ok(closing)
}

/// `text` without the escapes that set colours: `ESC [ … m`.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &'static str, script: &str) -> Step {
        Step { program: "sh".into(), ..Step::cargo(name, "-c") }.arg(script)
    }

    #[test]
    fn the_first_step_that_fails_is_named_and_the_rest_does_not_run() {
        let mut done = Summary::default();
        let steps = [shell("good", "true"), shell("bad", "exit 3"), shell("never", "true")];
        let failure = steps.iter().find_map(|step| done.take(step).err()).expect("one fails");
        assert!(failure.to_string().starts_with("step bad failed (exit status: 3)"), "{failure}");
        let ran: Vec<_> = done.steps.iter().map(|taken| (taken.name, taken.passed)).collect();
        assert_eq!(ran, [("good", true), ("bad", false)]);
        assert!(done.to_text().contains("bad          FAILED"));
        assert!(done.to_json(false).contains(r#""passed":false"#));
    }

    #[test]
    fn a_step_that_this_system_cannot_run_is_skipped_and_says_so() {
        let mut done = Summary::default();
        let steps = [shell("skipped", "exit 77").skipped_at(77), shell("next", "true")];
        assert!(steps.iter().all(|step| done.take(step).is_ok()));
        assert!(done.to_text().contains("skipped      skipped"), "{}", done.to_text());
        assert!(done.to_json(true).contains(r#""skipped":true"#));
        let failure = done.take(&shell("other", "exit 78").skipped_at(77));
        assert!(failure.is_err(), "another status is a failure");
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure() {
        let step = Step { program: "no-such-program".into(), ..Step::cargo("lost", "") };
        let failure = Summary::default().take(&step).expect_err("nothing to run");
        assert!(failure.to_string().starts_with("step lost did not run: no-such-program"));
    }

    #[test]
    fn the_lines_in_which_a_test_runner_counts_come_last() {
        let mut done = Summary::default();
        let script = "echo 'test result: ok. 2 passed; 0 failed'; \
                      echo 'test result: ok. 0 passed; 0 failed'; \
                      printf ' \\033[32;1mSummary\\033[0m [ 1s] 5 tests run\\n' >&2";
        done.take(&shell("tests", script).test_runner()).expect("it passes");
        assert_eq!(
            done.closing,
            ["test result: ok. 2 passed; 0 failed", "Summary [ 1s] 5 tests run"]
        );
        assert!(done.to_text().ends_with("Summary [ 1s] 5 tests run\n"));
    }

    #[test]
    fn a_step_shows_as_one_would_type_it() {
        let step =
            Step::cargo("doc", "doc --no-deps").env("RUSTDOCFLAGS", "-D warnings").arg("a b");
        assert!(step.line().starts_with("RUSTDOCFLAGS=\"-D warnings\" cargo"), "{}", step.line());
        assert!(step.line().ends_with(" doc --no-deps 'a b'"), "{}", step.line());
    }
}
