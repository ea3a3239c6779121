//! Why a name runs where it runs, or why it does not: for whoever is on call.

use crate::LeftOut;
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use swarm_base::{Name, NodeId, Pid, Token};

/// What a node knows of a name; given by [`Swarm::explain`](crate::Swarm::explain).
///
/// Its text is one sentence to a line:
///
/// ```text
/// device-1, hash 0x4b1c5d0e2a9f7731, as a sees it
/// should run: as device on b, which the ring names first; after it c, a
/// takes no device: d (it is not ready)
/// runs: on b as <19a8f0c2d11.5be0c1aa.7>, token 3@19a8f0c2d11.5be0c1aa
/// ring: all nodes agree, in round 4 of this one
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The name.
    pub name: Name,
    /// The scope that it is in.
    pub scope: Option<String>,
    /// The node that was asked: what follows is how it sees the name.
    pub node: NodeId,
    /// Where the name is on the ring.
    pub hash: u64,
    /// Who should run it: as the kind that it is, else as each kind that is served. Empty for a
    /// name that was registered by pid, which nobody places, and where no kind is served.
    pub placed: Vec<Placed>,
    /// Who runs it.
    pub at: Whereabouts,
    /// The token of the claim behind that: the fence of its process.
    pub token: Option<Token>,
    /// Processes that have the name besides, until one of them is left.
    pub rivals: Vec<(NodeId, Pid)>,
    /// Whether names may be started, as far as the nodes must agree.
    pub ring: RingStanding,
    /// Whether names may run at all, where the strategy wants a quorum.
    pub quorum: Option<QuorumStanding>,
    /// What became of the last start of it that went on after its `register` was over.
    pub late: Option<LateStart>,
    /// Whether the nodes that own the name have answered in time. Where they have not, a start that
    /// is under way or late there may be missing.
    pub is_whole: bool,
}

/// Who should run a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Placed {
    /// As which kind.
    pub kind: String,
    /// Whom the strategy names; `None` where no node may run it.
    pub owner: Option<NodeId>,
    /// Who would be next if the owner were not there, at most [`Placed::SUCCESSORS_MAX`].
    pub successors: Vec<NodeId>,
    /// The nodes that take no names of this kind, and why.
    pub left_out: Vec<(NodeId, LeftOut)>,
}

impl Placed {
    /// How many successors are told.
    pub const SUCCESSORS_MAX: usize = 8;
}

/// Who runs a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Whereabouts {
    /// Nobody: the name is free.
    Nobody,
    /// Its worker is being started.
    Starting {
        /// Where.
        node: NodeId,
    },
    /// It runs.
    Runs {
        /// Where.
        node: NodeId,
        /// As which process.
        pid: Pid,
    },
    /// It runs, and is on its way.
    Moving {
        /// Where it runs.
        node: NodeId,
        /// As which process.
        pid: Pid,
        /// Where it goes.
        to: NodeId,
    },
    /// It does not run: it has crashed and waits to be started again, or there are too few nodes.
    Waiting {
        /// Where it will run again.
        node: NodeId,
    },
    /// Its node is dead, and nobody has started it yet.
    Orphan {
        /// The dead node.
        node: NodeId,
        /// Where it was on its way to, which then goes on with its state.
        to: Option<NodeId>,
    },
    /// A node gave it to another one, whose word for that has not arrived.
    Pending {
        /// The other one.
        to: NodeId,
    },
}

/// Whether a node may decide about names: those that place names must agree who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum RingStanding {
    /// It has not heard from its seeds yet, and decides nothing.
    Alone,
    /// All nodes agree.
    Agreed {
        /// How often this node's ring has changed.
        round: u64,
    },
    /// Some have not said so yet: until then it starts nothing.
    Waiting {
        /// Who has not.
        missing: Vec<NodeId>,
    },
    /// Some have not said so in time. A ring goes on without them, a quorum starts nothing.
    Overdue {
        /// Who has not.
        missing: Vec<NodeId>,
    },
    /// All agree, but not all that dead nodes have left has arrived: until then it starts nothing.
    Behind {
        /// The dead nodes.
        missing: Vec<NodeId>,
    },
}

/// Where a node stands with its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuorumStanding {
    /// How many nodes it sees, itself among them.
    pub have: usize,
    /// How many it takes.
    pub want: usize,
    /// Whether enough stand with it: below that nothing runs here.
    pub is_held: bool,
}

