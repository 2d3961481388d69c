//! Is an assignment that a client received the one that the server had to publish?
//!
//! All clients should see equal bytes, so each distinct assignment is decoded once and compared after that.

use std::net::Ipv4Addr;

use crate::poll::monotonic_ns;
use crate::protobuf::{fields, last};

const CLUSTER_NAME: u64 = 1;

/// First byte of an endpoint's address that holds its time of publication; the other three hold the time.
const STAMPED: &str = "11.";

#[derive(Default, Clone)]
struct Known {
    bytes: Vec<u8>,
    current: bool,
    stamp: Option<u32>,
}

/// What a client received.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    pub service: usize,
    /// It is what the last change made of the service.
    pub current: bool,
    /// When the newest of its stamped endpoints was published, in `STAMP_NS` and 24 bits.
    pub stamp: Option<u32>,
}

/// What one unit of a stamp is.
pub const STAMP_NS: u64 = 100_000;

/// The time since `stamp`; stamps go round after 27 minutes.
#[must_use]
pub fn age_ns(stamp: u32, now_ns: u64) -> u64 {
    (now_ns / STAMP_NS).wrapping_sub(u64::from(stamp)) % (1 << 24) * STAMP_NS
}

/// The assignments of all services as the clients saw them last.
pub struct Assignments {
    known: Vec<Known>,
    endpoints: usize,
    address: String,
}

impl Assignments {
    #[must_use]
    pub fn new(services: usize, endpoints: usize) -> Self {
        Self { known: vec![Known::default(); services], endpoints, address: String::new() }
    }

    /// From now on these services are current only if one endpoint has `address`.
    pub fn expect(&mut self, address: &str, services: &[usize]) {
        address.clone_into(&mut self.address);
        for &service in services {
            self.known[service].current = false;
        }
    }

    /// Which service `bytes` is of, and whether it is what is expected of it.
    /// A wrong name or number of endpoints is an error at any time.
    pub fn check(&mut self, bytes: &[u8]) -> Result<Checked, String> {
        let service = service_number(last(bytes, CLUSTER_NAME)?, self.known.len())?;
        let known = &mut self.known[service];
        if known.bytes != bytes {
            let addresses = addresses(bytes)?;
            if addresses.len() != self.endpoints {
                return Err(format!(
                    "svc-{service} has {} endpoints, not {}",
                    addresses.len(),
                    self.endpoints
                ));
            }
            known.current = self.address.is_empty() || addresses.contains(&self.address.as_bytes());
            known.stamp = newest_stamp(&addresses);
            bytes.clone_into(&mut known.bytes);
        }
        Ok(Checked { service, current: known.current, stamp: known.stamp })
    }
}

fn service_number(name: &[u8], services: usize) -> Result<usize, String> {
    let name = String::from_utf8_lossy(name);
    name.strip_prefix("svc-")
        .and_then(|rest| rest.split('.').next())
        .and_then(|number| number.parse().ok())
        .filter(|&number| number < services)
        .ok_or_else(|| format!("assignment of unknown cluster {name:?}"))
}

fn newest_stamp(addresses: &[&[u8]]) -> Option<u32> {
    let now = monotonic_ns();
    let texts = addresses.iter().filter_map(|address| std::str::from_utf8(address).ok());
    let stamps = texts.filter(|text| text.starts_with(STAMPED)).filter_map(|text| {
        let address: Ipv4Addr = text.parse().ok()?;
        Some(address.to_bits() & 0xff_ffff)
    });
    stamps.min_by_key(|stamp| age_ns(*stamp, now))
}

/// ClusterLoadAssignment.endpoints.lb_endpoints.endpoint.address.socket_address.address of every endpoint.
fn addresses(assignment: &[u8]) -> Result<Vec<&[u8]>, String> {
    const ENDPOINTS: u64 = 2;
    const LB_ENDPOINTS: u64 = 2;
    const ENDPOINT: u64 = 1;
    const ADDRESS: u64 = 1;
    const SOCKET_ADDRESS: u64 = 1;
    const SOCKET_ADDRESS_ADDRESS: u64 = 2;
    let mut stamps = Vec::new();
    fields(assignment, ENDPOINTS, |locality| {
        fields(locality, LB_ENDPOINTS, |lb_endpoint| {
            let address = last(last(lb_endpoint, ENDPOINT)?, ADDRESS)?;
            stamps.push(last(last(address, SOCKET_ADDRESS)?, SOCKET_ADDRESS_ADDRESS)?);
            Ok(())
        })
    })?;
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::put;

    fn wrap(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, number, inner);
        out
    }

    fn assignment(name: &str, addresses: &[&str]) -> Vec<u8> {
        let lb_endpoint =
            |address: &&str| wrap(2, &wrap(1, &wrap(1, &wrap(1, &wrap(2, address.as_bytes())))));
        let locality: Vec<u8> = addresses.iter().flat_map(lb_endpoint).collect();
        [wrap(1, name.as_bytes()), wrap(2, &locality)].concat()
    }

    #[test]
    fn only_the_assignment_with_the_new_address_is_current() {
        let mut assignments = Assignments::new(2, 2);
        let old = assignment("svc-1.bench:1", &["10.0.0.1", "10.0.0.2"]);
        let new = assignment("svc-1.bench:1", &["10.0.0.1", "10.9.9.9"]);
        let seen = |current| Ok(Checked { service: 1, current, stamp: None });
        assert_eq!(assignments.check(&old), seen(true));
        assignments.expect("10.9.9.9", &[1]);
        assert_eq!(assignments.check(&old), seen(false));
        assert_eq!(assignments.check(&new), seen(true));
        assert_eq!(assignments.check(&old), seen(false));
    }

    #[test]
    fn a_stamped_address_holds_its_time_of_publication() {
        let units = monotonic_ns() / STAMP_NS;
        let stamp = |ago| Ipv4Addr::from_bits(11 << 24 | (units - ago) as u32 & 0xff_ffff).to_string();
        let (older, newer) = (stamp(9000), stamp(500));
        let bytes = assignment("svc-0.bench:1", &[&older, &newer]);
        let stamps = Assignments::new(1, 2).check(&bytes).unwrap().stamp.unwrap();
        assert_eq!(stamps, newer.parse::<Ipv4Addr>().unwrap().to_bits() & 0xff_ffff);
        assert_eq!(age_ns(0xff_fffe, 5 * STAMP_NS), 7 * STAMP_NS, "round the end");
    }

    #[test]
    fn a_missing_endpoint_or_a_foreign_name_is_an_error() {
        let mut assignments = Assignments::new(2, 2);
        assert!(assignments.check(&assignment("svc-1.bench:1", &["10.0.0.1"])).is_err());
        assert!(assignments.check(&assignment("svc-2.bench:1", &["10.0.0.1", "10.0.0.2"])).is_err());
    }
}
