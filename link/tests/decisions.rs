//! What one machine does with what it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use swarm_base::{Boot, Instant, Machine, NodeId, NodeName, Output, Rng, Session};
use swarm_link::{Cause, Config, Event, Hello, Identity, Links, Reason, Role};

type Out = Output<Session, Hello, Event>;

/// Node m with what it has said; `l` has a larger name, `a` a smaller one.
struct Machined {
    links: Links,
    now: Instant,
}

impl Machined {
    fn new() -> Self {
        let config = Config::default().check().expect("sensible");
        Self { links: Links::new(id("m", 5), "blue", config, Rng::new(1)), now: Instant::START }
    }

    fn outputs(&mut self) -> Vec<Out> {
        std::iter::from_fn(|| self.links.poll_output()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        let event = |output| match output {
            Output::Event(event) => Some(event),
            Output::Send { .. } => None,
        };
        self.outputs().into_iter().filter_map(event).collect()
    }

    fn member(&mut self, node: NodeId) {
        self.links.member_up(self.now, node, address(1));
    }

    fn dialled(&mut self) -> Session {
        match self.events().pop() {
            Some(Event::Dial { session, .. }) => session,
            other => panic!("expected a dial, got {other:?}"),
        }
    }

    fn opened(&mut self, session: Session, node: &str) {
        let identity = Identity::member("blue", name(node));
        self.links.handle_opened(self.now, session, identity, address(2));
    }

    fn said(&mut self, session: Session, hello: Hello) {
        self.links.handle_message(self.now, session, hello);
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(next) = self.links.poll_timeout().filter(|next| *next <= until) {
            self.now = next;
            self.links.handle_timeout(next);
        }
        self.now = until;
    }

    /// Brings a session with `node` up, dialled by this node.
    fn up(&mut self, node: &NodeId) -> Session {
        self.member(node.clone());
        self.wait(600);
        let session = self.dialled();
        self.opened(session, node.name.as_str());
        self.said(session, hello(node));
        assert_eq!(self.events(), [Event::Up { node: node.clone(), session }]);
        session
    }
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

fn id(node: &str, boot: u64) -> NodeId {
    NodeId::new(name(node), Boot { millis: boot, random: 0 })
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn hello(node: &NodeId) -> Hello {
    let (version, oldest) = (Hello::VERSION, Hello::OLDEST);
    let (cluster, node, settings) = ("blue".into(), node.clone(), Vec::new());
    Hello { version, oldest, cluster, node, link: 77, lost: None, settings }
}

#[test]
fn the_smaller_name_dials_at_once_and_the_larger_after_a_while() {
    let mut m = Machined::new();
    m.member(id("z", 1));
    assert!(matches!(m.events()[..], [Event::Dial { .. }]));
    m.member(id("a", 1));
    assert_eq!(m.events(), []);
    m.wait(499);
    assert_eq!(m.events(), []);
    m.wait(1);
    assert!(matches!(&m.events()[..], [Event::Dial { node, .. }] if *node == id("a", 1)));
}

#[test]
fn who_was_dialled_in_time_does_not_dial() {
    let (mut m, session) = (Machined::new(), Session::accepted(1));
    m.member(id("a", 1));
    m.opened(session, "a");
    m.said(session, hello(&id("a", 1)));
    assert_eq!(m.events(), [Event::Up { node: id("a", 1), session }]);
    assert_eq!(m.links.poll_timeout(), None);
}

#[test]
fn a_node_does_not_dial_itself() {
    let mut m = Machined::new();
    m.member(id("m", 9));
    assert_eq!((m.events(), m.links.poll_timeout()), (vec![], None));
}

#[test]
fn a_session_is_up_only_after_the_hello() {
    let mut m = Machined::new();
    m.member(id("z", 1));
    let session = m.dialled();
    m.opened(session, "z");
    assert!(matches!(m.outputs()[..], [Output::Send { to, .. }] if to == session));
    assert_eq!(m.links.session(&id("z", 1)), None);
    m.said(session, hello(&id("z", 1)));
    assert_eq!(m.events(), [Event::Up { node: id("z", 1), session }]);
    assert_eq!(m.links.session(&id("z", 1)), Some(session));
    assert_eq!(m.links.node(session), Some(&id("z", 1)));
    assert_eq!(m.links.poll_timeout(), None);
    // Another hello changes nothing.
    m.said(session, hello(&id("z", 2)));
    assert_eq!(m.outputs(), []);
}

/// Dials z, answers with `certificate` and `hello`, and says how that was refused.
fn refusal(certificate: Identity, hello: Option<Hello>) -> (Reason, Cause) {
    let mut m = Machined::new();
    m.member(id("z", 3));
    let session = m.dialled();
    m.links.handle_opened(m.now, session, certificate, address(2));
    if let Some(hello) = hello {
        m.said(session, hello);
    }
    assert_eq!(m.links.session(&id("z", 3)), None);
    match &m.events()[..] {
        [
            Event::Refused { session: refused, why, .. },
            Event::Close { session: closed, reason },
        ] => {
            assert_eq!((*refused, *closed), (session, session));
            assert!(m.links.poll_timeout().is_some(), "it is tried again");
            (*reason, why.clone())
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn whatever_does_not_fit_is_refused_with_its_reason() {
    let z = || Identity::member("blue", name("z"));
    let cluster = Cause::WrongCluster { ours: "blue".into(), theirs: "green".into() };
    let green = Identity::member("green", name("z"));
    assert_eq!(refusal(green, None), (Reason::WrongCluster, cluster.clone()));
    let other = Hello { cluster: "green".into(), ..hello(&id("z", 3)) };
    assert_eq!(refusal(z(), Some(other)), (Reason::WrongCluster, cluster));

    let wrong = |found| Cause::WrongName { expected: name("z"), found: name(found) };
    let y = Identity::member("blue", name("y"));
    assert_eq!(refusal(y, None), (Reason::WrongName, wrong("y")));
    assert_eq!(refusal(z(), Some(hello(&id("x", 3)))), (Reason::WrongName, wrong("x")));

    let client = Identity { role: Role::Client, ..z() };
    assert_eq!(refusal(client, None), (Reason::WrongCertificate, Cause::WrongCertificate));

    let newer = Hello { version: 9, oldest: 8, ..hello(&id("z", 3)) };
    let version = Cause::Version { ours: (1, 1), theirs: (8, 9) };
    assert_eq!(refusal(z(), Some(newer)), (Reason::Version, version));

    let stale = Cause::StaleBoot { found: id("z", 2).boot, newest: id("z", 3).boot };
    assert_eq!(refusal(z(), Some(hello(&id("z", 2)))), (Reason::StaleBoot, stale));
}

#[test]
fn a_node_that_differs_in_a_setting_is_refused_and_told_what_it_is_here() {
    let set = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let check = |there: &[(&str, &str)], want: Option<(&str, &str, &str)>| {
        for (node, is_dialled) in [("z", true), ("a", false)] {
            let mut m = Machined::new();
            let here: Vec<_> = set(&[("strategy", "ring"), ("allow", "nobody")]);
            m.links = m.links.with_settings(here.clone());
            m.member(id(node, 1));
            let session = if is_dialled { m.dialled() } else { Session::accepted(1) };
            m.opened(session, node);
            m.said(session, Hello { settings: set(there), ..hello(&id(node, 1)) });
            let outputs = m.outputs();
            let told = |output: &Out| match output {
                Output::Send { message, .. } => Some(message.settings.clone()),
                Output::Event(_) => None,
            };
            assert_eq!(outputs.iter().find_map(told), Some(here), "{node} is told");
            let refused = outputs.iter().find_map(|output| match output {
                Output::Event(Event::Refused { why, .. }) => Some(why.clone()),
                _ => None,
            });
            let want = want.map(|(setting, here, there)| Cause::Settings {
                setting: setting.to_owned(),
                here: here.to_owned(),
                there: there.to_owned(),
            });
            assert_eq!(refused, want);
            assert_eq!(m.links.session(&id(node, 1)).is_some(), want.is_none());
            let close = Output::Event(Event::Close { session, reason: Reason::Settings });
            assert_eq!(outputs.last() == Some(&close), want.is_some(), "{outputs:?}");
        }
    };
    check(&[("allow", "nobody"), ("strategy", "ring")], None);
    check(&[("strategy", "mine"), ("allow", "nobody")], Some(("strategy", "ring", "mine")));
    check(&[("strategy", "ring")], Some(("allow", "nobody", "not set")));
    let more = [("strategy", "ring"), ("allow", "nobody"), ("margin", "3s")];
    check(&more, Some(("margin", "not set", "3s")));
    // Not every node declares every scope.
    let scoped = [("strategy", "ring"), ("allow", "nobody"), ("scope games: strategy", "ring")];
    check(&scoped, None);
    assert!(Reason::Settings.flushes(), "or it would not be told");
}

/// A node that this one does not know yet is told as well.
#[test]
fn one_that_is_no_member_yet_is_told_of_the_setting() {
    for node in ["a", "z"] {
        let (mut m, session) = (Machined::new(), Session::accepted(1));
        m.links = m.links.with_settings(vec![("strategy".to_owned(), "ring".to_owned())]);
        m.opened(session, node);
        m.said(session, hello(&id(node, 1)));
        let outputs = m.outputs();
        assert!(matches!(&outputs[0], Output::Send { .. }), "{outputs:?}");
        let close = Output::Event(Event::Close { session, reason: Reason::Settings });
        assert_eq!(outputs.last(), Some(&close));
    }
}

#[test]
fn a_second_node_of_this_name_is_refused() {
    let mut m = Machined::new();
    let session = Session::accepted(1);
    m.opened(session, "m");
    let (name, address, why) = (name("m"), address(2), Cause::OwnName);
    let close = Event::Close { session, reason: Reason::WrongName };
    assert_eq!(m.events(), [Event::Refused { session, name, address, why }, close]);
}

#[test]
fn one_that_is_no_member_yet_waits_for_it() {
    for node in ["a", "z"] {
        let mut m = Machined::new();
        let session = Session::accepted(1);
        m.opened(session, node);
        m.said(session, hello(&id(node, 1)));
        assert_eq!(m.outputs(), [], "no hello before it is a member");
        m.wait(4000);
        m.member(id(node, 1));
        let outputs = m.outputs();
        assert!(matches!(outputs[0], Output::Send { to, .. } if to == session), "{outputs:?}");
        assert_eq!(outputs[1..], [Output::Event(Event::Up { node: id(node, 1), session })]);
    }
}

#[test]
fn one_that_does_not_become_a_member_is_turned_away() {
    let mut m = Machined::new();
    let session = Session::accepted(1);
    m.opened(session, "z");
    m.wait(4999);
    assert_eq!(m.events(), []);
    m.wait(1);
    assert!(m.events().contains(&Event::Close { session, reason: Reason::NotMember }));
    assert_eq!(m.links.poll_timeout(), None, "nobody dials what is no member");
}

#[test]
fn a_crowd_of_waiting_sessions_is_turned_away() {
    let mut m = Machined::new();
    for count in 1..=4 {
        m.opened(Session::accepted(count), "z");
    }
    assert_eq!(m.events(), []);
    let session = Session::accepted(5);
    m.opened(session, "z");
    assert!(m.events().contains(&Event::Close { session, reason: Reason::NotMember }));
}

#[test]
fn a_newer_life_ends_the_session_of_the_old() {
    let (mut m, old, new) = (Machined::new(), id("z", 1), id("z", 2));
    let first = m.up(&old);
    let second = Session::accepted(1);
    m.opened(second, "z");
    m.said(second, hello(&new));
    let why = Cause::Here(Reason::Replaced);
    let want = [
        Event::Down { node: old.clone(), session: first, why },
        Event::Close { session: first, reason: Reason::Replaced },
        Event::Up { node: new.clone(), session: second },
    ];
    assert_eq!(m.events(), want);
    assert_eq!((m.links.session(&old), m.links.session(&new)), (None, Some(second)));
    // The membership is late: it neither brings the old life back nor takes the new one away.
    m.member(old.clone());
    m.links.member_gone(m.now, &old);
    m.member(new.clone());
    assert_eq!((m.outputs(), m.links.session(&new)), (vec![], Some(second)));
}

#[test]
fn a_newer_life_that_the_membership_knows_is_dialled() {
    let (mut m, old, new) = (Machined::new(), id("z", 1), id("z", 2));
    let first = m.up(&old);
    m.links.member_up(m.now, new.clone(), address(9));
    let events = m.events();
    let why = Cause::Here(Reason::Replaced);
    assert_eq!(events[0], Event::Down { node: old, session: first, why });
    assert_eq!(events[1], Event::Close { session: first, reason: Reason::Replaced });
    let dial = &events[2];
    assert!(
        matches!(dial, Event::Dial { node, address: at, .. } if (node, *at) == (&new, address(9)))
    );
}

#[test]
fn a_second_session_is_turned_away_unless_the_first_is_lost_there() {
    let (mut m, z) = (Machined::new(), id("z", 1));
    m.member(z.clone());
    let first = m.dialled();
    m.opened(first, "z");
    let Some(Output::Send { message: Hello { link, .. }, .. }) = m.links.poll_output() else {
        panic!("expected a hello");
    };
    m.said(first, hello(&z));
    m.outputs();

    let second = Session::accepted(1);
    m.opened(second, "z");
    m.said(second, Hello { lost: Some(1), ..hello(&z) });
    assert_eq!(m.events(), [Event::Close { session: second, reason: Reason::Duplicate }]);

    let third = Session::accepted(2);
    m.opened(third, "z");
    m.said(third, Hello { lost: Some(link), ..hello(&z) });
    assert_eq!(m.events().pop(), Some(Event::Up { node: z.clone(), session: third }));
    assert_eq!(m.links.session(&z), Some(third));
}

#[test]
fn a_node_that_is_gone_is_neither_kept_nor_dialled() {
    let (mut m, z) = (Machined::new(), id("z", 1));
    let session = m.up(&z);
    m.links.member_gone(m.now, &z);
    let why = Cause::Here(Reason::Gone);
    let down = Event::Down { node: z.clone(), session, why };
    assert_eq!(m.events(), [down, Event::Close { session, reason: Reason::Gone }]);
    m.wait(60_000);
    assert_eq!((m.events(), m.links.poll_timeout()), (vec![], None));
    // A false alarm: the same life is welcome again.
    m.up(&z);
}

#[test]
fn attempts_grow_rarer_and_start_afresh_after_a_session_that_lasted() {
    let (mut m, z) = (Machined::new(), id("z", 1));
    m.member(z.clone());
    let mut waits = Vec::new();
    for _ in 0..12 {
        let session = m.dialled();
        m.links.handle_failed(m.now, session, Cause::Silent);
        assert!(matches!(m.events()[..], [Event::Refused { .. }]));
        let next = m.links.poll_timeout().expect("it is tried again");
        waits.push(next.since(m.now).as_millis());
        m.wait(next.since(m.now).as_millis() as u64 + 1);
    }
    assert!((25..=50).contains(&waits[0]) && (2500..=5000).contains(&waits[11]), "{waits:?}");

    let session = m.dialled();
    m.opened(session, "z");
    m.said(session, hello(&z));
    m.wait(5000);
    m.events();
    m.links.handle_closed(m.now, session, Cause::Reset);
    assert_eq!(m.events(), [Event::Down { node: z, session, why: Cause::Reset }]);
    m.wait(50);
    m.dialled();
}

#[test]
fn a_dial_that_hangs_is_given_up() {
    let mut m = Machined::new();
    m.member(id("z", 1));
    let session = m.dialled();
    m.wait(3000);
    let events = m.events();
    assert!(matches!(&events[0], Event::Refused { why: Cause::Silent, .. }), "{events:?}");
    assert_eq!(events[1], Event::Close { session, reason: Reason::GivenUp });
    // It went through after all: the shell has been told to close it.
    m.opened(session, "z");
    assert_eq!(m.outputs(), []);
}

#[test]
fn a_new_address_is_dialled_at_once() {
    let mut m = Machined::new();
    m.member(id("z", 1));
    let session = m.dialled();
    m.links.member_up(m.now, id("z", 1), address(7));
    let events = m.events();
    assert_eq!(events[0], Event::Close { session, reason: Reason::GivenUp });
    assert!(matches!(events[1], Event::Dial { address: at, .. } if at == address(7)));
}

#[test]
fn when_all_is_closed_nothing_is_opened_again() {
    let (mut m, z) = (Machined::new(), id("z", 1));
    let session = m.up(&z);
    m.links.close_all(m.now, Reason::Shutdown);
    let why = Cause::Here(Reason::Shutdown);
    let close = |session| Event::Close { session, reason: Reason::Shutdown };
    assert_eq!(m.events(), [Event::Down { node: z, session, why }, close(session)]);
    m.member(id("y", 1));
    let late = Session::accepted(1);
    m.opened(late, "y");
    assert_eq!((m.events(), m.links.poll_timeout()), (vec![close(late)], None));
}
