//! The one shape of every participant: facts in, orders out.

/// A deterministic participant.
///
/// Events are facts in the past tense (`Ticked`, `Received`, `Persisted`); effects are orders
/// (`Send`, `Persist`, `Reply`). A machine never performs an effect itself: a shell does, and
/// reports completion as another event. Hence the same code runs under real threads and disks
/// and, hundreds at a time, in a simulator.
pub trait Machine {
    /// What may happen to the machine.
    type Event;
    /// What the machine may order.
    type Effect;

    /// Takes one fact and returns the orders that follow from it, in the order in which they
    /// are to be started. Equal states and events give equal effects.
    fn step(&mut self, event: Self::Event) -> Vec<Self::Effect>;
}
