//! What a readiness notification is about, packed into the 64 bits that the kernel carries for us.

pub const Kind = enum(u8) { wake, signal, listener, client, process, stream, foreign };

pub const Source = packed struct(u64) {
    index: u32,
    generation: u24,
    kind: Kind,
};
