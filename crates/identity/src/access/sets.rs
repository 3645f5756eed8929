//! Sets of words of a closed list that [`super::permissions`] declares: what somebody has of them.

/// A set of one kind of words, and how one of them is read and written.
macro_rules! sets {
    ($(#[$about:meta])+ $set:ident of $one:ident, else $unknown:ident) => {
        impl fmt::Display for $one {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $one {
            type Err = $unknown;

            fn from_str(text: &str) -> Result<Self, $unknown> {
                Self::ALL.iter().copied().find(|p| p.as_str() == text).ok_or($unknown)
            }
        }

        impl Serialize for $one {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $one {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        $(#[$about])+
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $set(u128);

        // One bit each.
        const _: () = assert!($one::ALL.len() <= 128, "a set holds at most 128 of them");

        impl $set {
            /// Nothing at all.
            pub const NONE: Self = Self(0);

            /// Every one there is.
            #[must_use]
            pub fn all() -> Self {
                $one::ALL.iter().copied().collect()
            }

            /// Whether it is in the set.
            #[must_use]
            pub const fn has(self, one: $one) -> bool {
                self.0 & Self::bit(one) != 0
            }

            /// Whether there is none in it.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// What is in either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// What is in both: a management key never has more than the account that made it.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// Whether all of it is in the other: nobody gives what they do not have.
            #[must_use]
            pub const fn is_within(self, other: Self) -> bool {
                self.0 & !other.0 == 0
            }

            /// Each of them, in the order of `ALL`.
            pub fn iter(self) -> impl Iterator<Item = $one> {
                $one::ALL.iter().copied().filter(move |p| self.has(*p))
            }

            const fn bit(one: $one) -> u128 {
                // A discriminant is the place in the list, which the assertion above bounds.
                1 << (one as u32)
            }
        }

        impl FromIterator<$one> for $set {
            fn from_iter<I: IntoIterator<Item = $one>>(each: I) -> Self {
                Self(each.into_iter().fold(0, |set, one| set | Self::bit(one)))
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.iter().map($one::as_str)).finish()
            }
        }

        impl Serialize for $set {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_seq(self.iter())
            }
        }

        impl<'de> Deserialize<'de> for $set {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Vec::<$one>::deserialize(d).map(Self::from_iter)
            }
        }
    };
}
pub(super) use sets;
