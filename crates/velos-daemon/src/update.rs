//! `update`: new declarations for apps that run on.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::Update;
use velos_supervisor::Command;

use crate::answers::Answer;
use crate::control::Control;
use crate::declaration::check_app;

impl Control {
    pub(crate) fn update(&mut self, client: u64, id: u32, update: Update) -> Result<Answer, ErrorReply> {
        if update.apps.is_empty() {
            return Err(ErrorReply::new(ErrorCode::Usage, "update takes apps, and none is given"));
        }
        update.apps.iter().try_for_each(check_app)?;
        self.command(client, id, Command::Update(update.apps));
        Ok(Answer::Later)
    }
}
