//! When a packet goes on, and how often.

use std::time::Duration;
use swarm_base::Rng;

/// What a relay does to packets. The same seed does the same to the same sequence of packets.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(in super::super) struct Disorder {
    /// Where the chances begin
    #[arg(long, default_value_t = 0)]
    pub(in super::super) seed: u64,
    /// The shortest delay, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(in super::super) delay_ms_min: u64,
    /// The longest delay of a packet that is not held back, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(in super::super) delay_ms_max: u64,
    /// So many packets of a thousand are held back, behind those that come after them
    #[arg(long, default_value_t = 0)]
    pub(in super::super) reordered: u32,
    /// For how long, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(in super::super) held_ms: u64,
    /// So many packets of a thousand arrive twice
    #[arg(long, default_value_t = 0)]
    pub(in super::super) doubled: u32,
}

/// What becomes of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) delay: Duration,
    pub(super) is_held_back: bool,
    /// The delay of the second one.
    pub(super) twin: Option<Duration>,
}

impl Disorder {
    pub(super) fn draw(&self, rng: &mut Rng) -> Fate {
        let mut delay = || {
            let (min, max) = (self.delay_ms_min, self.delay_ms_max.max(self.delay_ms_min));
            rng.duration(Duration::from_millis(min)..=Duration::from_millis(max))
        };
        let (first, second) = (delay(), delay());
        let is_held_back = rng.chance(self.reordered);
        let held = if is_held_back { self.held_ms } else { 0 };
        let twin = rng.chance(self.doubled).then_some(second);
        Fate { delay: first + Duration::from_millis(held), is_held_back, twin }
    }

    /// As options of the command line.
    pub(super) fn options(&self) -> Vec<String> {
        let Self { seed, delay_ms_min, delay_ms_max, reordered, held_ms, doubled } = self;
        vec![
            format!("--seed={seed}"),
            format!("--delay-ms-min={delay_ms_min}"),
            format!("--delay-ms-max={delay_ms_max}"),
            format!("--reordered={reordered}"),
            format!("--held-ms={held_ms}"),
            format!("--doubled={doubled}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const DISORDER: Disorder = Disorder {
        seed: 7,
        delay_ms_min: 5,
        delay_ms_max: 50,
        reordered: 100,
        held_ms: 100,
        doubled: 200,
    };

    fn fates(disorder: &Disorder) -> Vec<Fate> {
        let mut rng = Rng::new(disorder.seed);
        (0..10_000).map(|_| disorder.draw(&mut rng)).collect()
    }

    #[test]
    fn the_same_seed_does_the_same() {
        assert_eq!(fates(&DISORDER), fates(&DISORDER));
        assert_ne!(fates(&DISORDER), fates(&Disorder { seed: 8, ..DISORDER }));
    }

    #[test]
    fn the_shares_are_those_that_were_asked_for() {
        let fates = fates(&DISORDER);
        let count = |is_it: fn(&Fate) -> bool| fates.iter().filter(|fate| is_it(fate)).count();
        assert!((900..1100).contains(&count(|fate| fate.is_held_back)));
        assert!((1800..2200).contains(&count(|fate| fate.twin.is_some())));
        let ms = Duration::from_millis;
        for Fate { delay, is_held_back, .. } in fates {
            let range = if is_held_back { ms(105)..=ms(150) } else { ms(5)..=ms(50) };
            assert!(range.contains(&delay), "{delay:?}");
        }
    }

    #[test]
    fn the_options_are_those_of_the_command_line() {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            disorder: Disorder,
        }
        let line = std::iter::once("relay".to_owned()).chain(DISORDER.options());
        assert_eq!(Cli::parse_from(line).disorder, DISORDER);
    }
}