/// A start that went on after its `register` was over: it had run into its deadline, or its caller
/// had gone away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LateStart {
    /// How long ago the `register` was over, as the node counts it that tells.
    pub ago: Duration,
    /// What became of it.
    pub fate: LateFate,
}

/// What became of a late start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum LateFate {
    /// It had succeeded, only the answer was late or lost: the name is registered.
    Registered {
        /// Where.
        node: NodeId,
    },
    /// It is being ended: its `start` has not come to its next await.
    Ending {
        /// Where.
        node: NodeId,
    },
    /// It was ended. The name was free after it.
    Ended {
        /// Where.
        node: NodeId,
    },
    /// No start of it is known: the `register` was over before there was one.
    NotStarted,
    /// Whoever knows did not answer in time.
    Unknown,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(scope) = &self.scope {
            write!(f, " in scope {scope}")?;
        }
        write!(f, ", hash {:#018x}, as {} sees it", self.hash, self.node)?;
        if self.placed.is_empty() {
            match self.at {
                Whereabouts::Nobody => f.write_str("\nshould run: nowhere, no kind is served")?,
                _ => f.write_str("\nshould run: where its process is, it was registered by pid")?,
            }
        }
        for placed in &self.placed {
            write!(f, "\n{placed}")?;
        }
        write!(f, "\nruns: {}", self.at)?;
        if let Some(token) = self.token {
            write!(f, ", token {token}")?;
        }
        for (node, pid) in &self.rivals {
            write!(f, "\nruns, too: on {node} as {pid}, until one of them has ended")?;
        }
        write!(f, "\nring: {}", self.ring)?;
        if let Some(quorum) = &self.quorum {
            write!(f, "\nquorum: {quorum}")?;
        }
        if let Some(late) = &self.late {
            write!(f, "\nlate start: {late}")?;
        }
        if !self.is_whole {
            f.write_str("\nincomplete: the nodes that own the name did not answer in time")?;
        }
        Ok(())
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, owner, successors, left_out } = self;
        match owner {
            Some(owner) => {
                write!(f, "should run: as {kind} on {owner}, which the ring names first")?
            }
            None => write!(f, "should run: as {kind} nowhere, the ring names nobody")?,
        }
        if !successors.is_empty() {
            write!(f, "; after it {}", List(successors))?;
        }
        for (at, (node, why)) in left_out.iter().enumerate() {
            if at == 0 {
                write!(f, "\ntakes no {kind}: ")?;
            } else {
                f.write_str(", ")?;
            }
            write!(f, "{node} ({why})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nowhere, the name is free"),
            Self::Starting { node } => write!(f, "not yet, {node} is starting it"),
            Self::Runs { node, pid } => write!(f, "on {node} as {pid}"),
            Self::Moving { node, pid, to } => write!(f, "on {node} as {pid}, on its way to {to}"),
            Self::Waiting { node } => {
                write!(f, "nowhere, it waits on {node} to be started again")
            }
            Self::Orphan { node, to: None } => {
                write!(f, "nowhere, {node} is dead and nobody has started it again yet")
            }
            Self::Orphan { node, to: Some(to) } => {
                write!(f, "nowhere, {node} died while it moved it to {to}, which is to go on")
            }
            Self::Pending { to } => write!(f, "on {to}, which has not said so yet"),
        }
    }
}

impl fmt::Display for RingStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("no seed has answered yet, nothing is started here"),
            Self::Agreed { round } => write!(f, "all nodes agree, in round {round} of this one"),
            Self::Waiting { missing } => {
                write!(f, "not agreed by {}, nothing is started here until then", List(missing))
            }
            Self::Overdue { missing } => write!(f, "not agreed in time by {}", List(missing)),
            Self::Behind { missing } => {
                let missing = List(missing);
                write!(f, "agreed, nothing is started here until all has arrived of {missing}")
            }
        }
    }
}

impl fmt::Display for QuorumStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { have, want, is_held } = self;
        let held = if *is_held { "held" } else { "not held, nothing runs here" };
        write!(f, "{held}: {have} nodes are seen, {want} are needed")
    }
}

