//! Splitting a stream into frames without copying them.

use super::outbox::PREFIX;
use bytes::{Bytes, BytesMut};
use quinn::RecvStream;
use tokio::io::AsyncReadExt;

/// Reads frames, each after its length in four bytes, as many at once as have arrived.
pub(super) struct Frames {
    stream: RecvStream,
    buffer: BytesMut,
    len_max: usize,
}

/// Why there are no more frames.
pub(super) enum Stop {
    /// The sender has ended the stream.
    Finished,
    /// The connection, or this stream, is gone.
    Lost,
    /// A frame is too long, or the stream ends within one.
    Breach,
}

impl Frames {
    pub(super) fn new(stream: RecvStream, len_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), len_max }
    }

    /// Waits for at least one whole frame. Not safe to cancel if frames must not be lost.
    pub(super) async fn next(&mut self) -> Result<Batch, Stop> {
        loop {
            let whole = whole(&self.buffer, self.len_max).ok_or(Stop::Breach)?;
            if whole > 0 {
                return Ok(Batch(self.buffer.split_to(whole).freeze()));
            }
            make_room(&mut self.buffer);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) if self.buffer.is_empty() => return Err(Stop::Finished),
                Ok(0) => return Err(Stop::Breach),
                Ok(_) => (),
                Err(_) => return Err(Stop::Lost),
            }
        }
    }
}

/// Frames that follow each other in memory.
pub(super) struct Batch(Bytes);

impl Iterator for Batch {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let len = declared(&self.0)?;
        let mut frame = self.0.split_to(PREFIX + len);
        Some(frame.split_off(PREFIX))
    }
}

/// How many bytes of `buffer` are whole frames, or `None` where one is too long.
fn whole(buffer: &[u8], len_max: usize) -> Option<usize> {
    let mut end = 0;
    while let Some(len) = declared(&buffer[end..]) {
        if len > len_max {
            return None;
        }
        if buffer.len() - end - PREFIX < len {
            break;
        }
        end += PREFIX + len;
    }
    Some(end)
}

/// What a frame declares is at most `len_max`, and memory follows what has arrived.
fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < READ_LEN_MIN {
        buffer.reserve(READ_LEN);
    }
}

fn declared(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    usize::try_from(u32::from_be_bytes(*prefix)).ok()
}

/// How much is read at once: at a gigabyte per second, what arrives in 64 µs.
const READ_LEN: usize = 64 * 1024;
/// Where less room than this is left, there is a new buffer. Frames that are in use keep the old
/// one: were it filled up for each read, each small frame would cost 64 KiB.
const READ_LEN_MIN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lens: &[usize]) -> Vec<u8> {
        let frame = |len: &usize| [&(*len as u32).to_be_bytes()[..], &vec![7; *len]].concat();
        lens.iter().flat_map(frame).collect()
    }

    #[test]
    fn whole_frames_are_counted() {
        let bytes = frames(&[3, 0, 10]);
        assert_eq!(whole(&bytes, 10), Some(bytes.len()));
        assert_eq!(whole(&bytes[..bytes.len() - 1], 10), Some(7 + 4));
        assert_eq!(whole(&bytes[..6], 10), Some(0));
        assert_eq!(whole(&[], 10), Some(0));
    }

    #[test]
    fn a_long_frame_is_refused_by_its_length_alone() {
        assert_eq!(whole(&frames(&[11])[..4], 10), None);
        assert_eq!(whole(&[frames(&[3]), vec![0xff; 4]].concat(), 10), None);
    }

    #[test]
    fn small_frames_in_use_share_a_buffer() {
        let mut buffer = BytesMut::new();
        make_room(&mut buffer);
        let room = buffer.capacity();
        buffer.extend_from_slice(&frames(&[100]));
        let in_use = buffer.split().freeze();
        make_room(&mut buffer);
        assert_eq!(buffer.capacity(), room - in_use.len());
    }

    #[test]
    fn room_is_made_before_it_runs_out() {
        let mut buffer = BytesMut::new();
        make_room(&mut buffer);
        buffer.resize(buffer.capacity() - READ_LEN_MIN + 1, 0);
        make_room(&mut buffer);
        assert!(buffer.capacity() - buffer.len() >= READ_LEN);
    }

    #[test]
    fn a_batch_is_its_frames() {
        let batch = Batch(frames(&[3, 0, 10]).into());
        assert_eq!(batch.map(|frame| frame.len()).collect::<Vec<_>>(), [3, 0, 10]);
    }
}
