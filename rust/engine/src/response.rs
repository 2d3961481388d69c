//! One encoded response: shared resource bytes between a few bytes of its own.

use bytes::Buf;

use crate::TypeId;

/// A gRPC message with its 5-byte frame prefix, as a vectored buffer: write it as it is.
///
/// Resource bytes are shared with the store and with every other receiver; nothing is copied.
#[derive(Clone, Debug)]
pub struct Response {
    type_id: TypeId,
}

impl Response {
    /// Type of the response.
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// How many resources it carries.
    pub fn resources(&self) -> usize {
        todo!()
    }

    /// How many names it reports as removed (delta only).
    pub fn removed(&self) -> usize {
        todo!()
    }

    /// All bytes, frame prefix included; does not shrink while the buffer is read.
    pub fn total_len(&self) -> usize {
        todo!()
    }
}

impl Buf for Response {
    fn remaining(&self) -> usize {
        todo!()
    }

    fn chunk(&self) -> &[u8] {
        todo!()
    }

    fn advance(&mut self, _count: usize) {
        todo!()
    }
}
