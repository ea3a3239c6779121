//! How much memory this process has.

/// Its resident memory in bytes; 0 where the system does not say.
pub(crate) fn bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE
}

/// Of every Linux that this is run on with 4 KiB pages.
const PAGE: u64 = 4096;
