//! The nodes that keep names, as the harness holds them.

use super::protocol::{GROUP, Peer, Request, Table};
use crate::Failure;
use crate::cluster::ledger::{self, Life};
use crate::cluster::net::{self, Host};
use crate::cluster::{Stage, now};
use crate::driven::{self, Client, Driven};
use crate::process::Signal;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nodes on the hosts of a stage, by their numbers: 1 is n1. Dropped, they are killed.
pub(in crate::cluster) struct Keepers {
    nodes: BTreeMap<usize, Keeper>,
    seeds: Vec<String>,
    ledgers: Ledgers,
}

/// How such a node is made.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Setup {
    pub(in crate::cluster) quorum: Option<usize>,
    /// The point of a move at which it ends itself.
    pub(in crate::cluster) fail_at: Option<String>,
    /// How many bytes its workers that count take along besides.
    pub(in crate::cluster) state_bytes: Option<usize>,
    /// How many of the messages that wait in a process go to its new node at once.
    pub(in crate::cluster) mails_max: Option<usize>,
    /// How many processes of others it builds at once.
    pub(in crate::cluster) standbys_max: Option<usize>,
}

struct Keeper {
    driven: Driven<Request>,
    host: Host,
}

/// What a node has to list: names with their processes.
pub(in crate::cluster) type Names = BTreeMap<String, String>;

/// Between two looks at all nodes: what is waited for needs the processor more than the looks do.
const REST: Duration = Duration::from_millis(20);

/// How long what is late is watched, to say how late.
const LATE: Duration = Duration::from_secs(30);

/// A process may have ended for so long before this one sees it: a loaded machine is slow.
const UNSEEN_US: u64 = 1_000_000;

/// How long any reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long anything may take that has no tighter bound of its own.
pub(in crate::cluster) const PATIENCE: Duration = Duration::from_secs(60);

impl Keepers {
    /// One node on each of the first hosts, once each sees all.
    pub(in crate::cluster) async fn start(stage: &mut Stage) -> Result<Self, Failure> {
        Self::start_as(stage, &Setup::default()).await
    }

    /// As [`start`](Self::start), each made like this.
    pub(in crate::cluster) async fn start_as(
        stage: &mut Stage,
        setup: &Setup,
    ) -> Result<Self, Failure> {
        let mut keepers = Self::none()?;
        for (host, _) in stage.keeper_places() {
            keepers.add(stage, host.0 + 1, setup).await?;
        }
        keepers.until_all_alive().await?;
        Ok(keepers)
    }

    /// None yet.
    pub(in crate::cluster) fn none() -> Result<Self, Failure> {
        Ok(Self { nodes: BTreeMap::new(), seeds: Vec::new(), ledgers: Ledgers::new()? })
    }

    /// Starts the node of this number, whose seeds are all that were there before.
    pub(in crate::cluster) async fn add(
        &mut self,
        stage: &mut Stage,
        number: usize,
        setup: &Setup,
    ) -> Result<(), Failure> {
        self.launch(stage, number, setup)?;
        self.ask::<String>(number, Request::Address).await.map(drop)
    }

    /// As [`add`](Self::add), and does not wait until the node has started.
    pub(in crate::cluster) fn launch(
        &mut self,
        stage: &mut Stage,
        number: usize,
        setup: &Setup,
    ) -> Result<(), Failure> {
        let places = stage.keeper_places();
        let (host, address) = places[number - 1];
        let name = name(number);
        let mut command = vec![driven::this_program()?, "keeper".into()];
        command.extend(stage.keeper_options(&name, &address.to_string()));
        command.extend(self.seeds.iter().flat_map(|seed| ["--seed".to_owned(), seed.clone()]));
        command.extend(["--ledger".to_owned(), self.ledgers.begin(number)]);
        for (option, number) in [
            ("--quorum", setup.quorum),
            ("--state-bytes", setup.state_bytes),
            ("--mails-max", setup.mails_max),
            ("--standbys-max", setup.standbys_max),
        ] {
            command.extend(number.into_iter().flat_map(|n| [option.to_owned(), n.to_string()]));
        }
        if let Some(point) = &setup.fail_at {
            command.extend(["--fail-at".to_owned(), point.clone()]);
        }
        let command = net::command_in(&stage.net().namespace(host), &command);
        let driven = Driven::start(&name, command, REPLY_TIMEOUT)?;
        stage.listen_to(driven.client().clone());
        self.seeds.push(address.to_string());
        self.nodes.insert(number, Keeper { driven, host });
        Ok(())
    }

