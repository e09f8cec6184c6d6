//! A polling station under load: three nodes with an election that takes ballots, voters who come
//! on time whatever becomes of the earlier ones, and what two benchmarks make of them.

mod arrivals;
mod election;
mod electorate;
mod overload;
mod pinned;
mod station;

pub(crate) use election::measure as measure_election;
pub(crate) use overload::measure as measure_overload;
