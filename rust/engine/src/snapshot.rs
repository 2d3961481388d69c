//! How one type on one stream looks to operators.

use std::sync::Arc;
use std::time::Duration;

use crate::resource::version_text;
use crate::watch::{View, Watch};
use crate::xdstp::is_collection;
use crate::{Lookup, TypeId, wildcard_name};

/// State of one type on one stream, for operators. Ages count from the `now` of the snapshot; `None`: never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Type of the subscription.
    pub type_id: TypeId,
    /// Whether it is a wildcard (names may stand beside it).
    pub wildcard: bool,
    /// Names and glob collections asked for explicitly, sorted.
    pub names: Vec<Arc<str>>,
    /// Those of them (and "*") that nobody has answered yet, sorted.
    pub waiting: Vec<Arc<str>>,
    /// Version of the last response; "" when there was none.
    pub version_sent: String,
    /// Version of the last response that was ACKed; "" when there was none.
    pub version_acked: String,
    /// Time since the last response.
    pub sent_age: Option<Duration>,
    /// Time since the last ACK.
    pub acked_age: Option<Duration>,
    /// Version of the last response that was refused; "" when none was.
    pub nack_version: String,
    /// Text of the last NACK; "" once a later response was ACKed.
    pub nack_message: String,
    /// Time since the last NACK.
    pub nack_age: Option<Duration>,
}

impl SubscriptionView {
    pub(crate) fn new(
        watch: &Watch,
        view: Option<View<'_>>,
        type_id: TypeId,
        now: Duration,
    ) -> SubscriptionView {
        let subscription = &watch.subscription;
        let mut names: Vec<Arc<str>> = subscription.interests().cloned().collect();
        names.sort_unstable();
        // A stream without an audience has no answers at all.
        let unanswered = |name: &str| {
            view.is_none_or(|view| match is_collection(name) {
                true => !view.is_complete(),
                false => matches!(view.lookup(name), Lookup::Unanswered),
            })
        };
        let mut waiting: Vec<Arc<str>> = names.iter().filter(|name| unanswered(name)).cloned().collect();
        if subscription.wildcard() && view.is_none_or(|view| !view.is_complete()) {
            waiting.insert(0, Arc::clone(wildcard_name()));
        }
        let exchange = &watch.exchange;
        let version =
            |of: Option<(u64, Duration)>| of.map_or(String::new(), |(version, _)| version_text(version));
        let age = |of: Option<(u64, Duration)>| of.map(|(_, at)| now.saturating_sub(at));
        let refusal = exchange.refusal();
        SubscriptionView {
            type_id,
            wildcard: subscription.wildcard(),
            names,
            waiting,
            version_sent: version(exchange.sent()),
            version_acked: version(exchange.acked()),
            sent_age: age(exchange.sent()),
            acked_age: age(exchange.acked()),
            nack_version: version(refusal.map(|refusal| (refusal.version, refusal.at))),
            nack_message: refusal.map_or(String::new(), |refusal| refusal.message.clone()),
            nack_age: age(refusal.map(|refusal| (refusal.version, refusal.at))),
        }
    }
}
