//! What goes over the loopback of this namespace, and the loss on it.

use crate::cpu_time;
use std::process::Command;

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

/// The processor time that this process has used, in milliseconds.
pub(super) fn cpu_ms() -> f64 {
    let time = cpu_time::of(std::process::id()).unwrap_or_default();
    time.as_secs_f64() * 1e3
}
