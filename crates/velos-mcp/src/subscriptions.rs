//! Who wants to know when a resource changes: looked at when the daemon tells that something happened, at most twice a
//! second, and only while somebody asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use tokio::sync::Notify;

use crate::pulse::Pulse;
use crate::resources::Address;
use crate::toolbox::Toolbox;

/// What happens meanwhile is looked at once.
const CALM: Duration = Duration::from_millis(500);
/// How often we see whether a client that nothing happens for is still there.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// Of one client.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 50;

/// Stamps by address.
type Stamps = BTreeMap<String, u64>;

/// Those of one session of the older protocol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions {
    stamps: Arc<Mutex<Stamps>>,
    /// There are others now.
    changed: Arc<Notify>,
}

impl Subscriptions {
    /// Begin to watch an address; the first one starts the looking.
    pub(crate) async fn add(
        &self,
        uri: String,
        toolbox: &Arc<Toolbox>,
        peer: &Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let stamps = looked(toolbox, vec![uri]).await?;
        let is_first = {
            let mut own = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            if own.len() >= SUBSCRIPTIONS_MAX {
                return Err(ErrorData::invalid_params("too many subscriptions; end one", None));
            }
            let is_first = own.is_empty();
            own.extend(stamps);
            is_first
        };
        self.changed.notify_one();
        if is_first {
            let changed = Arc::clone(&self.changed);
            let (own, toolbox, peer) = (Arc::clone(&self.stamps), Arc::clone(toolbox), peer.clone());
            tokio::spawn(async move {
                let mut pulse = Pulse::new(&toolbox.home);
                let is_over = || peer.is_transport_closed();
                while let Some(uris) = next(&own, &toolbox, &mut pulse, &changed, is_over).await {
                    for uri in uris {
                        if peer
                            .notify_resource_updated(ResourceUpdatedNotificationParam::new(uri))
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                }
            });
        }
        Ok(())
    }

    pub(crate) fn remove(&self, uri: &str) {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
        self.changed.notify_one();
    }
}

/// Serve one `subscriptions/listen` until its end.
pub(crate) async fn listen(context: SubscriptionContext, toolbox: &Arc<Toolbox>) -> Result<(), ErrorData> {
    let uris = context.accepted().resource_subscriptions.clone().unwrap_or_default();
    let own = Mutex::new(looked(toolbox, uris).await?);
    // The client was told that it listens a moment before that look: what changed in between is told now, unseen.
    let begun: Vec<String> = own.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
    for uri in begun {
        if context.sink().notify_resource_updated(uri).await.is_err() {
            return Ok(());
        }
    }
    let (mut pulse, never) = (Pulse::new(&toolbox.home), Notify::new());
    loop {
        tokio::select! {
            () = context.cancelled() => return Ok(()),
            changed = next(&own, toolbox, &mut pulse, &never, || false) => {
                let Some(changed) = changed else {
                    // Nothing is watched: wait for the end.
                    context.cancelled().await;
                    return Ok(());
                };
                for uri in changed {
                    if context.sink().notify_resource_updated(uri).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What changed; `None`: nothing is watched any more, or nobody listens.
async fn next(
    own: &Mutex<Stamps>,
    toolbox: &Arc<Toolbox>,
    pulse: &mut Pulse,
    others: &Notify,
    is_over: impl Fn() -> bool,
) -> Option<Vec<String>> {
    loop {
        let uris: Vec<String> = own.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        if uris.is_empty() || is_over() {
            return None;
        }
        pulse.of_logs(uris.iter().any(|uri| matches!(Address::parse(uri), Some(Address::Log(_)))));
        tokio::select! {
            () = pulse.beat() => {}
            () = others.notified() => continue,
            () = tokio::time::sleep(CHECK_EVERY) => continue,
        }
        tokio::time::sleep(CALM).await;
        pulse.rest();
        let now = looked(toolbox, uris).await.ok()?;
        let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (uri, stamp) in now {
            if let Some(before) = own.get_mut(&uri)
                && *before != stamp
            {
                *before = stamp;
                changed.push(uri);
            }
        }
        if !changed.is_empty() {
            return Some(changed);
        }
    }
}

async fn looked(toolbox: &Arc<Toolbox>, uris: Vec<String>) -> Result<Stamps, ErrorData> {
    let toolbox = Arc::clone(toolbox);
    let look = move || {
        let stamp = |uri: String| Address::parse(&uri).map(|address| (uri, address.stamp(&toolbox)));
        uris.into_iter().take(SUBSCRIPTIONS_MAX).filter_map(stamp).collect()
    };
    tokio::task::spawn_blocking(look).await.map_err(|_| ErrorData::internal_error("the look broke", None))
}