    /// The numbers of those that run.
    pub(in crate::cluster) fn numbers(&self) -> Vec<usize> {
        self.nodes.keys().copied().collect()
    }

    pub(in crate::cluster) fn host(&self, node: usize) -> Host {
        self.nodes[&node].host
    }

    /// `kill -9`: its life.
    pub(in crate::cluster) async fn kill(&mut self, node: usize) -> Result<String, Failure> {
        let members: BTreeMap<String, Peer> = self.ask(node, Request::Members).await?;
        let keeper = self.nodes.remove(&node).expect("a scenario kills a node that runs");
        self.ledgers.end(node);
        keeper.driven.kill().await?;
        Ok(members[&name(node)].boot.clone())
    }

    /// Waits until a node has ended by itself.
    pub(in crate::cluster) async fn until_ended(&mut self, node: usize) -> Result<(), Failure> {
        let keeper = self.nodes.get_mut(&node).expect("a scenario waits for a node that runs");
        let begin = now();
        while let Err(failure) = keeper.driven.has_ended().await {
            if begin.elapsed() > PATIENCE {
                return Err(failure);
            }
        }
        self.nodes.remove(&node);
        self.ledgers.ended(node);
        Ok(())
    }

    /// Stops a node, or lets it go on.
    pub(in crate::cluster) async fn signal(
        &self,
        node: usize,
        signal: Signal,
    ) -> Result<(), Failure> {
        self.nodes[&node].driven.signal(signal).await
    }

    /// What the workers that count have written down, of all nodes that there were.
    pub(in crate::cluster) fn lives(&self) -> Result<Vec<Life>, Failure> {
        self.ledgers.read()
    }

    pub(in crate::cluster) async fn ask<T: DeserializeOwned>(
        &self,
        node: usize,
        request: Request,
    ) -> Result<T, Failure> {
        self.nodes[&node].driven.client().ask(request).await
    }

