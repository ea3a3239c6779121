//! `cargo xtask fuzz`: the targets in `fuzz/`, built with coverage and run side by side.
//!
//! As `cargo fuzz` does it, without its sanitizers: the workspace has no `unsafe` that they could
//! watch. So the compiler of the workspace will do, and nothing has to be installed but the C++
//! compiler that builds libFuzzer.

use crate::{Failure, output, root, step};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For how long each target runs
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
    /// Only these targets
    #[arg(long, value_enum, num_args = 1.., value_name = "NAME")]
    only: Vec<Target>,
    /// Run one target on this input alone
    #[arg(long, value_name = "FILE", requires = "only")]
    input: Option<PathBuf>,
    /// One JSON object for each target, on one line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// The opening of packets
    Packet,
    /// What is inside of them
    Body,
    /// What registries say to each other
    Facts,
}

/// Runs the targets; each that fails leaves its input in `fuzz/artifacts`.
///
/// # Errors
///
/// Names the targets that failed, or what could not be built.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(sentence) = missing() {
        eprintln!("error: {sentence}");
        std::process::exit(step::MISSING);
    }
    let all = [Target::Packet, Target::Body, Target::Facts];
    let targets = if args.only.is_empty() { &all[..] } else { &args.only };
    let folder = build()?;
    let ended: Vec<_> = std::thread::scope(|scope| {
        let folder = &folder;
        let start = |target: &Target| {
            let target = *target;
            scope.spawn(move || target.run(folder, args).map(|ended| (target, ended)))
        };
        let runs: Vec<_> = targets.iter().map(start).collect();
        runs.into_iter().map(|run| run.join().expect("it waits for a child")).collect()
    });
    let mut failed = Vec::new();
    for ended in ended {
        let (target, ended) = ended?;
        if ended.status.success() && args.input.is_some() {
            output::line(format_args!("{}: the input does not fail", target.name()))?;
        } else if ended.status.success() {
            let figures = Figures::read(&String::from_utf8_lossy(&ended.stderr));
            output::line(if args.json {
                figures.to_json(target)
            } else {
                figures.to_text(target)
            })?;
        } else {
            eprintln!("{}", String::from_utf8_lossy(&ended.stderr).trim_end());
            eprintln!("again: cargo xtask fuzz --only {} --input FILE, see above", target.name());
            failed.push(target.name());
        }
    }
    match failed.len() {
        0 => Ok(()),
        _ => Err(Failure::new(format!("fuzzing failed: {}", failed.join(", ")))),
    }
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Body => "body",
            Self::Facts => "facts",
        }
    }

    /// Runs until its time is over or an input fails.
    fn run(self, folder: &Path, args: &Args) -> Result<Output, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", self.name()));
        let mut command = Command::new(folder.join(self.name()));
        command.stdin(Stdio::null()).env("RUST_BACKTRACE", "1");
        // Bounded as everything: an input that takes this much time or memory is a finding.
        command.args(["-timeout=10", "-rss_limit_mb=1024"]);
        if let Some(input) = &args.input {
            return command.arg(input).output().map_err(failed);
        }
        // What was found before is where the next run begins; what is checked in stays as it is.
        let found = folder.join("corpus").join(self.name());
        let artifacts = fuzz().join("artifacts").join(self.name());
        for folder in [&found, &artifacts] {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        command
            .arg(format!("-max_total_time={}", args.seconds))
            .args(["-max_len=4096", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(found)
            .arg(fuzz().join("corpus").join(self.name()))
            .output()
            .map_err(failed)
    }
}

/// What of it this system does not have, as a sentence.
fn missing() -> Option<String> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let mut version = Command::new(&compiler);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        return Some(format!(
            "`{compiler}`, which builds libFuzzer, is not installed: apt-get install -y g++"
        ));
    }
    let fetched = cargo("fetch").output();
    match fetched {
        Ok(fetched) if fetched.status.success() => None,
        Ok(fetched) => {
            let why = String::from_utf8_lossy(&fetched.stderr);
            let why = why.lines().next().unwrap_or_default();
            Some(format!("the crates that fuzz/ uses are not to be had: {why}"))
        }
        Err(error) => Some(format!("cargo did not run: {error}")),
    }
}

/// Builds the targets, with what libFuzzer wants to be told: which edges were taken, and what was
/// compared. Returns the folder in which they are.
fn build() -> Result<PathBuf, Failure> {
    let mut command = cargo("build");
    // With a target named, what runs at build time goes without.
    command.args([
        "--release",
        "--bins",
        "--target",
        "host-tuple",
        "--message-format",
        "json-render-diagnostics",
    ]);
    command.env("RUSTFLAGS", FLAGS.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    let built = command.stderr(Stdio::inherit()).output();
    let built = built.map_err(|error| Failure::new(format!("cargo did not run: {error}")))?;
    if !built.status.success() {
        return Err(Failure::new("the fuzz targets do not build, see above"));
    }
    let lines = String::from_utf8_lossy(&built.stdout);
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executables =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let packet = executables.into_iter().find(|path| path.ends_with(Target::Packet.name()));
    let folder = packet.and_then(|path| path.parent().map(Path::to_owned));
    folder.ok_or_else(|| Failure::new("cargo does not say where the fuzz targets are"))
}

fn cargo(what: &str) -> Command {
    let mut command = Command::new(step::cargo());
    command.args([what, "--quiet", "--manifest-path"]).arg(fuzz().join("Cargo.toml"));
    command.current_dir(root());
    command
}

fn fuzz() -> PathBuf {
    root().join("fuzz")
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    n_inputs: u64,
    n_edges: u64,
    memory_mb: u64,
}

impl Figures {
    /// Reads what libFuzzer writes at its end.
    fn read(text: &str) -> Self {
        let number = |before: &str| {
            let (_, after) = text.rsplit_once(before)?;
            after.split_whitespace().next()?.parse().ok()
        };
        let stat = |before| number(before).unwrap_or_default();
        Self {
            n_inputs: stat("stat::number_of_executed_units:"),
            n_edges: stat(" cov:"),
            memory_mb: stat("stat::peak_rss_mb:"),
        }
    }

    fn to_text(self, target: Target) -> String {
        let Self { n_inputs, n_edges, memory_mb } = self;
        let name = target.name();
        format!(
            "{name:<8} {n_inputs:>10} inputs  {n_edges:>6} edges  {memory_mb:>5} MB  none fails"
        )
    }

    fn to_json(self, target: Target) -> String {
        let Self { n_inputs, n_edges, memory_mb } = self;
        json!({ "target": target.name(), "inputs": n_inputs, "edges": n_edges, "memory_mb": memory_mb })
            .to_string()
    }
}

const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_are_read() {
        let text = "#2\tINITED cov: 7 ft: 7\n#9\tDONE   cov: 1783 ft: 5228 corp: 5/1b\n\
                    stat::number_of_executed_units: 141970\nstat::peak_rss_mb:              31\n";
        let expected = Figures { n_inputs: 141_970, n_edges: 1_783, memory_mb: 31 };
        assert_eq!(Figures::read(text), expected);
        assert_eq!(Figures::read(""), Figures::default());
    }
}
