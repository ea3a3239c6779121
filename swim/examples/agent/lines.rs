//! The lines of stdin.

use std::io::BufRead;
use tokio::sync::mpsc;

/// Reads stdin in a thread of its own, which ends with the process: tokio's own stdin would hold
/// the process until one more line comes.
pub(crate) fn stdin() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// How many lines wait; who writes more waits.
const LINES_MAX: usize = 16;
