//! Whatever gateways, operators and control planes do in whatever order: no money appears or vanishes, nothing is
//! charged twice, and the books add up after every step.

use super::*;
use crate::LedgerError;
use crate::calls::CallFilter;
use crate::leases::LeaseRequest;
use crate::spend::SpendOf;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashMap;
use tacit_storage::Page;

#[derive(Clone, Debug)]
enum Step {
    TopUp {
        account: usize,
        amount: i64,
    },
    Grant {
        account: usize,
        amount: i64,
    },
    Adjust {
        account: usize,
        amount: i64,
    },
    Lease {
        gateway: usize,
        account: usize,
        need: i64,
        more: i64,
        give_back: i64,
        twice: bool,
    },
    Begin {
        gateway: usize,
        account: usize,
        reserved: i64,
        input: u64,
    },
    End {
        gateway: usize,
        which: usize,
        status: CallStatus,
        input: u64,
        output: u64,
    },
    /// Both gateways hand in what they have, one of them its last batches once more.
    Commit {
        again: usize,
    },
    /// One of them hands in what it has, and the control plane dies before it settles that.
    Journal {
        gateway: usize,
    },
    /// The control plane starts anew: what lies in the journal is settled first.
    Restart,
    /// The gateway dies and comes back.
    Die {
        gateway: usize,
        clean: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (account, gateway) = (0..3_usize, 0..2_usize);
    let status = prop::sample::select(vec![
        CallStatus::Completed,
        CallStatus::ClientGone,
        CallStatus::Interrupted,
        CallStatus::BalanceExhausted,
        CallStatus::Failed,
        CallStatus::Refused,
    ]);
    prop_oneof![
        1 => (account.clone(), 1..500_i64).prop_map(|(account, amount)| Step::TopUp { account, amount }),
        1 => (account.clone(), 1..100_i64).prop_map(|(account, amount)| Step::Grant { account, amount }),
        1 => (account.clone(), -300..100_i64).prop_map(|(account, amount)| Step::Adjust { account, amount }),
        4 => (gateway.clone(), account.clone(), 0..200_i64, 0..200_i64, 0..150_i64, any::<bool>()).prop_map(
            |(gateway, account, need, more, give_back, twice)| Step::Lease {
                gateway, account, need, more, give_back, twice
            }
        ),
        6 => (gateway.clone(), account, 0..100_i64, 0..120_u64)
            .prop_map(|(gateway, account, reserved, input)| Step::Begin { gateway, account, reserved, input }),
        6 => (gateway.clone(), any::<usize>(), status, 0..60_u64, 0..60_u64).prop_map(
            |(gateway, which, status, input, output)| Step::End { gateway, which, status, input, output }
        ),
        5 => (0..4_usize).prop_map(|again| Step::Commit { again }),
        2 => gateway.clone().prop_map(|gateway| Step::Journal { gateway }),
        1 => Just(Step::Restart),
        1 => (gateway, any::<bool>()).prop_map(|(gateway, clean)| Step::Die { gateway, clean }),
    ]
}

struct Gateway {
    name: String,
    session: SessionId,
    sent: Vec<SessionBatch>,
    /// What of that lies in the journal.
    unsettled: Vec<SessionBatch>,
    begun: Vec<BegunCall>,
    ended: Vec<EndedCall>,
    open: Vec<BegunCall>,
    requests: HashMap<AccountId, u64>,
}

impl Gateway {
    async fn start(world: &World, name: String) -> Self {
        let session = world.session(&name).await;
        let (sent, unsettled, begun, ended, open) = (vec![], vec![], vec![], vec![], vec![]);
        Self { name, session, sent, unsettled, begun, ended, open, requests: HashMap::new() }
    }

