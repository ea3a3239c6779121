//! One round of `bench main`: three fresh node processes, and every row once.

use super::area::Section;
use super::child::Child;
use super::dying;
use super::figures::median;
use super::nodes::{Answered, Nodes, Rate, bytes, node, rate, unexpected};
use super::protocol::{Reply, Request};
use super::rows::Row;
use crate::Failure;

/// All of it uses the same names.
pub(super) const SECTIONS: [Section; 1] = [Section { name: "main", measure: run }];

const NAMES: u64 = 10_000;
const NODES: usize = 3;
const AT_ONCE: u64 = 50;
const CALLERS: u64 = 64;
const WORKERS: u64 = 100_000;

/// Registered and stopped before anything is measured: the first use of everything is not news.
const WARM_UP: u64 = 500;

/// A call and the bare echo take turns, so that whatever else the machine does hits both alike.
const TURNS: usize = 5;
const TURN_MS: u64 = 400;
const RATE_MS: u64 = 2_000;

/// How many bare echoes a call may cost, and what it may take at most.
const ECHOES_MAX: f64 = 1.6;
const CALL_US_MAX: f64 = 120.0;

/// Measures every row once.
fn run() -> Result<Vec<Row>, Failure> {
    let mut round = Round::start()?;
    round.step("the first use of everything");
    round.register("warm", WARM_UP, AT_ONCE)?;
    round.stop("warm", WARM_UP)?;
    let mut rows = Vec::new();
    round.step("register, one client");
    let one = round.register("one", NAMES, 1)?;
    rows.push(Row::at_least("register, one client, 10,000 names", one.rate, "/s", 7_000.0));
    round.stop("one", NAMES)?;
    round.step("register, 50 at once");
    let many = round.register("dev", NAMES, AT_ONCE)?;
    rows.push(Row::at_least("register, 50 at once, 10,000 names", many.rate, "/s", 45_000.0));
    let views_ms = one.views_ms.max(many.views_ms);
    rows.push(Row::at_most("all three views complete after the last Ok", views_ms, "ms", 5.0));
    round.shares()?;
    round.step("whereis");
    rows.push(round.whereis()?);
    round.step("call by name to another node, one caller, and the bare echo in turns");
    rows.push(round.call_one()?);
    round.step("call by name to another node, 64 callers");
    rows.push(round.call_many()?);
    round.step("cast to another node");
    rows.extend(round.cast()?);
    round.step("local call");
    rows.push(round.call_local()?);
    round.step("a node dies");
    rows.push(round.death()?);
    round.step("100,000 workers");
    rows.push(memory()?);
    Ok(rows)
}

struct Round {
    nodes: Nodes,
    /// How many names the views hold.
    names: u64,
}

impl Round {
    fn start() -> Result<Self, Failure> {
        Ok(Self { nodes: Nodes::start(NODES)?, names: 0 })
    }

    fn step(&self, what: &str) {
        self.nodes.step(what);
    }

    fn first(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.nodes.first(request)
    }

    /// Registers through the first node, while all three watch their views.
    fn register(&mut self, prefix: &str, count: u64, at_once: u64) -> Result<Answered, Failure> {
        self.names += count;
        let request = Request::Register { prefix: prefix.to_owned(), count, at_once };
        self.nodes.until(self.names, &request)
    }

    fn stop(&mut self, prefix: &str, count: u64) -> Result<(), Failure> {
        self.names -= count;
        self.nodes.until(self.names, &Request::Stop { prefix: prefix.to_owned(), count })?;
        Ok(())
    }

