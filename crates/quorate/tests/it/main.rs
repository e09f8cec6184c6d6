//! The real binary, as processes: whole elections, crashes, doors that must stay shut.
//!
//! Nothing here sleeps to give something time: whatever is waited for is polled, with a deadline.
//! Every process is killed by its own id when its handle goes.

mod authority;
mod backup;
mod badinput;
mod canaries;
mod cluster;
mod crashes;
mod demo;
mod doors;
mod durability;
mod enrolment;
mod etcdctl;
mod figures;
mod invitations;
mod office;
mod people;
mod stage;
mod support;
/// Real servers of others, as the gateway's tests start them.
#[path = "../../../gateway/tests/it/tools.rs"]
#[allow(dead_code)]
mod tools;
mod traces;
