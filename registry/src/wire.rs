//! Facts as they travel: MessagePack with named fields, in the context of the life of the node
//! that writes them. A process is told by its serial alone, and a token by its epoch where it is
//! of the writer's life: both lives would otherwise stand in every fact.
//!
//! Fields that a node does not know are ignored.

use crate::claim::KIND_LEN_MAX;
use crate::{At, Bytes, Claim, Fact, Request, Spec, Why};
use serde::{Deserialize, Serialize};
use swarm_base::{Boot, Name, NodeId, Pid, Token};

/// A [`Fact`].
#[derive(Serialize, Deserialize)]
pub(crate) enum Wire<'a> {
    #[serde(rename = "n", borrow)]
    Named(Named<'a>),
    #[serde(rename = "e")]
    Ended(Ended),
    #[serde(rename = "j")]
    Joined(Member),
    #[serde(rename = "l")]
    Left(Member),
    #[serde(rename = "x")]
    Exited(Exited),
}

/// A [`Claim`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Named<'a> {
    #[serde(rename = "n")]
    name: Name,
    #[serde(rename = "t")]
    epoch: u64,
    /// The life of the token, where it is not the writer's.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
    /// With it there is a spec.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(rename = "a", default, skip_serializing_if = "is_empty")]
    args: Bytes,
    /// The process, where there is one. Without a state it runs.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(rename = "m", default, skip_serializing_if = "is_empty")]
    meta: Bytes,
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<(Name, Bytes)>,
}

/// Where the process of a claim is, if it does not just run.
#[derive(Serialize, Deserialize)]
enum State {
    #[serde(rename = "s")]
    Starting,
    #[serde(rename = "w")]
    Waiting,
    #[serde(rename = "m")]
    Moving(Moving),
}

#[derive(Serialize, Deserialize)]
struct Moving {
    #[serde(rename = "t")]
    to: NodeId,
    #[serde(rename = "i")]
    id: u64,
}

/// The end of a claim.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    #[serde(rename = "n")]
    name: Name,
    #[serde(rename = "t")]
    epoch: u64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
    #[serde(rename = "w")]
    why: Reason,
}

/// A [`Why`].
#[derive(Serialize, Deserialize)]
enum Reason {
    #[serde(rename = "s")]
    Stopped,
    #[serde(rename = "g")]
    GoneTo(GoneTo),
    #[serde(rename = "z")]
    Settled,
}

#[derive(Serialize, Deserialize)]
struct GoneTo {
    #[serde(rename = "l")]
    log: NodeId,
    #[serde(rename = "t")]
    epoch: u64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
}

/// A membership, or its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Member {
    #[serde(rename = "g")]
    group: Name,
    #[serde(rename = "p")]
    serial: u64,
    #[serde(rename = "m", default, skip_serializing_if = "is_empty")]
    meta: Bytes,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Exited {
    #[serde(rename = "p")]
    serial: u64,
}

impl<'a> Wire<'a> {
    /// A fact of the life `writer`, about its own processes.
    pub(crate) fn of(fact: &'a Fact, writer: Boot) -> Self {
        match fact {
            Fact::Named(claim) => Self::Named(Named::of(claim, writer)),
            Fact::Ended { name, token, why } => {
                let why = match why {
                    Why::Stopped => Reason::Stopped,
                    Why::Settled => Reason::Settled,
                    Why::GoneTo { log, token } => Reason::GoneTo(GoneTo {
                        log: log.clone(),
                        epoch: token.epoch,
                        boot: other(token.boot, writer),
                    }),
                };
                let (epoch, boot) = (token.epoch, other(token.boot, writer));
                Self::Ended(Ended { name: name.clone(), epoch, boot, why })
            }
            Fact::Joined { group, pid, meta } => Self::Joined(Member {
                group: group.clone(),
                serial: pid.serial,
                meta: meta.clone(),
            }),
            Fact::Left { group, pid } => Self::Left(Member {
                group: group.clone(),
                serial: pid.serial,
                meta: Bytes::default(),
            }),
            Fact::Exited { pid } => Self::Exited(Exited { serial: pid.serial }),
        }
    }

    /// The fact of the life `writer`. `None` where it makes none.
    pub(crate) fn fact(self, writer: Boot) -> Option<Fact> {
        Some(match self {
            Self::Named(named) => Fact::Named(named.claim(writer)?),
            Self::Ended(Ended { name, epoch, boot, why }) => {
                let why = match why {
                    Reason::Stopped => Why::Stopped,
                    Reason::Settled => Why::Settled,
                    Reason::GoneTo(GoneTo { log, epoch, boot }) => {
                        Why::GoneTo { log, token: Token::new(epoch, boot.unwrap_or(writer)) }
                    }
                };
                Fact::Ended { name, token: Token::new(epoch, boot.unwrap_or(writer)), why }
            }
            Self::Joined(Member { group, serial, meta }) => {
                Fact::Joined { group, pid: Pid::new(writer, serial), meta }
            }
            Self::Left(Member { group, serial, .. }) => {
                Fact::Left { group, pid: Pid::new(writer, serial) }
            }
            Self::Exited(Exited { serial }) => Fact::Exited { pid: Pid::new(writer, serial) },
        })
    }
}

impl<'a> Named<'a> {
    fn of(claim: &'a Claim, writer: Boot) -> Self {
        let state = match &claim.at {
            At::Running(_) => None,
            At::Starting => Some(State::Starting),
            At::Waiting => Some(State::Waiting),
            At::Moving { to, id, .. } => Some(State::Moving(Moving { to: to.clone(), id: *id })),
        };
        let spec = claim.spec.as_ref();
        Self {
            name: claim.name.clone(),
            epoch: claim.token.epoch,
            boot: other(claim.token.boot, writer),
            kind: spec.map(|spec| &*spec.kind),
            args: spec.map(|spec| spec.args.clone()).unwrap_or_default(),
            serial: claim.pid().map(|pid| pid.serial),
            state,
            request: claim.request,
            meta: claim.meta.clone(),
            groups: claim.groups.clone(),
        }
    }

    fn claim(self, writer: Boot) -> Option<Claim> {
        let pid = self.serial.map(|serial| Pid::new(writer, serial));
        let at = match (self.state, pid) {
            (None, Some(pid)) => At::Running(pid),
            (Some(State::Moving(Moving { to, id })), Some(pid)) => At::Moving { pid, to, id },
            (Some(State::Starting), None) => At::Starting,
            (Some(State::Waiting), None) => At::Waiting,
            _ => return None,
        };
        let spec = match self.kind {
            Some(kind) if kind.len() > KIND_LEN_MAX => return None,
            Some(kind) => Some(Spec { kind: kind.into(), args: self.args }),
            None => None,
        };
        let token = Token::new(self.epoch, self.boot.unwrap_or(writer));
        let Self { name, request, meta, groups, .. } = self;
        Some(Claim { name, token, spec, at, request, meta, groups })
    }
}

/// A life, where it is not the writer's.
fn other(boot: Boot, writer: Boot) -> Option<Boot> {
    (boot != writer).then_some(boot)
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.is_empty()
}
