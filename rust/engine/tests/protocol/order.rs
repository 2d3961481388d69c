//! "Make-before-break inside a commit … CDS → EDS → LDS → RDS for what is added or changed; references are removed
//! first (RDS/LDS), and a cluster (and its assignment) leaves only after the routes that named it were ACKed or a
//! timeout passed." (xDS REST and gRPC protocol: Eventual consistency considerations.)

use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::TypeId;

use crate::world::{
    CDS, EDS, LDS, MAKE_BEFORE_BREAK_TIMEOUT, NOTHING, Op, RDS, Reply, Request, World, absent, cluster,
    complete, forget, naming, put, request,
};

/// A proxy: it subscribes to all clusters and listeners and to the names in them, and answers when the test calls for
/// it.
struct Proxy {
    world: World,
    stream: usize,
    protocol: Protocol,
    /// Endpoints that it subscribed to.
    endpoints: Vec<String>,
    /// Responses that it has not answered.
    open: Vec<Reply>,
    /// The replies since they were last taken, in order.
    got: Vec<String>,
}

impl Proxy {
    fn send(&mut self, request: Request) {
        let replies = self.world.send(self.stream, request);
        self.note(replies);
    }

    fn note(&mut self, replies: Vec<Reply>) {
        let text = |reply: &Reply| format!("{:?} {}", reply.type_id, reply.text()).trim_end().to_owned();
        self.got.extend(replies.iter().map(text));
        self.open.extend(replies);
    }

    /// Take the replies.
    fn got(&mut self) -> Vec<String> {
        std::mem::take(&mut self.got)
    }

    fn commit(&mut self, ops: impl IntoIterator<Item = Op>) -> Vec<String> {
        let replies = self.world.change(self.stream, ops);
        self.note(replies);
        self.got()
    }

    fn wait(&mut self, time: Duration) -> Vec<String> {
        self.world.wait(time);
        let replies = self.world.pump(self.stream);
        self.note(replies);
        self.got()
    }

    /// Answer the open response of a type. Returns the replies.
    fn ack(&mut self, type_id: TypeId) -> Vec<String> {
        let index = self.open.iter().position(|reply| reply.type_id == type_id).expect("something to answer");
        let reply = self.open.remove(index);
        if type_id == CDS {
            // Proxies subscribe to the endpoints of new clusters before they accept the clusters.
            let clusters = reply.resources.keys();
            let new: Vec<String> = clusters.filter(|name| !self.endpoints.contains(name)).cloned().collect();
            self.endpoints.extend(new.iter().cloned());
            let names = if self.protocol == Sotw { &self.endpoints } else { &new };
            let names: Vec<String> = names.clone();
            if !new.is_empty() {
                self.send(request(EDS, &names.iter().map(String::as_str).collect::<Vec<_>>()));
            }
        }
        let names: Vec<&str> = match (self.protocol, type_id) {
            (Sotw, EDS) => self.endpoints.iter().map(String::as_str).collect(),
            (Sotw, RDS) => vec!["r"],
            _ => vec![],
        };
        let ack = request(type_id, &names).ack(&reply);
        self.send(ack);
        self.got()
    }

    fn finish(&mut self) {
        while let Some(reply) = self.open.first() {
            self.ack(reply.type_id);
        }
    }
}

fn route(content: &str, clusters: &[&str]) -> Op {
    naming(RDS, "r", content, CDS, clusters)
}

fn served(name: &str) -> [Op; 2] {
    [cluster(name, "1", name), put(EDS, name, "1")]
}

fn withdrawn(name: &str) -> [Op; 2] {
    [forget(CDS, name), absent(EDS, name)]
}

/// A proxy with a listener whose route goes to the cluster `old`.
fn proxy(protocol: Protocol) -> Proxy {
    let mut world = World::serving(
        [complete(CDS), complete(LDS), naming(LDS, "l", "1", RDS, &["r"]), route("1", &["old"])]
            .into_iter()
            .chain(served("old")),
    );
    let stream = world.open(protocol);
    let mut proxy =
        Proxy { world, stream, protocol, endpoints: Vec::new(), open: Vec::new(), got: Vec::new() };
    for first in [request(CDS, &[]), request(LDS, &[]), request(RDS, &["r"])] {
        proxy.send(first);
        proxy.finish();
    }
    assert_eq!(proxy.got(), NOTHING, "all of it was looked at");
    proxy
}

