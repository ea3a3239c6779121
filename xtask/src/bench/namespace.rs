//! A network namespace of its own, so that every byte on its loopback is what is measured.

use crate::Failure;
use serde::de::DeserializeOwned;
use std::process::{Command, Stdio};

/// Has a command of the bench run by a process of its own in such a namespace, and reads the JSON
/// that it writes.
pub(super) fn measure<T: DeserializeOwned>(
    what: &str,
    args: impl IntoIterator<Item = String>,
) -> Result<T, Failure> {
    let own = std::env::current_exe().map_err(|e| Failure::new(e.to_string()))?;
    let done = Command::new("unshare")
        .arg("--net")
        .arg(own)
        .arg("bench")
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("unshare (util-linux) does not start: {error}")))?;
    if !done.status.success() {
        let why = "want root, `ip` (iproute2) and, for loss, `nft` (nftables)";
        return Err(Failure::new(format!("{what} ended with {}; {why}", done.status)));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| Failure::new(format!("{what}: no figures: {error}")))
}

/// Frames and bytes that were sent, whole frames with their headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Traffic {
    pub(super) fn now() -> Self {
        let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
        let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:"));
        let fields: Vec<u64> =
            line.unwrap_or_default().split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        Self { packets: field(9), bytes: field(8) }
    }

    pub(super) const fn since(self, before: Self) -> Self {
        Self { packets: self.packets - before.packets, bytes: self.bytes - before.bytes }
    }
}

/// Brings the loopback up, and has it lose that share of all that arrives.
pub(super) fn set_up(loss_percent: u32) -> Result<(), String> {
    tool("ip", &["link", "set", "lo", "up"])?;
    if loss_percent == 0 {
        return Ok(());
    }
    let rules = format!(
        "table inet loss {{ chain input {{ type filter hook input priority 0; \
         numgen random mod 100 < {loss_percent} drop\n}}\n}}"
    );
    tool("nft", &[&rules])
}

pub(super) fn tool(program: &str, args: &[&str]) -> Result<(), String> {
    let done = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program} does not start: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr)))
}
