//! Questions: what is answered from what is known, and changes nothing.

use velos_core::error::ErrorReply;
use velos_core::event::Event;
use velos_core::instance::InstanceId;
use velos_core::protocol::{EventsParams, EventsReply, InfoReply, ListReply, RunsReply, WhyReply};

use crate::answers::encode;
use crate::control::Control;
use crate::following::concerns;

impl Control {
    pub(crate) fn list(&mut self) -> Result<Vec<u8>, ErrorReply> {
        self.sample(None);
        let ids: Vec<InstanceId> = self.supervisor.instances().map(|instance| instance.id).collect();
        encode(&ListReply { instances: ids.into_iter().filter_map(|id| self.summary(id)).collect() })
    }

    pub(crate) fn info_of(&mut self, targets: &[String]) -> Result<Vec<u8>, ErrorReply> {
        let ids = self.resolve(targets)?;
        self.sample(Some(&ids));
        encode(&InfoReply { instances: ids.into_iter().filter_map(|id| self.info(id)).collect() })
    }

    pub(crate) fn why_of(&mut self, targets: &[String]) -> Result<Vec<u8>, ErrorReply> {
        let ids = self.resolve(targets)?;
        self.sample(Some(&ids));
        encode(&WhyReply { instances: ids.into_iter().filter_map(|id| self.why(id)).collect() })
    }

    pub(crate) fn runs_of(&mut self, targets: &[String]) -> Result<Vec<u8>, ErrorReply> {
        let ids = self.resolve(targets)?;
        encode(&RunsReply { instances: ids.into_iter().filter_map(|id| self.runs(id)).collect() })
    }

    pub(crate) fn past_events(&mut self, params: &EventsParams) -> Result<Vec<u8>, ErrorReply> {
        let only = self.only(&params.targets)?;
        let journal = self.supervisor.events();
        let since = params.since.unwrap_or(0);
        let wanted = journal.iter().filter(|event| event.sequence > since && concerns(event, &only));
        let mut events: Vec<Event> = wanted.cloned().collect();
        if params.limit > 0 {
            events.drain(..events.len().saturating_sub(params.limit as usize));
        }
        encode(&EventsReply { events, newest: journal.newest(), oldest: journal.oldest() })
    }
}
