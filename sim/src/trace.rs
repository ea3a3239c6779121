//! What happened: the last lines as text, and a running hash of all of them.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use swarm_base::Instant;

/// A bounded record of a run.
pub(crate) struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
    hash: Hash64,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self { lines: VecDeque::new(), lines_max: LINES_MAX, hash: Hash64::new() }
    }

    /// Writes one line, and forgets the oldest where there are too many.
    pub(crate) fn line(&mut self, now: Instant, text: fmt::Arguments<'_>) {
        let mut line = match self.lines.len() < self.lines_max {
            true => String::new(),
            false => self.lines.pop_front().unwrap_or_default(),
        };
        line.clear();
        let mut writer = Writer { line: &mut line, hash: &mut self.hash };
        // A `Debug` implementation of the host may fail; the line then ends where it did.
        let _ = write!(writer, "{now} {text}");
        self.hash.byte(b'\n');
        self.lines.push_back(line);
        self.lines.truncate(self.lines_max);
    }

    /// Takes numbers into the hash without writing a line.
    pub(crate) fn mix(&mut self, now: Instant, numbers: [u64; 3]) {
        self.hash.word(now.since_start().as_nanos() as u64);
        for number in numbers {
            self.hash.word(number);
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(crate) fn keep(&mut self, lines_max: usize) {
        self.lines_max = lines_max.max(1);
        while self.lines.len() > self.lines_max {
            self.lines.pop_front();
        }
    }

    pub(crate) fn last(&self, n: usize) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(n)).map(String::as_str)
    }
}

/// A 64-bit FNV-1a hash, with whole words mixed in one step. Written out, for std's hashers may
/// change between releases, and the hash of a seed must not.
#[derive(Clone, Copy)]
pub(crate) struct Hash64(u64);

impl Hash64 {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) const fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }

    pub(crate) const fn word(&mut self, word: u64) {
        self.0 = mixed(self.0.rotate_left(5) ^ word);
    }

    pub(crate) const fn finish(self) -> u64 {
        mixed(self.0)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes half
/// of the output.
pub(crate) const fn mixed(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Hashes all of a line and keeps the beginning.
struct Writer<'a> {
    line: &'a mut String,
    hash: &'a mut Hash64,
}

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash.byte(byte);
        }
        let room = LINE_LEN_MAX.saturating_sub(self.line.len());
        self.line.push_str(&text[..text.floor_char_boundary(room)]);
        Ok(())
    }
}

/// How many lines are kept unless the world is told otherwise.
const LINES_MAX: usize = 256;
/// How many bytes of a line are kept: one enormous event must not push out the story.
const LINE_LEN_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_but_all_are_hashed() {
        let (mut long, mut short) = (Trace::new(), Trace::new());
        for nth in 0..1_000 {
            long.line(Instant::START, format_args!("line {nth}"));
        }
        for nth in 1..1_000 {
            short.line(Instant::START, format_args!("line {nth}"));
        }
        assert!(long.last(usize::MAX).eq(short.last(usize::MAX)));
        assert_eq!(long.last(usize::MAX).count(), LINES_MAX);
        assert_eq!(long.last(1).next(), Some("0.000000s line 999"));
        assert_ne!(long.hash(), short.hash());
    }

    #[test]
    fn an_enormous_line_is_cut_short_and_hashed_whole() {
        let (mut one, mut two) = (Trace::new(), Trace::new());
        let text = "ä".repeat(LINE_LEN_MAX);
        one.line(Instant::START, format_args!("{text}a"));
        two.line(Instant::START, format_args!("{text}b"));
        assert!(one.last(1).eq(two.last(1)));
        assert!(one.last(1).all(|line| line.len() <= LINE_LEN_MAX));
        assert_ne!(one.hash(), two.hash());
    }

    #[test]
    fn fewer_lines_may_be_kept() {
        let mut trace = Trace::new();
        trace.keep(2);
        for nth in 0..5 {
            trace.line(Instant::START, format_args!("{nth}"));
        }
        assert_eq!(trace.last(9).collect::<Vec<_>>(), ["0.000000s 3", "0.000000s 4"]);
    }

    #[test]
    fn the_hash_of_a_run_never_changes() {
        let mut trace = Trace::new();
        trace.line(Instant::START, format_args!("hello"));
        trace.mix(Instant::START, [1, 2, 3]);
        let hash = trace.hash();
        let mut again = Hash64::new();
        b"0.000000s hello\n".iter().for_each(|byte| again.byte(*byte));
        [0, 1, 2, 3].into_iter().for_each(|word| again.word(word));
        assert_eq!(hash, again.finish());
    }
}
