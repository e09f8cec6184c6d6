//! The store from outside: golden scripts, and one store against another.

mod damage;
mod limits;
mod model;
mod random;
mod script;
mod show;
mod words;

#[test]
fn scripts() {
    testkit::run_golden("testdata", script::Script::new);
}
