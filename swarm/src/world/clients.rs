//! What clients and operators do to a world.

use super::host::{End, SimNode};
use super::make::{EVERYWHERE, SOMEWHERE, scope};
use super::news::Asked;
use super::truth::{Shared, Status};
use crate::node::{Stop, What};
use crate::reference::Target;
use crate::scope::kind_in;
use std::net::SocketAddr;
use std::time::Duration;
use swarm_base::{Name, Rng, Scope};
use swarm_process::ExitReason;
use swarm_registry::{Bytes, Spec};
use swarm_sim::World;

/// Does one thing after the other, at nodes and to names that it draws.
#[derive(Debug)]
pub(crate) struct Clients {
    truth: Shared,
    names: u64,
    messages: u64,
    fixed: u64,
    /// The most nodes that there were.
    most: usize,
    /// The node that is not ready, or drains.
    away: Option<SocketAddr>,
}

/// How many names are in use at once.
const NAMES: u64 = 16;

/// The groups that processes join.
const GROUPS: [&str; 3] = ["red", "green", "blue"];

impl Clients {
    pub(crate) const fn new(truth: Shared) -> Self {
        Self { truth, names: NAMES, messages: 0, fixed: 0, away: None, most: 0 }
    }

    /// Does one thing.
    pub(crate) fn act(&mut self, world: &mut World<SimNode>, rng: &mut Rng) {
        let awake = |(addr, host): (&SocketAddr, &SimNode)| {
            let serves = matches!(host.end(), End::No | End::Draining { .. });
            (serves && !world.is_paused(*addr)).then_some(*addr)
        };
        let nodes: Vec<_> = world.hosts().iter().filter_map(awake).collect();
        self.most = self.most.max(nodes.len());
        let Some(at) = rng.index(nodes.len()).map(|idx| nodes[idx]) else { return };
        match rng.below(1_000) {
            0..300 => self.register(world, rng, at),
            300..600 => self.send(world, rng, at),
            600..670 => self.stop(world, rng, at),
            670..690 => self.unregister(world, rng, at),
            690..730 => self.register_fixed(world, rng, at, &nodes),
            730..850 => self.join_or_leave(world, rng, at),
            850..900 => self.whereis(world, rng, at),
            900..950 => self.crash_process(world, rng, at),
            950..960 => self.finish_process(world, rng, at),
            960..985 => self.ready(world, rng, at),
            985..992 => self.drain(world, rng, at, nodes.len()),
            _ => self.leave(world, rng, at, nodes.len()),
        }
    }

    fn name(&self, rng: &mut Rng) -> Name {
        name(self.names - NAMES + rng.below(NAMES))
    }

    /// A name of which no question is under way.
    fn free_to_change(&self, rng: &mut Rng) -> Option<Name> {
        let name = self.name(rng);
        self.truth.borrow().may_change(&name).then_some(name)
    }

    fn register(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let left = patience(rng);
        let Some(name) = self.free_to_change(rng) else { return };
        // A name keeps its kind: another one is another spec, which is not what is tried here.
        let kind =
            if name.as_bytes().last().is_some_and(|b| b % 4 == 0) { SOMEWHERE } else { EVERYWHERE };
        let scope = name.scope().map_or_else(Scope::default, |_| scope());
        let spec = Spec { kind: kind_in(&scope, kind).into(), args: Bytes::default() };
        let what = What::Register { name: name.clone(), spec };
        world.with(at, |host, now| host.ask(now, what, Asked::Register(name), left));
    }

    fn send(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let name = self.name(rng);
        self.messages += 1;
        let id = self.messages;
        world.with(at, |host, now| host.send(now, name, id));
    }

    fn stop(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let (left, kills) = (patience(rng), rng.chance(300));
        let Some(name) = self.free_to_change(rng) else { return };
        let how = if kills { Stop::Kill } else { Stop::Graceful(Duration::from_secs(5)) };
        let what = What::Stop { name: name.clone(), how };
        world.with(at, |host, now| host.ask(now, what, Asked::Stop(name), left));
    }

    fn unregister(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let left = patience(rng);
        // The oldest name goes out of use, and a new one comes into it.
        let oldest = name(self.names - NAMES);
        if self.truth.borrow().may_change(&oldest) {
            self.names += 1;
            let what = What::Unregister { name: oldest.clone() };
            world.with(at, |host, now| host.ask(now, what, Asked::Unregister(oldest), left));
        }
    }

