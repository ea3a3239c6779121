//! A flood of bad packets to one node, from a process of its own.
//!
//! It greets the node once, as a member could that does not join, so that it has what an
//! eavesdropper has: a packet that is true. Everything after that is this packet again, or
//! something made from it.

mod held;
mod packets;
pub(super) use held::{Counts, Flood};

use crate::{Failure, output};
use packets::{Batch, greeting, pool};
use quinn_udp::{Transmit, UdpSocketState};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use swarm_base::ClusterSecret;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The node that it goes to
    #[arg(long)]
    to: SocketAddr,
    /// The cluster's name
    #[arg(long)]
    cluster: String,
    /// The cluster's secret, as digits
    #[arg(long, value_parser = super::setting::secret)]
    secret: ClusterSecret,
    /// How many packets a second
    #[arg(long)]
    rate: u64,
    /// For how long
    #[arg(long)]
    seconds: u64,
}

/// Greets the node and says so; floods it after the next line on stdin; says what came of it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", args.to));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(failed)?;
    socket.connect(args.to).map_err(failed)?;
    let greeting = greeting(args, socket.local_addr().map_err(failed)?);
    socket.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(failed)?;
    socket.send(&greeting).map_err(failed)?;
    let mut answer = [0; ANSWER_LEN_MAX];
    socket.recv(&mut answer).map_err(failed)?;
    show(&Counts::default())?;

    std::io::stdin().read_line(&mut String::new()).map_err(failed)?;
    let mut counts = pour(&socket, &pool(&greeting), args).map_err(failed)?;
    // What it was answered waits in the socket.
    while listen(&socket).map_err(failed)? {
        counts.heard += 1;
    }
    show(&counts)
}

/// Sends as much as was asked for, however late.
fn pour(socket: &UdpSocket, pool: &[Batch], args: &Args) -> io::Result<Counts> {
    let state = UdpSocketState::new(socket.into())?;
    let (begin, mut counts) = (super::now(), Counts::default());
    let mut batches = pool.iter().cycle();
    loop {
        let elapsed = begin.elapsed();
        counts.seconds = elapsed.as_secs_f64();
        if elapsed >= Duration::from_secs(args.seconds) {
            return Ok(counts);
        }
        let due = (counts.seconds * args.rate as f64) as u64;
        if counts.sent >= due {
            std::thread::sleep(BREATH);
            continue;
        }
        let batch = batches.next().expect("a pool is not empty");
        let n = batch.packets().count() as u64;
        let transmit = Transmit {
            destination: args.to,
            ecn: None,
            contents: &batch.bytes,
            segment_size: Some(batch.packet_len),
            src_ip: None,
        };
        // A full buffer is a lost packet.
        counts.lost += if state.try_send(socket.into(), &transmit).is_err() { n } else { 0 };
        counts.sent += n;
    }
}

/// Whether there was something to hear.
fn listen(socket: &UdpSocket) -> io::Result<bool> {
    match socket.recv(&mut [0; ANSWER_LEN_MAX]) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn show(counts: &Counts) -> Result<(), Failure> {
    let line = serde_json::to_string(counts);
    output::line(line.map_err(|error| Failure::new(format!("no counts: {error}")))?)
}

/// How long the answer to the greeting may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

const ANSWER_LEN_MAX: usize = 2_048;

/// Between two looks at the clock where nothing is due.
const BREATH: Duration = Duration::from_micros(200);
