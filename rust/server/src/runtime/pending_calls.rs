//! Calls that wait for an answer of Python: client status, and the admission of load reporters.
//!
//! They are rare: fairness and memory matter here, speed does not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tonic::Status;

use crate::limits::call_slot::{AddressQueues, CallSlots, MAX_CALL_SLOTS};
use crate::limits::client_key::ClientKey;
use crate::limits::limit::Limit;
use crate::observe::call::{Call, Caller};
use crate::observe::event::{Event, Events};
use crate::observe::limit_counters::LimitCounters;

/// Load reporters are as many as clients: this many are asked about at a time, the others wait. The remaining slots are
/// for client status.
const MAX_ADMISSIONS: usize = MAX_CALL_SLOTS / 4;

/// Admissions of one address at a time, and reporters of one address that may wait: none waits behind all those of
/// another address.
const MAX_ADMISSIONS_PER_ADDRESS: usize = MAX_ADMISSIONS / 4;
const MAX_REPORTERS_PER_ADDRESS: usize = 1024;

/// How long Python may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The calls without an answer.
pub(crate) struct PendingCalls {
    last_id: AtomicU64,
    /// Admissions of load reporters in progress.
    admissions: Semaphore,
    queues: AddressQueues,
    slots: Arc<CallSlots>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Bytes, Status>>>>,
    events: Arc<Events>,
    limits: Arc<LimitCounters>,
}

impl PendingCalls {
    pub(crate) fn new(events: Arc<Events>, limits: Arc<LimitCounters>) -> PendingCalls {
        PendingCalls {
            last_id: AtomicU64::default(),
            admissions: Semaphore::new(MAX_ADMISSIONS),
            queues: AddressQueues::new(MAX_ADMISSIONS_PER_ADDRESS, MAX_REPORTERS_PER_ADDRESS),
            slots: Arc::default(),
            waiting: Mutex::default(),
            events,
            limits,
        }
    }

    /// Ask Python whether a client may report load, and what, when its address is next.
    pub(crate) async fn admit_reporter(
        &self,
        method: &'static str,
        caller: Caller,
        message: Bytes,
    ) -> Result<Bytes, Status> {
        let address = ClientKey::of(&caller.peer);
        let Some(queue) = self.queues.join(&address) else {
            let text = format!(
                "{MAX_REPORTERS_PER_ADDRESS} load reporters of {address} already wait for admission; try again"
            );
            return Err(self.limits.refuse(Limit::CallsPerAddress, &caller.peer.address, text));
        };
        let permits = async { (queue.acquire().await, self.admissions.acquire().await) };
        match timeout(ANSWER_TIMEOUT, permits).await {
            Ok((Ok(_of_address), Ok(_of_all))) => self.ask(method, caller, message).await,
            _ => Err(timed_out()),
        }
    }

    /// Ask Python, and wait for the answer.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        caller: Caller,
        message: Bytes,
    ) -> Result<Bytes, Status> {
        let (answer, answered) = oneshot::channel();
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let slot = self.slots.take(&ClientKey::of(&caller.peer)).map(Arc::new).map_err(|exceeded| {
            let (limit, text) = exceeded.limit_and_message();
            self.limits.refuse(limit, &caller.peer.address, text)
        })?;
        self.waiting.lock().insert(id, answer);
        let _pending = PendingCall { calls: self, id };
        let call = Call { id, method, message, caller, _slot: Arc::clone(&slot) };
        self.events.push(Event::Call(Box::new(call)));
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(timed_out()),
        }
    }

    /// Hand over the answer of a call; a call that has ended is ignored.
    pub(crate) fn complete(&self, id: u64, answer: Result<Bytes, Status>) {
        if let Some(waiting) = self.waiting.lock().remove(&id) {
            // Fails only when the client is gone.
            let _ = waiting.send(answer);
        }
    }
}

/// Removes the call when it ends, with an answer or without.
struct PendingCall<'a> {
    calls: &'a PendingCalls,
    id: u64,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.calls.waiting.lock().remove(&self.id);
    }
}

fn timed_out() -> Status {
    Status::unavailable(format!("no answer within {} s; try again", ANSWER_TIMEOUT.as_secs()))
}