    fn register_fixed(
        &mut self,
        world: &mut World<SimNode>,
        rng: &mut Rng,
        at: SocketAddr,
        nodes: &[SocketAddr],
    ) {
        let left = patience(rng);
        let caller = rng.index(nodes.len()).map_or(at, |idx| nodes[idx]);
        self.fixed += 1;
        let name = Name::new(format!("p{}", self.fixed)).expect("a short name");
        let pid = world.with(at, SimNode::spawn_at);
        let what = What::RegisterPid { name: name.clone(), pid };
        let asked = Asked::RegisterPid(name, pid);
        world.with(caller, |host, now| host.ask(now, what, asked, left));
    }

    fn join_or_leave(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let (left, name, joins) = (patience(rng), self.name(rng), rng.chance(700));
        let Some(group) = rng.index(GROUPS.len()).map(|idx| GROUPS[idx]) else { return };
        let group = Name::new(group).expect("a short name");
        if self.truth.borrow().status(&name) != Status::Taken {
            return;
        }
        let member = Target::Name(name.clone());
        let (what, asked) = if joins {
            let meta = Vec::new();
            let what = What::Join { member, group: group.clone(), meta };
            (what, Asked::Join(name, group))
        } else {
            let what = What::Leave { member, group: group.clone() };
            (what, Asked::Leave(name, group))
        };
        world.with(at, |host, now| host.ask(now, what, asked, left));
    }

    fn whereis(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let (left, name) = (patience(rng), self.name(rng));
        let what = What::Whereis { name: name.clone() };
        world.with(at, |host, now| host.ask(now, what, Asked::Whereis(name), left));
    }

    fn crash_process(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let Some(serial) = process(world.host(at), rng) else { return };
        let why = ExitReason::Panicked { message: "a bug of the user's".into() };
        world.with(at, |host, now| host.end_process(now, serial, why));
    }

    fn finish_process(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        let Some(serial) = process(world.host(at), rng) else { return };
        let found = world.host(at).processes().iter().find(|(found, _)| *found == serial);
        if let Some(name) = found.and_then(|(_, stub)| stub.name.clone()) {
            self.truth.borrow_mut().lose_track(&name);
        }
        world.with(at, |host, now| host.end_process(now, serial, ExitReason::Stopped));
    }

    fn ready(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr) {
        match self.away.take() {
            Some(back) if world.is_running(back) && !world.is_paused(back) => {
                world.with(back, |host, now| host.set_ready(now, true));
            }
            _ if rng.chance(400) => {
                self.away = Some(at);
                world.with(at, |host, now| host.set_ready(now, false));
            }
            _ => (),
        }
    }

    fn drain(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr, n_nodes: usize) {
        if self.away.is_none() && n_nodes > 2 {
            self.away = Some(at);
            let left = rng.duration(Duration::from_secs(1)..=Duration::from_secs(20));
            world.with(at, |host, now| host.drain(now, left, false));
        }
    }

    fn leave(&mut self, world: &mut World<SimNode>, rng: &mut Rng, at: SocketAddr, n_nodes: usize) {
        let gone = world.hosts().iter().find(|(_, host)| host.is_gone()).map(|(addr, _)| *addr);
        if let Some(gone) = gone {
            return world.stop(gone);
        }
        let is_leaving =
            |host: &SimNode| !matches!(host.end(), End::No | End::Draining { leaves: false });
        // Under a quorum it is kept, also with one node down.
        let least = if self.truth.borrow().want.is_some() { self.most / 2 + 2 } else { 3 };
        if n_nodes > least && !world.hosts().values().any(is_leaving) {
            let left = rng.duration(Duration::from_millis(100)..=Duration::from_secs(10));
            world.with(at, |host, now| host.drain(now, left, true));
        }
    }
}

/// How long a caller waits.
fn patience(rng: &mut Rng) -> Duration {
    rng.duration(Duration::from_millis(200)..=Duration::from_secs(6))
}

/// A process of a name that runs here.
fn process(host: &SimNode, rng: &mut Rng) -> Option<u64> {
    let named = host.processes().running().filter(|(_, stub)| stub.name.is_some());
    let serials: Vec<_> = named.map(|(serial, _)| serial).collect();
    rng.index(serials.len()).map(|idx| serials[idx])
}

/// The name of a number. Two of three are in a scope, where one of these has a namesake outside.
fn name(n: u64) -> Name {
    let plain = |n: u64| Name::new(format!("w{n}")).expect("a short name");
    match n % 3 {
        0 => plain(n),
        1 => plain(n - 1).within(&scope()).expect("a short name"),
        _ => plain(n).within(&scope()).expect("a short name"),
    }
}
