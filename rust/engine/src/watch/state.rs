//! One type on one stream: its subscription, what was sent, what is due. `stream::respond` writes the responses.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::deliveries::Deliveries;
use super::due::{Due, Listing, Warming};
use super::heartbeat::Heartbeats;
use super::nonce::{NonceKind, NonceTracker};
use super::retiring::Retiring;
use super::shortfall::Shortfall;
use super::waiting::Waiting;
use crate::message::{Nack, Request, RequestKind, error_detail};
use crate::protocol::{Features, Protocol, TypeId};
use crate::store::Resource;
use crate::subscription::{Change, ClientCopy, Held, Resend, Subscription, Tracked};
use crate::wire::{
    MAX_TEXT, Malformed, WILDCARD, bounded, canonical_name, fingerprint, parse_nonce, parse_version, text,
    version_text,
};

/// The subscriptions of a stream, by [`TypeId::index`]. Without the one that is being answered.
pub(crate) type Watches = [Option<Box<Watch>>; TypeId::COUNT];

/// State of one type on one stream.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) type_id: TypeId,
    pub(crate) protocol: Protocol,
    pub(crate) subscription: Subscription,
    pub(crate) nonces: NonceTracker,
    /// Hash of the last list of names (state of the world): an ACK that repeats it changes nothing.
    last_names: Option<u64>,
    /// A request with a stale nonce was ignored: the client repeats it with the next nonce.
    pub(crate) stale_request_pending: bool,
    pub(crate) due: Due,
    pub(crate) listing: Option<Listing>,
    pub(crate) warming: Warming,
    /// Some heartbeat is due.
    pub(crate) heartbeat_due: bool,
    /// Names that wait for other types of the stream.
    pub(crate) waiting: Waiting,
    /// Resources that were replaced or withdrawn and that the client may still use.
    pub(crate) retiring: Retiring,
    pub(crate) heartbeats: Heartbeats,
    /// The client receives times to live.
    pub(crate) supports_ttl: bool,
    /// The client receives `resource_errors`.
    pub(crate) supports_errors: bool,
    /// Argument of the last call of [`Watch::on_deadline`].
    last_deadline: Option<Duration>,
    /// Requested names without a resource, if they were counted since the last change of one.
    pub(super) shortfall: Cell<Option<Shortfall>>,
}

impl Watch {
    pub(crate) fn new(type_id: TypeId, protocol: Protocol, features: Features) -> Watch {
        Watch {
            type_id,
            protocol,
            subscription: Subscription::new(type_id.allows_wildcard()),
            nonces: NonceTracker::default(),
            last_names: None,
            stale_request_pending: false,
            due: Due::Nothing,
            listing: None,
            warming: Warming::Idle,
            heartbeat_due: false,
            waiting: Waiting::default(),
            retiring: Retiring::default(),
            heartbeats: Heartbeats::default(),
            supports_ttl: features.supports_ttl(protocol),
            supports_errors: features.resource_errors,
            last_deadline: None,
            shortfall: Cell::new(None),
        }
    }

    /// Apply a request: first its ACK or NACK, which `deliveries` counts, then its subscription. Resources that an accepted response replaced
    /// count as in use for `timeout` from `now` at most.
    pub(crate) fn on_request(
        &mut self,
        request: &Request<'_>,
        (now, timeout): (Duration, Duration),
        deliveries: &mut Deliveries,
    ) -> Result<(RequestKind, Change), Malformed> {
        let given = parse_nonce(request.nonce);
        let nonce = self.nonces.kind(request.nonce.is_empty(), given);
        let kind = match (nonce, request.error_detail, self.protocol) {
            (NonceKind::Open { .. }, None, _) => self.ack(given, (now, timeout), deliveries),
            (NonceKind::Open { .. }, Some(detail), _) => self.nack(given, detail, (now, timeout), deliveries),
            (NonceKind::Stale, _, Protocol::Sotw) => RequestKind::Stale,
            (NonceKind::Repeated, None, Protocol::Sotw) => {
                self.warming.note_repeated();
                RequestKind::Subscribe
            }
            (NonceKind::Missing, ..) | (NonceKind::Repeated, _, Protocol::Sotw) => RequestKind::Subscribe,
            // "the server must honor changes to the subscription state even if the nonce is stale"
            (NonceKind::Stale | NonceKind::Repeated, _, Protocol::Delta) => RequestKind::Stale,
        };
        if self.protocol == Protocol::Sotw
            && matches!(nonce, NonceKind::Stale | NonceKind::Open { last: false })
        {
            self.stale_sotw(request)?;
            return Ok((kind, Change::default()));
        }
        self.stale_request_pending = false;
        let mut change = match self.protocol {
            Protocol::Sotw => self.subscribe_sotw(request)?,
            Protocol::Delta => self.subscribe_delta(request)?,
        };
        for (name, held) in change.dropped.drain(..) {
            self.retiring.unsubscribe(&name, held, now + timeout);
        }
        self.waiting.retain_tracked(&self.subscription.names);
        if !change.interest.is_empty() {
            self.recount_shortfall();
        }
        Ok((kind, change))
    }

