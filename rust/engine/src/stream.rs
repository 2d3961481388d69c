//! The state machine of one discovery stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{Response, Status, Store, TypeId};

/// The two variants of the transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// State of the world: DiscoveryRequest and DiscoveryResponse.
    Sotw,
    /// Incremental: DeltaDiscoveryRequest and DeltaDiscoveryResponse.
    Delta,
}

/// Which types may be asked for on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Aggregated discovery: every type.
    Ads,
    /// The discovery service of one type.
    PerType(TypeId),
}

/// The client's own description, from the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `node.id`.
    pub id: Arc<str>,
    /// The serialised `envoy.config.core.v3.Node`.
    pub bytes: Bytes,
}

/// A change of what the stream is interested in, for [`crate::Interest`]. Wildcards go by [`crate::WILDCARD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterestChange {
    /// Tell the stream when this name changes.
    Subscribe(TypeId, Arc<str>),
    /// No longer.
    Unsubscribe(TypeId, Arc<str>),
}

/// A response that the client refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// The names that the refused response brought anew, changed or removed.
    pub resources: Vec<Arc<str>>,
    /// `version_info` (delta: `system_version_info`) of the refused response.
    pub version: String,
    /// `error_detail.code`.
    pub code: i32,
    /// `error_detail.message`.
    pub message: String,
}

/// What a request was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A subscription, or a change of one.
    Subscribe,
    /// The client took the response sent `latency` ago.
    Ack {
        /// Time since the response was handed out.
        latency: Duration,
    },
    /// The client refused the response.
    Nack(Box<Nack>),
    /// It carried an old nonce.
    Stale,
    /// Its type is not served; it was ignored.
    UnknownType,
}

/// What was received, for counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `None`: a type that is not served.
    pub type_id: Option<TypeId>,
    /// What the request was.
    pub kind: RequestKind,
}

/// What the transport must do after a message. Reuse one per connection: [`Effects::clear`] keeps the memory.
#[derive(Debug, Default)]
pub struct Effects {
    /// Once per stream, after its first good request: report the stream and have it classified.
    pub opened: Option<Node>,
    /// Changes for the index, in order. Empty until the stream is classified.
    pub interest: Vec<InterestChange>,
    /// What the request was.
    pub received: Option<Received>,
}

impl Effects {
    /// Forget everything.
    pub fn clear(&mut self) {
        self.opened = None;
        self.interest.clear();
        self.received = None;
    }
}

/// State of one type on one stream, for operators. Ages count from the `now` of the snapshot; `None`: never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Type of the subscription.
    pub type_id: TypeId,
    /// Whether it is a wildcard (names may stand beside it).
    pub wildcard: bool,
    /// Names asked for explicitly, sorted.
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

/// One discovery stream: what the client asked for, what it was sent, what it said to it.
///
/// The transport feeds messages and changes, and asks for responses until there are none. Times are durations
/// since the start of the engine.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// A stream on which nothing was said yet. `identifier` goes out as `control_plane.identifier`.
    pub fn new(_protocol: Protocol, _service: Service, _identifier: &Arc<str>) -> Stream {
        todo!()
    }

    /// Take one gRPC message (without frame prefix). `out` must be clear. An error ends the stream.
    pub fn on_message(&mut self, _message: &[u8], _now: Duration, _out: &mut Effects) -> Result<(), Status> {
        todo!()
    }

    /// Say whose view the client sees. Until then nothing is answered; afterwards `out.interest` holds all that
    /// was asked for so far. Only the first call counts.
    pub fn classify(&mut self, _audience: Arc<str>, _out: &mut Effects) {
        todo!()
    }

    /// The index says that this name changed ([`crate::WILDCARD`]: that wildcards may now be answered).
    pub fn mark_changed(&mut self, _type_id: TypeId, _name: &str) {
        todo!()
    }

    /// Whether [`Stream::next_response`] may have something: cheap, may be wrong in that direction only.
    pub fn may_respond(&self) -> bool {
        todo!()
    }

    /// The next response that is due, in the order of types; `None` when there is none. It counts as sent.
    pub fn next_response(&mut self, _store: &Store, _now: Duration) -> Option<Response> {
        todo!()
    }

    /// All that the index holds for this stream (to take it out when the stream ends).
    pub fn interests(&self) -> impl Iterator<Item = (TypeId, &Arc<str>)> {
        todo!();
        #[allow(unreachable_code)]
        std::iter::empty()
    }

    /// The node of the first request.
    pub fn node(&self) -> Option<&Node> {
        todo!()
    }

    /// The audience, once classified.
    pub fn audience(&self) -> Option<&Arc<str>> {
        todo!()
    }

    /// Which protocol the stream speaks.
    pub fn protocol(&self) -> Protocol {
        todo!()
    }

    /// How many names (wildcards count as one) are subscribed, per type index.
    pub fn subscribed(&self) -> [usize; TypeId::COUNT] {
        todo!()
    }

    /// State of every type that was asked for, for operators.
    pub fn snapshot(&self, _store: &Store, _now: Duration) -> Vec<SubscriptionView> {
        todo!()
    }
}
