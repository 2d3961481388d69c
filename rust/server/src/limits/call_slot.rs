//! Fair shares of the calls that Python answers: each address has places and turns of its own, and cannot use those of
//! others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::limits::account::Party;
use crate::limits::limit::Limit;

/// Places of all clients. A call holds one until it is answered and Python has seen it: an answer may be many megabytes.
pub(crate) const MAX_PLACES: usize = 64;

/// Places of one address.
pub(crate) const MAX_PLACES_PER_ADDRESS: usize = MAX_PLACES / 4;

/// Why a call has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Address,
    All,
}

impl Exceeded {
    /// The limit, and the message of the status.
    pub(crate) fn described(self) -> (Limit, String) {
        match self {
            Exceeded::Address => {
                let text = format!("{MAX_PLACES_PER_ADDRESS} calls of this address wait already; try again");
                (Limit::CallsPerAddress, text)
            }
            Exceeded::All => (Limit::Calls, "too many calls wait already; try again".into()),
        }
    }
}

/// The places for calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    by_address: HashMap<Party, usize>,
}

/// A place that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: Party,
}

impl Places {
    pub(crate) fn take(self: &Arc<Places>, address: &Party) -> Result<Place, Exceeded> {
        let mut taken = self.0.lock();
        if taken.by_address.get(address).is_some_and(|own| *own >= MAX_PLACES_PER_ADDRESS) {
            return Err(Exceeded::Address);
        }
        if taken.count >= MAX_PLACES {
            return Err(Exceeded::All);
        }
        taken.count += 1;
        *taken.by_address.entry(address.clone()).or_default() += 1;
        Ok(Place { places: Arc::clone(self), address: address.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        taken.count -= 1;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// A queue for each address, so that nobody waits behind all that another one sent.
pub(crate) struct Queues {
    at_once: usize,
    most: usize,
    by_address: Mutex<HashMap<Party, Arc<Semaphore>>>,
}

/// A place in the queue of an address; it goes with the last one.
pub(crate) struct Queued<'a> {
    queues: &'a Queues,
    address: Party,
    turns: Arc<Semaphore>,
}

impl Queues {
    /// Of each address so many have their turn at once, and `most` are in its queue.
    pub(crate) fn new(at_once: usize, most: usize) -> Queues {
        Queues { at_once, most, by_address: Mutex::default() }
    }

    /// Join the queue of an address; `None` when it is full.
    pub(crate) fn join(&self, address: &Party) -> Option<Queued<'_>> {
        let mut by_address = self.by_address.lock();
        let turns =
            by_address.entry(address.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.at_once)));
        // One reference is that of the table.
        if Arc::strong_count(turns) > self.most {
            return None;
        }
        Some(Queued { queues: self, address: address.clone(), turns: Arc::clone(turns) })
    }
}

impl Queued<'_> {
    /// Wait for the turn, which lasts as long as the permit.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.turns.acquire().await
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut by_address = self.queues.by_address.lock();
        // That of the table, and this one.
        if Arc::strong_count(&self.turns) == 2 {
            by_address.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(host: &str) -> Party {
        Party::Address(host.into())
    }

    #[test]
    fn one_address_cannot_hold_all_places() {
        let places = Arc::new(Places::default());
        let mut held: Vec<Place> = Vec::new();
        while let Ok(place) = places.take(&party("greedy")) {
            held.push(place);
        }
        assert_eq!(held.len(), MAX_PLACES_PER_ADDRESS);
        assert_eq!(places.take(&party("greedy")).unwrap_err(), Exceeded::Address);
        held.push(places.take(&party("other")).unwrap());
        for host in 0..MAX_PLACES - held.len() {
            held.push(places.take(&party(&host.to_string())).unwrap());
        }
        assert_eq!(places.take(&party("late")).unwrap_err(), Exceeded::All);
        held.clear();
        assert!(places.0.lock().by_address.is_empty());
        assert!(places.take(&party("late")).is_ok());
    }

    #[tokio::test]
    async fn a_queue_has_turns_of_its_own_and_an_end() {
        let queues = Queues::new(1, 2);
        let first = queues.join(&party("greedy")).unwrap();
        let second = queues.join(&party("greedy")).unwrap();
        assert!(queues.join(&party("greedy")).is_none(), "it is full");
        let turn = first.turn().await.unwrap();
        assert!(second.turns.try_acquire().is_err(), "one at a time");
        let other = queues.join(&party("other")).unwrap();
        assert!(other.turns.try_acquire().is_ok());
        drop(turn);
        assert!(second.turn().await.is_ok());
        drop((first, second, other));
        assert!(queues.by_address.lock().is_empty());
    }
}