    fn ack(
        &mut self,
        nonce: Option<u64>,
        (now, timeout): (Duration, Duration),
        deliveries: &mut Deliveries,
    ) -> RequestKind {
        let nacked = self.nonces.last_nack().is_some_and(|nack| !nack.superseded);
        let acked = nonce.and_then(|nonce| self.nonces.ack(nonce, now, deliveries));
        let Some(acked) = acked else { return RequestKind::Subscribe };
        // A full-state response carries again what an earlier one carried and the client rejected.
        let whole = self.protocol == Protocol::Sotw && self.type_id.is_full_state();
        if whole && nacked {
            self.subscription.names.iter_mut().for_each(Tracked::mark_accepted);
        }
        self.retiring.accept(acked.nonce, whole, now + timeout, &self.subscription.names);
        RequestKind::Ack { latency: acked.latency, change: acked.change }
    }

    fn nack(
        &mut self,
        nonce: Option<u64>,
        detail: &[u8],
        (now, timeout): (Duration, Duration),
        deliveries: &mut Deliveries,
    ) -> RequestKind {
        let (code, message) = error_detail(detail);
        let nacked = nonce.and_then(|nonce| self.nonces.nack(nonce, &message, now, deliveries));
        let Some(nacked) = nacked else { return RequestKind::Subscribe };
        self.retiring.reject(nacked.nonce, now + timeout, &self.subscription.names);
        let version = version_text(nacked.version);
        let mut nack =
            Nack { resources: Vec::new(), refused: 0, version, code, message, change: nacked.newest_change };
        let mut room = MAX_TEXT;
        for tracked in self.subscription.names.iter_mut() {
            tracked.mark_nacked(nacked.nonce);
            if tracked.sent_in == nacked.nonce {
                nack.refused += 1;
                let size = tracked.name.len().min(MAX_TEXT);
                if size <= room {
                    let name = Arc::clone(&tracked.name);
                    nack.resources.push(if size < name.len() { bounded(&name).into() } else { name });
                }
                // The first name that does not fit ends the list.
                room = room.saturating_sub(size);
            }
        }
        RequestKind::Nack(Box::new(nack))
    }

    /// "should not send a DiscoveryResponse for any DiscoveryRequest that has a stale nonce": the client repeats its
    /// subscription when it answers the last response. It does not repeat that it dropped a name, or waits for
    /// endpoints.
    fn stale_sotw(&mut self, request: &Request<'_>) -> Result<(), Malformed> {
        let (Some(nonce), Some(last)) = (parse_nonce(request.nonce), self.nonces.last_open()) else {
            return Ok(());
        };
        if nonce >= last {
            return Ok(()); // Not a nonce of this stream.
        }
        self.warming.note_repeated();
        // A full-state response that is open carries every name anyway.
        if !self.type_id.is_full_state() {
            self.subscription.note_stale_request(request.resource_names(), nonce)?;
            self.last_names = None;
            self.stale_request_pending = true;
        }
        Ok(())
    }

    fn subscribe_sotw(&mut self, request: &Request<'_>) -> Result<Change, Malformed> {
        let names = request.names.map(xxh3_64);
        if names.is_some() && names == self.last_names {
            return Ok(Change::default());
        }
        let change = self.subscription.apply_sotw(request.resource_names())?;
        self.last_names = names;
        let adds_implicit_names = change.adds_implicit_names();
        if self.type_id.is_full_state() {
            if adds_implicit_names || !change.to_answer.is_empty() {
                self.due = Due::Response;
            }
        } else if adds_implicit_names {
            self.listing = Some(Listing::Missing);
        }
        for &index in &change.to_answer {
            self.subscription.names.mark_dirty(index);
        }
        Ok(change)
    }

