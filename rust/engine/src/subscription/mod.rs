//! What a client subscribes to, for one type on one stream.

mod names;
mod state;

pub(crate) use names::{Held, Names, Tracked};
pub(crate) use state::{Change, Subscription, WildcardChange};
