//! What one type on one stream has to send.

/// Whether a response is due, apart from single names that must be checked or resent.
///
/// ```text
///               the set may differ (full-state types)             a request needs a response
///    Nothing ──────────────────────────────────────▶ IfChanged ────────────────────────────▶ Response
///       ▲ ▲                                              │ ▲                                    │
///       │ └────── response sent, or nothing differs ─────┘ └── response sent, some names wait ──┤
///       └───────────────────────────────── response sent ───────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Due {
    #[default]
    Nothing,
    /// Full-state types: the set may differ from the one that was sent. Waits while a response is open.
    IfChanged,
    /// A response, even if it brings nothing new. Sent also while another one is open.
    Response,
}

impl Due {
    /// The set may differ from the one that was sent.
    pub(crate) fn note_change(&mut self) {
        if *self == Due::Nothing {
            *self = Due::IfChanged;
        }
    }
}

/// State of the world: whether clients wait for endpoints of clusters that were sent again.
///
/// ```text
///    Idle ──cluster sent──▶ Waiting ──request repeats the last nonce──▶ Repeated ──endpoints sent──▶ Idle
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Warming {
    #[default]
    Idle,
    /// Some names are [`crate::subscription::Resend::WhenRepeated`].
    Waiting,
    /// The client requested them again: resend them.
    Repeated,
}

impl Warming {
    /// The client repeated its request.
    pub(super) fn note_repeated(&mut self) {
        if *self == Warming::Waiting {
            *self = Warming::Repeated;
        }
    }

    /// Names of clusters that were sent again.
    pub(super) fn begin(&mut self) {
        if *self == Warming::Idle {
            *self = Warming::Waiting;
        }
    }
}

/// A wildcard or glob collection that needs a response as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// The resources that the client does not hold.
    Missing,
    /// All resources, also those that the client holds.
    Everything,
}
