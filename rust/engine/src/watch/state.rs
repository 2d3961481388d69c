//! One type on one stream: what is subscribed, what is due, what was sent. What a response holds is in `answer`.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::heartbeat::Heartbeats;
use super::nonce::{NonceKind, NonceTracker};
use super::retiring::Retiring;
use super::waiting::Waiting;
use crate::message::{Nack, Request, RequestKind, error_detail};
use crate::protocol::{Features, Protocol, TypeId};
use crate::store::Resource;
use crate::subscription::{Change, Held, Subscription, Tracked};
use crate::wire::{
    MAX_TEXT, Malformed, WILDCARD, bounded, canonical_name, fingerprint, parse_nonce, parse_version, text,
    version_text,
};

/// A wildcard that is still to be answered as a whole (delta).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// What the client does not hold.
    Missing,
    /// Everything, whatever the client holds.
    Everything,
}

/// State of one type on one stream.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) type_id: TypeId,
    pub(crate) protocol: Protocol,
    pub(crate) subscription: Subscription,
    pub(crate) nonces: NonceTracker,
    /// Hash of the last list of names (state of the world): an ACK that repeats it needs no second look.
    last_names: Option<u64>,
    /// A request with an old nonce came: what it asked for will be asked for again with the next answer.
    pub(crate) stale_request_pending: bool,
    /// An answer is owed even if it brings nothing new.
    pub(crate) response_due: bool,
    /// The set may differ from what was sent (full-state types).
    pub(crate) set_changed: bool,
    pub(crate) listing: Option<Listing>,
    /// Some name is warming, and whether the client asked again since.
    pub(crate) warming: bool,
    pub(crate) request_repeated: bool,
    /// Names that wait for other types of the stream.
    pub(crate) waiting: Waiting,
    /// Replaced or withdrawn, and the client may still use it.
    pub(crate) retiring: Retiring,
    /// The client is told of times to live.
    pub(crate) supports_ttl: bool,
    pub(crate) heartbeats: Heartbeats,
    /// The client is told why a resource is not there.
    pub(crate) supports_errors: bool,
    /// Some heartbeat is due.
    pub(crate) heartbeat_due: bool,
    /// The last time that [`Watch::on_deadline`] was called with.
    last_deadline: Option<Duration>,
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
            response_due: false,
            set_changed: false,
            listing: None,
            warming: false,
            request_repeated: false,
            waiting: Waiting::default(),
            retiring: Retiring::default(),
            supports_ttl: features.supports_ttl(protocol),
            supports_errors: features.resource_errors,
            heartbeats: Heartbeats::default(),
            heartbeat_due: false,
            last_deadline: None,
        }
    }

    /// Take a request: first what it says to the last response, then what it subscribes to. What an accepted response
    /// replaced may be in use for `patience` from now.
    pub(crate) fn on_request(
        &mut self,
        request: &Request<'_>,
        (now, timeout): (Duration, Duration),
    ) -> Result<(RequestKind, Change), Malformed> {
        let given = parse_nonce(request.nonce);
        let nonce = self.nonces.kind(request.nonce.is_empty(), given);
        let kind = match (nonce, request.error_detail, self.protocol) {
            (NonceKind::Open { .. }, None, _) => self.ack(given, now, timeout),
            (NonceKind::Open { .. }, Some(detail), _) => self.nack(given, detail, (now, timeout)),
            (NonceKind::Stale, _, Protocol::Sotw) => RequestKind::Stale,
            (NonceKind::Repeated, None, Protocol::Sotw) => {
                self.request_repeated |= self.warming;
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
        Ok((kind, change))
    }

    fn ack(&mut self, nonce: Option<u64>, now: Duration, timeout: Duration) -> RequestKind {
        let refused = self.nonces.last_nack().is_some_and(|last_nack| !last_nack.superseded);
        let resolved = nonce.and_then(|nonce| self.nonces.ack(nonce, now));
        let Some(resolved) = resolved else { return RequestKind::Subscribe };
        // A full-state response held what had been refused once more.
        let whole = self.protocol == Protocol::Sotw && self.type_id.is_full_state();
        if whole && refused {
            let accept = |tracked: &mut Tracked| (tracked.nacked, tracked.lacking) = (false, false);
            self.subscription.names.iter_mut().for_each(accept);
        }
        self.retiring.accept(resolved.nonce, whole, now + timeout, &self.subscription.names);
        RequestKind::Ack { latency: resolved.latency, change: resolved.change }
    }

    fn nack(
        &mut self,
        nonce: Option<u64>,
        detail: &[u8],
        (now, timeout): (Duration, Duration),
    ) -> RequestKind {
        let (code, message) = error_detail(detail);
        let refused = nonce.and_then(|nonce| self.nonces.nack(nonce, &message, now));
        let Some(refused) = refused else { return RequestKind::Subscribe };
        self.retiring.refuse(refused.nonce, now + timeout, &self.subscription.names);
        for tracked in self.subscription.names.iter_mut() {
            if tracked.introduced_in == refused.nonce {
                // The first that it may accept now came later, or is yet to come.
                tracked.lacking = tracked.sent_in == refused.nonce;
                tracked.introduced_in = tracked.sent_in;
            }
        }
        let version = version_text(refused.version);
        let mut nack = Nack { resources: Vec::new(), refused: 0, version, code, message };
        let mut room = MAX_TEXT;
        for tracked in self.subscription.names.iter_mut().filter(|tracked| tracked.sent_in == refused.nonce) {
            tracked.nacked = true;
            nack.refused += 1;
            let size = tracked.name.len().min(MAX_TEXT);
            if size <= room {
                nack.resources.push(if size < tracked.name.len() {
                    bounded(&tracked.name).into()
                } else {
                    Arc::clone(&tracked.name)
                });
            }
            // The first that does not fit ends the list.
            room = room.saturating_sub(size);
        }
        RequestKind::Nack(Box::new(nack))
    }

    /// "should not send a DiscoveryResponse for any DiscoveryRequest that has a stale nonce": the client will say the
    /// same once more when it answers the last response. Two things it will not say again.
    fn stale_sotw(&mut self, request: &Request<'_>) -> Result<(), Malformed> {
        let (Some(nonce), Some(last)) = (parse_nonce(request.nonce), self.nonces.last_open()) else {
            return Ok(());
        };
        if nonce >= last {
            return Ok(()); // Not one of ours.
        }
        self.request_repeated |= self.warming;
        // A full-state response that is open brings every name anyway.
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
        let wide = change.adds_implicit_names();
        if self.type_id.is_full_state() {
            self.response_due |= wide || !change.to_answer.is_empty();
        } else if wide {
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
                tracked.resend = true;
                self.subscription.names.mark_dirty(index);
            }
        }
        if change.resend_all {
            self.listing = Some(Listing::Everything);
        } else if change.adds_implicit_names() {
            // Everything may be owed already.
            self.listing.get_or_insert(Listing::Missing);
        }
        self.listing = self.listing.filter(|_| self.subscription.has_implicit_names());
        if first {
            self.note_initial_versions(request)?;
        }
        Ok(change)
    }

    /// What a reconnecting client holds is not sent again.
    fn note_initial_versions(&mut self, request: &Request<'_>) -> Result<(), Malformed> {
        for entry in request.initial_versions() {
            let (name, version) = entry?;
            let name = &*canonical_name(text(name)?);
            let swept = self.subscription.is_covered_by_wildcard(name);
            let names = &mut self.subscription.names;
            let index = match names.find(name) {
                Some(index) => index,
                None if swept => names.track(name, || name.into()),
                None => continue,
            };
            let held = parse_version(version).map(|version| Held::Version(fingerprint(name, version)));
            names.set_held(index, held.unwrap_or(Held::Other));
            if let Some(tracked) = names.get_mut(index) {
                tracked.resend = false;
            }
        }
        Ok(())
    }

    /// A name changed in the store, or (by the wildcard's name) the wildcard became answerable.
    pub(crate) fn mark_changed(&mut self, name: &Arc<str>) {
        let names = &mut self.subscription.names;
        match names.find(name) {
            Some(index) => names.mark_dirty(index),
            None if **name != *WILDCARD && self.subscription.is_covered_by_wildcard(name) => {
                let names = &mut self.subscription.names;
                let index = names.track(name, || Arc::clone(name));
                names.mark_dirty(index);
            }
            None => {}
        }
    }

    /// Resources that name some of this type were sent (see [`crate::order::warming_dependency`]). Over delta what they name is
    /// sent again at once, changed or not.
    pub(crate) fn warm(&mut self, sent: &[Arc<Resource>]) {
        if self.protocol == Protocol::Sotw {
            return self.mark_warming(sent);
        }
        let names = &mut self.subscription.names;
        let refs = sent.iter().flat_map(|resource| resource.refs());
        for (_, name) in refs.filter(|(type_id, _)| *type_id == self.type_id) {
            let index = names.find(name);
            if let Some((index, tracked)) = index.and_then(|index| Some((index, names.get_mut(index)?))) {
                tracked.resend = true;
                names.mark_dirty(index);
            }
        }
    }

    /// Endpoints of clusters that were sent: those the client holds already are warming, and it asks for them again.
    fn mark_warming(&mut self, clusters: &[Arc<Resource>]) {
        let names = &mut self.subscription.names;
        for cluster in clusters {
            // Without references nobody knows which endpoints the cluster wants: it may be any.
            let all = cluster.refs().is_empty().then(|| names.indices()).into_iter().flatten();
            let refs = cluster.refs().iter().filter(|(type_id, _)| *type_id == self.type_id);
            let named: SmallVec<[u32; 2]> = refs.filter_map(|(_, name)| names.find(name)).collect();
            for index in all.chain(named) {
                if let Some(tracked) = names.get_mut(index).filter(|tracked| tracked.is_held()) {
                    tracked.warming = true;
                    self.warming = true;
                }
            }
        }
    }

    /// Whether the client asked for this name, or for all.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.subscription.is_covered_by_wildcard(name)
            || self.tracked(name).is_some_and(|tracked| tracked.requested())
    }

    /// What it names must not be held up by it any longer: send it whatever is open.
    pub(crate) fn require(&mut self, name: &Arc<str>) {
        if self.protocol == Protocol::Sotw && self.type_id.is_full_state() {
            self.response_due = true;
        } else {
            let names = &mut self.subscription.names;
            let index = names.track(name, || Arc::clone(name));
            names.mark_urgent(index);
        }
    }

    /// What this stream sent and the client holds, of types whose resources are kept.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let sent = self.subscription.names.iter().filter(|tracked| tracked.sent_at().is_some());
        sent.filter_map(|tracked| tracked.resource.as_ref())
    }

    /// Whether the client has some version of the name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.tracked(name).is_some_and(|tracked| tracked.is_held())
    }

    /// Whether the client has some version of the name and has answered the response that brought its first one.
    pub(crate) fn has_received(&self, name: &str) -> bool {
        let tracked = self.tracked(name).filter(|tracked| tracked.is_held() && !tracked.dropped_by_client);
        tracked.is_some_and(|tracked| !self.nonces.is_open(tracked.introduced_in))
    }

    /// Whether the client has accepted some version of the name.
    pub(crate) fn has_accepted(&self, name: &str) -> bool {
        self.has_received(name) && !self.tracked(name).is_some_and(|tracked| tracked.lacking)
    }

    /// What the client accepted last under the name, where it names others.
    pub(crate) fn accepted(&self, name: &str) -> Option<&Resource> {
        self.retiring.unaccepted(name).or_else(|| self.held(name))
    }

    /// What the client was sent last under the name, where it names others.
    pub(crate) fn held(&self, name: &str) -> Option<&Resource> {
        self.tracked(name)?.resource.as_deref()
    }

    fn tracked(&self, name: &str) -> Option<&Tracked> {
        let names = &self.subscription.names;
        names.find(name).and_then(|index| names.get(index))
    }

    /// What resources name that the client holds.
    pub(crate) fn named(&self) -> impl Iterator<Item = (TypeId, &str)> {
        let held = self.subscription.names.iter().filter_map(|tracked| tracked.resource.as_ref());
        held.flat_map(|resource| resource.refs()).map(|(type_id, name)| (*type_id, &**name))
    }

    /// Something happened on the stream: have the names that wait for other types looked at again.
    pub(crate) fn recheck_waiting(&mut self) {
        self.waiting.indices().for_each(|index| self.subscription.names.mark_dirty(index));
    }

    /// Have those looked at again that have waited as long as they may.
    pub(crate) fn recheck_overdue(&mut self, now: Duration) {
        if self.waiting.is_overdue(now) {
            self.recheck_waiting();
        }
    }

    /// When [`Watch::on_deadline`] wants to be called. It was told what is before `told`: that is dealt with as soon as
    /// the client can be answered, and until then nobody needs to hear of it again.
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

    /// Whether [`Watch::respond`] may have something. New demand is answered whatever is open; all else merges until the
    /// client has answered.
    pub(crate) fn may_respond(&self) -> bool {
        let names = &self.subscription.names;
        let demand = self.response_due || self.listing.is_some() || names.has_urgent();
        let change = self.set_changed || self.request_repeated || self.heartbeat_due || names.has_dirty();
        (change && !self.nonces.is_awaiting_ack()) || (demand && !self.nonces.is_full())
    }
}
