//! Is an assignment that a client received the one that the server was told to publish?
//!
//! All clients should see equal bytes, so each distinct assignment is decoded once and compared after that.

use crate::protobuf::{each, last};

const CLUSTER_NAME: u64 = 1;

#[derive(Default, Clone)]
struct Known {
    bytes: Vec<u8>,
    current: bool,
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

    /// Whether `bytes` is what is expected of its service, and which service that is.
    /// A wrong name or number of endpoints is an error at any time.
    pub fn check(&mut self, bytes: &[u8]) -> Result<(usize, bool), String> {
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
            bytes.clone_into(&mut known.bytes);
        }
        Ok((service, known.current))
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

/// ClusterLoadAssignment.endpoints.lb_endpoints.endpoint.address.socket_address.address of every endpoint.
fn addresses(assignment: &[u8]) -> Result<Vec<&[u8]>, String> {
    const ENDPOINTS: u64 = 2;
    const LB_ENDPOINTS: u64 = 2;
    const ENDPOINT: u64 = 1;
    const ADDRESS: u64 = 1;
    const SOCKET_ADDRESS: u64 = 1;
    const SOCKET_ADDRESS_ADDRESS: u64 = 2;
    let mut found = Vec::new();
    each(assignment, ENDPOINTS, |locality| {
        each(locality, LB_ENDPOINTS, |lb_endpoint| {
            let address = last(last(lb_endpoint, ENDPOINT)?, ADDRESS)?;
            found.push(last(last(address, SOCKET_ADDRESS)?, SOCKET_ADDRESS_ADDRESS)?);
            Ok(())
        })
    })?;
    Ok(found)
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
        assert_eq!(assignments.check(&old), Ok((1, true)));
        assignments.expect("10.9.9.9", &[1]);
        assert_eq!(assignments.check(&old), Ok((1, false)));
        assert_eq!(assignments.check(&new), Ok((1, true)));
        assert_eq!(assignments.check(&old), Ok((1, false)));
    }

    #[test]
    fn a_missing_endpoint_or_a_foreign_name_is_an_error() {
        let mut assignments = Assignments::new(2, 2);
        assert!(assignments.check(&assignment("svc-1.bench:1", &["10.0.0.1"])).is_err());
        assert!(assignments.check(&assignment("svc-2.bench:1", &["10.0.0.1", "10.0.0.2"])).is_err());
    }
}
