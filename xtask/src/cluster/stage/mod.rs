//! What a scenario plays on: a network, the agents on its hosts, and how to wait for what they say.

mod keepers;
mod wait;

use super::agent::{Agent, Life, Order};
use super::flood::Flood;
use super::keeper::Request;
use super::net::{Host, Net, SWITCH_ADDRESS};
use super::relay::{Disorder, Relay, Route};
use super::{now, setting::Setting};
use crate::Failure;
use crate::driven::Client;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The agents and their network. The agents go first.
pub(super) struct Stage {
    agents: Vec<Agent>,
    keepers: Vec<Client<Request>>,
    net: Net,
    setting: Setting,
    n_nodes: usize,
    begun: Instant,
    changed: Arc<Notify>,
}

/// An agent that a scenario has started, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(usize);

/// What an agent is started with besides its name and its host.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    /// Where it listens, if not at its host's IPv4 address.
    pub(super) bind: Option<SocketAddr>,
    /// Where others are told to send, if not to the host itself.
    pub(super) advertise: Option<SocketAddr>,
    /// Its secret as digits, if not everybody's.
    pub(super) secret: Option<String>,
    /// By how many seconds its wall clock is ahead.
    pub(super) clock_ahead: i64,
}

/// Hosts beyond those of the nodes, for nodes that move or come later.
const HOSTS_SPARE: usize = 2;

/// How long anything may take that has no tighter bound of its own: a loaded machine is slow, not
/// wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions to one agent.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Where every agent listens.
pub(super) const PORT: u16 = 7946;

/// How many of the nodes are everybody's seeds.
const SEEDS: usize = 3;

impl Stage {
    /// A stage for `n_nodes`, with nobody on it.
    pub(super) fn new(setting: &Setting, n_nodes: usize) -> Result<Self, Failure> {
        Ok(Self {
            agents: Vec::new(),
            keepers: Vec::new(),
            net: Net::new(n_nodes + HOSTS_SPARE)?,
            setting: setting.clone(),
            n_nodes,
            begun: now(),
            changed: Arc::default(),
        })
    }

    pub(super) const fn net(&self) -> &Net {
        &self.net
    }

    pub(super) const fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    pub(super) fn agents(&self) -> &[Agent] {
        &self.agents
    }

    pub(super) fn agent(&self, Node(node): Node) -> &Agent {
        &self.agents[node]
    }

    pub(super) fn agent_mut(&mut self, Node(node): Node) -> &mut Agent {
        &mut self.agents[node]
    }

    pub(super) fn host(&self, node: Node) -> Host {
        self.agent(node).host()
    }

    /// A host on which no node was formed.
    pub(super) fn spare_host(&self, n: usize) -> Host {
        assert!(n < HOSTS_SPARE, "there are {HOSTS_SPARE} spare hosts");
        Host(self.n_nodes + n)
    }

    /// This life of an agent that has started.
    pub(super) fn life(&self, node: Node) -> Life {
        self.agent(node).life().expect("a scenario waits for the start before it asks who it is")
    }

    /// Starts an agent, and waits until it says who it is.
    pub(super) async fn start(
        &mut self,
        name: &str,
        host: Host,
        start: &Start,
    ) -> Result<Node, Failure> {
        let node = self.spawn(name, host, start)?;
        self.started(&[node]).await?;
        Ok(node)
    }

    /// Starts one agent on each host, `n1`, `n2` and so on, and waits until each says who it is.
    /// Nobody knows anybody yet.
    pub(super) async fn start_all(
        &mut self,
        start: impl Fn(Host) -> Start,
    ) -> Result<Vec<Node>, Failure> {
        let hosts: Vec<_> = self.net.hosts().take(self.n_nodes).collect();
        let spawn = |host: Host| self.spawn(&format!("n{}", host.0 + 1), host, &start(host));
        let nodes: Vec<_> = hosts.into_iter().map(spawn).collect::<Result<_, _>>()?;
        self.started(&nodes).await?;
        Ok(nodes)
    }

    /// Starts a relay in the middle, with a port for each node.
    pub(super) async fn start_relay(&self, disorder: &Disorder) -> Result<Relay, Failure> {
        let routes = self.net.hosts().take(self.n_nodes).map(|host| Route {
            public: public(host),
            node: SocketAddr::from((self.net.address(host), PORT)),
        });
        let routes: Vec<_> = routes.collect();
        Relay::start(&self.net.switch(), &routes, disorder).await
    }

    /// Starts a flood from a host without a node.
    pub(super) async fn start_flood(
        &self,
        target: Node,
        rate: u64,
        length: Duration,
    ) -> Result<Flood, Failure> {
        let namespace = self.net.namespace(self.spare_host(0));
        Flood::start(&namespace, self.address(target), self.setting.cluster(), rate, length).await
    }

    /// As [`start_all`](Self::start_all), and others reach each node through the relay alone.
    pub(super) async fn start_all_behind_relay(&mut self) -> Result<Vec<Node>, Failure> {
        self.start_all(|host| Start { advertise: Some(public(host)), ..Start::default() }).await
    }