    fn subscribe_delta(&mut self, request: &Request<'_>) -> Result<Change, Malformed> {
        let first = self.subscription.is_new();
        if !first && request.names.is_some_and(<[u8]>::is_empty) {
            return Ok(Change::default());
        }
        let change = self.subscription.apply_delta(request.subscribe(), request.unsubscribe())?;
        for &index in &change.to_answer {
            if let Some(tracked) = self.subscription.names.get_mut(index) {
                tracked.resend = Resend::Now;
                self.subscription.names.mark_dirty(index);
            }
        }
        if change.resend_all {
            self.listing = Some(Listing::Everything);
        } else if change.adds_implicit_names() {
            // All of it may be due already.
            self.listing.get_or_insert(Listing::Missing);
        }
        self.listing = self.listing.filter(|_| self.subscription.has_implicit_names());
        if first {
            self.note_initial_versions(request)?;
        }
        Ok(change)
    }

    /// Resources that a reconnecting client holds are not sent again.
    fn note_initial_versions(&mut self, request: &Request<'_>) -> Result<(), Malformed> {
        for entry in request.initial_versions() {
            let (name, version) = entry?;
            let name = &*canonical_name(text(name)?);
            let covered = self.subscription.is_covered_by_wildcard(name);
            let names = &mut self.subscription.names;
            let index = match names.find(name) {
                Some(index) => index,
                None if covered => names.track(name, || name.into()),
                None => continue,
            };
            let held = parse_version(version).map(|version| Held::Version(fingerprint(name, version)));
            names.set_held(index, held.unwrap_or(Held::Other));
            if let Some(tracked) = names.get_mut(index) {
                tracked.resend = Resend::No;
            }
        }
        Ok(())
    }

    /// A name changed in the store, or (with the name of the wildcard) the wildcard can now be answered. `change`: the
    /// id of the change; 0: it is not counted.
    pub(crate) fn mark_changed(&mut self, name: &Arc<str>, change: u64) {
        self.recount_shortfall();
        let names = &mut self.subscription.names;
        let index = match names.find(name) {
            Some(index) => index,
            None if **name != *WILDCARD && self.subscription.is_covered_by_wildcard(name) => {
                self.subscription.names.track(name, || Arc::clone(name))
            }
            None => return,
        };
        let names = &mut self.subscription.names;
        names.note_change(index, change);
        names.mark_dirty(index);
    }

    /// A requested name or its entry in the store changed.
    pub(crate) fn recount_shortfall(&self) {
        self.shortfall.set(None);
    }

    /// Resources that name some of this type were sent ([`TypeId::warming_dependency`]). Over delta the named resources
    /// are sent again at once, changed or not.
    pub(crate) fn warm(&mut self, sent: &[Arc<Resource>]) {
        if self.protocol == Protocol::Sotw {
            return self.mark_warming(sent);
        }
        let names = &mut self.subscription.names;
        let refs = sent.iter().flat_map(|resource| resource.refs());
        for (_, name) in refs.filter(|(type_id, _)| *type_id == self.type_id) {
            let index = names.find(name);
            if let Some((index, tracked)) = index.and_then(|index| Some((index, names.get_mut(index)?))) {
                tracked.resend = Resend::Now;
                names.mark_dirty(index);
            }
        }
    }

