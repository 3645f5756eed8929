//! Closed vocabularies: enums whose variants have one fixed word each and one fixed number.

/// Makes an enum whose variants have one fixed name each, used in the database, on the link and in JSON. A crate that uses
/// it depends on `serde` with `derive`.
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every word, in the order of declaration; the position is its number on the link.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word itself.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)* } }

            /// The value of that word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> { match text { $($text => Some(Self::$variant),)* _ => None } }

            /// Its number on the link.
            #[must_use]
            pub const fn number(self) -> u32 { self as u32 }

            /// The value of that number.
            #[must_use]
            pub fn from_number(number: u32) -> Option<Self> {
                usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)).copied()
            }
        }
    )*};
}
