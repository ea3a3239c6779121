//! The signals that ask this process to end.

/// Waits for a signal that asks this process to end: which one.
#[cfg(unix)]
pub(crate) async fn interrupted() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // Without a handler the system's own ends this process, and the pipes its children.
        Err(_) => std::future::pending().await,
    };
    let (int, term) = (SignalKind::interrupt(), SignalKind::terminate());
    tokio::select! {
        () = wait(int) => int.as_raw_value(),
        () = wait(term) => term.as_raw_value(),
    }
}

/// Waits for a Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn interrupted() -> i32 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 2,
        Err(_) => std::future::pending().await,
    }
}