    /// Asks all at once, each for what `request` says; the replies by the nodes' numbers.
    pub(in crate::cluster) async fn ask_all<T: DeserializeOwned + Send + 'static>(
        &self,
        request: impl Fn(usize) -> Request,
    ) -> Result<BTreeMap<usize, T>, Failure> {
        let asked = self
            .nodes
            .iter()
            .map(|(&node, keeper)| (node, keeper.driven.client().clone(), request(node)));
        Client::ask_each(asked).await
    }

    pub(in crate::cluster) async fn members(
        &self,
    ) -> Result<BTreeMap<usize, BTreeMap<String, Peer>>, Failure> {
        self.ask_all(|_| Request::Members).await
    }

    /// Waits until the nodes that run, and no others, are alive in every view: when they were.
    pub(in crate::cluster) async fn until_all_alive(&self) -> Result<Instant, Failure> {
        let look = async || Ok(self.strangers().await?.map_or(Ok(()), Err));
        until(PATIENCE, "all nodes alive in every view", look).await
    }

    /// The first view that is not all nodes and all of them alive, in words.
    async fn strangers(&self) -> Result<Option<String>, Failure> {
        let all: BTreeSet<_> = self.nodes.keys().map(|node| name(*node)).collect();
        let all = |members: &BTreeMap<String, Peer>| {
            members.keys().eq(&all) && members.values().all(|peer| peer.is_alive)
        };
        let views = self.members().await?;
        let strange = views.into_iter().find(|(_, members)| !all(members));
        Ok(strange.map(|(node, members)| {
            let member = |(name, peer): (&String, &Peer)| {
                format!("{name}{}", if peer.is_alive { "" } else { " (suspected)" })
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("n{node} lists {}", members.join(", "))
        }))
    }

    pub(in crate::cluster) async fn tables(&self) -> Result<BTreeMap<usize, Table>, Failure> {
        self.ask_all(|_| Request::Table).await
    }

    /// Of every node: what loads have registered through it.
    pub(in crate::cluster) async fn held(&self) -> Result<BTreeMap<usize, Names>, Failure> {
        self.ask_all(|_| Request::Held).await
    }

    /// Waits until the tables of all nodes are as `look` wants them: when they were. A failure says
    /// how late they were, if at all, and whose the processes are.
    pub(in crate::cluster) async fn until_tables(
        &self,
        within: Duration,
        expected: &str,
        look: impl Fn(&BTreeMap<usize, Table>) -> Result<(), String>,
    ) -> Result<Instant, Failure> {
        let begin = now();
        let mut look = async || Ok(look(&self.tables().await?));
        let in_time = until(within, expected, &mut look).await;
        let Err(failure) = in_time else { return in_time };
        let late = match until(LATE, expected, &mut look).await {
            Ok(at) => format!("it was so after {:.1?}", at.saturating_duration_since(begin)),
            Err(_) => format!("it is not so after {:.1?}", begin.elapsed()),
        };
        let members = self.members().await?.into_values().next().unwrap_or_default();
        let lives = members.iter().map(|(name, Peer { boot, .. })| format!("{name} is <{boot}.*>"));
        let lives: Vec<_> = lives.collect();
        Err(Failure::new(format!("{failure}; {late}; {}", lives.join(", "))))
    }
}

/// The ledgers of all nodes. Dropped, they are removed.
struct Ledgers {
    folder: PathBuf,
    /// The file of each node that was started, and when the node ended.
    files: BTreeMap<usize, (PathBuf, u64)>,
}

