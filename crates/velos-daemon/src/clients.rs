//! Who is connected, what they wait for, and who follows the events.

use std::collections::BTreeMap;

use velos_core::instance::InstanceId;
use velos_ffi::Reactor;
use velos_supervisor::Ticket;

use crate::feed::Feed;

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) uid: u32,
    pub(crate) pid: i32,
    /// What it calls itself; empty before `hello`.
    pub(crate) name: String,
    /// It said `hello` in a version we speak.
    pub(crate) greeted: bool,
    pub(crate) subscription: Option<Subscription>,
}

/// A client that follows what happens.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Only these; empty: all.
    pub(crate) instances: Vec<InstanceId>,
    /// As they were named; those that are added later may be meant, too.
    pub(crate) targets: Vec<String>,
    /// The newest event that was queued for it.
    pub(crate) sent: u64,
    /// Its queue was full: it gets what is still kept once it has read, and a count of the rest.
    pub(crate) behind: bool,
    /// Whether it wants events.
    pub(crate) events: bool,
    /// What else it wants.
    pub(crate) feed: Feed,
}

/// A request that is answered later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) client: u64,
    pub(crate) message: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    pub(crate) connected: BTreeMap<u64, Client>,
    waiting: BTreeMap<Ticket, Waiting>,
    next_ticket: u64,
}

impl Clients {
    pub(crate) fn opened(&mut self, client: u64, uid: u32, pid: i32) {
        let new = Client { uid, pid, name: String::new(), greeted: false, subscription: None };
        self.connected.insert(client, new);
    }

    pub(crate) fn closed(&mut self, client: u64) {
        self.connected.remove(&client);
        // What it asked for is done all the same; only the answer has nobody to go to.
        self.waiting.retain(|_, waiting| waiting.client != client);
    }

    /// A name for what this client is about to ask.
    pub(crate) fn ticket(&mut self, client: u64, message: u32) -> Ticket {
        let ticket = self.internal_ticket();
        self.waiting.insert(ticket, Waiting { client, message });
        ticket
    }

    /// A ticket that nobody waits for.
    pub(crate) fn internal_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    pub(crate) fn settle(&mut self, ticket: Ticket) -> Option<Waiting> {
        self.waiting.remove(&ticket)
    }

    /// How a client is named in events.
    pub(crate) fn describe(&self, client: u64) -> String {
        match self.connected.get(&client) {
            Some(Client { uid, pid, name, .. }) => format!("{name} uid={uid} pid={pid}"),
            None => "unknown".to_owned(),
        }
    }

    /// Let everybody read what is queued, then hang up.
    pub(crate) fn close_all(&mut self, reactor: &mut Reactor) {
        for client in self.connected.keys() {
            // One that is gone already is closed.
            let _ = reactor.ipc_close(*client, true);
        }
        self.connected.clear();
    }
}
