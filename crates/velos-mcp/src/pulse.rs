//! When it is worth looking again: something happened, or a log has grown.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use velos_client::Home;
use velos_client::live::Updates;
use velos_core::live::{Kind, SubscribeParams};

use crate::toolbox::CLIENT_NAME;

/// Beats as the daemon tells of something; also when it comes and goes.
#[derive(Debug)]
pub(crate) struct Pulse {
    home: Home,
    updates: Option<Updates>,
    has_logs: bool,
}

impl Pulse {
    /// It begins with the first [`Pulse::of_logs`].
    pub(crate) fn new(home: &Home) -> Self {
        Self { home: home.clone(), updates: None, has_logs: false }
    }

    /// Whether growing logs are something, too.
    pub(crate) fn of_logs(&mut self, has_logs: bool) {
        if self.updates.is_some() && self.has_logs == has_logs {
            return;
        }
        let kinds = if has_logs { vec![Kind::Events, Kind::Logs] } else { vec![Kind::Events] };
        let params = SubscribeParams { kinds, ..SubscribeParams::default() };
        self.has_logs = has_logs;
        self.updates = Some(Updates::subscribe_when_here(&self.home, CLIENT_NAME, params));
    }

    /// Wait for the next one; the first comes as soon as there is a daemon. Cancel-safe.
    pub(crate) async fn beat(&mut self) {
        match &mut self.updates {
            Some(updates) => drop(updates.next().await),
            None => std::future::pending().await,
        }
    }

    /// Those that have come already count as one with the last.
    pub(crate) fn rest(&mut self) {
        let Some(updates) = &mut self.updates else { return };
        let mut context = Context::from_waker(Waker::noop());
        while matches!(Pin::new(&mut *updates).poll_next(&mut context), Poll::Ready(Some(_))) {}
    }
}
