//! The names of one process: mostly one.

use swarm_base::{Index, Name};

/// Names, each once. One of them takes no memory of its own; many are found by their hash.
#[derive(Debug, Default)]
pub(crate) enum Few {
    #[default]
    None,
    One(Name),
    Many(Box<Index<Name, ()>>),
}

impl Few {
    pub(crate) fn insert(&mut self, name: Name) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(name),
            Self::One(one) if one == name => Self::One(one),
            Self::One(one) => Self::Many(Box::new([(one, ()), (name, ())].into_iter().collect())),
            Self::Many(mut many) => {
                many.insert(name, ());
                Self::Many(many)
            }
        };
    }

    pub(crate) fn remove(&mut self, name: &Name) {
        match self {
            Self::One(one) if one == name => *self = Self::None,
            Self::None | Self::One(_) => (),
            Self::Many(many) => {
                many.swap_remove(name);
                if many.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Name> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(one) => (Some(one), None),
            Self::Many(many) => (None, Some(many.keys())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn each_name_is_there_once_until_it_is_removed() {
        let mut few = Few::default();
        for text in ["a", "a", "b", "c", "b"] {
            few.insert(name(text));
        }
        assert_eq!(few.iter().count(), 3);
        few.remove(&name("b"));
        few.remove(&name("nobody's"));
        assert_eq!(few.iter().cloned().collect::<Vec<_>>(), [name("a"), name("c")]);
        few.remove(&name("a"));
        few.remove(&name("c"));
        assert!(few.is_empty());
    }
}
