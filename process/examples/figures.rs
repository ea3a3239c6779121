//! What a process costs on this machine: `cargo run --release -p swarm-process --example figures`.
//!
//! Prints the memory of an idle process, the latency of a call, and the rate of casts.
#![expect(clippy::disallowed_methods, reason = "it measures")]

use bytes::Bytes;
use std::any::Any;
use std::time::{Duration, Instant};
use swarm_base::codec::EncodeError;
use swarm_base::{Boot, Name, Token};
use swarm_process::{
    Behaviour, Checked, Clock, Context, Down, Handle, Handoff, Mail, Mode, Notice, Parcel, Payload,
    Processes, ReplyTo, Rival, Spawn,
};
use tokio::sync::mpsc;

const WORKERS: u64 = 100_000;
const CALLS: usize = 500_000;
const CASTS: usize = 5_000_000;

/// Adds numbers up.
struct Adder {
    context: Context,
    sum: u64,
}

struct Add(u64);

impl Parcel for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn encode(&self) -> Result<Bytes, EncodeError> {
        Ok(Bytes::copy_from_slice(&self.0.to_be_bytes()))
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

impl Behaviour for Adder {
    type Seed = u64;

    async fn start(sum: u64, context: Context) -> Result<Self, String> {
        Ok(Self { context, sum })
    }

    fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    async fn handle(&mut self, payload: Payload, reply: &mut Option<ReplyTo>) {
        if let Payload::Local(parcel) = payload {
            self.sum += parcel.into_any().downcast::<Add>().expect("only `Add`").0;
        }
        if let Some(reply) = reply.take() {
            reply.answer(self.sum, |sum| Ok(Bytes::copy_from_slice(&sum.to_be_bytes())));
        }
    }

    async fn begin_handoff(&mut self) -> Handoff {
        Handoff::Ignore
    }

    async fn promote(&mut self) {}

    async fn resolve_conflict(&mut self, _: Bytes, _: Rival) -> Result<(), String> {
        Ok(())
    }

    async fn down(&mut self, _: Down) {}

    async fn die(self) {}
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (sender, mut notices) = mpsc::channel::<Notice>(1024);
    let drained = tokio::spawn(async move { while notices.recv().await.is_some() {} });
    let runtime = tokio::runtime::Handle::current();
    let clock = Clock::start();
    let boot = Boot::default();
    let processes = Processes::new(boot, Checked::default(), clock, runtime, sender);

    let before = resident();
    let started = Instant::now();
    let workers = spawn_all(&processes).await;
    let spawned = started.elapsed();
    let after = resident();
    println!("{WORKERS} named processes, each called once, held by a handle:");
    println!("  {:.2} µs each to spawn and call", spawned.as_secs_f64() * 1e6 / WORKERS as f64);
    println!(
        "  {} bytes each while idle, in the tables and the heap",
        (after - before) / WORKERS as usize
    );

    let worker = workers[0].clone();
    let caller = processes.clone();
    let mut nanos = tokio::spawn(async move {
        let mut nanos = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            call(&caller, &worker).await;
            nanos.push(started.elapsed().as_nanos() as u64);
        }
        nanos
    })
    .await
    .expect("no panic");
    let total: u64 = nanos.iter().sum();
    nanos.sort_unstable();
    let at = |permille: usize| nanos[CALLS * permille / 1000] as f64 / 1000.0;
    println!("calls by one caller: p50 {:.2} µs, p99 {:.2} µs", at(500), at(990));
    println!("  {:.2} M/s", CALLS as f64 * 1e3 / total as f64);

    let worker = workers[1].clone();
    let caster = processes.clone();
    let took = tokio::spawn(async move {
        let started = Instant::now();
        for n in 0..CASTS {
            let mail = Mail::cast(Payload::local(Add(n as u64)));
            worker.send(mail).await.expect("the process lives");
        }
        call(&caster, &worker).await;
        started.elapsed()
    })
    .await
    .expect("no panic");
    println!("casts by one sender, handled: {:.2} M/s", CASTS as f64 / took.as_secs_f64() / 1e6);

    processes.shutdown(Duration::from_secs(5)).await;
    drained.abort();
}

async fn spawn_all(processes: &Processes) -> Vec<Handle> {
    let mut workers = Vec::with_capacity(WORKERS as usize);
    for ticket in 0..WORKERS {
        let name = Some(Name::new(format!("adder-{ticket}")).expect("a short name"));
        let spawn = Spawn { ticket, name, token: Token::default(), mode: Mode::Run };
        workers.push(processes.spawn::<Adder>(spawn, 0));
    }
    for worker in &workers {
        call(processes, worker).await;
    }
    workers
}

async fn call(processes: &Processes, worker: &Handle) {
    let deadline = processes.clock().now() + Duration::from_secs(5);
    let call = processes.call::<u64>(deadline);
    call.send_to(worker, Payload::local(Add(1))).await.expect("the process lives");
    call.await.expect("an answer");
}

/// The resident memory of this program, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number of statm") * 4096
}
