//! Starting a node.

use crate::address::NodeAddress;
use crate::agreed::Settings;
use crate::config::{Checked, Config};
use crate::core::Core;
use crate::driver::{Driver, Errands, Started};
use crate::lists::Lists;
use crate::node::{
    Differs, MakeStrategy, Node, NodeMeta, Parts, Placing, Seat, Strategies, TOLD_WITHIN,
};
use crate::resolver::{Contender, Keep, Resolvers};
use crate::scope::{ScopeBuilder, ring, split_kind};
use crate::traffic::Inbound;
use crate::worker::{KindError, Kinds};
use crate::{ConfigError, Name, NodePattern, StartError, Swarm, Worker};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use swarm_base::{Boot, ClusterSecret, NodeId, NodeName, Rng, Scope};
use swarm_handoff::{Agreement, Moves, Reconciler};
use swarm_link::Links;
use swarm_link::quic::{BindError, Credentials, Endpoint};
use swarm_process::{Clock, Processes};
use swarm_registry::Registry;
use swarm_ring::{Strategy, Weight};
use swarm_swim::udp::{Port, RingCipher};
use swarm_swim::{Keyring, Metadata, Swim};
use tokio::sync::{mpsc, oneshot};

/// A node that is to be started; made by [`Swarm::builder`].
#[must_use = "it does nothing until it is started"]
pub struct Builder {
    name: String,
    bind: Option<NodeAddress>,
    bind_link: Option<NodeAddress>,
    advertise: Option<NodeAddress>,
    seeds: Vec<NodeAddress>,
    secret: Option<ClusterSecret>,
    cluster: String,
    kinds: Kinds,
    kind_error: Option<KindError>,
    strategies: BTreeMap<Scope, MakeStrategy>,
    resolvers: Resolvers,
    scope_error: Option<ConfigError>,
    allow: Vec<NodePattern>,
    deny: Vec<NodePattern>,
    weight: f64,
    roles: BTreeSet<String>,
    ready: bool,
    config: Config,
    #[cfg(feature = "fail-points")]
    fail_at: Option<crate::FailPoint>,
}

/// How long a start waits for the first seed that answers. The node runs, and goes on trying.
const SEED_WAIT: Duration = Duration::from_secs(3);

/// The queues between the driver and those who feed it.
const QUEUE: usize = 4_096;

/// As long as the name of a node: both stand in its certificate.
const CLUSTER_LEN_MAX: usize = 255;

/// How often a start takes a higher boot before it gives up.
const BOOTS_MAX: usize = 3;

