//! The response of one type: which rules write it, and what is recorded of it.
//!
//! A state-of-the-world response for a full-state type carries the whole set (`full_state`); every other response
//! carries the names that changed or were subscribed (`by_name`).

use super::context::{Outcome, ResponseContext};
use super::{by_name, full_state};
use crate::message::{Response, ResponseBuilder};
use crate::protocol::Protocol;
use crate::watch::Watch;

/// The response that is due, if any. It counts as sent.
pub(super) fn respond(
    watch: &mut Watch,
    context: &ResponseContext<'_>,
    outcome: &mut Outcome,
) -> Option<Response> {
    if !watch.may_respond() {
        return None;
    }
    let mut builder = ResponseBuilder::new(watch.protocol, watch.supports_ttl);
    let due = match watch.protocol {
        Protocol::Sotw if watch.type_id.is_full_state() => {
            full_state::write(watch, context, &mut builder, outcome)
        }
        _ => by_name::write(watch, context, &mut builder, outcome),
    };
    let version = watch.subscription.names.version();
    due.then(|| {
        // While a response is open, only new subscriptions are answered by name; a set is always whole.
        let all = !watch.nonces.is_awaiting_ack() || !watch.subscription.names.has_dirty();
        outcome.changes = builder.take_changes();
        let carries = (builder.origin(), outcome.changes.clone());
        watch.nonces.send(context.nonce, version, carries, context.now, all);
        builder.finish(watch.type_id, &context.options.identifier, version, context.nonce)
    })
}
