//! Changes and their refusals, one line each.

use super::*;
use std::string::ToString;
use std::vec::Vec;

fn three() -> Membership {
    Membership::founding((1..=3).map(|id| (MemberId::new(id), Bytes::from_static(b"x"))))
}

fn add(id: u64, plan: Plan) -> ChangeStep {
    ChangeStep::AddLearner { id: id.into(), context: Bytes::new(), plan }
}

fn voter(id: u64) -> ChangeStep {
    ChangeStep::AddVoter { id: id.into(), context: Bytes::new() }
}

fn remove(id: u64) -> ChangeStep {
    ChangeStep::Remove { id: id.into() }
}

#[test]
fn changes() {
    let check = |steps: &[ChangeStep], expect: &str| {
        let outcome = three().changed(steps).map(|next| next.to_string());
        assert_eq!(outcome.unwrap_or_else(|error| error.to_string()), expect, "{steps:?}");
    };
    check(&[voter(4)], "{1 2 3 4} and {1 2 3}");
    check(&[voter(4), remove(1)], "{2 3 4} and {1 2 3}");
    check(&[remove(1), remove(2)], "{3} and {1 2 3}");
    check(&[add(4, Plan::Promote), add(9, Plan::Stay)], "{1 2 3} learning 4 to vote, 9");
    check(&[ChangeStep::Demote { id: 2.into() }], "{1 3} and {1 2 3} learning 2");
    check(&[], "the change changes nothing");
    check(&[remove(1), remove(2), remove(3)], "nobody would be left to vote");
    check(&[voter(3)], "member 3 is there already");
    check(&[remove(7)], "there is no member 7");
    check(&[ChangeStep::Promote { id: 2.into() }], "member 2 is no learner");
    check(&[add(4, Plan::Replace(9.into()))], "member 9 is no voter");
    let long = Bytes::from_static(&[0; CONTEXT_BYTES_MAX + 1]);
    let describe = ChangeStep::Describe { id: 1.into(), context: long };
    check(&[describe], "the description of member 1 exceeds 96 bytes");
    let crowd: Vec<_> = (4..=20).map(voter).collect();
    check(&crowd, "at most 16 members are possible");
}

#[test]
fn an_id_is_given_out_once() {
    let without = three().changed(&[remove(3)]).expect("a change").left();
    assert_eq!(without.to_string(), "{1 2}");
    assert!(without.is_gone(3.into()) && !without.is_gone(4.into()));
    let again = without.changed(&[voter(3)]).expect_err("3 was used");
    assert_eq!(again, ChangeError::IdUsed { id: 3.into(), free: 4.into() });
    assert!(without.changed(&[voter(4)]).is_ok());
}

#[test]
fn a_joint_membership_takes_no_change_and_is_left() {
    let joint = three().changed(&[voter(4), remove(1)]).expect("a change");
    assert!(joint.is_joint() && joint.is_voter(1.into()) && joint.context(1.into()).is_some());
    assert_eq!(joint.changed(&[remove(2)]), Err(ChangeError::InProgress));
    let left = joint.left();
    assert_eq!(left.to_string(), "{2 3 4}");
    assert!(left.is_gone(1.into()) && left.context(1.into()).is_none());
}

#[test]
fn a_learner_follows_its_plan() {
    let check = |plan, expect: Option<&str>| {
        let learning = three().changed(&[add(4, plan)]).expect("a change");
        let promoted = learning.promoted(4.into()).map(|next| next.to_string());
        assert_eq!(promoted.as_deref(), expect, "{plan:?}");
    };
    check(Plan::Stay, None);
    check(Plan::Promote, Some("{1 2 3 4} and {1 2 3}"));
    check(Plan::Replace(2.into()), Some("{1 3 4} and {1 2 3}"));
}

#[test]
fn parts_that_no_leader_makes_are_refused() {
    let parts = three().into_parts();
    assert_eq!(Membership::from_parts(parts.clone()), Ok(three()));
    let nobody = MembershipParts { voters: BTreeSet::new(), ..parts.clone() };
    assert_eq!(Membership::from_parts(nobody), Err(ChangeError::NoVoters));
    let low = MembershipParts { highest: 2.into(), ..parts.clone() };
    assert!(Membership::from_parts(low).is_err());
    let both = MembershipParts { learners: [(1.into(), Plan::Stay)].into(), ..parts };
    assert_eq!(Membership::from_parts(both), Err(ChangeError::AlreadyMember { id: 1.into() }));
    assert_eq!(Membership::from_parts(MembershipParts::default()), Ok(Membership::default()));
}
