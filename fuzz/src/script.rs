//! An input as a play: lines of a head, a length, and as many bytes.

use crate::Role;
use std::time::Duration;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Bytes arrive as they are.
    Raw(&'a [u8]),
    /// The body of a packet arrives, which `by` has sealed.
    Sealed {
        /// Whose key seals it.
        by: Role,
        /// Whether it is meant for whoever gets it, not for this life of the node.
        to_anybody: bool,
        /// Its bytes.
        body: &'a [u8],
    },
    /// Time passes, and the node does what is due.
    Wait(Duration),
    /// Time passes in which the node stands still.
    Pause(Duration),
}

/// The lines of an input, up to its end. Every input is one: lengths are cut to what is there.
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// The play that `input` stands for.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }
}

impl<'a> Iterator for Script<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (&[head, high, low], rest) = self.0.split_first_chunk()?;
        let number = u16::from_be_bytes([high, low]);
        let what = head % 8;
        if let WAIT | PAUSE = what {
            self.0 = rest;
            let time = Duration::from_millis(u64::from(number));
            return Some(if what == WAIT { Line::Wait(time) } else { Line::Pause(time) });
        }
        let (bytes, rest) = rest.split_at(usize::from(number).min(rest.len()));
        self.0 = rest;
        Some(match Role::ALL.get(usize::from(what)) {
            Some(&by) => Line::Sealed { by, to_anybody: head & TO_ANYBODY != 0, body: bytes },
            None => Line::Raw(bytes),
        })
    }
}

impl Line<'_> {
    /// Appends the line to an input.
    ///
    /// # Panics
    ///
    /// Where it is longer than a line can be.
    pub fn write(&self, input: &mut Vec<u8>) {
        let millis = |time: &Duration| time.as_millis() as usize;
        let (head, number, bytes): (u8, usize, &[u8]) = match self {
            Self::Raw(bytes) => (RAW, bytes.len(), bytes),
            Self::Sealed { by, to_anybody, body } => {
                let flag = if *to_anybody { TO_ANYBODY } else { 0 };
                (*by as u8 | flag, body.len(), body)
            }
            Self::Wait(time) => (WAIT, millis(time), &[]),
            Self::Pause(time) => (PAUSE, millis(time), &[]),
        };
        input.push(head);
        input.extend(u16::try_from(number).expect("a line is short").to_be_bytes());
        input.extend(bytes);
    }
}

/// Heads below stand for roles.
const RAW: u8 = 5;
const WAIT: u8 = 6;
const PAUSE: u8 = 7;

/// A bit of the head.
const TO_ANYBODY: u8 = 8;

const _: () = assert!(Role::ALL.len() == RAW as usize);
