//! Scopes at the facade: what a node declares of one, and kinds in it.

use crate::node::MakeStrategy;
use crate::resolver::{Contender, Keep, Resolvers};
use crate::worker::{KindError, Kinds};
use crate::{Name, ToName, Worker};
use std::borrow::Cow;
use std::sync::Arc;
use swarm_base::{NameError, Scope};
use swarm_ring::{Ring, Strategy};

/// What a node has to say of one scope; made by [`Builder::scope`](crate::Builder::scope).
#[must_use = "it is what the scope is: return it"]
pub struct ScopeBuilder<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) kinds: &'a mut Kinds,
    pub(crate) kind_error: &'a mut Option<KindError>,
    pub(crate) strategy: &'a mut MakeStrategy,
    pub(crate) resolvers: &'a mut Resolvers,
}

impl ScopeBuilder<'_> {
    /// Serves a kind of worker in the scope: instances of it may be placed on this node. One type
    /// may be served in any number of scopes.
    pub fn worker<W: Worker>(self) -> Self {
        if let Err(error) = self.kinds.add::<W>(self.scope) {
            self.kind_error.get_or_insert(error);
        }
        self
    }

    /// Which of two copies of a name of this kind stays, as
    /// [`Builder::resolver`](crate::Builder::resolver) says it of what is in no scope.
    pub fn resolver<W: Worker>(
        self,
        resolver: impl Fn(&Name, &Contender, &Contender) -> Keep + Send + Sync + 'static,
    ) -> Self {
        self.resolvers.add(kind_in(self.scope, W::KIND).into_owned(), resolver);
        self
    }

    /// How the names of the scope are placed: [`Ring`] by default, whatever
    /// [`Builder::strategy`](crate::Builder::strategy) says. All nodes of the scope must use the
    /// same. A quorum counts the nodes that declare the scope.
    pub fn strategy<S: Strategy + Clone + 'static>(self, strategy: S) -> Self {
        *self.strategy = Arc::new(move || Box::new(strategy.clone()));
        self
    }
}

impl std::fmt::Debug for ScopeBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScopeBuilder({:?})", self.scope)
    }
}

/// The strategy of a scope that says nothing about it.
pub(crate) fn ring() -> MakeStrategy {
    Arc::new(|| Box::new(Ring::new()))
}

/// The scope that a handle is for. What is none fails every operation on a name.
#[derive(Clone, Debug)]
pub(crate) struct InScope(Option<Result<Scope, usize>>);

impl InScope {
    /// In none.
    pub(crate) const OUTSIDE: Self = Self(None);

    pub(crate) fn new(name: &str) -> Self {
        let scope = Scope::new(name).map_err(|_| name.len());
        Self(Some(scope))
    }

    pub(crate) fn of(scope: &Scope) -> Self {
        Self(scope.as_str().is_some().then(|| Ok(scope.clone())))
    }

    pub(crate) fn get(&self) -> Result<Scope, NameError> {
        match &self.0 {
            None => Ok(Scope::default()),
            Some(Ok(scope)) => Ok(scope.clone()),
            Some(Err(len)) => Err(NameError::Scope { len: *len }),
        }
    }

    /// The name as the whole cluster knows it.
    pub(crate) fn name(&self, name: &(impl ToName + ?Sized)) -> Result<Name, NameError> {
        match &self.0 {
            None => name.to_name(),
            Some(_) => name.to_name()?.within(&self.get()?),
        }
    }

    /// Its bytes. Outside all scopes this allocates nothing.
    pub(crate) fn bytes<'a>(&self, name: &'a (impl ToName + ?Sized)) -> Cow<'a, [u8]> {
        let bytes = name.name_bytes();
        match &self.0 {
            None => Cow::Borrowed(bytes),
            Some(Ok(scope)) if Scope::default().holds(bytes) => {
                Cow::Owned([scope.prefix(), bytes].concat())
            }
            Some(Ok(_)) => Cow::Borrowed(bytes),
            // No name has these.
            Some(Err(_)) => Cow::Borrowed(&[0xff]),
        }
    }

    /// Whether a name of the whole cluster is in it.
    pub(crate) fn holds(&self, name: &[u8]) -> bool {
        match &self.0 {
            None => Scope::default().holds(name),
            Some(Ok(scope)) => scope.holds(name),
            Some(Err(_)) => false,
        }
    }

    /// Whether this is the scope of that name, or outside all scopes where there is none.
    pub(crate) fn is(&self, scope: Option<&str>) -> bool {
        match &self.0 {
            None => scope.is_none(),
            Some(Ok(own)) => own.as_str() == scope,
            Some(Err(_)) => false,
        }
    }

    /// Its name; `None` outside all scopes.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_ref()?.as_ref().ok()?.as_str()
    }
}

/// A kind as nodes and facts know it: with its scope, where it is in one.
pub(crate) fn kind_in<'a>(scope: &Scope, kind: &'a str) -> Cow<'a, str> {
    match scope.as_str() {
        None => Cow::Borrowed(kind),
        Some(scope) => Cow::Owned(format!("{scope}\0{kind}")),
    }
}

/// The scope of such a kind, and what its worker calls it. Neither holds a zero byte.
pub(crate) fn split_kind(kind: &str) -> (Option<&str>, &str) {
    match kind.split_once('\0') {
        Some((scope, kind)) => (Some(scope), kind),
        None => (None, kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_in_a_scope_is_found_apart_again() {
        let scope = Scope::new("games").expect("a scope");
        assert_eq!(split_kind(&kind_in(&scope, "room")), (Some("games"), "room"));
        assert_eq!(split_kind(&kind_in(&Scope::default(), "room")), (None, "room"));
    }

    #[test]
    fn a_handle_for_what_is_no_scope_finds_nothing_and_says_why() {
        let handle = InScope::new("");
        assert_eq!(handle.name("x"), Err(NameError::Scope { len: 0 }));
        assert!(Name::from_bytes(&handle.bytes("x")).is_err());
        assert!(!handle.holds(b"x") && !handle.is(None) && !handle.is(Some("")));
    }

    #[test]
    fn a_name_of_another_scope_stays_there() {
        let handle = InScope::new("games");
        let other = InScope::new("other").name("x").expect("a name");
        assert_eq!(handle.name(&other).as_ref(), Ok(&other));
        assert_eq!(&*handle.bytes(&other), other.as_bytes());
        let own = handle.name("x").expect("a name");
        assert_eq!(&*handle.bytes("x"), own.as_bytes());
        assert!(handle.holds(own.as_bytes()) && !handle.holds(other.as_bytes()));
    }
}
