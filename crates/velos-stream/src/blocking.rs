//! The same for programs without a runtime of their own.

use std::ops::ControlFlow;

use velos_client::{ErrorCode, ErrorReply, Home};

use crate::live::{Item, Live, Wanted};

/// Subscribe at a daemon that runs, and hand over each item as it comes, until `take` breaks. It may take its time: the
/// stream goes on behind it, on a thread of its own.
///
/// # Errors
/// No daemon runs, it refuses, or there is no runtime to be had.
pub fn for_each(
    home: &Home,
    name: &str,
    wanted: Wanted,
    mut take: impl FnMut(Item) -> ControlFlow<Result<(), ErrorReply>>,
) -> Result<(), ErrorReply> {
    let failed = |error: std::io::Error| {
        ErrorReply::new(ErrorCode::Failed, format!("cannot make the event loop: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    let driver = std::thread::Builder::new()
        .name("stream".to_owned())
        .spawn(move || {
            // Ends when the other side is dropped.
            let _ = runtime.block_on(is_over);
            runtime.shutdown_background();
        })
        .map_err(failed)?;
    let result = handle.block_on(async {
        let mut live = Live::subscribe(home, name, wanted).await?;
        while let Some(item) = live.next().await {
            if let ControlFlow::Break(result) = take(item) {
                return result;
            }
        }
        Ok(())
    });
    drop(over);
    // It has nothing left to do.
    let _ = driver.join();
    result
}