/// The expectation for sets (SotW), and for changes (delta).
fn by<const N: usize>(protocol: Protocol, sotw: [&str; N], delta: [&str; N]) -> [String; N] {
    (if protocol == Sotw { sotw } else { delta }).map(str::to_owned)
}

#[test]
fn a_route_follows_its_new_cluster_and_precedes_the_removal_of_the_old_one() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        let swap = served("new").into_iter().chain(withdrawn("old")).chain([route("2", &["new"])]);
        let made = by(protocol, ["Cluster new=1 old=1"], ["Cluster new=1"]);
        assert_eq!(proxy.commit(swap), made, "{protocol:?}: the old cluster stays");
        assert_eq!(proxy.ack(CDS), ["Endpoint new=1"], "{protocol:?}: the route waits for the endpoints");
        assert_eq!(proxy.ack(EDS), ["Route r=2"]);
        let broken: &[&str] = if protocol == Sotw { &["Cluster new=1"] } else { &["Cluster -old"] };
        assert_eq!(proxy.ack(RDS), broken, "{protocol:?}: now that no route names it");
        let gone: &[&str] = if protocol == Sotw { &[] } else { &["Endpoint -old"] };
        assert_eq!(proxy.ack(CDS), gone, "{protocol:?}: the assignment goes last");
        proxy.finish();
        assert_eq!((proxy.got(), proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT * 3)), (vec![], vec![]));
    }
}

#[test]
fn waits_end_with_the_timeout() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        let swap = served("new").into_iter().chain(withdrawn("old")).chain([route("2", &["new"])]);
        proxy.commit(swap);
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT - Duration::from_millis(1)), NOTHING);
        let late: &[&str] = if protocol == Sotw { &["Route r=2"] } else { &["Endpoint -old", "Route r=2"] };
        assert_eq!(proxy.wait(Duration::from_millis(1)), late, "the response with the cluster is still open");
        let mut got = proxy.ack(CDS);
        got.sort_unstable();
        assert_eq!(
            got,
            by(protocol, ["Cluster new=1", "Endpoint new=1"], ["Cluster -old", "Endpoint new=1"])
        );
    }
}

/// "After `make_before_break_timeout` no route may name a cluster that this client was not sent": the cluster is
/// sent first then, even while a response is open, and all other changes go on waiting.
#[test]
fn after_the_timeout_a_route_is_sent_after_its_cluster() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        let made = by(protocol, ["Cluster old=2"], ["Cluster old=2"]);
        assert_eq!(proxy.commit([cluster("old", "2", "old")])[..1], made, "and the proxy does not accept it");
        let next = served("new").into_iter().chain(served("other")).chain([route("2", &["new"])]);
        assert_eq!(proxy.commit(next), NOTHING);
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT - Duration::from_millis(1)), NOTHING);
        let both = by(protocol, ["Cluster new=1 old=2 other=1", "Route r=2"], ["Cluster new=1", "Route r=2"]);
        assert_eq!(proxy.wait(Duration::from_millis(1)), both, "{protocol:?}");
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT * 2), NOTHING);
    }
}

/// Resources in use stay until the proxy has answered when new clusters are sent while a response is open.
#[test]
fn a_set_sent_while_another_is_open_removes_nothing_in_use() {
    let mut proxy = proxy(Sotw);
    proxy.commit([put(CDS, "idle", "1")]);
    let swap = served("new").into_iter().chain(withdrawn("old")).chain([route("2", &["new"])]);
    assert_eq!(proxy.commit(swap), NOTHING);
    assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT), ["Cluster idle=1 new=1 old=1", "Route r=2"]);
    proxy.ack(RDS);
    proxy.open.remove(0);
    assert_eq!(proxy.ack(CDS), ["Endpoint new=1"], "the new route may wait for it");
    assert_eq!(proxy.ack(EDS), ["Cluster idle=1 new=1"]);
}