    /// Clusters were sent: the endpoints of them that the client holds are warming, and it requests them again.
    fn mark_warming(&mut self, clusters: &[Arc<Resource>]) {
        let names = &mut self.subscription.names;
        for cluster in clusters {
            // Without references the endpoints of the cluster are unknown: it may be any.
            let all = cluster.refs().is_empty().then(|| names.indices()).into_iter().flatten();
            let refs = cluster.refs().iter().filter(|(type_id, _)| *type_id == self.type_id);
            let named: SmallVec<[u32; 2]> = refs.filter_map(|(_, name)| names.find(name)).collect();
            for index in all.chain(named) {
                if let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.is_held()) {
                    tracked.mark_warming();
                    self.warming.begin();
                }
            }
        }
    }

    /// Whether the client subscribed to this name, or to all.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.subscription.is_covered_by_wildcard(name)
            || self.tracked(name).is_some_and(|tracked| tracked.requested())
    }

    /// Send a name even while a response is open: resources that name it waited until their deadline.
    pub(crate) fn require(&mut self, name: &Arc<str>) {
        if self.protocol == Protocol::Sotw && self.type_id.is_full_state() {
            self.due = Due::Response;
        } else {
            let names = &mut self.subscription.names;
            let index = names.track(name, || Arc::clone(name));
            names.mark_urgent(index);
        }
    }

    /// The resources that this stream sent and the client holds, of types whose resources are kept.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let sent = self.subscription.names.iter().filter(|tracked| tracked.sent_at().is_some());
        sent.filter_map(|tracked| tracked.resource.as_ref())
    }

    /// Whether the client holds some version of the name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.tracked(name).is_some_and(|tracked| tracked.is_held())
    }

    /// Whether the client holds some version of the name and has answered the response that brought its first one.
    pub(crate) fn has_received(&self, name: &str) -> bool {
        self.tracked(name).is_some_and(|tracked| self.is_received(tracked))
    }

    /// Whether the client has accepted some version of the name.
    pub(crate) fn has_accepted(&self, name: &str) -> bool {
        self.tracked(name).is_some_and(|tracked| self.is_accepted(tracked))
    }

    fn is_received(&self, tracked: &Tracked) -> bool {
        let has_copy = tracked.is_held() && tracked.copy != ClientCopy::Dropped;
        has_copy && !self.nonces.is_open(tracked.introduced_in)
    }

    fn is_accepted(&self, tracked: &Tracked) -> bool {
        tracked.copy != ClientCopy::Lacking && self.is_received(tracked)
    }

    /// The names of which the client has accepted a version with references, each with the last one.
    pub(crate) fn all_accepted(&self) -> impl Iterator<Item = (&str, &Resource)> {
        let accepted = self.subscription.names.iter().filter(|tracked| self.is_accepted(tracked));
        accepted.filter_map(|tracked| Some((&*tracked.name, self.accepted(&tracked.name)?)))
    }

    /// The resource that the client accepted last under the name, where it has references.
    pub(crate) fn accepted(&self, name: &str) -> Option<&Resource> {
        self.retiring.unaccepted(name).or_else(|| self.held(name))
    }

    /// The resource that the client was sent last under the name, where it has references.
    pub(crate) fn held(&self, name: &str) -> Option<&Resource> {
        self.tracked(name)?.resource.as_deref()
    }

    fn tracked(&self, name: &str) -> Option<&Tracked> {
        let names = &self.subscription.names;
        names.find(name).and_then(|index| names.get(index))
    }

    /// The references of the resources that the client holds.
    pub(crate) fn named(&self) -> impl Iterator<Item = (TypeId, &str)> {
        let held = self.subscription.names.iter().filter_map(|tracked| tracked.resource.as_ref());
        held.flat_map(|resource| resource.refs()).map(|(type_id, name)| (*type_id, &**name))
    }

    /// The stream changed: check the names that wait for other types again.
    pub(crate) fn recheck_waiting(&mut self) {
        self.waiting.indices().for_each(|index| self.subscription.names.mark_dirty(index));
    }

    /// Check the waiting names again when one of them has reached its deadline.
    pub(crate) fn recheck_overdue(&mut self, now: Duration) {
        if self.waiting.is_overdue(now) {
            self.recheck_waiting();
        }
    }

    /// When to call [`Watch::on_deadline`] next. Deadlines before its last call are not repeated: they take effect as
    /// soon as a response may go out.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self.waiting.deadlines().chain(self.retiring.deadlines());
        let deadlines = deadlines.chain(self.heartbeats.deadlines());
        deadlines.filter(|due| Some(*due) > self.last_deadline).min()
    }

    pub(crate) fn on_deadline(&mut self, now: Duration) {
        self.recheck_overdue(now);
        self.heartbeat_due |= self.heartbeats.deadlines().any(|due| due <= now);
        self.last_deadline = Some(now);
    }

    /// Whether there may be a response to send. New subscriptions are answered whatever response is open; all else
    /// merges until the client has answered.
    pub(crate) fn may_respond(&self) -> bool {
        let names = &self.subscription.names;
        let demand = self.due == Due::Response || self.listing.is_some() || names.has_urgent();
        let change = self.due == Due::IfChanged
            || self.warming == Warming::Repeated
            || self.heartbeat_due
            || names.has_dirty();
        (change && !self.nonces.is_awaiting_ack()) || (demand && !self.nonces.is_full())
    }
}
