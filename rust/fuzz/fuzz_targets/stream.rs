//! Any sequence of requests, answers, commits and time on streams of both protocols.
//!
//! Checked on the way (here and in `World`): one response in flight per type; nonces are never used twice; names stand in a
//! response once, and in delta in one of its lists; every response is a message of its type. In the end, when all is
//! answered and nothing changes, nothing more is sent.
#![no_main]

use std::collections::HashMap;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use steerway_engine::{Protocol, TypeId};

#[path = "../../engine/tests/protocol/wire.rs"]
mod wire;
#[path = "../../engine/tests/protocol/world.rs"]
#[allow(dead_code)]
mod world;

use world::{Ask, CDS, EDS, LDS, Op, RDS, Reply, World, absent, ask, complete, forget, naming};

const TYPES: [TypeId; 4] = [CDS, EDS, LDS, RDS];
const NAMES: [&str; 8] = [
    "a",
    "b",
    "c",
    "",
    "é/?&=",
    "xdstp://authority/T/shop/a",
    "xdstp://authority/T/shop/b?k=v",
    "xdstp://authority/T/a",
];
const WIDE: [&str; 4] =
    ["*", "xdstp://authority/T/shop/*", "xdstp://authority/T/*", "xdstp://authority/T/shop/*?k=v"];
const FEATURES: [&str; 3] = ["supports-resource-ttl", "resource-in-sotw", "supports-resource-errors"];

#[derive(Arbitrary, Debug)]
enum Step {
    /// Subscribe on a stream; which names come and go is a bit each.
    Ask {
        stream: bool,
        of: u8,
        names: u16,
        gone: u16,
        nonce: Nonce,
        held: u8,
    },
    /// Answer the open response of a type.
    Answer {
        stream: bool,
        of: u8,
        refuse: bool,
    },
    Put {
        of: u8,
        name: u8,
        content: u8,
        refs: u8,
    },
    Absent {
        of: u8,
        name: u8,
    },
    Forget {
        of: u8,
        name: u8,
    },
    Complete {
        of: u8,
    },
    Wait {
        millis: u16,
    },
    Reconnect {
        stream: bool,
    },
}

#[derive(Arbitrary, Debug)]
enum Nonce {
    None,
    Open,
    Old,
    Strange,
}

struct Client {
    protocol: Protocol,
    features: u8,
    stream: usize,
    open: HashMap<TypeId, Reply>,
    names: HashMap<TypeId, Vec<&'static str>>,
}

fn chosen(bits: u16) -> Vec<&'static str> {
    NAMES
        .into_iter()
        .chain(WIDE)
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, name)| name)
        .collect()
}

fn of(number: u8) -> TypeId {
    TYPES[usize::from(number) % TYPES.len()]
}

fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}

impl Client {
    fn able(&self, ask: Ask) -> Ask {
        let bits = self.features;
        ask.able(
            &FEATURES
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| bits >> bit & 1 == 1)
                .map(|f| f.1)
                .collect::<Vec<_>>(),
        )
    }

    fn say(&mut self, world: &mut World, ask: Ask) {
        // The limits of the test's streams are wide: nothing here is a fault.
        let replies = world.say(self.stream, self.able(ask));
        self.take(replies);
    }

    fn take(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            let type_id = reply.type_id;
            assert!(self.open.insert(type_id, reply).is_none(), "two responses in flight of {type_id:?}");
        }
    }

    fn answer(&mut self, world: &mut World, type_id: TypeId, refuse: bool) {
        let Some(reply) = self.open.remove(&type_id) else { return };
        let names = match self.protocol {
            Protocol::Sotw => self.names.get(&type_id).cloned().unwrap_or_default(),
            Protocol::Delta => Vec::new(),
        };
        let said = ask(type_id, &names);
        let said = if refuse { said.nack(&reply, 3, "refused") } else { said.ack(&reply) };
        self.say(world, said);
    }
}

fn commit(world: &mut World, clients: &mut [Client], op: Op) {
    world.commit([op]);
    pump(world, clients);
}

