//! A sentence of this node together with what it is made of, so that pages can say the same in
//! other languages. The English text is whole by itself: programs and logs need no table.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One sentence for people. What lies in the store may be another version's, with its own codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sentence {
    /// Says which sentence it is; stable, kebab-case.
    pub(crate) code: Cow<'static, str>,
    /// The sentence in English.
    pub(crate) text: String,
    /// Numbers and names in it. Spans are in milliseconds.
    pub(crate) values: BTreeMap<Cow<'static, str>, Value>,
}

impl Sentence {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), text: text.into(), values: BTreeMap::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(Cow::Borrowed(name), value.into());
        self
    }
}
