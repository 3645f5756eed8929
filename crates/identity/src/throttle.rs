//! Guessing is slowed: per what is guessed at, per address and per network, by rules that know nothing of whether there is
//! such an account. A try is counted before it is made, so that many at once are many; one that succeeds is taken back.

mod store;

pub(crate) use store::STATEMENTS;

use crate::contacts::{Contact, ContactKind};
use crate::sessions::Origin;
use crate::{Identity, IdentityError};
use ipnet::IpNet;
use std::net::IpAddr;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use tacit_vault::keyed_hash;
use uuid::Uuid;

/// Label of the hash of what is guessed at or from where.
const LABEL: &str = "guess";
const SECOND: i64 = 1_000_000;
/// What was counted is forgotten after a quiet day.
const FORGET: i64 = 86_400 * SECOND;

/// How many tries are free, and how long the next one waits: `first` seconds, doubled with each, up to `most`.
struct Rule {
    domain: &'static str,
    free: i64,
    first: i64,
    most: i64,
}

/// One account, by whatever it is named.
const TARGET: Rule = Rule { domain: "target", free: 5, first: 2, most: 900 };
const ADDRESS: Rule = Rule { domain: "address", free: 20, first: 1, most: 900 };
/// Of a whole network people may share an address translator: more is free, and the wait is shorter.
const NETWORK: Rule = Rule { domain: "network", free: 200, first: 1, most: 60 };
/// Of a device that the account knows tries are counted apart, so that nobody else closes its ways in.
const KNOWN: Rule = Rule { domain: "known-device", free: 5, first: 2, most: 900 };
const SENT_KNOWN: Rule = Rule { domain: "sent-known-device", free: 3, first: 60, most: 14_400 };
/// Tries at one code from one network. The bound is the code's own.
const CODE: Rule = Rule { domain: "code", free: 0, first: 0, most: 0 };
/// Messages to one address for one purpose, and messages that one address of the network asks for.
const SENT_TO: Rule = Rule { domain: "sent-to", free: 3, first: 60, most: 14_400 };
const SENT_FROM_NETWORK: Rule = Rule { domain: "sent-from-network", free: 200, first: 10, most: 600 };
const SENT_FROM: Rule = Rule { domain: "sent-from", free: 20, first: 10, most: 3600 };

/// Questions to the agency about one account: each costs, and its answer tells something about whoever is named. Five, then
/// none for a day. What is withdrawn was asked all the same.
const ASKED_ABOUT: Rule = Rule { domain: "asked-about", free: 4, first: 86_400, most: 86_400 };

/// Names that one account tries: the answer tells whether somebody has it.
const RENAMED: Rule = Rule { domain: "renamed", free: 5, first: 600, most: 86_400 };

/// Copies that one account takes of what is held about it: each reads all of it.
const COPIED: Rule = Rule { domain: "copied", free: 5, first: 600, most: 86_400 };

/// Requests about their data that one account makes: each is written down and told of.
const RIGHTS_ASKED: Rule = Rule { domain: "rights-asked", free: 10, first: 600, most: 86_400 };

/// Keys that one account puts away, which leave a row each.
const RETIRED: Rule = Rule { domain: "retired", free: 1000, first: 60, most: 3600 };

const HOUR: i64 = 3600 * SECOND;
/// Text messages with codes and invitations, each of which costs: to one number, or at the wish of one account that is known
/// by its device. How many is a setting.
const TEXTS: Bound = Bound { domain: "texts", window: 24 * HOUR };
/// Those to one number that one network asks for: it has half of the number's, so that others have some too.
const TEXTS_OF_NETWORK: Bound = Bound { domain: "texts-of-network", window: 24 * HOUR };
/// Text messages that one account asks for, to whatever numbers.
const TEXTS_ASKED: Bound = Bound { domain: "texts-asked", window: 24 * HOUR };
/// Papers of verification, which are large: of one case, and of one account.
const PAPERS_OF_CASE: Bound = Bound { domain: "papers-of-case", window: 24 * HOUR };
const PAPERS_OF_CASE_MOST: u32 = 60;
const PAPERS: Bound = Bound { domain: "papers", window: HOUR };
const PAPERS_MOST: u32 = 30;

/// So much in a window of the clock, and then nothing until the next; not more than a day, for then it is forgotten.
struct Bound {
    domain: &'static str,
    /// In microseconds.
    window: i64,
}

/// What is begun and waits for its other half: a row each. A page that offers passkeys begins with each look at it.
const BEGUN_FROM: Rule = Rule { domain: "begun-from", free: 300, first: 1, most: 60 };
const BEGUN_FROM_NETWORK: Rule = Rule { domain: "begun-from-network", free: 3000, first: 1, most: 10 };

