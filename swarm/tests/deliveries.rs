//! What is published reaches each member of the sender's view at most once, and a call of all of
//! them is answered once for each, whatever happens to the members meanwhile.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time, on real sockets")]

mod common;

use common::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use swarm::{BoxError, Cx, Handle, Message, Pid, Stop, Swarm, Worker};
use tokio::sync::Semaphore;

/// A message and the members that the sender's view had before it was sent, or just after.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// In the view before and after.
    surely: BTreeSet<Pid>,
    /// In one of the two.
    perhaps: BTreeSet<Pid>,
}

impl Sent {
    fn new(before: Vec<Pid>, after: Vec<Pid>) -> Self {
        let (before, after) = (BTreeSet::from_iter(before), BTreeSet::from_iter(after));
        Self { surely: &before & &after, perhaps: &before | &after }
    }
}

/// Why `got`, whom a message reached, in order, is not right.
fn wrongly_published(sent: &Sent, got: &[Pid]) -> Option<String> {
    let mut once = BTreeSet::new();
    got.iter().find_map(|pid| {
        if !once.insert(pid) {
            return Some(format!("{pid} got it twice"));
        }
        (!sent.perhaps.contains(pid)).then(|| format!("{pid} is no member, and got it"))
    })
}

/// Why `answered`, who the answers to a call of all are of, is not right.
fn wrongly_answered(sent: &Sent, answered: &[Pid]) -> Option<String> {
    let silent = || sent.surely.iter().find(|pid| !answered.contains(pid));
    wrongly_published(sent, answered)
        .or_else(|| silent().map(|pid| format!("{pid} is a member, and there is no answer of it")))
}

#[test]
fn the_checkers_see_what_is_wrong() {
    let boot = swarm::Boot { millis: 1, random: 2 };
    let [a, b, c] = [1, 2, 3].map(|serial| Pid::new(boot, serial));
    let sent = Sent::new(vec![a, b], vec![a]);
    assert_eq!(wrongly_published(&sent, &[]), None, "at most once");
    assert_eq!(wrongly_published(&sent, &[b, a]), None);
    assert_eq!(wrongly_published(&sent, &[a, b, a]), Some(format!("{a} got it twice")));
    let stranger = Some(format!("{c} is no member, and got it"));
    assert_eq!(wrongly_published(&sent, &[c]), stranger);
    assert_eq!(wrongly_answered(&sent, &[a]), None, "the other one may have left before");
    assert_eq!(wrongly_answered(&sent, &[b, a]), None);
    let silent = Some(format!("{a} is a member, and there is no answer of it"));
    assert_eq!(wrongly_answered(&sent, &[b]), silent);
    assert_eq!(wrongly_answered(&sent, &[a, a]), Some(format!("{a} got it twice")));
}

/// Who got which message.
static GOT: Mutex<Vec<(u64, Pid)>> = Mutex::new(Vec::new());

struct Listener(Pid);

#[derive(Clone, Serialize, Deserialize)]
struct News(u64);

impl Message for News {
    const NAME: &'static str = "news";
    type Reply = Pid;
}

impl Worker for Listener {
    const KIND: &'static str = "listener";
    type Args = ();
    type State = ();
    type Accepts = (News,);

    async fn start((): (), cx: &mut Cx<Self>) -> Result<Self, BoxError> {
        cx.join("all");
        Ok(Self(cx.pid()))
    }
}

impl Handle<News> for Listener {
    async fn handle(&mut self, News(id): News, _: &mut Cx<Self>) -> Pid {
        GOT.lock().expect("nobody panics while it is held").push((id, self.0));
        self.0
    }
}

/// Members come, go and are killed on `node`, one for each permit: fewer than live at a time
/// between two looks of the sender at its view, which so misses none of them.
async fn churn(node: Swarm, permits: Arc<Semaphore>) {
    let mut living = Vec::new();
    for turn in 0_u64.. {
        match permits.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        living.push(node.spawn::<Listener>(()).await.expect("spawned"));
        if living.len() > 8 {
            let gone = living.remove((turn % 8) as usize);
            match turn % 3 {
                0 => gone.leave("all").await.expect("left"),
                1 => gone.stop(Stop::Kill).await.expect("killed"),
                _ => gone.stop(Stop::Graceful(secs(1))).await.expect("stopped"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_get_what_is_sent_once() {
    let mut cluster = Cluster::of(0).await;
    for at in 0..3 {
        let builder = cluster.builder(&format!("n{at}")).worker::<Listener>();
        cluster.nodes.push(builder.start().await.expect("the node starts"));
    }
    cluster.see_each_other().await;
    let permits: Vec<_> = cluster.nodes.iter().map(|_| Arc::new(Semaphore::new(5))).collect();
    let churners = cluster.nodes.iter().zip(&permits);
    let churners: Vec<_> = churners
        .map(|(node, permits)| tokio::spawn(churn(node.clone(), permits.clone())))
        .collect();
    let sender = &cluster.nodes[0];
    until("there are members", CONVERGED, || sender.members("all").len() > 12).await;

    let (mut published, mut n_answers) = (BTreeMap::new(), 0);
    for id in 0..400 {
        for permits in &permits {
            permits.add_permits(2_usize.saturating_sub(permits.available_permits()));
        }
        let before = sender.members("all");
        if id % 2 == 0 {
            let publish = sender.publish("all", News(id));
            published.insert(id, Sent::new(before, sender.members("all")));
            publish.await;
            continue;
        }
        let call = sender.multi_call_detailed("all", News(id)).timeout(secs(4));
        let sent = Sent::new(before, sender.members("all"));
        let answers = call.await;
        for (pid, answer) in &answers {
            assert!(answer.as_ref().is_ok_and(|said| said == pid) || answer.is_err(), "{answer:?}");
        }
        n_answers += answers.iter().filter(|(_, answer)| answer.is_ok()).count();
        let answered: Vec<_> = answers.into_iter().map(|(pid, _)| pid).collect();
        assert_eq!(wrongly_answered(&sent, &answered), None, "call {id}");
        published.insert(id, sent);
    }
    assert!(n_answers > 1_000, "{n_answers} answers");
    for permits in &permits {
        permits.close();
    }
    for churner in churners {
        churner.await.expect("it ran");
    }
    // What is still on its way to a member comes before this.
    sender.multi_call("all", News(u64::MAX)).timeout(secs(4)).await;
    let got = GOT.lock().expect("nobody panics while it is held").clone();
    for (id, sent) in &published {
        let got: Vec<_> = got.iter().filter(|(of, _)| of == id).map(|(_, pid)| *pid).collect();
        assert_eq!(wrongly_published(sent, &got), None, "message {id}");
    }
    let n_got = got.iter().filter(|(id, _)| id % 2 == 0).count();
    assert!(n_got > 1_000, "{n_got} of what was published arrived");
}
