//! How much processor time a process has had, to the nanosecond.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// That of the process `id` in user and system mode: of all threads that it has now.
pub(crate) fn of(id: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{id}/task"))?.flatten() {
        // A thread may end in between.
        let Ok(text) = std::fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        let strange = || io::Error::new(ErrorKind::InvalidData, format!("not a time: {text:?}"));
        sum += Duration::from_nanos(nanos.ok_or_else(strange)?);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_this_process_grows_as_it_works() {
        let of_this = || of(std::process::id()).expect("its own");
        let before = of_this();
        let mut sum = 0_u64;
        for n in 0..10_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(n));
        }
        assert!(of_this() > before);
        assert!(of(u32::MAX).is_err(), "no such process");
    }
}
