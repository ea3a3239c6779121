//! Processors that do not fall asleep.
//!
//! On an otherwise idle machine a process that has little to do pays for waking its processor up,
//! more than for what it does: on a virtual machine two to three times as much. What a group costs
//! at rest is therefore measured with the processors kept awake, as those of a machine with other
//! work are.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

/// Processes that are busy whenever nobody else is, one for each processor. Dropped, they end.
pub(super) struct Awake(Vec<Child>);

impl Awake {
    pub(super) fn begin() -> io::Result<Self> {
        let n = available_parallelism()?.get();
        let busy = |_| {
            Command::new("nice")
                .args(["-n", "19"])
                .arg(std::env::current_exe()?)
                .args(["bench", "awake"])
                .stdin(Stdio::piped())
                .spawn()
        };
        (0..n).map(busy).collect::<io::Result<_>>().map(Self)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It has ended by itself where this fails.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Such a process: busy until its stdin ends, as it does when who started it is gone.
pub(crate) fn run() {
    let until = std::thread::spawn(|| io::copy(&mut io::stdin(), &mut io::sink()));
    while !until.is_finished() {
        std::hint::spin_loop();
    }
}