impl Builder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bind: None,
            bind_link: None,
            advertise: None,
            seeds: Vec::new(),
            secret: None,
            cluster: "swarm".to_owned(),
            kinds: Kinds::default(),
            kind_error: None,
            strategies: BTreeMap::from([(Scope::default(), ring())]),
            resolvers: Resolvers::default(),
            scope_error: None,
            allow: Vec::new(),
            deny: Vec::new(),
            weight: 1.0,
            roles: BTreeSet::new(),
            ready: true,
            config: Config::default(),
            #[cfg(feature = "fail-points")]
            fail_at: None,
        }
    }

    /// Where to gossip, over UDP: the address that the seeds of other nodes name. By default the
    /// loopback address and a port of the system's choice.
    pub fn bind(mut self, address: impl Into<NodeAddress>) -> Self {
        self.bind = Some(address.into());
        self
    }

    /// Where to listen for links, over QUIC. By default the IP address of [`bind`](Self::bind)
    /// and a port of the system's choice. Other nodes learn it by gossip.
    pub fn bind_link(mut self, address: impl Into<NodeAddress>) -> Self {
        self.bind_link = Some(address.into());
        self
    }

    /// Under which address others reach this node's gossip; its IP address counts for links, too.
    /// Needed where `bind` is an unspecified address such as `0.0.0.0`.
    pub fn advertise(mut self, address: impl Into<NodeAddress>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Nodes of the cluster to join through. They are tried for ever: one that is down at the
    /// start is found when it comes up.
    pub fn seeds<A: Into<NodeAddress>>(mut self, seeds: impl IntoIterator<Item = A>) -> Self {
        self.seeds.extend(seeds.into_iter().map(Into::into));
        self
    }

    /// The secret of the cluster. By default one of the node's own: a cluster of one.
    pub fn secret(mut self, secret: ClusterSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The name of the cluster, 1 to 255 bytes, `swarm` by default. Nodes of another one are
    /// refused.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// Serves a kind of worker: instances of it may be placed on this node.
    pub fn worker<W: Worker>(mut self) -> Self {
        if let Err(error) = self.kinds.add::<W>(&Scope::default()) {
            self.kind_error.get_or_insert(error);
        }
        self
    }

    /// How names are placed: [`Ring`](crate::Ring) by default. All nodes must use the same: one whose strategy
    /// [describes](Strategy::describe) itself differently is kept out.
    ///
    /// It is asked in the node's task and must not wait. An owner that does not serve the name's
    /// kind counts as none, and a panic stays inside it:
    /// [`Event::StrategyFailed`](crate::Event::StrategyFailed) tells.
    pub fn strategy<S: Strategy + Clone + 'static>(mut self, strategy: S) -> Self {
        self.strategies.insert(Scope::default(), Arc::new(move || Box::new(strategy.clone())));
        self
    }

    /// Which of two copies of a name of this kind stays, where two sides of a partition, or nodes
    /// that had not met, each ran one. `resolver` gets the name and both copies, in the order of
    /// their pids, which is that of when their nodes started. The one that it does not keep hands
    /// its state to the other's [`resolve_conflict`](Worker::resolve_conflict) and ends; where it
    /// keeps neither, both end and the name is free. Without a resolver the higher token stays:
    /// the copy that was started or moved more often.
    ///
    /// It is asked on the nodes of both copies, once on each, and must say the same on both: all
    /// nodes that serve the kind must have the same one, and it must depend on nothing else. One that
    /// would go round among three copies is asked eight times. It runs in the node's task and must
    /// not wait; a panic stays inside it: [`Event::ResolverFailed`](crate::Event::ResolverFailed)
    /// tells, and the higher token stays.
    pub fn resolver<W: Worker>(
        mut self,
        resolver: impl Fn(&Name, &Contender, &Contender) -> Keep + Send + Sync + 'static,
    ) -> Self {
        self.resolvers.add(W::KIND.to_owned(), resolver);
        self
    }

    /// Declares a scope: a swarm inside the cluster, with names, groups, kinds and a strategy of
    /// its own, on the nodes that declare it. `scope` says what this node has to say of it; its name
    /// has 1 to 64 bytes, none of them zero. [`Swarm::scope`] is the handle for it.
    ///
    /// Of the same scope once more: `scope` goes on with what was said before.
    pub fn scope(
        mut self,
        name: impl AsRef<str>,
        scope: impl FnOnce(ScopeBuilder<'_>) -> ScopeBuilder<'_>,
    ) -> Self {
        let name = name.as_ref();
        match Scope::new(name) {
            Ok(of) => {
                let strategy = self.strategies.entry(of.clone()).or_insert_with(ring);
                let (kinds, kind_error) = (&mut self.kinds, &mut self.kind_error);
                let resolvers = &mut self.resolvers;
                let _ = scope(ScopeBuilder { scope: &of, kinds, kind_error, strategy, resolvers });
            }
            Err(error) => {
                let value = format!("{} bytes long", name.len());
                let error = ConfigError::new("scope", value, error.to_string());
                self.scope_error.get_or_insert(error);
            }
        }
        self
    }

    /// The only nodes that names may be placed on. All others are observers: they register, find,
    /// call and group what runs elsewhere, spawn and register processes of their own, and get no
    /// names of others. Without it, or empty, all nodes take names but those that
    /// [`deny`](Self::deny) leaves out; with it that list counts no more.
    ///
    /// All nodes must have the same lists: one that has others is kept out.
    pub fn allow<P: Into<NodePattern>>(mut self, nodes: impl IntoIterator<Item = P>) -> Self {
        self.allow.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Nodes that no names may be placed on, as with [`allow`](Self::allow), besides those that
    /// are there for a moment only: `^remsh.*$`, `^.+_upgrader_.+$` and `^.+_maint_.+$`.
    pub fn deny<P: Into<NodePattern>>(mut self, nodes: impl IntoIterator<Item = P>) -> Self {
        self.deny.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// The node's share of the names, relative to those of others: 1.0 by default.
    pub const fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// What the operator calls this node, for others to see.
    pub fn roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Whether names may be placed on this node from the start: `true` by default.
    /// [`Swarm::set_ready`] changes it.
    pub const fn ready(mut self, ready: bool) -> Self {
        self.ready = ready;
        self
    }

    /// All other settings.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Ends the whole process when the node gets to this point of a move for the first time: for
    /// tests.
    #[cfg(feature = "fail-points")]
    pub const fn fail_at(mut self, point: crate::FailPoint) -> Self {
        self.fail_at = Some(point);
        self
    }

    /// Starts the node. With seeds it returns once one of them has handed over the member list,
    /// or after 3 s: the node then runs alone and goes on trying.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what is wrong. Nothing of the node is left.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing of the node is left.
    pub async fn start(self) -> Result<Swarm, StartError> {
        let plan = self.plan().await?;
        let mut above = 0;
        for _ in 0..BOOTS_MAX {
            match plan.attempt(above).await? {
                Attempt::Runs(swarm) => return Ok(swarm),
                Attempt::BootBehind(remembered) => above = remembered.millis + 1,
            }
        }
        let want = "at least that of the node's last start".to_owned();
        Err(ConfigError::new("the clock", format!("behind {above} ms"), want).into())
    }

    async fn plan(self) -> Result<Plan, StartError> {
        let name = NodeName::new(&self.name)?;
        if let Some(error) = self.kind_error {
            return Err(ConfigError::new("worker", error.to_string(), "served without").into());
        }
        if let Some(kind) = self.resolvers.kinds().find(|kind| self.kinds.get(kind).is_none()) {
            let kind = split_kind(kind).1;
            return Err(ConfigError::new("resolver", kind, "of a kind that is served").into());
        }
        if let Some(error) = self.scope_error {
            return Err(error.into());
        }
        if !(1..=CLUSTER_LEN_MAX).contains(&self.cluster.len()) {
            let (len, want) = (self.cluster.len(), format!("1 to {CLUSTER_LEN_MAX} bytes long"));
            return Err(ConfigError::new("cluster", format!("{len} bytes long"), want).into());
        }
        let weight = Weight::new(self.weight).map_err(ConfigError::from)?;
        let lists = Lists::new(&self.allow, &self.deny)?;
        if self.secret.is_none() && !self.seeds.is_empty() {
            let want = "that of the seeds' cluster";
            return Err(ConfigError::new("secret", "not set", want).into());
        }
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let bind = match &self.bind {
            Some(address) => address.first("bind").await?,
            None => any,
        };
        let bind_link = match &self.bind_link {
            Some(address) => address.first("bind_link").await?,
            None => SocketAddr::new(bind.ip(), 0),
        };
        let advertise = match &self.advertise {
            Some(address) => Some(address.first("advertise").await?),
            None => None,
        };
        if bind.ip().is_unspecified() && advertise.is_none() {
            let want = "the address under which others reach this node";
            return Err(ConfigError::new("advertise", "not set", want).into());
        }
        let mut seeds = Vec::new();
        for seed in &self.seeds {
            seeds.extend(seed.resolve("seeds").await?);
        }
        Ok(Plan {
            name,
            bind,
            bind_link,
            advertise,
            seeds,
            secret: self.secret.unwrap_or_else(ClusterSecret::generate),
            cluster: self.cluster,
            kinds: self.kinds,
            strategies: Strategies(self.strategies),
            resolvers: self.resolvers,
            lists,
            weight,
            roles: self.roles,
            ready: self.ready,
            config: self.config.check()?,
            #[cfg(feature = "fail-points")]
            fail_at: self.fail_at,
        })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Builder({})", self.name)
    }
}

/// Settings that were checked, and addresses that were resolved.
struct Plan {
    name: NodeName,
    bind: SocketAddr,
    bind_link: SocketAddr,
    advertise: Option<SocketAddr>,
    seeds: Vec<SocketAddr>,
    secret: ClusterSecret,
    cluster: String,
    kinds: Kinds,
    strategies: Strategies,
    resolvers: Resolvers,
    lists: Lists,
    weight: Weight,
    roles: BTreeSet<String>,
    ready: bool,
    config: Checked,
    #[cfg(feature = "fail-points")]
    fail_at: Option<crate::FailPoint>,
}

enum Attempt {
    Runs(Swarm),
    BootBehind(Boot),
}

impl Plan {
    /// Starts the node with a boot above `above`.
    async fn attempt(&self, above: u64) -> Result<Attempt, StartError> {
        let me = NodeId::new(self.name.clone(), new_boot(above));
        let port = Port::bind(self.bind).await.map_err(|error| StartError::Bind {
            what: "gossip",
            address: self.bind,
            reason: error.to_string(),
        })?;
        let local = port.local_addr().map_err(|error| StartError::Bind {
            what: "gossip",
            address: self.bind,
            reason: error.to_string(),
        })?;
        let credentials = Credentials::from_secret(&self.secret, &self.cluster, &self.name)
            .map_err(|error| StartError::Credentials(error.to_string()))?;
        let clock = Clock::start();
        let (process_sender, process_notices) = mpsc::channel(QUEUE);
        let (link_sender, link_notices) = mpsc::channel(QUEUE);
        let (input_sender, inputs) = mpsc::channel(QUEUE);
        let processes = Processes::new(
            me.boot,
            self.config.process.clone(),
            clock,
            tokio::runtime::Handle::current(),
            process_sender,
        );
        let core = Arc::new_cyclic(|weak| {
            let kinds = self.kinds.clone();
            let mut core =
                Core::new(me.clone(), clock, local, processes, kinds, input_sender, weak);
            core.state_bytes_max = self.config.handoff.state_bytes_max;
            core
        });
        let inbound = Arc::new(Inbound::new(&Arc::downgrade(&core)));
        let endpoint = Endpoint::bind(
            self.bind_link,
            &credentials,
            self.config.quic.clone(),
            link_sender,
            inbound,
        )
        .map_err(|error| self.link_error(error))?;
        for warning in endpoint.warnings() {
            tracing::warn!(node = %me, %warning, "links");
        }
        let node = self.node(&me, clock, local, endpoint.local_addr())?;
        core.set_members(crate::member::members(&node));
        let (started, mut outcome) = oneshot::channel();
        let driver = Driver {
            node,
            core: Arc::clone(&core),
            port,
            endpoint,
            link_notices,
            process_notices,
            inputs,
            started: Some(started),
            answers: BTreeMap::new(),
            errands: Errands::default(),
            drains: Vec::new(),
            departed: None,
            ends_departed: false,
            #[cfg(feature = "fail-points")]
            fail_at: self.fail_at,
            end: None,
        };
        #[expect(clippy::disallowed_methods, reason = "the handle owns it: the last one ends it")]
        let task = tokio::spawn(driver.run());
        let swarm = Swarm::new(core, task);
        if self.seeds.is_empty() {
            return Ok(Attempt::Runs(swarm));
        }
        let mut joined = tokio::time::timeout(SEED_WAIT, &mut outcome).await;
        if joined.is_err() && swarm.core().meets_others.load(Ordering::Relaxed) {
            joined = tokio::time::timeout(TOLD_WITHIN, outcome).await;
        }
        match joined {
            Ok(Ok(Started::NameTaken(holder))) => {
                // Its addresses are free when this returns.
                swarm.core().ending.driver_ended().await;
                Err(StartError::NameTaken { name: self.name.to_string(), holder })
            }
            Ok(Ok(Started::SettingsDiffer(Differs { peer, setting, here, there }))) => {
                swarm.core().ending.driver_ended().await;
                Err(StartError::SettingsDiffer { peer, setting, here, there })
            }
            Ok(Ok(Started::BootBehind(remembered))) => {
                swarm.core().ending.driver_ended().await;
                Ok(Attempt::BootBehind(remembered))
            }
            Ok(Ok(Started::Merged) | Err(_)) | Err(_) => Ok(Attempt::Runs(swarm)),
        }
    }

    fn node(
        &self,
        me: &NodeId,
        clock: Clock,
        local: SocketAddr,
        link: SocketAddr,
    ) -> Result<Node, StartError> {
        let now = clock.now();
        // Each layer draws from its own generator; the seed is new for each boot.
        let mut rng = Rng::new(me.boot.random ^ me.boot.millis);
        let address = self.advertise.map_or(local, |advertised| match advertised.port() {
            0 => SocketAddr::new(advertised.ip(), local.port()),
            _ => advertised,
        });
        let settings = Settings::of(&self.strategies, &self.lists, &self.config.handoff);
        let placing = Placing::new(self.strategies.clone(), self.lists.clone());
        let mut meta = NodeMeta {
            link: SocketAddr::new(
                if link.ip().is_unspecified() { address.ip() } else { link.ip() },
                link.port(),
            ),
            kinds: self.kinds.names().map(str::to_owned).collect(),
            scopes: self.strategies.0.keys().filter_map(Scope::as_str).map(str::to_owned).collect(),
            weight: self.weight.as_f64(),
            roles: self.roles.clone(),
            ready: self.ready,
            is_left_out: !self.lists.admit(&me.name),
            settings: settings.hash(),
            scope_settings: settings.scope_hashes(),
            waits: BTreeSet::new(),
        };
        for (scope, _) in placing.quorums() {
            meta.set_seat(scope.as_str(), Seat::Waits);
        }
        let metadata = Metadata::new(meta.encode()).map_err(|error| {
            let want = "short enough for the names of all kinds, scopes and roles to fit";
            ConfigError::new("metadata", error.to_string(), want)
        })?;
        let mut swim = Swim::new(
            now,
            me.clone(),
            address,
            metadata,
            self.config.swim,
            Keyring::new(self.cluster.clone(), self.secret.clone()),
            Box::new(RingCipher::new()),
            rng.fork(),
        );
        swim.join(now, self.seeds.iter().copied());
        let handoff = &self.config.handoff;
        let policies = self.kinds.policies().map(|(name, policy)| (name.to_owned(), policy));
        Ok(Node::new(
            now,
            Parts {
                swim,
                links: Links::new(
                    me.clone(),
                    self.cluster.clone(),
                    self.config.link.clone(),
                    rng.fork(),
                )
                .with_settings(settings.into_pairs()),
                registry: Registry::new(now, me.clone(), self.config.registry.clone(), rng.fork()),
                agreement: Agreement::new(now, handoff.clone(), me.clone()),
                handoff: handoff.clone(),
                moves: Moves::new(now, handoff.clone(), me.clone(), rng.fork()),
                reconciler: Reconciler::new(now, handoff.clone(), me.clone(), rng.fork()),
                placing,
                policies: policies.collect(),
                resolvers: self.resolvers.clone(),
                seeded: !self.seeds.is_empty(),
                me: me.clone(),
                meta,
            },
        ))
    }

    fn link_error(&self, error: BindError) -> StartError {
        match error {
            BindError::Settings(error) => {
                ConfigError::new("config.quic", format!("wrong ({error})"), "within its bounds")
                    .into()
            }
            BindError::Credentials(error) => StartError::Credentials(error.to_string()),
            other => StartError::Bind {
                what: "links",
                address: self.bind_link,
                reason: other.to_string(),
            },
        }
    }
}

/// A boot of this moment, above `above`.
fn new_boot(above: u64) -> Boot {
    #[expect(clippy::disallowed_methods, reason = "a boot is dated by the wall clock")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(above);
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    Boot { millis, random: u64::from_le_bytes(random) }
}
