//! What can name a process.

use swarm_base::{Name, NameError};

/// Something that names a process or a group: a string, or a [`Name`]. Of any other value that
/// serde can serialize, [`Name::from_value`] makes one.
pub trait ToName {
    /// The name.
    ///
    /// # Errors
    ///
    /// [`NameError::TooLong`] above 1 KiB.
    fn to_name(&self) -> Result<Name, NameError>;

    /// Its bytes, for a lookup that allocates nothing.
    fn name_bytes(&self) -> &[u8];
}

impl ToName for Name {
    fn to_name(&self) -> Result<Name, NameError> {
        Ok(self.clone())
    }

    fn name_bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl ToName for str {
    fn to_name(&self) -> Result<Name, NameError> {
        Name::new(self)
    }

    fn name_bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl ToName for String {
    fn to_name(&self) -> Result<Name, NameError> {
        Name::new(self)
    }

    fn name_bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<T: ToName + ?Sized> ToName for &T {
    fn to_name(&self) -> Result<Name, NameError> {
        (**self).to_name()
    }

    fn name_bytes(&self) -> &[u8] {
        (**self).name_bytes()
    }
}
