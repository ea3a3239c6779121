//! What a host's packet filter takes away.
//!
//! All of it is taken where it arrives: a packet that is dropped on its way out is an error for
//! who sends it, and a lost packet is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The rules of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// Whose packets do not arrive at all.
    pub(super) cut: BTreeSet<Ipv4Addr>,
    /// Of what arrives from anybody, so many of a thousand are lost.
    pub(super) loss: u32,
    /// Of what arrives from one host, so many of a thousand are lost.
    pub(super) loss_from: BTreeMap<Ipv4Addr, u32>,
}

/// The table that holds them.
pub(super) const TABLE: &str = "swarmnet";

impl Rules {
    /// The script that puts these rules in the place of all earlier ones, in one step.
    pub(super) fn script(&self) -> String {
        let mut rules = String::new();
        for from in &self.cut {
            let _ = writeln!(rules, "ip saddr {from} counter name cut drop");
        }
        let share =
            |permille| format!("numgen random mod 1000 < {permille} counter name lost drop");
        for (from, permille) in &self.loss_from {
            let _ = writeln!(rules, "ip saddr {from} {}", share(permille));
        }
        if self.loss > 0 {
            let _ = writeln!(rules, "{}", share(&self.loss));
        }
        format!(
            "table inet {TABLE}\n\
             delete table inet {TABLE}\n\
             table inet {TABLE} {{\n\
             counter arrived {{}}\n\
             counter cut {{}}\n\
             counter lost {{}}\n\
             chain arriving {{\n\
             type filter hook input priority 0; policy accept;\n\
             iifname lo accept\n\
             counter name arrived\n\
             {rules}\
             }}\n\
             }}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &Rules, expected: &[&str]) {
        let script = rules.script();
        let (_, chain) = script.split_once("counter name arrived\n").expect("the counter is there");
        let found: Vec<_> = chain.lines().take_while(|line| *line != "}").collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn no_rules_take_nothing() {
        check(&Rules::default(), &[]);
    }

    #[test]
    fn who_is_cut_off_is_not_asked_for_its_luck() {
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let rules =
            Rules { cut: BTreeSet::from([a]), loss: 100, loss_from: BTreeMap::from([(b, 300)]) };
        let expected = [
            "ip saddr 10.0.0.1 counter name cut drop",
            "ip saddr 10.0.0.2 numgen random mod 1000 < 300 counter name lost drop",
            "numgen random mod 1000 < 100 counter name lost drop",
        ];
        check(&rules, &expected);
    }
}