/// Something that is counted.
pub(crate) struct Counted {
    rule: &'static Rule,
    subject: [u8; 32],
}

/// What the table remembers of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    failures: i64,
    last_at: Timestamp,
    blocked_until: Timestamp,
}

impl Rule {
    /// One more try now.
    ///
    /// # Errors
    /// The seconds to wait; it is not counted then, so that waiting helps.
    fn count(&self, before: Tally, now: Timestamp) -> Result<Tally, u64> {
        let wait = before.blocked_until.micros_since(now);
        if wait > 0 {
            return Err(u64::try_from(wait.div_euclid(SECOND) + 1).unwrap_or(1));
        }
        let remembered = if now.micros_since(before.last_at) >= FORGET { 0 } else { before.failures };
        let failures = remembered.saturating_add(1);
        let beyond = failures - self.free;
        let doubled = u32::try_from(beyond - 1).ok().and_then(|n| self.first.checked_shl(n.min(40)));
        let wait = if beyond > 0 { doubled.unwrap_or(self.most).clamp(self.first, self.most) } else { 0 };
        Ok(Tally { failures, last_at: now, blocked_until: now.plus_micros(wait * SECOND) })
    }
}

/// The network that an address lies in: /24, or /48 in version 6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    let length = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, length).map_or(address, |net| net.network())
}

/// Whoever asks: an address, or of version 6 its /64, which is one household.
fn requester(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    if address.is_ipv4() { address } else { IpNet::new(address, 64).map_or(address, |net| net.network()) }
}

impl Identity {
    fn counted(&self, rule: &'static Rule, what: &[u8]) -> Counted {
        Counted { rule, subject: keyed_hash(&self.keys.hash_key(LABEL), rule.domain, what) }
    }

    /// What a guess at that target from that address is counted for.
    pub(crate) fn guess(&self, target: &[u8; 32], from: IpAddr) -> [Counted; 3] {
        let from = from.to_canonical();
        [
            self.counted(&TARGET, target),
            self.counted(&ADDRESS, requester(from).to_string().as_bytes()),
            self.counted(&NETWORK, network(from).to_string().as_bytes()),
        ]
    }

    /// What a try with a code that was sent is counted for. Not for the target: a code has a few tries of its own, and so
    /// there is one way in that nobody can close for somebody else.
    pub(crate) fn guess_at_code(&self, from: IpAddr) -> [Counted; 2] {
        let [_, address, network] = self.guess(&[0; 32], from);
        [address, network]
    }

