//! Typed ids: one macro, so that a term can never be passed for an index.

/// Declares newtypes over `u64` with ordering, display and conversion, but no arithmetic except
/// [`next`](#method.next), which panics on overflow.
///
/// ```
/// base::typed_u64! {
///     /// Position in the log.
///     pub struct LogIndex;
/// }
/// assert_eq!(LogIndex::new(4).next().get(), 5);
/// ```
#[macro_export]
macro_rules! typed_u64 {
    ($($(#[$meta:meta])* pub struct $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a raw number.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }
            /// The raw number.
            pub const fn get(self) -> u64 {
                self.0
            }
            /// The number one above.
            ///
            /// # Panics
            /// At `u64::MAX`: a counter that wraps would be a broken invariant.
            #[must_use]
            pub const fn next(self) -> Self {
                match self.0.checked_add(1) {
                    Some(next) => Self(next),
                    None => panic!("typed counter overflow"),
                }
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<u64> for $name {
            fn from(raw: u64) -> Self {
                Self(raw)
            }
        }
    )+};
}
