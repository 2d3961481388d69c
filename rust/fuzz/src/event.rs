//! Events: the input of the `stream` target.

use std::time::Duration;

use arbitrary::Arbitrary;
use steerway_engine::{Protocol, Service, TypeId};

use crate::world::AUDIENCE;

/// Names with equal canonical forms, and collections that cover others.
const NAMES: [&str; 12] = [
    "a",
    "b",
    "c",
    "*",
    "",
    "é/\u{1d11e}\u{0}",
    "xdstp://x/T/a",
    "xdstp://x/T/%61",
    "xdstp://x/T/a?k=1&j=2",
    "xdstp://x/T/a?j=2&k=1",
    "xdstp://x/T/*",
    "xdstp://x/T/*?j=2&k=1",
];

/// From every audience to that of the streams; the last one is another.
const AUDIENCES: [&str; 4] = ["", "grpc", AUDIENCE, "envoy"];

/// Scopes of resources, and grants of streams.
const SCOPES: [&str; 3] = ["", "shop/cart", "bank/vault"];
const GRANTS: [&[&str]; 4] = [&["*"], &[""], &["", "shop/*"], &["bank/vault"]];

/// A resource type.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Type(u8);

/// The name of a resource, or `*`.
#[derive(Arbitrary, Clone, Debug)]
pub enum Name {
    /// One of the known ones.
    Known(u8),
    /// Any other.
    Own(String),
}

/// An audience.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Audience(u8);

/// The scope of a resource.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Scope(u8);

/// A stream, opened before the events.
#[derive(Arbitrary, Clone, Debug)]
pub struct Opening {
    pub(crate) delta: bool,
    pub(crate) service: Option<Type>,
    pub(crate) ttl: bool,
    pub(crate) resource_in_sotw: bool,
    pub(crate) resource_errors: bool,
    grant: u8,
    /// It is classified by [`Event::Classify`], or at the end.
    pub(crate) waits: bool,
}

/// The nonce of a request.
#[derive(Arbitrary, Clone, Debug)]
pub enum Nonce {
    /// That of the last response.
    Last,
    /// None.
    Empty,
    /// A nonce of the stream, counted from the newest.
    Old(u8),
    /// Any text.
    Foreign(String),
}

/// A resource that a client announces.
#[derive(Arbitrary, Clone, Debug)]
pub enum Claim {
    /// This content of the name, with a short or a long time to live or without one.
    Content(u8, Option<bool>),
    /// A version of another server.
    Foreign(String),
}

/// One request.
#[derive(Arbitrary, Clone, Debug)]
pub struct RequestInput {
    pub(crate) type_id: Type,
    pub(crate) names: Vec<Name>,
    /// Delta only.
    pub(crate) unsubscribed: Vec<Name>,
    /// Delta only.
    pub(crate) initial: Vec<(Name, Claim)>,
    pub(crate) nonce: Nonce,
    pub(crate) error: Option<(i32, String)>,
}

/// One entry of the store changes.
#[derive(Arbitrary, Clone, Debug)]
pub enum Change {
    /// The resource exists.
    Put {
        type_id: Type,
        name: Name,
        audience: Audience,
        content: u8,
        refs: Vec<(Type, Name)>,
        scope: Scope,
        ttl: Option<bool>,
    },
    /// The resource does not exist.
    Absent(Type, Name, Audience),
    /// The store has no entry.
    Forget(Type, Name, Audience),
    /// The wildcard can be answered.
    Complete(Type, Audience),
}

/// One event.
#[derive(Arbitrary, Clone, Debug)]
pub enum Event {
    /// A client sends a request.
    Request(u8, RequestInput),
    /// A client acknowledges the oldest open response, with an unchanged subscription.
    Ack(u8, Type),
    /// The store changes.
    Commit(Vec<Change>),
    /// A stream is classified.
    Classify(u8),
    /// Time passes, in units of a quarter of a second.
    Wait(u8),
    /// A stream ends.
    Close(u8),
}

impl Type {
    pub(crate) fn id(self) -> TypeId {
        TypeId::ALL[usize::from(self.0) % TypeId::COUNT]
    }
}

impl Name {
    pub(crate) fn text(&self) -> &str {
        match self {
            Name::Known(index) => NAMES[usize::from(*index) % NAMES.len()],
            Name::Own(text) => text,
        }
    }
}

impl Audience {
    pub(crate) fn text(self) -> &'static str {
        AUDIENCES[usize::from(self.0) % AUDIENCES.len()]
    }
}

impl Scope {
    pub(crate) fn text(self) -> &'static str {
        SCOPES[usize::from(self.0) % SCOPES.len()]
    }
}

impl Opening {
    pub(crate) fn protocol(&self) -> Protocol {
        if self.delta { Protocol::Delta } else { Protocol::Sotw }
    }

    pub(crate) fn service(&self) -> Service {
        self.service.map_or(Service::Ads, |own| Service::PerType(own.id()))
    }

    pub(crate) fn grant(&self) -> &'static [&'static str] {
        GRANTS[usize::from(self.grant) % GRANTS.len()]
    }

    /// As in `Node.client_features`, without the common prefix.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let features = [
            (self.ttl, "supports-resource-ttl"),
            (self.resource_in_sotw, "resource-in-sotw"),
            (self.resource_errors, "supports-resource-errors"),
        ];
        features.into_iter().filter_map(|(enabled, feature)| enabled.then_some(feature)).collect()
    }

    /// Whether the client drops resources without heartbeats.
    pub(crate) fn supports_ttl(&self) -> bool {
        self.ttl && (self.delta || self.resource_in_sotw)
    }
}

/// A short time to live, and a long one.
pub(crate) fn ttl(long: bool) -> Duration {
    Duration::from_secs(if long { 30 } else { 3 })
}
