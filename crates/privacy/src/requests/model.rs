//! What a request of a person is, and what may happen to it. Pure.

use tacit_identity::choices::Matter;
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{Nano, Personal, Timestamp};

tacit_kernel::words! {
    /// What is asked for (PIPL articles 44 to 50; GDPR articles 12 to 22). What people do themselves at once, a copy, a correction
    /// of what they said, needs no request.
    Kind {
        /// That the account ends and everything of it is erased.
        Cancellation = "cancellation",
        /// That something is corrected which the person cannot correct alone.
        Correction = "correction",
        /// That data is kept and not used. Whoever is signed in decides it without a request.
        Restriction = "restriction",
        /// That data does not serve to find those who cheat.
        Objection = "objection",
        /// That a decision is explained which a program made, and looked at by a human being.
        Explanation = "explanation",
        /// That something was done wrongly.
        Complaint = "complaint",
        /// A copy, by who cannot take it themselves.
        Copy = "copy",
        /// That some of what is held goes, and the account stays.
        Deletion = "deletion",
    }

    /// Who asks.
    Asker {
        /// The person.
        Person = "person",
        /// Who consented to the registration of a minor.
        Guardian = "guardian",
    }

    /// How far a request has come.
    State {
        /// It waits for us, and its clock runs.
        Open = "open",
        /// It waits for the person, and its clock stands.
        NeedInfo = "need_info",
        /// It is done when its time of reflection is over; the person may end it until then.
        Cooling = "cooling",
        /// It is being done, and cannot be taken back any more.
        Executing = "executing",
        /// It is done.
        Fulfilled = "fulfilled",
        /// It is refused, with a reason and a text; the person may appeal.
        Refused = "refused",
        /// The refusal is looked at once more, and a clock runs.
        Appealed = "appealed",
        /// The refusal stands; who is not content may turn to the regulator.
        Upheld = "upheld",
        /// The person does not ask for it any more.
        Withdrawn = "withdrawn",
    }

    /// How whoever asks has shown that it is them, from the weakest up. A request is never made of who has not.
    Verified {
        /// They read a code that was sent to an address of the account.
        Address = "address",
        /// They were signed in.
        Session = "session",
        /// They were signed in and had just shown anew who they are.
        StepUp = "step_up",
    }

    /// Why a request is refused. There is no other reason.
    Refusal {
        /// It is manifestly unfounded.
        Unfounded = "unfounded",
        /// It was asked for again and again.
        Repeated = "repeated",
        /// A law demands that it is kept as it is.
        Law = "law",
        /// It would take a right from somebody else.
        Others = "others",
        /// Nothing of the kind is held.
        NotHeld = "not_held",
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Staff asks the person for something.
    Ask,
    /// The person answers.
    Reply,
    /// Doing it begins.
    Execute,
    /// It is done.
    Fulfil,
    /// It is refused.
    Refuse,
    /// The person takes it back.
    Withdraw,
    /// The person does not want what a guardian asked for: it is not done by itself, and staff looks at it.
    Contest,
    /// Something stands in the way of what was to be done by itself.
    Obstruct,
    /// The person does not accept the refusal.
    Appeal,
    /// The refusal stands.
    Uphold,
    /// The refusal was wrong.
    Reverse,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 11] = [
        Self::Ask,
        Self::Reply,
        Self::Execute,
        Self::Fulfil,
        Self::Refuse,
        Self::Withdraw,
        Self::Contest,
        Self::Obstruct,
        Self::Appeal,
        Self::Uphold,
        Self::Reverse,
    ];

    /// Whether the person does it.
    #[must_use]
    pub const fn is_of_person(self) -> bool {
        matches!(self, Self::Reply | Self::Withdraw | Self::Contest | Self::Appeal)
    }
}

