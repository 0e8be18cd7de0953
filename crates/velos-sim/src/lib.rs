//! A world made from a seed around the supervisor: processes that crash, hang, ignore signals and leave others behind, a
//! clock that starves the loop, daemons that die. After every step the oracle checks what must always hold.

mod fault;
mod model;
mod oracle;
mod random;
mod world;

pub use fault::Fault;
pub use world::{Report, run};
