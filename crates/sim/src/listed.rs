//! Enums whose variants can be gone through and counted.

/// An enum with `ALL` its variants and their `COUNT`.
macro_rules! listed {
    (
        $(#[doc = $about:literal])+ $name:ident:
        $($(#[doc = $text:literal])+ $variant:ident;)+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {$($(#[doc = $text])+ $variant,)+}

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();
        }
    };
}