    /// What is handed in now: the last `again` batches once more, and a new one if there is anything to tell.
    fn batches(&mut self, again: usize) -> Vec<SessionBatch> {
        if !self.begun.is_empty() || !self.ended.is_empty() {
            self.sent.push(SessionBatch {
                aside: vec![],
                session: self.session,
                batch: self.sent.len() as u64 + 1,
                begun: std::mem::take(&mut self.begun),
                ended: std::mem::take(&mut self.ended),
            });
        }
        self.sent[self.sent.len().saturating_sub(again + 1)..].to_vec()
    }
}

/// Settles what lies in the journal of a gateway.
async fn settle(world: &World, books: &mut Books, gateway: &mut Gateway) {
    world.settle(&gateway.unsettled).await;
    let ended = gateway.unsettled.drain(..).flat_map(|batch| batch.ended);
    books.recorded.extend(ended.map(|call| (call.begun.call, call.status)));
}

/// What must be so after any step.
struct Books {
    paid_in: HashMap<AccountId, i64>,
    /// Calls that must be recorded, and how they ended.
    recorded: HashMap<CallId, CallStatus>,
}

async fn check(world: &World, books: &Books, step: &Step) {
    let report = world.verify().await;
    assert!(report.is_clean(), "after {step:?}: {report:?}");
    let calls = world.ledger.call_list(&CallFilter::default(), Page { after: None, limit: 500 }).await.unwrap();
    assert_eq!(calls.next, None);
    let found: HashMap<_, _> = calls.items.iter().map(|call| (call.id, call.status)).collect();
    assert_eq!(found, books.recorded, "after {step:?}");
    for (account, paid_in) in &books.paid_in {
        let charged: i64 = calls.items.iter().filter(|c| c.account == *account).map(|c| c.amount.0).sum();
        let pots = world.wallet(*account).await;
        assert!(pots.iter().all(|pot| *pot >= 0), "after {step:?}: {pots:?}");
        assert_eq!(pots.iter().sum::<i64>() + charged, *paid_in, "after {step:?}");
        let spend = world.ledger.spend(*account, SpendOf::Account, world.clock_now()).await.unwrap();
        assert_eq!(spend.total.0, charged, "after {step:?}");
    }
}

async fn run(db: Db, cases: usize) {
    let mut world = World::new(db).await;
    let mut runner = TestRunner::new(Config::default());
    let mut books = Books { paid_in: HashMap::new(), recorded: HashMap::new() };
    for case in 0..cases {
        let steps = prop::collection::vec(step(), 30..45).new_tree(&mut runner).unwrap().current();
        let mut accounts = Vec::new();
        for _ in 0..3 {
            accounts.push(world.account().await);
        }
        books.paid_in = accounts.iter().map(|a| (*a, 0)).collect();
        let mut gateways =
            [Gateway::start(&world, format!("left{case}")).await, Gateway::start(&world, format!("right{case}")).await];
        for (number, step) in steps.iter().enumerate() {
            take(&mut world, &mut books, &accounts, &mut gateways, step, &format!("{case}-{number}")).await;
            check(&world, &books, step).await;
        }
        for gateway in 0..2 {
            let step = Step::Die { gateway, clean: false };
            take(&mut world, &mut books, &accounts, &mut gateways, &step, "").await;
            check(&world, &books, &step).await;
        }
        for account in &accounts {
            assert_eq!(world.wallet(*account).await[2], 0, "a reservation stays behind: {steps:?}");
        }
    }
}

async fn take(
    world: &mut World,
    books: &mut Books,
    accounts: &[AccountId],
    gateways: &mut [Gateway; 2],
    step: &Step,
    key: &str,
) {
    match *step {
        Step::TopUp { account, amount } => {
            world.ledger.top_up(accounts[account], Nano(amount), key).await.unwrap();
            world.ledger.top_up(accounts[account], Nano(amount), key).await.unwrap();
            *books.paid_in.get_mut(&accounts[account]).unwrap() += amount;
        }
        Step::Grant { account, amount } => {
            world.ledger.grant(accounts[account], Nano(amount), key).await.unwrap();
            *books.paid_in.get_mut(&accounts[account]).unwrap() += amount;
        }
        Step::Adjust { account, amount } => {
            let [wallet, ..] = world.wallet(accounts[account]).await;
            let done = world.ledger.adjust(accounts[account], Nano(amount), key).await;
            assert_eq!(done.is_ok(), amount != 0 && wallet + amount >= 0);
            if done.is_ok() {
                *books.paid_in.get_mut(&accounts[account]).unwrap() += amount;
            }
        }
        Step::Lease { gateway, account, need, more, give_back, twice } => {
            let (gateway, account) = (&mut gateways[gateway], accounts[account]);
            let request = gateway.requests.entry(account).or_default();
            *request += 1;
            let (need, want, give_back) = (Nano(need), Nano(need + more), Nano(give_back));
            let ask = LeaseRequest { session: gateway.session, account, request: *request, need, want, give_back };
            let got = world.ledger.lease(ask).await.unwrap();
            assert!(got.granted == Nano::ZERO || (need..=want).contains(&got.granted), "{step:?} {got:?}");
            if twice {
                assert_eq!(world.ledger.lease(ask).await.unwrap(), got);
            }
        }
        Step::Begin { gateway, account, reserved, input } => {
            let call = world.begun(accounts[account], reserved, input);
            gateways[gateway].begun.push(call.clone());
            gateways[gateway].open.push(call);
        }
        Step::End { gateway, which, status, input, output } => {
            let gateway = &mut gateways[gateway];
            if gateway.open.is_empty() {
                return;
            }
            let call = gateway.open.remove(which % gateway.open.len());
            gateway.ended.push(EndedCall { status, ..world.ended(&call, input, output) });
        }
        Step::Commit { again } => {
            let mut batches = gateways[0].batches(0);
            batches.extend(gateways[1].batches(again));
            for gateway in gateways {
                settle(world, books, gateway).await;
            }
            world.commit(&batches).await;
            for call in batches.iter().flat_map(|batch| &batch.ended) {
                books.recorded.insert(call.begun.call, call.status);
            }
        }
        Step::Journal { gateway } => {
            let gateway = &mut gateways[gateway];
            let batches = gateway.batches(0);
            let written = world.write(&batches).await.written;
            gateway.unsettled.extend(batches.into_iter().zip(written).filter(|(_, new)| *new).map(|(batch, _)| batch));
        }
        Step::Restart => {
            world.settler = Settler::new(world.ledger.clone());
            world.journal = Journal::new(world.ledger.clone());
            for gateway in gateways {
                settle(world, books, gateway).await;
            }
        }
        Step::Die { gateway, clean } => {
            let gateway = &mut gateways[gateway];
            if !gateway.unsettled.is_empty() {
                let refused = world.settler.settle_lost(gateway.session, &world.price_of()).await;
                assert!(matches!(refused, Err(LedgerError::Unsettled)), "{refused:?}");
                settle(world, books, gateway).await;
            }
            if clean && gateway.open.is_empty() {
                let batches = gateway.batches(0);
                world.commit(&batches).await;
                books.recorded.extend(batches.iter().flat_map(|b| &b.ended).map(|c| (c.begun.call, c.status)));
                world.settler.session_close(gateway.session).await.unwrap();
            } else {
                let report = world.settler.settle_lost(gateway.session, &world.price_of()).await.unwrap();
                let again = world.settler.settle_lost(gateway.session, &world.price_of()).await.unwrap();
                assert_eq!(again.lost, []);
                let told: Vec<CallId> = gateway.sent.iter().flat_map(|b| &b.begun).map(|c| c.call).collect();
                for call in told.iter().filter(|call| !books.recorded.contains_key(call)) {
                    assert!(report.lost.contains(call), "an open call was forgotten");
                }
                for call in report.lost {
                    assert!(told.contains(&call));
                    assert_eq!(books.recorded.insert(call, CallStatus::Lost), None);
                }
            }
            *gateway = Gateway::start(world, gateway.name.clone()).await;
        }
    }
}

tacit_storage::both_engines! {
    async fn money_is_conserved(db: Db) {
        run(db, 4).await;
    }
}
