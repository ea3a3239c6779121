//! How fast two processes on this machine echo, cast and move bulk over one session.
//!
//! ```text
//! cargo run --release -p swarm-link --example throughput [seconds] [workers]
//! ```
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use bytes::Bytes;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use swarm_base::{ClusterSecret, NodeName, Session};
use swarm_link::Reason;
use swarm_link::quic::{Credentials, Endpoint, Inbox, Lane, Notice, Outbox, Pace, Push, Settings};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (seconds, workers) = (number(0, 2)?, number(1, 2)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers as usize)
        .enable_all()
        .build()?;
    match arguments.get(2).map(String::as_str) {
        Some("serve") => runtime.block_on(serve()),
        _ => runtime.block_on(measure(Duration::from_secs(seconds), workers)),
    }
}

/// Answers every frame that asks for it, until the other side goes.
async fn serve() -> Result<(), Failure> {
    let inbox = Arc::new(Echo::default());
    let (endpoint, mut notices) = bind("b", inbox.clone())?;
    println!("{}", endpoint.local_addr());
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Opened { session, .. } => {
                let messages = endpoint.messages(session).ok_or("gone")?;
                inbox.replies.set(messages).map_err(|_| "a second session")?;
                endpoint.open(session);
            }
            Notice::Frame { session, lane: Lane::Bulk, bytes } => {
                let received = |frame: &mut Vec<u8>| {
                    frame.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
                };
                let _ = endpoint.control(session).ok_or("gone")?.push(received);
            }
            Notice::Closed { .. } => break,
            _ => (),
        }
    }
    Ok(())
}

