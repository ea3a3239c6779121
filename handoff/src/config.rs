//! Settings of agreement, moves and reconciliation.

use std::ops::Deref;
use std::time::Duration;

/// Settings of this layer. [`check`](Self::check) makes a [`Checked`] of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// How long a node waits for every live member to acknowledge its ring before it goes on
    /// without (or, below a quorum strategy, says that it cannot). Longer than a gossip round
    /// and a reconnect; shorter means more starts at the promise of a partition. Default 2 s.
    pub agreement_deadline: Duration,
    /// How often a question without an answer is repeated on a session that is up. Sessions lose
    /// nothing but their tail, so this only covers what a queue dropped. Default 2 s.
    pub retry: Duration,
    /// How many processes leave this node at once. More is faster for small states, and freezes
    /// more processes at a time. At most 1,024, default 32.
    pub moves_max: usize,
    /// How many standbys this node holds for others. A node that joins is the target of every
    /// other: choose it above `moves_max`. Default 256.
    pub standbys_max: usize,
    /// How many bytes of snapshots this node holds, as source and as target each. At least
    /// `state_bytes_max`. Default 64 MiB.
    pub bytes_max: usize,
    /// How large one snapshot may be, with arguments and groups. A larger one keeps its process
    /// where it is. At most 256 MiB, default 16 MiB.
    pub state_bytes_max: usize,
    /// How many bytes of a state go at once. A larger one is announced, and follows in pieces of
    /// this size, sixteen of which are under way to each node at most. At most 1 MiB, default
    /// 64 KiB.
    pub chunk_bytes: usize,
    /// How many of the messages that wait in a frozen process go to the target at once: the rest
    /// follows once it has these. At most 65,536, default 1,024.
    pub mails_max: usize,
    /// How many bytes of them do; at least one message does. At most 16 MiB, default 1 MiB.
    pub mails_bytes_max: usize,
    /// How long `begin_handoff` may take before the process goes on where it is. Default 5 s.
    pub freeze_timeout: Duration,
    /// How long a target may take from offer to ready before the move is off; where the state goes
    /// in chunks, counted from the last one that it has taken. Default 10 s.
    pub offer_timeout: Duration,
    /// After how long a standby asks its source whether the move is still on, or is thrown away
    /// where no session with the source is up. Above `offer_timeout`. Default 30 s.
    pub standby_ttl: Duration,
    /// How long a name is not offered to a target again after its first failure there; doubles
    /// with each further one up to `backoff_max`. Default 1 s.
    pub backoff_min: Duration,
    /// See `backoff_min`. A target that can at last is tried within this and a quarter of it.
    /// Default 7 s.
    pub backoff_max: Duration,
    /// How long a process that said `Ignore`, whose state is too large, or whose kind the target does
    /// not serve, is not asked about the same target again, unless the target changes. Default 5 min.
    pub ignored: Duration,
    /// How long moves wait after the last change of the ring, so that a node that flaps does not
    /// shuffle processes. Starts of orphans do not wait. Default 300 ms.
    pub hold_down: Duration,
    /// How long moves wait at most, counted from the first of changes that follow each other
    /// within `hold_down`. Default 3 s.
    pub hold_down_max: Duration,
    /// A node that takes names again within this time of when it ceased to is flapping. Default
    /// 10 s.
    pub flap_window: Duration,
    /// How long a node that is flapping has to stay before a name is moved to it. Starts of orphans
    /// do not wait. At most `flap_window`; default 2 s, so that a node that comes and goes five
    /// times in ten seconds gets nothing that it would lose again.
    pub flap_hold: Duration,
    /// How often every name is looked at again. Default 10 s, with 20 % jitter.
    pub sweep: Duration,
    /// How soon a name that an action was planned for is looked at again; doubles up to
    /// `backoff_max` while the same action stays due. Default 1 s.
    pub recheck: Duration,
    /// How long another node may leave an orphan of its own alone before it is handed to it.
    /// Default 2 s.
    pub adopt_after: Duration,
    /// How long a node counts another one to its quorum after it was last asked: what is cut off
    /// stops after this. Longer than the nodes take to agree on a ring and than a node is held up.
    /// Default 1.5 s.
    pub quorum_lease: Duration,
    /// How often the others are asked. Default 250 ms.
    pub quorum_ask: Duration,
    /// How long a process may take to stop below the quorum; then it is killed. Default 500 ms.
    pub quorum_grace: Duration,
    /// How long the names of a dead node wait under a quorum before they are started again, from
    /// when those that are left agree that it is dead: by then it has stopped them. At least
    /// `quorum_lease` and 1 % for clocks that go apart, `quorum_ask`, `quorum_grace` and 500 ms for
    /// a node that is held up. Default 3 s.
    pub quorum_margin: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            agreement_deadline: Duration::from_secs(2),
            retry: Duration::from_secs(2),
            moves_max: 32,
            standbys_max: 256,
            bytes_max: 64 << 20,
            state_bytes_max: 16 << 20,
            chunk_bytes: 64 << 10,
            mails_max: 1024,
            mails_bytes_max: 1 << 20,
            freeze_timeout: Duration::from_secs(5),
            offer_timeout: Duration::from_secs(10),
            standby_ttl: Duration::from_secs(30),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(7),
            ignored: Duration::from_secs(300),
            hold_down: Duration::from_millis(300),
            hold_down_max: Duration::from_secs(3),
            flap_window: Duration::from_secs(10),
            flap_hold: Duration::from_secs(2),
            sweep: Duration::from_secs(10),
            recheck: Duration::from_secs(1),
            adopt_after: Duration::from_secs(2),
            quorum_lease: Duration::from_millis(1500),
            quorum_ask: Duration::from_millis(250),
            quorum_grace: Duration::from_millis(500),
            quorum_margin: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that is wrong and what would be right.
    pub fn check(self) -> Result<Checked, ConfigError> {
        let durations = [
            ("agreement_deadline", self.agreement_deadline),
            ("retry", self.retry),
            ("freeze_timeout", self.freeze_timeout),
            ("offer_timeout", self.offer_timeout),
            ("backoff_min", self.backoff_min),
            ("ignored", self.ignored),
            ("sweep", self.sweep),
            ("recheck", self.recheck),
            ("adopt_after", self.adopt_after),
            ("quorum_lease", self.quorum_lease),
            ("quorum_ask", self.quorum_ask),
            ("quorum_grace", self.quorum_grace),
            ("quorum_margin", self.quorum_margin),
        ];
        for (setting, value) in durations {
            // A timer of zero would spin; a year is beyond every purpose and safely added.
            require(setting, value, value >= TIMER_MIN && value <= TIMER_MAX, "1 ms to 1 year")?;
        }
        require(
            "moves_max",
            self.moves_max,
            (1..=MOVES_MAX).contains(&self.moves_max),
            "1 to 1024",
        )?;
        let mails = (1..=65_536).contains(&self.mails_max);
        require("mails_max", self.mails_max, mails, "1 to 65536")?;
        let bytes = (1..=16 << 20).contains(&self.mails_bytes_max);
        require("mails_bytes_max", self.mails_bytes_max, bytes, "1 byte to 16 MiB")?;
        require("standbys_max", self.standbys_max, self.standbys_max > 0, "a positive integer")?;
        let size = (1..=STATE_BYTES_MAX).contains(&self.state_bytes_max);
        require("state_bytes_max", self.state_bytes_max, size, "1 byte to 256 MiB")?;
        let size = (1..=CHUNK_BYTES_MAX).contains(&self.chunk_bytes);
        require("chunk_bytes", self.chunk_bytes, size, "1 byte to 1 MiB")?;
        let room = self.bytes_max >= self.state_bytes_max;
        require("bytes_max", self.bytes_max, room, "at least state_bytes_max")?;
        let asks = self.standby_ttl > self.offer_timeout && self.standby_ttl <= TIMER_MAX;
        require("standby_ttl", self.standby_ttl, asks, "longer than offer_timeout")?;
        let grows = self.backoff_max >= self.backoff_min && self.backoff_max <= TIMER_MAX;
        require("backoff_max", self.backoff_max, grows, "at least backoff_min")?;
        let rechecks = self.recheck <= self.backoff_max;
        require("recheck", self.recheck, rechecks, "at most backoff_max")?;
        let holds = self.hold_down_max >= self.hold_down && self.hold_down_max <= TIMER_MAX;
        require("hold_down_max", self.hold_down_max, holds, "at least hold_down")?;
        let flaps = self.flap_window <= TIMER_MAX;
        require("flap_window", self.flap_window, flaps, "at most 1 year")?;
        let holds = self.flap_hold <= self.flap_window;
        require("flap_hold", self.flap_hold, holds, "at most flap_window")?;
        let asks = self.quorum_ask * 2 <= self.quorum_lease;
        require("quorum_ask", self.quorum_ask, asks, "at most half of quorum_lease")?;
        let covers = self.quorum_margin >= self.quorum_stop_max();
        let want = "at least quorum_lease + 1 % + quorum_ask + quorum_grace + 500 ms";
        require("quorum_margin", self.quorum_margin, covers, want)?;
        Ok(Checked(self))
    }

    /// When the last process has ended on a node that nobody stands with any more.
    fn quorum_stop_max(&self) -> Duration {
        self.quorum_lease + self.quorum_lease / 100 + self.quorum_ask + self.quorum_grace + HELD_UP
    }
}