fn pump(world: &mut World, clients: &mut [Client]) {
    for client in clients {
        let replies = world.pump(client.stream);
        client.take(replies);
    }
}

fn step(world: &mut World, clients: &mut [Client], step: &Step) {
    match *step {
        Step::Ask { stream, of: number, names, gone, ref nonce, held } => {
            let client = &mut clients[usize::from(stream)];
            let (type_id, names, gone) = (of(number), chosen(names), chosen(gone));
            let open = client.open.get(&type_id).map(|reply| reply.nonce.clone());
            // With the nonce of the open response it is an answer.
            let answers = matches!(nonce, Nonce::Open) && open.is_some();
            let nonce = match nonce {
                Nonce::None => String::new(),
                Nonce::Open => open.unwrap_or_default(),
                Nonce::Old => "000000000001".into(),
                Nonce::Strange => "of somebody else".into(),
            };
            if open_is(client, type_id, &nonce) && !answers {
                return; // An old nonce that happens to be the open one.
            }
            let mut said = ask(type_id, &names).nonce(&nonce);
            if client.protocol == Protocol::Delta {
                let held: Vec<_> =
                    NAMES.into_iter().enumerate().filter(|(bit, _)| held >> bit & 1 == 1).collect();
                said = said
                    .leave(&gone)
                    .holding(&held.iter().map(|(_, name)| (*name, "0000000000000001")).collect::<Vec<_>>());
            }
            if answers {
                client.open.remove(&type_id);
            }
            client.names.insert(type_id, names);
            client.say(world, said);
        }
        Step::Answer { stream, of: number, refuse } => {
            clients[usize::from(stream)].answer(world, of(number), refuse);
        }
        Step::Put { of: number, name: of_name, content, refs } => {
            let type_id = of(number);
            let (named, target) = match type_id {
                TypeId::Cluster => (EDS, name(refs)),
                TypeId::Listener if refs & 1 == 0 => (RDS, name(refs >> 1)),
                _ => (CDS, name(refs >> 1)),
            };
            let targets: &[&str] = if type_id == EDS { &[] } else { &[target] };
            let content = (content % 4).to_string();
            commit(world, clients, naming(type_id, name(of_name), &content, named, targets));
        }
        Step::Absent { of: number, name: of_name } => {
            commit(world, clients, absent(of(number), name(of_name)))
        }
        Step::Forget { of: number, name: of_name } => {
            commit(world, clients, forget(of(number), name(of_name)))
        }
        Step::Complete { of: number } => commit(world, clients, complete(of(number))),
        Step::Wait { millis } => {
            world.wait(Duration::from_millis(millis.into()));
            pump(world, clients);
        }
        Step::Reconnect { stream } => {
            let client = &mut clients[usize::from(stream)];
            client.stream = world.open(client.protocol);
            client.open.clear();
            client.names.clear();
        }
    }
}

fn open_is(client: &Client, type_id: TypeId, nonce: &str) -> bool {
    client.open.get(&type_id).is_some_and(|reply| reply.nonce == nonce)
}

fuzz_target!(|input: ([u8; 2], Vec<Step>)| {
    let (features, steps) = input;
    let mut world = World::default();
    let mut clients =
        [(Protocol::Sotw, features[0]), (Protocol::Delta, features[1])].map(|(protocol, features)| Client {
            protocol,
            features,
            stream: world.open(protocol),
            open: HashMap::new(),
            names: HashMap::new(),
        });
    for each in steps.iter().take(200) {
        step(&mut world, &mut clients, each);
    }
    // Each answer may bring what waited for it, and time what waited in vain; that ends.
    for _ in 0..200 {
        world.wait(world::ORDER_TIMEOUT);
        pump(&mut world, &mut clients);
        for client in &mut clients {
            for type_id in TYPES {
                client.answer(&mut world, type_id, false);
            }
        }
        if clients.iter().all(|client| client.open.is_empty()) {
            world.wait(world::ORDER_TIMEOUT);
            pump(&mut world, &mut clients);
            if clients.iter().all(|client| client.open.is_empty()) {
                return;
            }
        }
    }
    panic!("it never becomes quiet");
});
