//! What clients may use: rates, quotas, memory and CPU budgets, connection and call slots.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod call_slot;
pub(crate) mod client_key;
pub(crate) mod connection_slot;
pub(crate) mod control_frames;
pub(crate) mod identity;
pub(crate) mod limit;
pub(crate) mod open_files;
pub(crate) mod quota;
pub(crate) mod rate;