/// How long the task of a node may be held up by its machine for the promise of a quorum to hold.
const HELD_UP: Duration = Duration::from_millis(500);

/// Settings that are known to be sound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checked(Config);

impl Default for Checked {
    fn default() -> Self {
        Config::default().check().expect("the defaults are sound")
    }
}

impl Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

/// A setting that is wrong. Nothing was started with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handoff.{setting} is {value}, want {want}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Which setting.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What would be right.
    pub want: &'static str,
}

fn require(
    setting: &'static str,
    value: impl std::fmt::Debug,
    holds: bool,
    want: &'static str,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { setting, value: format!("{value:?}"), want }) }
}

const TIMER_MIN: Duration = Duration::from_millis(1);
const TIMER_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A process is frozen while its state is on its way.
const STATE_BYTES_MAX: usize = 256 << 20;

/// A larger piece holds up what goes beside it.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Timers of moves are found by looking at each.
const MOVES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_named_with_its_value() {
        let check = |config: Config| config.check().expect_err("unsound").to_string();
        assert_eq!(
            check(Config { moves_max: 0, ..Config::default() }),
            "handoff.moves_max is 0, want 1 to 1024"
        );
        assert_eq!(
            check(Config { standby_ttl: Duration::from_secs(10), ..Config::default() }),
            "handoff.standby_ttl is 10s, want longer than offer_timeout"
        );
        assert_eq!(
            check(Config { retry: Duration::ZERO, ..Config::default() }),
            "handoff.retry is 0ns, want 1 ms to 1 year"
        );
        assert_eq!(
            check(Config { mails_bytes_max: 17 << 20, ..Config::default() }),
            "handoff.mails_bytes_max is 17825792, want 1 byte to 16 MiB"
        );
        assert_eq!(
            check(Config { state_bytes_max: 257 << 20, ..Config::default() }),
            "handoff.state_bytes_max is 269484032, want 1 byte to 256 MiB"
        );
        assert_eq!(
            check(Config { state_bytes_max: 256 << 20, ..Config::default() }),
            "handoff.bytes_max is 67108864, want at least state_bytes_max"
        );
        assert_eq!(
            check(Config { chunk_bytes: 0, ..Config::default() }),
            "handoff.chunk_bytes is 0, want 1 byte to 1 MiB"
        );
        assert_eq!(
            check(Config { bytes_max: 1, ..Config::default() }),
            "handoff.bytes_max is 1, want at least state_bytes_max"
        );
        assert_eq!(
            check(Config { quorum_margin: Duration::from_secs(2), ..Config::default() }),
            "handoff.quorum_margin is 2s, want at least quorum_lease + 1 % + quorum_ask + \
             quorum_grace + 500 ms"
        );
        assert_eq!(
            check(Config { flap_hold: Duration::from_secs(11), ..Config::default() }),
            "handoff.flap_hold is 11s, want at most flap_window"
        );
        assert_eq!(
            check(Config { quorum_ask: Duration::from_secs(1), ..Config::default() }),
            "handoff.quorum_ask is 1s, want at most half of quorum_lease"
        );
    }
}