/// Neither does one whose withdrawal has waited long enough by then: the route that names it may still be in use.
#[test]
fn a_set_sent_while_another_is_open_ends_no_wait() {
    let mut proxy = proxy(Sotw);
    assert_eq!(proxy.commit(withdrawn("old")), NOTHING);
    assert_eq!(proxy.commit(served("idle")), ["Cluster idle=1 old=1"]);
    assert_eq!(proxy.commit(served("new").into_iter().chain([route("2", &["new"])])), NOTHING);
    assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT), ["Cluster idle=1 new=1 old=1", "Route r=2"]);
    proxy.finish();
    assert_eq!(proxy.commit([put(CDS, "idle", "2")]), ["Cluster idle=2 new=1"]);
}

/// A cluster that cannot be sent yet delays its route without limit.
#[test]
fn a_route_waits_longer_for_a_cluster_that_cannot_be_sent() {
    // The proxy subscribes to a wildcard that is not complete.
    let mut world = World::serving([route("1", &["a"])].into_iter().chain(served("a")));
    let stream = world.open(Delta);
    assert!(world.send(stream, request(CDS, &[])).is_empty());
    assert!(world.send(stream, request(RDS, &["r"])).is_empty());
    world.wait(MAKE_BEFORE_BREAK_TIMEOUT);
    assert!(world.pump(stream).is_empty());
    world.now += MAKE_BEFORE_BREAK_TIMEOUT;
    assert!(world.send(stream, request(LDS, &["l"])).is_empty());
    assert_eq!(world.stream(stream).next_deadline(), None, "time changes nothing any more");
    let replies = world.change(stream, [complete(CDS)]);
    assert_eq!(replies.iter().map(Reply::text).collect::<Vec<_>>(), ["a=1", "r=1"]);
}

#[test]
fn a_rejected_route_keeps_its_cluster_until_one_is_accepted() {
    let mut proxy = proxy(Delta);
    proxy.commit(withdrawn("old").into_iter().chain([route("2", &[])]));
    let refused = proxy.open.remove(0);
    assert_eq!(refused.type_id, RDS);
    proxy.send(request(RDS, &[]).nack(&refused, 3, "no"));
    assert_eq!(proxy.got(), NOTHING, "the client still uses the route that it had");
    assert_eq!(proxy.commit([route("3", &[])]), ["Route r=3"]);
    assert_eq!(proxy.ack(RDS), ["Cluster -old"]);
}

#[test]
fn no_resource_waits_for_one_without_a_subscription() {
    // A proxyless client learns the cluster from the route.
    let mut world = World::serving([route("1", &["a"])].into_iter().chain(served("a")));
    let stream = world.open(Sotw);
    let first = world.answer(stream, request(RDS, &["r"]));
    world.send(stream, request(RDS, &["r"]).ack(&first));
    let clusters = world.answer(stream, request(CDS, &["a"]));
    world.send(stream, request(CDS, &["a"]).ack(&clusters));
    let both = world.change(stream, [route("2", &["a", "b"])].into_iter().chain(served("b")));
    assert_eq!(both.iter().map(Reply::text).collect::<Vec<_>>(), ["r=2"]);
}

#[test]
fn a_change_of_endpoints_delays_no_route() {
    let mut proxy = proxy(Sotw);
    assert_eq!(proxy.commit([put(EDS, "old", "2")]), ["Endpoint old=2"]);
    assert_eq!(proxy.commit([route("2", &["old"])]), ["Route r=2"], "the client has the cluster");
}

#[test]
fn a_cluster_added_again_in_time_is_not_removed() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        assert_eq!(proxy.commit(withdrawn("old")), NOTHING, "a route names it");
        assert_eq!(proxy.commit(served("old")), NOTHING);
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT * 2), NOTHING);
        assert_eq!(proxy.commit(withdrawn("old")), NOTHING, "its time starts anew");
    }
}

#[test]
fn a_deleted_service_is_removed_from_the_listener_down() {
    let mut proxy = proxy(Delta);
    let all = [forget(LDS, "l"), absent(RDS, "r")].into_iter().chain(withdrawn("old"));
    assert_eq!(proxy.commit(all), ["Listener -l"]);
    assert_eq!(proxy.ack(LDS), ["Route -r"]);
    assert_eq!(proxy.ack(RDS), ["Cluster -old"]);
    assert_eq!(proxy.ack(CDS), ["Endpoint -old"]);
    proxy.finish();
    assert_eq!((proxy.got(), proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT * 2)), (vec![], vec![]));
}

