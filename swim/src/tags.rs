//! Metadata as keys and values.

use crate::{Metadata, MetadataError};
use std::collections::BTreeMap;
use std::fmt;

/// What a node tells about itself, as keys with values: `role=web`. One line for each in its
/// [`Metadata`], so all of them together have at most 512 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Sets a tag.
    ///
    /// # Errors
    ///
    /// [`TagError`] for an empty key, a key with `=`, and line breaks. Nothing changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), TagError> {
        let is_right = !key.is_empty() && !key.contains('=') && !key.contains('\n');
        if !is_right || value.contains('\n') {
            return Err(TagError { key: key.to_owned() });
        }
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Takes a tag away.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All tags, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// As metadata.
    ///
    /// # Errors
    ///
    /// [`MetadataError`] where they are too long together.
    pub fn to_metadata(&self) -> Result<Metadata, MetadataError> {
        Metadata::new(self.to_string())
    }

    /// The tags in `metadata`. Lines that are none, and bytes that are no text, are left out.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let text = std::str::from_utf8(metadata.as_bytes()).unwrap_or_default();
        let tags = text.lines().filter_map(|line| line.split_once('='));
        let tags = tags.filter(|(key, _)| !key.is_empty());
        Self(tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

/// `key=value`, one for each line.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, (key, value)) in self.iter().enumerate() {
            let gap = if idx > 0 { "\n" } else { "" };
            write!(f, "{gap}{key}={value}")?;
        }
        Ok(())
    }
}

/// Which members are of interest: those that have all of some tags. The default is everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<(String, Option<String>)>);

impl Filter {
    /// Everybody.
    #[must_use]
    pub const fn all() -> Self {
        Self(Vec::new())
    }

    /// Only who has this tag with this value, too.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((key.into(), Some(value.into())));
        self
    }

    /// Only who has this tag with whatever value, too.
    #[must_use]
    pub fn has(mut self, key: impl Into<String>) -> Self {
        self.0.push((key.into(), None));
        self
    }

    /// Whether it lets everybody through.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether who tells `metadata` about itself is of interest.
    #[must_use]
    pub fn matches(&self, metadata: &Metadata) -> bool {
        if self.is_all() {
            return true;
        }
        let tags = Tags::of(metadata);
        self.0.iter().all(|(key, wanted)| {
            let value = tags.get(key);
            value.is_some() && (wanted.is_none() || value == wanted.as_deref())
        })
    }
}

/// A tag cannot be written. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tag {key:?} cannot be written: want a key without `=`, and no line breaks")]
pub struct TagError {
    /// Its key.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_way_through_metadata() {
        let mut tags = Tags::default();
        tags.set("role", "web=1").expect("fine");
        tags.set("zone", "").expect("fine");
        assert!(tags.set("a=b", "c").is_err() && tags.set("", "c").is_err());
        assert!(tags.set("a", "b\nc=d").is_err());
        let metadata = tags.to_metadata().expect("short");
        assert_eq!(Tags::of(&metadata), tags);
        assert_eq!(Tags::of(&Metadata::new([0xff, 0x3d]).expect("short")), Tags::default());
    }

    #[test]
    fn a_filter_wants_all_of_its_tags() {
        let metadata = Metadata::new("role=web\nzone=eu").expect("short");
        let check = |filter: Filter, expected| assert_eq!(filter.matches(&metadata), expected);
        check(Filter::all(), true);
        check(Filter::all().tag("role", "web").has("zone"), true);
        check(Filter::all().tag("role", "db"), false);
        check(Filter::all().has("role").has("rack"), false);
    }
}