async fn measure(duration: Duration, workers: u64) -> Result<(), Failure> {
    let mut server = Command::new(std::env::current_exe()?)
        .args(["0", &workers.to_string(), "serve"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse()?;

    let inbox = Arc::new(Calls::default());
    let (endpoint, mut notices) = bind("a", inbox.clone())?;
    for warning in endpoint.warnings() {
        println!("note: {warning}");
    }
    let session = Session::dialled(1);
    endpoint.dial(session, address, &NodeName::new("b")?);
    match notices.recv().await {
        Some(Notice::Opened { .. }) => endpoint.open(session),
        other => return Err(format!("no session: {other:?}").into()),
    }
    let messages = endpoint.messages(session).ok_or("gone")?;

    for callers in [1, 64, 1000] {
        echo(callers, duration, &messages, &inbox).await?;
    }
    for (senders, len) in [(1, 64), (64, 64), (1, 1024)] {
        cast(senders, len, duration, &messages, &inbox).await?;
    }
    bulk(&endpoint, session, &mut notices).await?;
    endpoint.close(session, Reason::Shutdown);
    endpoint.shutdown().await;
    server.wait()?;
    Ok(())
}

async fn echo(
    callers: usize,
    duration: Duration,
    messages: &Outbox,
    inbox: &Arc<Calls>,
) -> Result<(), Failure> {
    inbox.slots.lock().expect("no panic").resize_with(callers, || None);
    let (mut tasks, start) = (JoinSet::new(), Instant::now());
    for caller in 0..callers {
        let (messages, inbox) = (messages.clone(), inbox.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < duration {
                let asked = Instant::now();
                call(&messages, &inbox, caller).await?;
                latencies.push(asked.elapsed());
            }
            Ok::<_, Failure>(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    let (elapsed, count) = (start.elapsed(), latencies.len());
    latencies.sort_unstable();
    let rate = count as f64 / elapsed.as_secs_f64() / 1e3;
    let at = |permille: usize| latencies[(count - 1) * permille / 1000];
    println!(
        "echo 64 B, {callers:4} callers: {rate:7.1} k/s, p50 {:?}, p99 {:?}",
        at(500),
        at(990)
    );
    Ok(())
}

async fn cast(
    senders: usize,
    len: usize,
    duration: Duration,
    messages: &Outbox,
    inbox: &Arc<Calls>,
) -> Result<(), Failure> {
    let payload = vec![7; len];
    let (mut tasks, start) = (JoinSet::new(), Instant::now());
    for _ in 0..senders {
        let (messages, payload) = (messages.clone(), payload.clone());
        tasks.spawn(async move {
            let mut count = 0u64;
            while !count.is_multiple_of(256) || start.elapsed() < duration {
                messages.send(|frame| write(frame, CAST, 0, &payload)).await?;
                count += 1;
            }
            Ok::<_, Failure>(count)
        });
    }
    let mut count = 0;
    while let Some(ended) = tasks.join_next().await {
        count += ended??;
    }
    // Frames keep their order: with this answer all of them have been delivered.
    call(messages, inbox, 0).await?;
    let rate = count as f64 / start.elapsed().as_secs_f64() / 1e3;
    println!("cast {len:4} B, {senders:3} senders: {rate:7.0} k/s");
    Ok(())
}

async fn bulk(
    endpoint: &Endpoint,
    session: Session,
    notices: &mut mpsc::Receiver<Notice>,
) -> Result<(), Failure> {
    const COUNT: usize = 32;
    let payload = Bytes::from(vec![7; 8 << 20]);
    let start = Instant::now();
    for _ in 0..COUNT {
        match endpoint.send_bulk(session, payload.clone()) {
            Push::Queued => (),
            push => return Err(format!("bulk: {push:?}").into()),
        }
    }
    for _ in 0..COUNT {
        notices.recv().await.ok_or("closed")?;
    }
    let rate = (COUNT * payload.len()) as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("bulk, 8 MiB each:       {rate:7.0} MB/s");
    Ok(())
}

async fn call(messages: &Outbox, inbox: &Calls, caller: usize) -> Result<(), Failure> {
    let (sender, answer) = oneshot::channel();
    inbox.slots.lock().expect("no panic")[caller] = Some(sender);
    messages.send(|frame| write(frame, CALL, caller as u64, &[7; 64])).await?;
    Ok(answer.await?)
}

fn write(frame: &mut Vec<u8>, kind: u8, caller: u64, payload: &[u8]) {
    frame.push(kind);
    frame.extend_from_slice(&caller.to_be_bytes());
    frame.extend_from_slice(payload);
}

fn bind(name: &str, inbox: Arc<dyn Inbox>) -> Result<(Endpoint, mpsc::Receiver<Notice>), Failure> {
    let secret = ClusterSecret::from_bytes(&(0..32).collect::<Vec<u8>>())?;
    let credentials = Credentials::from_secret(&secret, "measured", &NodeName::new(name)?)?;
    let (sender, notices) = mpsc::channel(64);
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let endpoint = Endpoint::bind(address, &credentials, Settings::default(), sender, inbox)?;
    Ok((endpoint, notices))
}

/// The side that asks: wakes who waits for the answer.
#[derive(Default)]
struct Calls {
    slots: Mutex<Vec<Option<oneshot::Sender<()>>>>,
}

impl Inbox for Calls {
    fn deliver(&self, _: Session, frame: Bytes) -> Pace {
        let caller = frame[1..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let mut slots = self.slots.lock().expect("no panic");
        if let Some(sender) = caller.and_then(|at| slots.get_mut(at as usize)?.take()) {
            let _ = sender.send(());
        }
        Pace::Go
    }
}

/// The side that answers, from the reading task.
#[derive(Default)]
struct Echo {
    replies: OnceLock<Outbox>,
    casts: AtomicU64,
}

impl Inbox for Echo {
    fn deliver(&self, _: Session, frame: Bytes) -> Pace {
        if frame[0] == CAST {
            self.casts.fetch_add(1, Ordering::Relaxed);
            return Pace::Go;
        }
        let Some(replies) = self.replies.get() else { return Pace::Go };
        if replies.push(|reply| reply.extend_from_slice(&frame)) == Push::Full {
            let replies = replies.clone();
            return Pace::Wait(Box::pin(async move {
                let _ = replies.send(|reply| reply.extend_from_slice(&frame)).await;
            }));
        }
        Pace::Go
    }
}

const CALL: u8 = 1;
const CAST: u8 = 2;