    /// What a guess is counted for by who names that account: for the device alone, if the account knows it; else as
    /// `stranger` says.
    pub(crate) async fn guess_by_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: Option<AccountId>,
        origin: &Origin,
        stranger: impl IntoIterator<Item = Counted>,
    ) -> Result<Vec<Counted>, IdentityError> {
        Ok(match self.known_device_in_tx(tx, account, origin).await? {
            Some(device) => vec![self.counted(&KNOWN, &device)],
            None => stranger.into_iter().collect(),
        })
    }

    /// What a message of that purpose to that target is counted for, whose account it is if it is one's; likewise.
    pub(crate) async fn sending_by_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: Option<AccountId>,
        (target, purpose): (&[u8; 32], &str),
        origin: &Origin,
    ) -> Result<Vec<Counted>, IdentityError> {
        Ok(match self.known_device_in_tx(tx, account, origin).await? {
            Some(device) => vec![self.counted(&SENT_KNOWN, &[&device, purpose.as_bytes()].concat())],
            None => self.sending(&[target, purpose.as_bytes()].concat(), origin.address).into(),
        })
    }

    /// How often that code was tried wrongly from the network of that address.
    pub(crate) async fn code_tries_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        code: Uuid,
        from: IpAddr,
    ) -> Result<i64, IdentityError> {
        Ok(store::tally(tx, &self.at_code(code, from).subject).await?.failures)
    }

    /// It was tried wrongly once more.
    pub(crate) async fn code_tried_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        code: Uuid,
        from: IpAddr,
    ) -> Result<(), IdentityError> {
        let (counted, now) = (self.at_code(code, from), self.clock.now());
        let failures = store::tally(tx, &counted.subject).await?.failures.saturating_add(1);
        let tally = Tally { failures, last_at: now, blocked_until: now };
        Ok(store::put(tx, &counted.subject, tally).await?)
    }

    fn at_code(&self, code: Uuid, from: IpAddr) -> Counted {
        let place = network(from.to_canonical()).to_string();
        self.counted(&CODE, &[code.as_bytes().as_slice(), place.as_bytes()].concat())
    }

    /// What a message to that target at the wish of that address is counted for.
    pub(crate) fn sending(&self, target: &[u8], from: IpAddr) -> [Counted; 3] {
        let from = from.to_canonical();
        [
            self.counted(&SENT_TO, target),
            self.counted(&SENT_FROM, requester(from).to_string().as_bytes()),
            self.counted(&SENT_FROM_NETWORK, network(from).to_string().as_bytes()),
        ]
    }

    /// What is counted where somebody takes another name.
    pub(crate) fn renaming(&self, account: AccountId) -> [Counted; 1] {
        [self.counted(&RENAMED, account.0.as_bytes())]
    }

    /// Counts a copy that an account asks for of what is held about it.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`]; storage.
    pub async fn copy_asked_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), IdentityError> {
        self.count_in_tx(tx, &[self.counted(&COPIED, account.0.as_bytes())]).await
    }

    /// Counts a request of an account about its data, in a transaction of its own: what is refused then counts too.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`]; storage.
    pub async fn right_asked(&self, account: AccountId) -> Result<(), IdentityError> {
        let counted = &[self.counted(&RIGHTS_ASKED, account.0.as_bytes())];
        self.db.write("rights_request.count", |tx| Box::pin(self.count_in_tx(tx, counted))).await
    }

    /// What is counted where an account puts a key away.
    pub(crate) fn retiring(&self, account: AccountId) -> [Counted; 1] {
        [self.counted(&RETIRED, account.0.as_bytes())]
    }

    /// Counts a text message: for the account whose device is known, else for the number, so that no stranger uses up what is
    /// its owner's.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] with the time until tomorrow; storage.
    pub(crate) async fn text_sent_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: Option<AccountId>,
        (to, origin): (&Contact, Option<&Origin>),
    ) -> Result<(), IdentityError> {
        if to.kind() != ContactKind::Phone {
            return Ok(());
        }
        let known = match origin {
            Some(origin) => self.known_device_in_tx(tx, account, origin).await?.and(account),
            None => None,
        };
        if let Some(account) = known {
            return self.bound_in_tx(tx, (&TEXTS, self.texts_per_day), account.0.as_bytes()).await;
        }
        let (target, most) = (self.contact_lookup(to), self.texts_per_day);
        if let Some(origin) = origin {
            let place = network(origin.address.to_canonical()).to_string();
            let what = [target.as_slice(), place.as_bytes()].concat();
            self.bound_in_tx(tx, (&TEXTS_OF_NETWORK, most.div_ceil(2)), &what).await?;
        }
        self.bound_in_tx(tx, (&TEXTS, most), &target).await
    }

    /// Counts a text message that somebody asks for who is signed in, wherever it goes.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] with the time until tomorrow; storage.
    pub async fn text_asked_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        to: &Contact,
    ) -> Result<(), IdentityError> {
        if to.kind() != ContactKind::Phone {
            return Ok(());
        }
        self.bound_in_tx(tx, (&TEXTS_ASKED, self.texts_per_day), account.0.as_bytes()).await
    }

    /// Counts a paper of a case.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`]; storage.
    pub(crate) async fn paper_sent_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        case: Uuid,
    ) -> Result<(), IdentityError> {
        self.bound_in_tx(tx, (&PAPERS, PAPERS_MOST), account.0.as_bytes()).await?;
        self.bound_in_tx(tx, (&PAPERS_OF_CASE, PAPERS_OF_CASE_MOST), case.as_bytes()).await
    }

    /// Counts one more of it in the window that is now, if there may be.
    async fn bound_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (bound, most): (&Bound, u32),
        what: &[u8],
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let window = now.0.div_euclid(bound.window);
        let said = [window.to_be_bytes().as_slice(), what].concat();
        let subject = keyed_hash(&self.keys.hash_key(LABEL), bound.domain, &said);
        let failures = store::tally(tx, &subject).await?.failures.saturating_add(1);
        if failures > i64::from(most) {
            let rest = (window + 1).saturating_mul(bound.window) - now.0;
            return Err(IdentityError::TooMany { seconds: u64::try_from(rest.div_euclid(SECOND) + 1).unwrap_or(1) });
        }
        Ok(store::put(tx, &subject, Tally { failures, last_at: now, blocked_until: now }).await?)
    }

    /// What is counted where an account is given to the agency.
    pub(crate) fn asking_agency(&self, account: AccountId) -> [Counted; 1] {
        [self.counted(&ASKED_ABOUT, account.0.as_bytes())]
    }

    /// What is counted where somebody at that address begins what needs two requests.
    pub(crate) fn beginning(&self, from: IpAddr) -> [Counted; 2] {
        let from = from.to_canonical();
        [
            self.counted(&BEGUN_FROM, requester(from).to_string().as_bytes()),
            self.counted(&BEGUN_FROM_NETWORK, network(from).to_string().as_bytes()),
        ]
    }

    /// Counts a try for each, if none of them has to wait.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] with the longest wait; then nothing is counted. Storage.
    pub(crate) async fn count_in_tx(&self, tx: &mut WriteTx<'_>, all: &[Counted]) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let (mut tallies, mut wait) = (Vec::with_capacity(all.len()), None);
        for counted in all {
            let before = store::tally(tx, &counted.subject).await?;
            match counted.rule.count(before, now) {
                Ok(tally) => tallies.push((counted, tally)),
                Err(seconds) => wait = wait.max(Some(seconds)),
            }
        }
        if let Some(seconds) = wait {
            return Err(IdentityError::TooMany { seconds });
        }
        for (counted, tally) in tallies {
            store::put(tx, &counted.subject, tally).await?;
        }
        Ok(())
    }

    /// The try was no guess: the target is clear again, address and network are one try back.
    pub(crate) async fn guessed_right_in_tx(&self, tx: &mut WriteTx<'_>, all: &[Counted]) -> Result<(), IdentityError> {
        for counted in all {
            if [TARGET.domain, KNOWN.domain].contains(&counted.rule.domain) {
                store::clear(tx, &counted.subject).await?;
            } else {
                store::take_back(tx, &counted.subject).await?;
            }
        }
        Ok(())
    }

    /// The try was not made: each is one try back, and no more.
    pub(crate) async fn not_tried_in_tx(&self, tx: &mut WriteTx<'_>, all: &[Counted]) -> Result<(), IdentityError> {
        for counted in all {
            store::take_back(tx, &counted.subject).await?;
        }
        Ok(())
    }

    /// What work on a try came to; if there was nobody to do it, the try was not made.
    ///
    /// # Errors
    /// That of the work; storage.
    pub(crate) async fn unless_busy<T>(
        &self,
        counted: &[Counted],
        worked: Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        if matches!(worked, Err(IdentityError::Busy)) {
            self.db.write("throttle.busy", |tx| Box::pin(self.not_tried_in_tx(tx, counted))).await?;
        }
        worked
    }

    /// Forgets what is older than a day.
    pub(crate) async fn guesses_forget_in_tx(&self, tx: &mut WriteTx<'_>, limit: u32) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now().plus_micros(-FORGET), limit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wait_doubles_up_to_a_bound_and_is_forgotten_after_a_day() {
        let (mut now, mut tally, mut waits) = (Timestamp(1_700_000_000_000_000), Tally::default(), Vec::new());
        for _ in 0..20 {
            tally = TARGET.count(tally, now).unwrap();
            let wait = tally.blocked_until.micros_since(now);
            waits.push(wait / SECOND);
            if wait > 0 {
                assert!(TARGET.count(tally, now.plus_micros(wait - 1)).is_err());
            }
            now = now.plus_micros(wait);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900, 900]);
        let later = TARGET.count(tally, now.plus_micros(FORGET)).unwrap();
        assert_eq!(later.failures, 1);
    }

    #[test]
    fn networks() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("198.51.100.77"), "198.51.100.0");
        assert_eq!(of("2001:db8:1:2::9"), "2001:db8:1::");
        let one = |text: &str| requester(text.parse().unwrap()).to_string();
        assert_eq!(one("198.51.100.77"), "198.51.100.77");
        assert_eq!(one("::ffff:198.51.100.77"), "198.51.100.77");
        assert_eq!(one("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    proptest! {
        /// However tries are spread over a day, no more of them get through than the rule lets.
        #[test]
        fn a_day_holds_a_bounded_number_of_guesses(gaps in proptest::collection::vec(0_i64..120_000_000, 1..3000)) {
            let (mut now, mut tally, mut through) = (Timestamp(1_700_000_000_000_000), Tally::default(), 0);
            let end = now.plus_micros(FORGET);
            for gap in gaps {
                now = now.plus_micros(gap);
                if now >= end { break; }
                if let Ok(next) = TARGET.count(tally, now) {
                    tally = next;
                    through += 1;
                }
            }
            // Five, then nine that double, then one each quarter of an hour.
            prop_assert!(through <= 5 + 9 + 96, "{through}");
        }
    }
}
