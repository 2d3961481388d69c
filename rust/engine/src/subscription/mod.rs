//! The subscription of one stream to one type: names, wildcard, glob collections.
//!
//! A value without I/O: it knows neither the store nor when responses go out.

mod change;
mod names;
mod state;
#[cfg(test)]
mod tests;
mod tracked;
mod wildcard;

pub(crate) use change::{Change, WildcardChange};
pub(crate) use names::Names;
pub(crate) use state::Subscription;
pub(crate) use tracked::{ClientCopy, Delivery, Held, Resend, Tracked};