impl State {
    /// The state after that; `None` if it cannot happen.
    #[must_use]
    pub const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            // What was to be done by itself is stopped by a question.
            (Self::Open | Self::Cooling, Event::Ask) => Some(Self::NeedInfo),
            (Self::NeedInfo, Event::Reply)
            | (Self::Cooling, Event::Contest)
            | (Self::Executing, Event::Obstruct)
            | (Self::Appealed, Event::Reverse) => Some(Self::Open),
            (Self::Open | Self::Cooling, Event::Execute) => Some(Self::Executing),
            (Self::Open | Self::Executing, Event::Fulfil) => Some(Self::Fulfilled),
            (Self::Open | Self::NeedInfo, Event::Refuse) => Some(Self::Refused),
            (Self::Open | Self::NeedInfo | Self::Cooling | Self::Appealed, Event::Withdraw) => Some(Self::Withdrawn),
            (Self::Refused, Event::Appeal) => Some(Self::Appealed),
            (Self::Appealed, Event::Uphold) => Some(Self::Upheld),
            _ => None,
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Fulfilled | Self::Refused | Self::Upheld | Self::Withdrawn)
    }

    /// Whether it waits for us.
    #[must_use]
    pub const fn waits_for_staff(self) -> bool {
        matches!(self, Self::Open | Self::Appealed)
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RightsRequestId,
    /// Whose data it is about; a pseudonym once they were erased.
    pub account: AccountId,
    /// What is asked for.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// Who asked.
    pub asker: Asker,
    /// How whoever asked showed that it is them.
    pub verified: Verified,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// Of a cancellation: up to how much money that is left is given up.
    pub forfeits: Option<Nano>,
    /// What the person said; `None` if that was nothing, or cannot be read any more.
    pub said: Option<Personal<String>>,
    /// What staff answered.
    pub answer: Option<Personal<String>>,
    /// When it came.
    pub received_at: Timestamp,
    /// Until when it is to be answered.
    pub due_at: Timestamp,
    /// Since when the clock stands.
    pub paused_at: Option<Timestamp>,
    /// Until when the person may end what is done by itself then.
    pub cooling_until: Option<Timestamp>,
    /// Since when nothing is under way.
    pub closed_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Request {
    /// What it says about the use of data, as it stands: what is objected to is not done until the objection is refused or taken
    /// back (GDPR, articles 18 and 21), and what a guardian wants erased is not used meanwhile. That it is allowed again holds
    /// only as far as no other request says otherwise.
    pub(super) const fn decides(&self) -> Option<(Matter, bool)> {
        match (self.kind, self.state) {
            (Kind::Objection, state) => {
                Some((Matter::FraudDetection, matches!(state, State::Refused | State::Upheld | State::Withdrawn)))
            }
            (Kind::Restriction, State::Fulfilled) => Some((Matter::Use, false)),
            (Kind::Cancellation, state) if matches!(self.asker, Asker::Guardian) => match state {
                State::Cooling => Some((Matter::Use, false)),
                State::Refused | State::Upheld | State::Withdrawn => Some((Matter::Use, true)),
                _ => None,
            },
            _ => None,
        }
    }

    /// As it is shown to who asks at all; `None` if it is not theirs to see. Of a guardian's the person sees that their account is to be
    /// cancelled, which they may contest, and none of the words.
    #[must_use]
    pub fn shown_to(self, asker: Asker) -> Option<Self> {
        match (asker, self.asker) {
            _ if asker == self.asker => Some(self),
            (Asker::Person, Asker::Guardian) if self.kind == Kind::Cancellation => {
                Some(Self { said: None, answer: None, ..self })
            }
            _ => None,
        }
    }

    /// Whether it should have been answered by now.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state.waits_for_staff() && self.due_at < now
    }

    /// What happens to its clock and its state; `None` if it cannot happen. `days` are those within which a request is answered.
    #[must_use]
    pub(super) fn after(mut self, event: Event, now: Timestamp, days: u32) -> Option<Self> {
        self.state = self.state.after(event)?;
        let anew = now.plus_micros(i64::from(days) * DAY);
        match event {
            Event::Ask => self.paused_at = Some(now),
            Event::Reply => {
                let stood = self.paused_at.take().map_or(0, |since| now.micros_since(since));
                self.due_at = self.due_at.plus_micros(stood);
            }
            Event::Appeal | Event::Reverse | Event::Contest => self.due_at = anew,
            _ => {}
        }
        if event == Event::Reverse {
            self.refusal = None;
        }
        if self.state != State::NeedInfo {
            self.paused_at = None;
        }
        if self.state != State::Cooling {
            self.cooling_until = None;
        }
        self.closed_at = self.state.is_closed().then_some(now);
        self.updated_at = now;
        Some(self)
    }
}