impl fmt::Display for LateStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a register was over {:?} ago, ", self.ago)?;
        match &self.fate {
            LateFate::Registered { node } => {
                write!(f, "its start had succeeded: the name is registered, on {node}")
            }
            LateFate::Ending { node } => {
                write!(f, "its start is being ended on {node}, which waits for its next await")
            }
            LateFate::Ended { node } => write!(f, "its start was ended on {node}"),
            LateFate::NotStarted => f.write_str("before it was started"),
            LateFate::Unknown => f.write_str("who knows of its start did not answer"),
        }
    }
}

/// Nodes, one after the other.
struct List<'a>(&'a [NodeId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{node}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swarm_base::{Boot, NodeName};

    fn node(name: &str) -> NodeId {
        NodeId::new(NodeName::new(name).expect("a name"), Boot { millis: 0xa1, random: 0 })
    }

    fn placed() -> Placed {
        Placed {
            kind: "device".to_owned(),
            owner: Some(node("b")),
            successors: vec![node("c"), node("a")],
            left_out: vec![
                (node("d"), LeftOut::NotReady),
                (node("e"), LeftOut::KindNotServed),
                (node("f"), LeftOut::Denied { pattern: "^f".to_owned() }),
            ],
        }
    }

    fn explanation(at: Whereabouts) -> Explanation {
        Explanation {
            name: Name::new("x").expect("a name"),
            scope: None,
            node: node("a"),
            hash: 0xff,
            placed: vec![placed()],
            at,
            token: None,
            rivals: Vec::new(),
            ring: RingStanding::Agreed { round: 4 },
            quorum: None,
            late: None,
            is_whole: true,
        }
    }

    #[test]
    fn a_name_that_runs_is_explained_in_four_lines() {
        let pid = Pid::new(Boot { millis: 0xb1, random: 0 }, 7);
        let told = Explanation {
            token: Some(Token::new(3, pid.boot)),
            ..explanation(Whereabouts::Runs { node: node("b"), pid })
        };
        let want = "x, hash 0x00000000000000ff, as a sees it\n\
            should run: as device on b, which the ring names first; after it c, a\n\
            takes no device: d (it is not ready), e (it does not serve the kind), \
            f (it is denied by \"^f\")\n\
            runs: on b as <b1.00000000.7>, token 3@b1.00000000\n\
            ring: all nodes agree, in round 4 of this one";
        assert_eq!(told.to_string(), want);
    }

    #[test]
    fn what_keeps_a_name_from_running_stands_in_a_line_of_its_own() {
        let nobody =
            Placed { owner: None, successors: Vec::new(), left_out: Vec::new(), ..placed() };
        let told = Explanation {
            scope: Some("games".to_owned()),
            placed: vec![nobody],
            ring: RingStanding::Waiting { missing: vec![node("b"), node("c")] },
            quorum: Some(QuorumStanding { have: 1, want: 2, is_held: false }),
            late: Some(LateStart {
                ago: Duration::from_millis(1500),
                fate: LateFate::Ended { node: node("b") },
            }),
            is_whole: false,
            ..explanation(Whereabouts::Orphan { node: node("d"), to: None })
        };
        let text = told.to_string();
        assert!(text.starts_with("x in scope games, hash "), "{text}");
        let want = [
            "should run: as device nowhere, the ring names nobody",
            "runs: nowhere, d is dead and nobody has started it again yet",
            "ring: not agreed by b, c, nothing is started here until then",
            "quorum: not held, nothing runs here: 1 nodes are seen, 2 are needed",
            "late start: a register was over 1.5s ago, its start was ended on b",
            "incomplete: the nodes that own the name did not answer in time",
        ];
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), want);
    }

    #[test]
    fn a_name_that_nobody_places_says_so() {
        let pid = Pid::new(Boot::default(), 1);
        let by_pid = Explanation {
            placed: Vec::new(),
            rivals: vec![(node("c"), pid)],
            ..explanation(Whereabouts::Runs { node: node("b"), pid })
        };
        let text = by_pid.to_string();
        assert!(text.contains("where its process is, it was registered by pid"), "{text}");
        assert!(text.contains(&format!("runs, too: on c as {pid}")), "{text}");
        let free = Explanation { placed: Vec::new(), ..explanation(Whereabouts::Nobody) };
        let text = free.to_string();
        assert!(text.contains("should run: nowhere, no kind is served\nruns: nowhere"), "{text}");
    }
}
