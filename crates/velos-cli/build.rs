//! Tells the binary which platform it was built for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=VELOS_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
