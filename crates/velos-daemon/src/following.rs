//! Who follows the events gets each one, in order; who reads slowly gets what is still kept, and a count of the rest.

use velos_core::event::Event;
use velos_core::frame;
use velos_core::instance::InstanceId;
use velos_core::protocol::{Lost, method};

use crate::control::Control;

impl Control {
    /// Tell everybody who follows.
    pub(crate) fn broadcast(&mut self, event: &Event) {
        let Ok(bytes) = frame::encode_notification(method::NOTIFY_EVENT, event) else { return };
        for (client, connected) in &mut self.clients.connected {
            let Some(subscription) = &mut connected.subscription else { continue };
            if !subscription.events || subscription.behind {
                continue;
            }
            if !concerns(event, &subscription.instances) {
                subscription.sent = event.sequence;
                continue;
            }
            match self.reactor.ipc_send(*client, &bytes) {
                Ok(()) => subscription.sent = event.sequence,
                Err(_) => subscription.behind = true,
            }
        }
    }

    /// A slow client has read: what is still kept follows, and how much is not.
    pub(crate) fn catch_up(&mut self, client: u64) {
        let Some(connected) = self.clients.connected.get_mut(&client) else { return };
        let Some(subscription) = &mut connected.subscription else { return };
        if !subscription.behind {
            return;
        }
        let journal = self.supervisor.events();
        let lost = journal.oldest().saturating_sub(subscription.sent + 1);
        if lost > 0 {
            let notice = frame::encode_notification(method::NOTIFY_LOST, &Lost { count: lost, samples: 0 });
            if notice.is_ok_and(|bytes| self.reactor.ipc_send(client, &bytes).is_err()) {
                return;
            }
            subscription.sent += lost;
        }
        let sent = subscription.sent;
        for event in journal.iter().filter(|event| event.sequence > sent) {
            if concerns(event, &subscription.instances) {
                let bytes = frame::encode_notification(method::NOTIFY_EVENT, event);
                if bytes.is_ok_and(|bytes| self.reactor.ipc_send(client, &bytes).is_err()) {
                    return;
                }
            }
            subscription.sent = event.sequence;
        }
        subscription.behind = false;
    }
}

/// Whether it is about one of these; none named: about any.
pub(crate) fn concerns(event: &Event, instances: &[InstanceId]) -> bool {
    instances.is_empty() || event.instance.is_some_and(|instance| instances.contains(&instance))
}
