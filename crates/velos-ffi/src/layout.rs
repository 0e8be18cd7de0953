//! Holds the mirror in `sys.rs` equal to what the library says of itself.

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use crate::sys::*;

    #[test]
    fn every_field_of_every_struct_agrees() {
        // SAFETY: velos_abi_layout returns a static, NUL-terminated string (header, "Static, NUL-terminated").
        let theirs = unsafe { CStr::from_ptr(velos_abi_layout()) }.to_str().unwrap();
        let ours = [
            RawEvent::layout(),
            RawOptions::layout(),
            RawRlimit::layout(),
            RawSpawnSpec::layout(),
            RawSpawned::layout(),
            RawSample::layout(),
            RawCaptureSpec::layout(),
            RawCaptureStats::layout(),
        ]
        .concat();
        assert_eq!(ours, theirs);
        assert_eq!(std::mem::size_of::<RawEvent>(), 64);
    }
}