/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    type Step = (State, Event, State);

    /// Everything that can ever happen, from both beginnings.
    fn paths() -> Vec<Vec<Step>> {
        let mut paths = Vec::new();
        let mut open: Vec<(State, Vec<Step>)> = vec![(State::Open, Vec::new()), (State::Cooling, Vec::new())];
        while let Some((state, path)) = open.pop() {
            for event in Event::ALL {
                let Some(next) = state.after(event) else { continue };
                let mut longer = path.clone();
                longer.push((state, event, next));
                // No step twice: a circle tells nothing new.
                if !path.contains(&(state, event, next)) {
                    open.push((next, longer.clone()));
                    paths.push(longer);
                }
            }
        }
        paths
    }

    #[test]
    fn nothing_comes_after_the_end_but_an_appeal() {
        for state in State::ALL.iter().copied().filter(|state| state.is_closed()) {
            for event in Event::ALL {
                let next = state.after(event);
                assert_eq!(next.is_some(), (state, event) == (State::Refused, Event::Appeal), "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn whoever_was_refused_may_appeal_and_whatever_is_under_way_comes_to_an_end() {
        let paths = paths();
        assert!(paths.len() > 50, "{}", paths.len());
        let reached: BTreeSet<&str> = paths.iter().flatten().map(|(_, _, to)| to.as_str()).collect();
        let all: BTreeSet<&str> = State::ALL.iter().map(|state| state.as_str()).filter(|s| *s != "cooling").collect();
        assert_eq!(reached, all, "every state is reached, and time for reflection is given at the beginning only");
        for state in State::ALL.iter().copied().filter(|state| !state.is_closed()) {
            let ends = paths.iter().flatten().filter(|(from, _, to)| *from == state && to.is_closed()).count();
            assert!(ends > 0, "{state:?}");
        }
    }

    #[test]
    fn no_one_decides_for_the_other() {
        for (from, event, to) in paths().into_iter().flatten() {
            // A person never fulfils or refuses, and staff never withdraws or appeals.
            assert_eq!(
                event.is_of_person(),
                matches!(event, Event::Reply | Event::Withdraw | Event::Contest | Event::Appeal)
            );
            if event.is_of_person() {
                assert!(!matches!(to, State::Fulfilled | State::Refused | State::Upheld), "{from:?} {event:?}");
            }
        }
    }

    #[test]
    fn the_clock_stands_only_while_the_person_is_asked() {
        let now = Timestamp(1_000 * DAY);
        let at = |days: i64| now.plus_micros(days * DAY);
        let request = Request {
            id: RightsRequestId::fresh(),
            account: AccountId::fresh(),
            kind: Kind::Correction,
            state: State::Open,
            asker: Asker::Person,
            verified: Verified::Session,
            refusal: None,
            forfeits: None,
            said: None,
            answer: None,
            received_at: now,
            due_at: at(15),
            paused_at: None,
            cooling_until: None,
            closed_at: None,
            updated_at: now,
        };
        let asked = request.clone().after(Event::Ask, at(14), 15).unwrap();
        assert!(!asked.is_overdue(at(100)), "it waits for the person");
        let replied = asked.after(Event::Reply, at(24), 15).unwrap();
        assert_eq!((replied.due_at, replied.paused_at), (at(25), None), "ten days were not ours");
        assert!(!replied.is_overdue(at(25)) && replied.is_overdue(at(26)));
        let refused = replied.after(Event::Refuse, at(25), 15).unwrap();
        assert_eq!((refused.closed_at, refused.is_overdue(at(99))), (Some(at(25)), false));
        let appealed = refused.after(Event::Appeal, at(30), 15).unwrap();
        assert_eq!((appealed.due_at, appealed.closed_at), (at(45), None));
        let reversed = appealed.clone().after(Event::Reverse, at(40), 15).unwrap();
        assert_eq!((reversed.state, reversed.due_at, reversed.refusal), (State::Open, at(55), None));
        assert!(appealed.after(Event::Ask, at(40), 15).is_none());
    }
}
