//! The quirks of the wire.

use super::*;

fn compared(target: i32, union: Option<pb::compare::TargetUnion>) -> CompareTarget {
    let message = pb::Compare { target, target_union: union, ..pb::Compare::default() };
    compare(message).unwrap().target
}

#[test]
fn a_comparison_without_a_value_of_its_kind_compares_with_zero() {
    use pb::compare::TargetUnion as Union;
    assert_eq!(compared(0, Some(Union::Version(5))), CompareTarget::Version(5));
    assert_eq!(compared(0, None), CompareTarget::Version(0));
    assert_eq!(compared(1, Some(Union::Version(5))), CompareTarget::Create(0));
    assert_eq!(compared(2, Some(Union::ModRevision(5))), CompareTarget::Mod(5));
    assert_eq!(compared(3, Some(Union::Lease(5))), CompareTarget::Value(Bytes::new()));
    assert_eq!(compared(4, None), CompareTarget::Lease(0));
}

#[test]
fn unknown_numbers_are_refused_by_name() {
    let text = |message| compare(message).unwrap_err().message().to_owned();
    assert_eq!(
        text(pb::Compare { result: 9, ..pb::Compare::default() }),
        "quorate: a comparison has the unknown result 9"
    );
    assert_eq!(
        text(pb::Compare { target: 9, ..pb::Compare::default() }),
        "quorate: a comparison has the unknown target 9"
    );
    let sorted = pb::RangeRequest { sort_target: 9, ..pb::RangeRequest::default() };
    assert_eq!(range(sorted), Err(Error::InvalidSortOption));
}

#[test]
fn an_operation_without_content_is_a_key_not_found() {
    let empty = pb::RequestOp { request: None };
    let message = pb::TxnRequest { success: vec![empty], ..pb::TxnRequest::default() };
    assert_eq!(txn(message).unwrap_err().message(), "etcdserver: key not found");
}

#[test]
fn a_watch_without_a_key_starts_at_the_first() {
    let create = pb::WatchCreateRequest { filters: vec![1], ..pb::WatchCreateRequest::default() };
    let request = watch(&create);
    assert_eq!(&request.range.key[..], [0]);
    assert!(request.no_delete && !request.no_put);
}
