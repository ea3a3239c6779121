//! Changing the cluster's secret without a stop: install the new one everywhere, use it
//! everywhere, remove the old one everywhere. Each step is done when every live member has
//! confirmed it, and none is begun that would cut anybody off: before a key is used, all say that
//! they hold it, and before one is removed, all say that they seal with another.

use crate::{Config, Keyring, KeyringError, Member};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use swarm_base::{ClusterSecret, Instant, NodeId};

/// What a key is called: eight bytes derived from its secret, which tell nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

/// Sixteen hex digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let is_right = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|_| is_right).ok_or(KeyIdError)?;
        Ok(Self(id.to_be_bytes()))
    }
}

/// A text is not what a key is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is called by sixteen hex digits")]
pub struct KeyIdError;

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A step of changing the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Every member opens packets that are sealed with it.
    Install(ClusterSecret),
    /// Every member seals with it.
    Use(KeyId),
    /// Every member forgets it.
    Remove(KeyId),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The key that it was about.
    pub id: KeyId,
    /// The members that have confirmed it, this node not counted.
    pub confirmed: Vec<NodeId>,
    /// The live members that have not answered.
    pub missing: Vec<NodeId>,
    /// Those that refused, and why.
    pub refused: Vec<(NodeId, KeyRefusal)>,
    /// Whether anything was changed: not where the question before the step was not confirmed by
    /// all.
    pub is_begun: bool,
}

impl KeyReport {
    /// Whether every live member has confirmed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_begun && self.missing.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, confirmed, missing, refused, is_begun } = self;
        write!(f, "key {id}: {} confirmed", confirmed.len())?;
        for node in missing {
            write!(f, "; {node} has not answered")?;
        }
        for (node, why) in refused {
            write!(f, "; {node} refused: {why}")?;
        }
        if !is_begun {
            f.write_str("; nothing was changed")?;
        }
        Ok(())
    }
}

/// Why a member does not take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// It does not hold the key.
    #[error("it does not hold the key")]
    Unknown,
    /// It seals with the key.
    #[error("it still seals with the key")]
    InUse,
    /// It has four keys already.
    #[error("it has four keys already")]
    Full,
}

/// Why a step was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// Another step is under way at this node.
    #[error("another change of keys is under way at this node, wait for its end")]
    Busy,
    /// It cannot be done at this node itself.
    #[error("this node itself cannot: {0}")]
    Refused(#[from] KeyRefusal),
}

/// What is asked of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Install(ClusterSecret),
    /// Do you hold it?
    Holds(KeyId),
    Use(KeyId),
    /// Do you seal with another?
    Spares(KeyId),
    Remove(KeyId),
}

/// A step that is under way at the node that began it.
#[derive(Debug)]
pub(crate) struct Rotation {
    seq: u64,
    id: KeyId,
    step: Step,
    /// What is asked of all once all have confirmed `step`.
    then: Option<Step>,
    confirmed: BTreeSet<NodeId>,
    refused: BTreeMap<NodeId, KeyRefusal>,
    next: Instant,
    deadline: Instant,
}

/// What is to be done for a rotation.
pub(crate) enum Progress {
    Wait,
    /// Ask these.
    Ask(Step, Vec<NodeId>),
    /// All have confirmed the question: now it is done, here first.
    Begin(Step),
    Over(KeyReport),
}

impl Rotation {
    pub(crate) fn new(
        now: Instant,
        seq: u64,
        id: KeyId,
        change: KeyChange,
        config: &Config,
    ) -> Self {
        let (step, then) = match change {
            KeyChange::Install(secret) => (Step::Install(secret), None),
            KeyChange::Use(id) => (Step::Holds(id), Some(Step::Use(id))),
            KeyChange::Remove(id) => (Step::Spares(id), Some(Step::Remove(id))),
        };
        let deadline = now + config.probe_interval * PATIENCE;
        let (confirmed, refused) = (BTreeSet::new(), BTreeMap::new());
        Self { seq, id, step, then, confirmed, refused, next: now, deadline }
    }

    pub(crate) fn due(&self) -> Instant {
        self.next.min(self.deadline)
    }

    /// The number of what is asked of all now: the question and the step have their own, so that
    /// a late answer to one is none to the other.
    pub(crate) const fn tag(&self) -> u64 {
        self.seq * 2 + self.then.is_none() as u64
    }

    pub(crate) fn answered(&mut self, by: &NodeId, refusal: Option<KeyRefusal>) {
        match refusal {
            Some(why) => drop(self.refused.insert(by.clone(), why)),
            None => drop(self.confirmed.insert(by.clone())),
        }
    }

    /// Looks at who has answered. `others` are the live members but this node.
    pub(crate) fn turn<'a>(
        &mut self,
        now: Instant,
        others: impl Iterator<Item = &'a Member>,
        interval: Duration,
    ) -> Progress {
        let others: BTreeSet<NodeId> = others.map(|member| member.id.clone()).collect();
        self.refused.retain(|node, _| others.contains(node));
        let open = others
            .iter()
            .filter(|node| !self.confirmed.contains(*node) && !self.refused.contains_key(*node));
        let open: Vec<NodeId> = open.cloned().collect();
        if now >= self.deadline || (open.is_empty() && !self.refused.is_empty()) {
            return Progress::Over(self.report(&others, open));
        }
        if open.is_empty() {
            let Some(then) = self.then.take() else {
                return Progress::Over(self.report(&others, open));
            };
            self.step = then.clone();
            self.confirmed.clear();
            self.next = now;
            return Progress::Begin(then);
        }
        if now < self.next {
            return Progress::Wait;
        }
        self.next = now + interval;
        Progress::Ask(self.step.clone(), open)
    }

    fn report(&self, others: &BTreeSet<NodeId>, missing: Vec<NodeId>) -> KeyReport {
        let is_question = matches!(self.step, Step::Holds(_) | Step::Spares(_));
        KeyReport {
            id: self.id,
            confirmed: self.confirmed.intersection(others).cloned().collect(),
            missing,
            refused: self.refused.iter().map(|(node, why)| (node.clone(), *why)).collect(),
            is_begun: !is_question,
        }
    }
}

/// Takes a step at this node. A step that is taken already is taken again with no effect.
pub(crate) fn take(
    keyring: &Keyring,
    step: &Step,
    id_of: impl Fn(&ClusterSecret) -> KeyId,
) -> Result<Keyring, KeyRefusal> {
    let primary = id_of(&keyring.secrets()[0]);
    let held = |id: KeyId| keyring.secrets().iter().find(|secret| id_of(secret) == id);
    match step {
        Step::Install(secret) => {
            keyring.clone().with(secret.clone()).map_err(|KeyringError::Full| KeyRefusal::Full)
        }
        Step::Holds(id) => held(*id).map(|_| keyring.clone()).ok_or(KeyRefusal::Unknown),
        Step::Use(id) => {
            held(*id).map(|secret| keyring.sealing_with(secret)).ok_or(KeyRefusal::Unknown)
        }
        Step::Spares(id) | Step::Remove(id) if *id == primary => Err(KeyRefusal::InUse),
        Step::Spares(_) => Ok(keyring.clone()),
        Step::Remove(id) => {
            Ok(held(*id).map_or_else(|| keyring.clone(), |secret| keyring.without(secret)))
        }
    }
}

/// How many probe intervals a step may take.
const PATIENCE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_is_called_can_be_typed() {
        let id = KeyId([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "12", "00010203040506fg", "+0010203040506ff"] {
            assert_eq!(wrong.parse::<KeyId>(), Err(KeyIdError), "{wrong}");
        }
    }
}