impl Ledgers {
    fn new() -> Result<Self, Failure> {
        // One process may have several, one after the other.
        static LAST: AtomicU32 = AtomicU32::new(0);
        let serial = LAST.fetch_add(1, Ordering::Relaxed);
        let folder = format!("swarm-ledgers-{}-{serial}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder)
            .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        Ok(Self { folder, files: BTreeMap::new() })
    }

    fn begin(&mut self, node: usize) -> String {
        let file = self.folder.join(name(node));
        let shown = file.to_string_lossy().into_owned();
        let before = self.files.insert(node, (file, u64::MAX));
        assert!(before.is_none(), "a scenario starts each node once");
        shown
    }

    /// The node ends now.
    fn end(&mut self, node: usize) {
        self.end_at(node, ledger::now_us());
    }

    /// The node has ended by itself, a while ago.
    fn ended(&mut self, node: usize) {
        self.end_at(node, ledger::now_us().saturating_sub(UNSEEN_US));
    }

    fn end_at(&mut self, node: usize, at_us: u64) {
        if let Some((_, end_us)) = self.files.get_mut(&node) {
            *end_us = at_us;
        }
    }

    fn read(&self) -> Result<Vec<Life>, Failure> {
        let lives = self.files.values().map(|(file, end_us)| ledger::read(file, *end_us));
        Ok(lives.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

impl Drop for Ledgers {
    fn drop(&mut self) {
        // What is left behind lies among what is temporary.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether all tables are equal.
pub(in crate::cluster) fn equal(tables: &BTreeMap<usize, Table>) -> Result<(), String> {
    let mut tables = tables.iter();
    let Some((first, table)) = tables.next() else { return Ok(()) };
    tables.try_for_each(|(node, other)| {
        differ(&other.names, &table.names).map_err(|(name, here, there)| {
            format!("{name} is {here} on n{node}, {there} on n{first}")
        })?;
        let (here, there) = (members(other), members(table));
        match here.symmetric_difference(&there).next() {
            Some(pid) if here.contains(pid) => {
                Err(format!("{pid} is in the group on n{node}, and not on n{first}"))
            }
            Some(pid) => Err(format!("{pid} is in the group on n{first}, and not on n{node}")),
            None => Ok(()),
        }
    })
}

/// Whether all tables are equal and hold just these names, and their processes just this group.
pub(in crate::cluster) fn exactly(
    tables: &BTreeMap<usize, Table>,
    want: &Names,
) -> Result<(), String> {
    equal(tables)?;
    let Some((node, table)) = tables.iter().next() else { return Ok(()) };
    differ(&table.names, want)
        .map_err(|(name, here, there)| format!("{name} is {here} on n{node}, not {there}"))?;
    Ok(())
}

/// The members of the group of all.
pub(in crate::cluster) fn members(table: &Table) -> BTreeSet<String> {
    table.groups.get(GROUP).cloned().unwrap_or_default()
}

/// The first name that differs, with its two processes.
fn differ(one: &Names, other: &Names) -> Result<(), (String, String, String)> {
    let show = |pid: Option<&String>| pid.cloned().unwrap_or_else(|| "nobody".to_owned());
    let mut names = one.keys().chain(other.keys());
    match names.find(|name| one.get(*name) != other.get(*name)) {
        Some(name) => Err((name.clone(), show(one.get(name)), show(other.get(name)))),
        None => Ok(()),
    }
}

/// Looks until `look` is content: when it was.
pub(in crate::cluster) async fn until(
    within: Duration,
    expected: &str,
    mut look: impl AsyncFnMut() -> Result<Result<(), String>, Failure>,
) -> Result<Instant, Failure> {
    let begin = now();
    loop {
        let Err(seen) = look().await? else { return Ok(now()) };
        if begin.elapsed() > within {
            let sentence = format!("expected {expected} within {within:?}; saw: {seen}");
            return Err(Failure::new(sentence));
        }
        tokio::time::sleep(REST).await;
    }
}

/// What a node is called.
pub(in crate::cluster) fn name(node: usize) -> String {
    format!("n{node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[(&str, &str)], members: &[&str]) -> Table {
        let text = |text: &&str| (*text).to_owned();
        let names = names.iter().map(|(name, pid)| (text(name), text(pid))).collect();
        let group = members.iter().map(text).collect();
        Table { names, groups: BTreeMap::from([(GROUP.to_owned(), group)]) }
    }

    #[test]
    fn tables_differ_by_a_name_a_process_or_a_member() {
        let check = |other: Table, wrong: Option<&str>| {
            let one = table(&[("a", "<1>")], &["<1>"]);
            let found = equal(&BTreeMap::from([(1, one), (2, other)]));
            assert_eq!(found.err().as_deref(), wrong);
        };
        check(table(&[("a", "<1>")], &["<1>"]), None);
        check(table(&[("a", "<2>")], &["<1>"]), Some("a is <2> on n2, <1> on n1"));
        check(table(&[], &["<1>"]), Some("a is nobody on n2, <1> on n1"));
        check(table(&[("a", "<1>")], &[]), Some("<1> is in the group on n1, and not on n2"));
    }

    #[test]
    fn equal_tables_may_still_be_wrong() {
        let tables = BTreeMap::from([(1, table(&[("a", "<1>")], &[]))]);
        let want = |names: &[(&str, &str)]| table(names, &[]).names;
        assert_eq!(exactly(&tables, &want(&[("a", "<1>")])), Ok(()));
        assert!(exactly(&tables, &want(&[("a", "<2>")])).is_err());
        assert!(exactly(&tables, &want(&[("a", "<1>"), ("b", "<1>")])).is_err());
        assert!(exactly(&tables, &want(&[])).is_err());
    }
}