#[test]
fn a_listener_with_routes_in_it_waits_for_their_clusters() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        let inline = naming(LDS, "m", "1", CDS, &["new"]);
        let made = by(protocol, ["Cluster new=1 old=1"], ["Cluster new=1"]);
        assert_eq!(proxy.commit(served("new").into_iter().chain([inline])), made);
        assert_eq!(proxy.ack(CDS), ["Endpoint new=1"]);
        let listeners = by(protocol, ["Listener l=1 m=1"], ["Listener m=1"]);
        assert_eq!(proxy.ack(EDS), listeners);
    }
}

/// The deadline of an unsubscribed route must not apply to the next one.
#[test]
fn an_unsubscribed_name_does_not_wait() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        proxy.commit(served("new").into_iter().chain([route("2", &["new"])]));
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT - Duration::from_secs(1)), NOTHING);
        proxy.send(if protocol == Sotw { request(RDS, &[]) } else { request(RDS, &[]).unsubscribe(&["r"]) });
        proxy.commit([naming(RDS, "s", "1", CDS, &["new"])]);
        proxy.send(request(RDS, &["s"]));
        assert_eq!((proxy.got(), proxy.wait(Duration::from_secs(2))), (vec![], vec![]), "{protocol:?}");
        assert_eq!(proxy.wait(MAKE_BEFORE_BREAK_TIMEOUT), ["Route s=1"]);
    }
}

/// Resources in use keep what they name; an unsubscribed route is not in use.
#[test]
fn an_unsubscribed_route_keeps_no_cluster() {
    for protocol in [Sotw, Delta] {
        let mut proxy = proxy(protocol);
        proxy.commit(served("new").into_iter().chain([route("2", &["new"])]));
        proxy.ack(CDS);
        assert_eq!(proxy.ack(EDS), ["Route r=2"]);
        // The client does not answer the new route.
        proxy.send(if protocol == Sotw { request(RDS, &[]) } else { request(RDS, &[]).unsubscribe(&["r"]) });
        let gone = proxy.commit(withdrawn("old"));
        let expected = by(protocol, ["Cluster new=1"], ["Cluster -old"]);
        assert_eq!(gone[..1], expected, "{protocol:?}");
    }
}

/// A resource that the client announced with its current version counts like one that the stream sent.
#[test]
fn resources_of_a_reconnecting_client_keep_what_they_name() {
    let mut proxy = proxy(Delta);
    proxy.stream = proxy.world.open(Delta);
    for (type_id, name, asked) in [(CDS, "old", ""), (EDS, "old", "old"), (LDS, "l", ""), (RDS, "r", "r")] {
        let other = proxy.world.open(Delta);
        let seen = proxy.world.answer(other, request(type_id, &[name]));
        let names: &[&str] = if asked.is_empty() { &[] } else { &[asked] };
        proxy.send(request(type_id, names).with_initial(&[(name, &seen.versions[name])]));
    }
    let empty = proxy.open.iter().all(|reply| reply.resources.is_empty());
    assert!(empty, "the wildcards are answered, and that is all");
    proxy.finish();
    let changed = withdrawn("old").into_iter().chain([route("2", &[])]);
    assert_eq!(proxy.commit(changed), ["Route r=2"]);
    assert_eq!(proxy.ack(RDS), ["Cluster -old"]);
}

/// State of the world: a request that crosses a response has a stale nonce, and its names are ignored
/// until that response is answered. The client will have it all the same.
#[test]
fn a_route_waits_for_endpoints_subscribed_while_a_response_was_open() {
    let mut proxy = proxy(Sotw);
    proxy.commit([put(EDS, "old", "2")]);
    let before = proxy.open[0].nonce.clone();
    proxy.finish();
    let changed = served("new").into_iter().chain([put(EDS, "old", "3"), route("2", &["new"])]);
    assert_eq!(proxy.commit(changed), ["Cluster new=1 old=1", "Endpoint old=3"]);
    // The proxy has read the clusters only, and subscribes to the endpoints of the new one.
    proxy.send(request(EDS, &["old", "new"]).nonce(&before));
    let clusters = proxy.open.remove(0);
    proxy.send(request(CDS, &[]).ack(&clusters));
    assert_eq!(proxy.got(), NOTHING, "the route waits");
    proxy.endpoints.push("new".into());
    assert_eq!(proxy.ack(EDS), ["Endpoint new=1"]);
    assert_eq!(proxy.ack(EDS), ["Route r=2"]);
}
