//! scratch
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use swarm::*;

#[derive(Clone, Serialize, Deserialize)]
struct Add(u64);
impl Message for Add { const NAME: &'static str = "add"; type Reply = u64; }
#[derive(Clone, Serialize, Deserialize)]
struct Where;
impl Message for Where { const NAME: &'static str = "where"; type Reply = String; }

struct Counter { n: u64 }
impl Worker for Counter {
    const KIND: &'static str = "counter";
    type Args = u64;
    type State = u64;
    type Accepts = (Add, Where);
    async fn start(n: u64, cx: &mut Cx<Self>) -> Result<Self, BoxError> { cx.join("all"); Ok(Counter { n }) }
    async fn begin_handoff(&mut self, _: &mut Cx<Self>) -> Handoff<u64> { Handoff::Resume(self.n) }
    async fn end_handoff(&mut self, n: u64, _: &mut Cx<Self>) { self.n = n }
}
impl Handle<Add> for Counter { async fn handle(&mut self, Add(k): Add, _: &mut Cx<Self>) -> u64 { self.n += k; self.n } }
impl Handle<Where> for Counter { async fn handle(&mut self, _: Where, cx: &mut Cx<Self>) -> String { cx.node().to_string() } }

async fn until(what: &str, mut f: impl FnMut() -> bool) {
    let t = Instant::now();
    while !f() { assert!(t.elapsed() < Duration::from_secs(15), "{what}"); tokio::time::sleep(Duration::from_millis(5)).await; }
    println!("{what}: {:?}", t.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three() {
    let secret = ClusterSecret::generate();
    let a = Swarm::builder("a").bind("127.0.0.1:0").secret(secret.clone()).worker::<Counter>().start().await.unwrap();
    let mut ev = a.events();
    tokio::spawn(async move { while let Some(e) = ev.next().await { if !matches!(e, Event::GroupJoined{..}|Event::GroupLeft{..}|Event::NameRegistered{..}|Event::MoveBegun{..}|Event::NameMoved{..}|Event::NameRestarted{..}) {println!("a: {e:?}") }} });
    let t = Instant::now();
    let b = Swarm::builder("b").bind("127.0.0.1:0").secret(secret.clone()).seeds([a.local_addr()]).worker::<Counter>().start().await.unwrap();
    println!("b up {:?}", t.elapsed());
    let c = Swarm::builder("c").bind("127.0.0.1:0").secret(secret.clone()).seeds([a.local_addr()]).worker::<Counter>().start().await.unwrap();
    println!("c up {:?}", t.elapsed());
    until("members", || [&a, &b, &c].iter().all(|s| s.nodes().len() == 3)).await;
    let t = Instant::now();
    for i in 0..300 { let t = Instant::now(); let r = a.register::<Counter>(format!("c{i}"), i).await.unwrap(); let e = t.elapsed(); if i < 12 { println!("{:?} {e:?} call {:?}", r.pid().unwrap().boot == a.node().boot, {let t = Instant::now(); r.call(Where).await.unwrap(); t.elapsed()}) } }
    println!("registered {:?}", t.elapsed());
    until("views", || [&a, &b, &c].iter().all(|s| s.registered().count() == 300)).await;
    for s in [&a, &b, &c] {
        let mut at = std::collections::BTreeMap::<_, usize>::new();
        for i in 0..300 { *at.entry(s.call(format!("c{i}"), Where).await.unwrap()).or_default() += 1; }
        println!("{at:?}");
    }
    until("groups", || [&a, &b, &c].iter().all(|s| s.members("all").len() == 300)).await;
    println!("published {}", a.publish("all", Add(1)).await);
    println!("{}", a.multi_call("all", Add(0)).await.len());
    let e = b.register::<Counter>("c7", 0).await.unwrap_err();
    println!("{e}");
    // d joins
    let t = Instant::now();
    let d = Swarm::builder("d").bind("127.0.0.1:0").secret(secret.clone()).seeds([a.local_addr()]).worker::<Counter>().start().await.unwrap();
    println!("d up {:?}", t.elapsed());
    until("moved", || { let n = d.registered().filter(|(_, p)| p.boot == d.node().boot).count(); n > 40 }).await;
    for i in 0..300 { assert_eq!(d.call(format!("c{i}"), Add(0)).await.unwrap(), i + 1); }
    println!("state kept {:?}", t.elapsed());
    // b leaves
    let t = Instant::now();
    b.leave().await.unwrap();
    println!("b left {:?}", t.elapsed());
    for i in 0..300 { assert_eq!(d.call(format!("c{i}"), Add(0)).await.unwrap(), i + 1); }
    // c dies
    drop(c);
    let t = Instant::now();
    until("dead seen", || a.nodes().len() == 2).await;
    println!("dead seen {:?}", t.elapsed());
    until("restarted", || [&a, &d].iter().all(|s| s.registered().count() == 300)).await;
    for i in 0..300 { let v = d.call(format!("c{i}"), Add(0)).await.unwrap(); assert!(v == i || v == i + 1); }
    println!("all run {:?}", t.elapsed());
    until("groups", || [&a, &d].iter().all(|s| s.members("all").len() == 300)).await;
    a.shutdown().await.unwrap();
    d.shutdown().await.unwrap();
}
