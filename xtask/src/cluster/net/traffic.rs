//! What a host's network card and its packet filter have counted.

use super::rules::TABLE;
use crate::Failure;
use serde::Deserialize;
use std::ops::Sub;

/// What a network card has carried. Bytes are those of whole frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(in super::super) struct Traffic {
    #[serde(rename = "rx")]
    pub(in super::super) received: Count,
    #[serde(rename = "tx")]
    pub(in super::super) sent: Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(in super::super) struct Count {
    pub(in super::super) packets: u64,
    pub(in super::super) bytes: u64,
}

/// What arrived at a host, and what of it was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Arrivals {
    pub(in super::super) arrived: u64,
    pub(in super::super) cut: u64,
    pub(in super::super) lost: u64,
}

impl Traffic {
    /// Reads what `ip -s -j link show` prints of one card.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Card {
            stats64: Traffic,
        }
        match serde_json::from_str::<Vec<Card>>(text).as_deref() {
            Ok([card]) => Ok(card.stats64),
            _ => Err(Failure::new(format!("`ip` shows no counts of one card: {text}"))),
        }
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        let less = |now: Count, before: Count| Count {
            packets: now.packets - before.packets,
            bytes: now.bytes - before.bytes,
        };
        Self { received: less(self.received, before.received), sent: less(self.sent, before.sent) }
    }
}

impl Arrivals {
    /// Reads what `nft -j list counters` prints.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let unknown = || Failure::new(format!("`nft` shows no counters of {TABLE}: {text}"));
        let root: serde_json::Value = serde_json::from_str(text).map_err(|_| unknown())?;
        let list = root["nftables"].as_array().ok_or_else(unknown)?;
        let count = |name: &str| {
            let found = list.iter().find(|item| item["counter"]["name"] == name);
            found.and_then(|item| item["counter"]["packets"].as_u64()).ok_or_else(unknown)
        };
        Ok(Self { arrived: count("arrived")?, cut: count("cut")?, lost: count("lost")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_card_are_read() {
        let text = r#"[{"ifname":"eth0","stats64":{"rx":{"bytes":90,"packets":2,"errors":0},
                        "tx":{"bytes":45,"packets":1,"errors":0}}}]"#;
        let traffic = Traffic::parse(text).expect("one card");
        assert_eq!(traffic.received, Count { packets: 2, bytes: 90 });
        assert_eq!(traffic.sent, Count { packets: 1, bytes: 45 });
        assert_eq!((traffic - traffic), Traffic::default());
        assert!(Traffic::parse("[]").is_err());
    }

    #[test]
    fn the_counters_of_the_filter_are_read() {
        let text = r#"{"nftables":[{"metainfo":{"version":"1"}},
            {"counter":{"name":"arrived","packets":10,"bytes":1}},
            {"counter":{"name":"cut","packets":3,"bytes":1}},
            {"counter":{"name":"lost","packets":2,"bytes":1}}]}"#;
        let expected = Arrivals { arrived: 10, cut: 3, lost: 2 };
        assert_eq!(Arrivals::parse(text).expect("three counters"), expected);
        assert!(Arrivals::parse(r#"{"nftables":[]}"#).is_err());
        assert!(Arrivals::parse("").is_err());
    }
}
