//! How much people may ask for: those who are not signed in, a rate for each address, a wider one for its network, and one for
//! all together, so that a flood from everywhere leaves the database to the calls, of which few networks cannot take all
//! ([`fair`]); those who are, a rate for each account. It is kept in memory and is looked at before anything is written for them, the audit log first of all; what is slow is slowed
//! further by the rules of what they ask for (`tacit_identity`).
//!
//! Who shows something that was not recognised lately is not signed in yet: to find out costs a look into the database. What all
//! of these have together is counted apart, so that neither a flood of them closes signing in nor a flood of sign-ins closes
//! the way to those who are signed in.

mod fair;
mod regulars;

use crate::problem::Refusal;
use fair::Fair;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use ipnet::Ipv6Net;
use regulars::Regulars;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use tacit_identity::throttle::network;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};

/// So much more than one address may a whole network.
const NETWORK: u32 = 10;
/// After so many requests what is at rest is forgotten.
const SWEEP: u32 = 4096;

/// Rates of those who are not signed in, and of those who are.
pub struct Crowd {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    networks: DefaultKeyedRateLimiter<IpAddr>,
    /// Of all who show nothing.
    all: Fair,
    /// Of all who show what was not recognised lately.
    unknown: Fair,
    accounts: DefaultKeyedRateLimiter<AccountId>,
    regulars: Regulars,
    clock: DefaultClock,
    since: <DefaultClock as governor::clock::Clock>::Instant,
    asked: AtomicU32,
}

impl Crowd {
    /// Of those who are not signed in so many requests a minute of one address, all at once if they like, and so many a
    /// second of all together, and as many of all who show what is not known; of an account that is signed in so many a minute.
    #[must_use]
    pub fn new(per_minute: NonZeroU32, of_all_per_second: NonZeroU32, of_account_per_minute: NonZeroU32) -> Self {
        let clock = DefaultClock::default();
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(Quota::per_minute(per_minute)),
            networks: DefaultKeyedRateLimiter::keyed(Quota::per_minute(
                per_minute.saturating_mul(NonZeroU32::MIN.saturating_add(NETWORK - 1)),
            )),
            all: Fair::new(of_all_per_second),
            unknown: Fair::new(of_all_per_second),
            accounts: DefaultKeyedRateLimiter::keyed(Quota::per_minute(of_account_per_minute)),
            regulars: Regulars::default(),
            since: clock.now(),
            clock,
            asked: AtomicU32::new(0),
        }
    }

    /// Counts a request from there.
    ///
    /// # Errors
    /// 429 with how long to wait; it is not counted then.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        self.admit_among(&self.all, address)
    }

    fn admit_among(&self, all: &Fair, address: Option<IpAddr>) -> Result<(), Refusal> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.addresses.retain_recent();
            self.networks.retain_recent();
            self.accounts.retain_recent();
        }
        // Without an address, which the gateway always gives, all count as one.
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        let (one, many) = (subnet(address), network(address));
        let admitted = self.addresses.check_key(&one).and_then(|()| self.networks.check_key(&many));
        if let Err(not_before) = admitted {
            let seconds = not_before.wait_time_from(self.clock.now()).as_secs() + 1;
            let message = format!("too many requests from your address; try again in {seconds} seconds");
            return Err(Fault::new(ErrorKind::Limited, "request.too_many", message).after(seconds).into());
        }
        // The first second is 1: nothing was counted before it.
        let second = self.clock.now().duration_since(self.since).as_secs() + 1;
        if all.admit(many, second) {
            return Ok(());
        }
        let message = "too many people ask at this moment; try again in a few seconds";
        Err(Fault::new(ErrorKind::Unavailable, "request.crowded", message).after(2).into())
    }
}

impl Crowd {
    /// Counts a request that shows this, from there, unless it was recognised lately.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(super) fn admit_showing(&self, token: &SecretString, address: Option<IpAddr>) -> Result<(), Refusal> {
        if self.regulars.knows(token) { Ok(()) } else { self.admit_among(&self.unknown, address) }
    }

    /// Whether somebody was recognised by this.
    pub(super) fn recognised(&self, token: &SecretString, by: bool) {
        self.regulars.tell(token, by);
    }

    /// Counts a request of that account.
    ///
    /// # Errors
    /// 429 with how long to wait; it is not counted then.
    pub(super) fn admit_account(&self, account: AccountId) -> Result<(), Refusal> {
        self.accounts.check_key(&account).map_err(|not_before| {
            let seconds = not_before.wait_time_from(self.clock.now()).as_secs() + 1;
            let message = format!("too many requests of this account; try again in {seconds} seconds");
            Fault::new(ErrorKind::Limited, "request.too_many", message).after(seconds).into()
        })
    }
}