    /// Says where the names run: two of three must be elsewhere for the rows to mean anything.
    fn shares(&mut self) -> Result<(), Failure> {
        match self.first(&Request::Shares { prefix: "dev".to_owned(), count: NAMES })? {
            Reply::Shares(shares) => {
                let list: Vec<_> = shares.iter().map(|(node, n)| format!("{node} {n}")).collect();
                eprintln!("           run on: {}", list.join(", "));
                let away: u64 = shares.iter().filter(|(of, _)| *of != node(1)).map(|s| s.1).sum();
                if shares.len() < NODES || away < NAMES / 2 {
                    return Err(Failure::new("the names are not spread over the nodes"));
                }
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    fn whereis(&mut self) -> Result<Row, Failure> {
        let (prefix, count) = ("dev".to_owned(), NAMES);
        let found =
            rate(self.first(&Request::Whereis { prefix, count, callers: 1, millis: 1_000 })?)?;
        Ok(Row::at_least("whereis, one caller, 10,000 names", found.per_second, "/s", 3e6))
    }

    fn call(&mut self, on: usize, callers: u64, millis: u64) -> Result<Rate, Failure> {
        let (prefix, on) = ("dev".to_owned(), node(on));
        rate(self.first(&Request::Call { prefix, count: NAMES, on, callers, millis })?)
    }

    fn call_one(&mut self) -> Result<Row, Failure> {
        let (mut server, mut caller) = (Child::start("echo server")?, Child::start("echo")?);
        let Reply::Address(address) = server.ask(&Request::EchoServe)? else {
            return Err(Failure::new("the echo has no address"));
        };
        caller.ask(&Request::EchoDial { address })?;
        let (mut echoes, mut calls) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let echo = Request::Echo { callers: 1, millis: TURN_MS };
            echoes.push(rate(caller.ask(&echo)?)?.p50_us);
            calls.push(self.call(2, 1, TURN_MS)?.p50_us);
        }
        let (echo, call) = (median(&echoes), median(&calls));
        eprintln!("           bare echo p50 {echo:.1} µs, call p50 {call:.1} µs");
        let most = CALL_US_MAX.min(ECHOES_MAX * echo);
        Ok(Row::at_most("call by name to another node, one caller, p50", call, "µs", most))
    }

    fn call_many(&mut self) -> Result<Row, Failure> {
        let Rate { per_second, p50_us, .. } = self.call(2, CALLERS, RATE_MS)?;
        eprintln!("           p50 {p50_us:.0} µs");
        Ok(Row::at_least("call by name to another node, 64 callers", per_second, "/s", 1e5))
    }

    fn cast(&mut self) -> Result<[Row; 2], Failure> {
        let (prefix, on) = ("dev".to_owned(), node(2));
        let request = Request::Cast { prefix, count: NAMES, on, millis: RATE_MS };
        let Reply::Cast { sent, delivered, seconds, growth_bytes } = self.first(&request)? else {
            return Err(Failure::new("a cast answered something else"));
        };
        eprintln!("           {sent} sent, {delivered} counted by the worker");
        if sent != delivered {
            return Err(Failure::new(format!("{sent} were cast, and {delivered} delivered")));
        }
        let (rate, mib) = (delivered as f64 / seconds, growth_bytes as f64 / f64::from(1 << 20));
        Ok([
            Row::at_least("cast, 64 B, to another node, delivered", rate, "/s", 5e5),
            Row::at_most("cast, 64 B: growth of the sender's memory", mib, "MiB", 32.0),
        ])
    }

    fn call_local(&mut self) -> Result<Row, Failure> {
        let p50 = self.call(1, 1, 1_000)?.p50_us;
        Ok(Row::at_most("local call, one caller, p50", p50, "µs", 1.5))
    }

    /// Kills the third node.
    fn death(&mut self) -> Result<Row, Failure> {
        let names = (0..NAMES).map(|at| super::load::name("dev", at)).collect();
        let seconds = dying::last(&mut self.nodes, names)?;
        Ok(Row::at_most("10,000 names, one of three nodes dies: all running", seconds, "s", 0.3))
    }
}

fn memory() -> Result<Row, Failure> {
    let taken = bytes(Child::start("memory")?.ask(&Request::Memory { workers: WORKERS })?)?;
    Ok(Row::at_most("memory of a spawned worker, of 100,000", taken / 1e3, "KB", 5.0))
}
