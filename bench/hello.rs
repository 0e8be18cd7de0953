//! The yardstick: what any program costs that a person starts to read one line.

fn main() {
    println!("hello world");
}
