//! A bounded queue whose writer never waits: when it is full the oldest goes, and is counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a reader was too slow for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Missed {
    /// Events.
    pub events: u64,
    /// Readings of all instances.
    pub samples: u64,
    /// Lines of logs.
    pub lines: u64,
}

impl Missed {
    /// Whether nothing was missed.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        self.samples = self.samples.saturating_add(other.samples);
        self.lines = self.lines.saturating_add(other.lines);
    }
}

/// What can wait in a [`Ring`].
pub trait Queued: Sized {
    /// How much of the capacity it takes.
    fn weight(&self) -> usize {
        1
    }

    /// Count it as left out; `false`: it is not left out.
    fn leave_out(&self, missed: &mut Missed) -> bool;

    /// Whether it can become one with what waits already.
    fn can_join(&self) -> bool {
        false
    }

    /// Take a newer one in, or give it back.
    ///
    /// # Errors
    /// The newer one, which needs a place of its own.
    fn join(&mut self, newer: Self) -> Result<(), Self> {
        Err(newer)
    }

    /// What tells the reader.
    fn missed(missed: Missed) -> Self;
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    weight: usize,
    missed: Missed,
    is_over: bool,
    waker: Option<Waker>,
}

/// The queue, shared by its writer and its one reader.
#[derive(Debug)]
pub struct Ring<T> {
    state: Arc<Mutex<State<T>>>,
    capacity: usize,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), capacity: self.capacity }
    }
}

impl<T: Queued> Ring<T> {
    /// For items of this weight in all, at least one.
    pub fn new(capacity: usize) -> Self {
        let state = State {
            queue: VecDeque::new(),
            weight: 0,
            missed: Missed::default(),
            is_over: false,
            waker: None,
        };
        Self { state: Arc::new(Mutex::new(state)), capacity }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Add one; the oldest make room.
    pub fn push(&self, item: T) {
        let mut state = self.state();
        state.push(item);
        // What must not be left out goes to the end: each is looked at once.
        for _ in 0..state.queue.len().saturating_sub(1) {
            if state.weight <= self.capacity {
                break;
            }
            state.leave_out_oldest();
        }
        wake(state);
    }

    /// Somebody before us missed some.
    pub fn push_missed(&self, missed: Missed) {
        let mut state = self.state();
        state.missed.add(missed);
        wake(state);
    }

    /// Nothing will follow.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        wake(state);
    }

    /// The next one, first of all how many are missing before it; `None` after the end.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state();
        match state.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if state.is_over => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Wait for the next one. Cancel-safe.
    pub async fn next(&self) -> Option<T> {
        std::future::poll_fn(|context| self.poll(context)).await
    }
}

/// Outside of the lock.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T: Queued> State<T> {
    fn push(&mut self, item: T) {
        let mut item = item;
        if item.can_join() {
            for waiting in &mut self.queue {
                let before = waiting.weight();
                match waiting.join(item) {
                    Ok(()) => {
                        self.weight = self.weight + waiting.weight() - before;
                        return;
                    }
                    Err(back) => item = back,
                }
            }
        }
        self.weight += item.weight();
        self.queue.push_back(item);
    }

    fn leave_out_oldest(&mut self) {
        let Some(oldest) = self.queue.pop_front() else { return };
        if oldest.leave_out(&mut self.missed) {
            self.weight -= oldest.weight();
        } else {
            self.queue.push_back(oldest);
        }
    }

    fn pop(&mut self) -> Option<T> {
        if !self.missed.is_nothing() {
            return Some(T::missed(std::mem::take(&mut self.missed)));
        }
        let item = self.queue.pop_front()?;
        self.weight -= item.weight();
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Item {
        Event(u32),
        Heavy(usize),
        Sum(u32),
        Missed(Missed),
    }

    impl Queued for Item {
        fn weight(&self) -> usize {
            if let Item::Heavy(weight) = self { *weight } else { 1 }
        }

        fn leave_out(&self, missed: &mut Missed) -> bool {
            match self {
                Item::Event(_) => missed.events += 1,
                Item::Heavy(_) => missed.lines += 1,
                Item::Sum(_) => return false,
                Item::Missed(_) => {}
            }
            true
        }

        fn can_join(&self) -> bool {
            matches!(self, Item::Sum(_))
        }

        fn join(&mut self, newer: Self) -> Result<(), Self> {
            match (self, newer) {
                (Item::Sum(sum), Item::Sum(more)) => {
                    *sum += more;
                    Ok(())
                }
                (_, newer) => Err(newer),
            }
        }

        fn missed(missed: Missed) -> Self {
            Item::Missed(missed)
        }
    }

    fn all(ring: &Ring<Item>) -> Vec<Item> {
        let mut context = Context::from_waker(Waker::noop());
        let mut items = Vec::new();
        while let Poll::Ready(Some(item)) = ring.poll(&mut context) {
            items.push(item);
        }
        items
    }

    #[test]
    fn the_oldest_go_and_are_counted_before_the_rest() {
        let ring = Ring::new(3);
        for number in 0..10 {
            ring.push(Item::Event(number));
        }
        let missed = Item::Missed(Missed { events: 7, ..Missed::default() });
        assert_eq!(all(&ring), [missed, Item::Event(7), Item::Event(8), Item::Event(9)]);
        ring.push(Item::Event(10));
        assert_eq!(all(&ring), [Item::Event(10)], "it is told once");
    }

    #[test]
    fn what_joins_takes_one_place_and_is_never_left_out() {
        let ring = Ring::new(2);
        ring.push(Item::Sum(1));
        for number in 0..4 {
            ring.push(Item::Event(number));
            ring.push(Item::Sum(10));
        }
        let seen = all(&ring);
        assert!(seen.contains(&Item::Sum(41)) && seen.contains(&Item::Event(3)), "{seen:?}");
        assert!(seen.contains(&Item::Missed(Missed { events: 3, ..Missed::default() })), "{seen:?}");
    }

    #[test]
    fn one_that_is_too_heavy_for_the_ring_stands_alone() {
        let ring = Ring::new(4);
        ring.push(Item::Event(1));
        ring.push(Item::Heavy(100));
        let missed = Item::Missed(Missed { events: 1, ..Missed::default() });
        assert_eq!(all(&ring), [missed, Item::Heavy(100)]);
        ring.push(Item::Event(2));
        assert_eq!(all(&ring), [Item::Event(2)]);
        ring.end();
        assert!(matches!(ring.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None)));
    }
}
