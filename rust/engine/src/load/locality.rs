//! Localities of load reports.

use crate::wire::{Malformed, singular, text};

/// The locality that requests were sent to: `envoy.config.core.v3.Locality`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// `region`.
    pub region: Box<str>,
    /// `zone`.
    pub zone: Box<str>,
    /// `sub_zone`.
    pub sub_zone: Box<str>,
}

impl Locality {
    pub(crate) fn decode(message: &[u8]) -> Result<Locality, Malformed> {
        let part = |number| Ok(text(singular(message, number)?.unwrap_or_default())?.into());
        Ok(Locality { region: part(1)?, zone: part(2)?, sub_zone: part(3)? })
    }
}