/// In version 6 whoever has an address has a /64 of them.
fn subnet(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(a) => Ipv6Net::new(a, 64).map_or(address, |net| net.network().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(per_minute: u32) -> Crowd {
        Crowd::new(NonZeroU32::new(per_minute).unwrap(), NonZeroU32::MAX, NonZeroU32::MAX)
    }

    fn admitted(crowd: &Crowd, address: &str, times: u32) -> u32 {
        (0..times).map(|_| u32::from(crowd.admit(Some(address.parse().unwrap())).is_ok())).sum()
    }

    #[test]
    fn an_address_has_its_rate_and_a_network_ten_times_that() {
        let crowd = crowd(5);
        assert_eq!(admitted(&crowd, "198.51.100.7", 20), 5);
        let refusal = crowd.admit(Some("198.51.100.7".parse().unwrap())).unwrap_err();
        assert_eq!((refusal.code(), refusal.status().as_u16()), ("request.too_many", 429));
        assert_eq!(admitted(&crowd, "198.51.101.7", 20), 5, "another network");
        let of_network: u32 = (8..100).map(|last| admitted(&crowd, &format!("198.51.100.{last}"), 20)).sum();
        assert!((45..=50).contains(&of_network), "{of_network}");
    }

    #[test]
    fn all_together_have_a_rate_too() {
        let crowd = Crowd::new(NonZeroU32::MAX, NonZeroU32::new(5).unwrap(), NonZeroU32::MAX);
        let all: u32 = (0..200).map(|n| admitted(&crowd, &format!("10.{n}.0.1"), 1)).sum();
        // Five of a second, and of the next if it began meanwhile.
        assert!((5..=15).contains(&all), "{all}");
        let refusal = crowd.admit(Some("10.250.0.1".parse().unwrap())).unwrap_err();
        assert_eq!((refusal.code(), refusal.status().as_u16()), ("request.crowded", 503));
    }

    #[test]
    fn what_is_not_known_has_a_rate_apart() {
        let crowd = Crowd::new(NonZeroU32::MAX, NonZeroU32::new(1_000).unwrap(), NonZeroU32::MAX);
        let from = |n: u32| Some(IpAddr::from([10, (n % 200) as u8, 0, 1]));
        let shown = |n: u32| crowd.admit_showing(&SecretString::from(format!("bogus {n}")), from(n)).is_ok();
        // Far more than there is, of which some are let in and most are not.
        let let_in = (0..100_000).filter(|n| shown(*n)).count();
        assert!((900..50_000).contains(&let_in), "{let_in}");
        assert!(crowd.admit("198.51.100.7".parse().ok()).is_ok(), "signing in is open");
        let token = SecretString::from("of somebody");
        crowd.recognised(&token, true);
        assert!(crowd.admit_showing(&token, from(1)).is_ok(), "who was recognised is not in the crowd");
    }

    #[test]
    fn who_shows_what_is_not_known_takes_nothing_from_who_signs_in() {
        let from = |n: u8| Some(IpAddr::from([10, n, 0, 1]));
        // Again and again, for a second may begin meanwhile.
        for _ in 0..50 {
            let crowd = Crowd::new(NonZeroU32::MAX, NonZeroU32::new(2).unwrap(), NonZeroU32::MAX);
            for n in 0..3 {
                drop(crowd.admit_showing(&SecretString::from("bogus"), from(n)));
            }
            assert!(crowd.admit(from(9)).is_ok(), "signing in is open");
        }
    }

    #[test]
    fn in_version_6_a_subnet_is_one_address() {
        let crowd = crowd(5);
        let tries: u32 = (0..20).map(|last| admitted(&crowd, &format!("2001:db8:1:2::{last:x}"), 1)).sum();
        assert_eq!(tries, 5);
        assert_eq!(admitted(&crowd, "2001:db8:1:3::1", 20), 5, "another subnet");
        assert_eq!(admitted(&crowd, "::ffff:198.51.100.7", 3), 3);
        assert_eq!(admitted(&crowd, "198.51.100.7", 20), 2, "the same address, written otherwise");
    }

    #[test]
    fn what_is_at_rest_is_forgotten() {
        let crowd = Crowd::new(NonZeroU32::new(60_000_000).unwrap(), NonZeroU32::MAX, NonZeroU32::MAX);
        for n in 0..SWEEP - 1 {
            let [a, b, c, d] = n.to_be_bytes();
            assert!(crowd.admit(Some(IpAddr::from([10, b.wrapping_add(a), c, d]))).is_ok());
        }
        assert!(crowd.addresses.len() > 1000);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(crowd.admit(None).is_ok());
        assert!(crowd.addresses.len() < 1000, "{}", crowd.addresses.len());
    }
}