    /// Tells all of `nodes` at once to join the first ones of them: the time just before that.
    pub(super) async fn join(&mut self, nodes: &[Node]) -> Result<Instant, Failure> {
        let seeds: Vec<_> = nodes.iter().take(SEEDS).map(|node| self.address(*node)).collect();
        let begin = now();
        for node in nodes {
            self.tell_join(*node, &seeds).await?;
        }
        Ok(begin)
    }

    /// Tells one node to join the group that `others` are.
    pub(super) async fn join_others(
        &mut self,
        node: Node,
        others: &[Node],
    ) -> Result<Instant, Failure> {
        let seeds: Vec<_> = others.iter().take(SEEDS).map(|node| self.address(*node)).collect();
        let begin = now();
        self.tell_join(node, &seeds).await?;
        Ok(begin)
    }

    /// A whole group: every node has started and joined, and all see all.
    pub(super) async fn form(&mut self) -> Result<Vec<Node>, Failure> {
        let nodes = self.start_all(|_| Start::default()).await?;
        self.join(&nodes).await?;
        self.until_all_see_all(&nodes, PATIENCE).await?;
        Ok(nodes)
    }

    /// Asks an agent for a reply, and waits for it.
    pub(super) async fn ask(
        &mut self,
        node: Node,
        command: &str,
    ) -> Result<serde_json::Value, Failure> {
        let before = self.agent(node).log().reply().0;
        self.agent_mut(node).tell(command).await?;
        let expected = format!("a reply to `{command}`");
        let replied = |stage: &Self| match stage.agent(node).log().reply().0 > before {
            true => Ok(()),
            false => Err(format!("{} is silent", stage.agent(node).name())),
        };
        self.until(PATIENCE, &expected, replied).await?;
        let log = self.agent(node).log();
        let reply = log.reply().1.clone();
        match reply["reply"].as_str() {
            Some("refused") => {
                Err(Failure::new(format!("`{command}` was refused: {}", reply["why"])))
            }
            _ => Ok(reply),
        }
    }

    /// Asks an agent again and again, until `look` is content with a reply.
    pub(super) async fn until_reply(
        &mut self,
        node: Node,
        command: &str,
        expected: &str,
        look: impl Fn(&serde_json::Value) -> bool,
    ) -> Result<(), Failure> {
        let begin = now();
        loop {
            let reply = self.ask(node, command).await?;
            if look(&reply) {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let name = self.agent(node).name();
                let sentence = format!("expected {expected} within {PATIENCE:?}; saw at {name}");
                return Err(Failure::new(format!("{sentence}: {reply}")));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// What holds at the end of every scenario.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.nobody_died()?;
        let gaps = self.agents.iter().filter_map(|agent| Some((agent.name(), agent.log().gap()?)));
        match gaps.into_iter().next() {
            Some((name, gap)) => {
                Err(Failure::new(format!("the events of {name} are not all: {gap}")))
            }
            None => Ok(()),
        }
    }

    /// Ends all agents, frozen ones too.
    pub(super) async fn close(mut self) {
        for agent in &mut self.agents {
            // It may have ended, which is what was wanted.
            let _ = agent.kill().await;
        }
    }

    fn spawn(&mut self, name: &str, host: Host, start: &Start) -> Result<Node, Failure> {
        let own = SocketAddr::from((self.net.address(host), PORT));
        let bind = start.bind.unwrap_or(own);
        let order = Order {
            name,
            host,
            namespace: &self.net.namespace(host),
            command: &self.setting.agent_command(name, bind, start),
        };
        self.agents.push(Agent::start(&order, Arc::clone(&self.changed))?);
        Ok(Node(self.agents.len() - 1))
    }

    async fn started(&self, nodes: &[Node]) -> Result<(), Failure> {
        let started = |stage: &Self| match nodes.iter().find(|n| stage.agent(**n).life().is_none())
        {
            Some(silent) => Err(format!("{} is silent", stage.agent(*silent).name())),
            None => Ok(()),
        };
        self.until(PATIENCE, "every agent to say who it is", started).await
    }

    async fn tell_join(&mut self, node: Node, seeds: &[SocketAddr]) -> Result<(), Failure> {
        let own = self.address(node);
        let others = seeds.iter().filter(|seed| **seed != own || seeds.len() == 1);
        let others: Vec<_> = others.map(ToString::to_string).collect();
        self.agent_mut(node).tell(&format!("join {}", others.join(" "))).await
    }

    fn address(&self, node: Node) -> SocketAddr {
        self.agent(node).address().expect("a scenario waits for the start before it asks where")
    }
}

/// The port of the relay that a host advertises.
fn public(Host(host): Host) -> SocketAddr {
    SocketAddr::from((SWITCH_ADDRESS, RELAY_PORT + host as u16))
}

/// The first port of a relay.
const RELAY_PORT: u16 = 20_000;
