use super::*;
use tacit_kernel::Nano;

#[tokio::test]
async fn a_client_that_leaves_during_a_look_up_leaves_nothing_behind() {
    let grants = Arc::new(grants());
    let leaving = (0..50_u8).map(|n| {
        let grants = Arc::clone(&grants);
        // Some wait for the same key.
        async move {
            let look_up = grants.look_up_once([n / 2; 32]);
            assert!(tokio::time::timeout(Duration::from_millis(20), look_up).await.is_err());
        }
    });
    futures_util::future::join_all(leaving).await;
    assert!(grants.flights.lock().is_empty() && grants.asked.is_empty());
}

fn grants() -> Grants {
    let nowhere = tacit_link::Endpoint::Unix("/nonexistent/link.sock".into());
    Grants::new(Arc::new(Link::new(tacit_link::connect(&nowhere, None).unwrap())))
}

/// What the control plane says of a key of that account, with that spent by the key, and by the account.
fn told(account: AccountId, key: i64, of_account: i64) -> wire::KeyGrant {
    let limits = Limits { spend_total: Some(Nano(1000)), ..Limits::default() };
    let limits = convert::limits_json(&limits).unwrap();
    let spend = |total| Some(wire::Spend { total, ..wire::Spend::default() });
    wire::KeyGrant {
        key: vec![1; 16],
        account: convert::id_bytes(account),
        group: vec![2; 16],
        key_limits_json: limits.clone(),
        account_limits_json: limits,
        key_spend: spend(key),
        account_spend: spend(of_account),
        seal_key: vec![3; 32],
        ..wire::KeyGrant::default()
    }
}

impl Grants {
    /// The answer to a look-up that began with these marks has come.
    fn loaded(&self, hash: Hash, told: &wire::KeyGrant, marks: &Marks) -> Option<Arc<Grant>> {
        let grant = self.load(hash, told, marks).unwrap().ok()?;
        self.entries.write().insert(hash, Entry::Known(Arc::clone(&grant)));
        Some(grant)
    }
}

fn charge(grant: &Grant, amount: i64) {
    for counters in [&grant.counters, &grant.account.counters] {
        counters.settle(0, amount, Timestamp(0));
        counters.acknowledged(amount);
    }
}

#[tokio::test]
async fn a_charge_settled_while_a_look_up_is_under_way_is_not_forgotten() {
    let (grants, hash, id) = (grants(), [1; 32], AccountId::fresh());
    let grant = grants.loaded(hash, &told(id, 0, 0), &grants.marks(&hash, &[])).unwrap();
    let rooms = |g: &Grant| {
        let room = |c: &Counters, limits: &Limits| c.room(limits, Timestamp(0)).unwrap().0;
        (room(&g.counters, &g.key_limits), room(&g.account.counters, &g.account_limits))
    };
    charge(&grant, 100);
    let marks = grants.marks(&hash, &[]);
    // Read by the control plane before this is settled, arrived after it is acknowledged.
    charge(&grant, 30);
    let grant = grants.loaded(hash, &told(id, 100, 300), &marks).unwrap();
    assert_eq!(rooms(&grant), (870, 670));
    let grant = grants.loaded(hash, &told(id, 130, 330), &grants.marks(&hash, &[])).unwrap();
    assert_eq!(rooms(&grant), (870, 670));
}

#[tokio::test]
async fn another_key_of_a_known_account_is_asked_for_again_with_the_account_s_mark() {
    let (grants, id) = (grants(), AccountId::fresh());
    let (first, second) = ([1; 32], [2; 32]);
    let of_second = grants.marks(&second, &[]);
    let grant = grants.loaded(first, &told(id, 0, 0), &grants.marks(&first, &[])).unwrap();
    charge(&grant, 30);
    let Err(known) = grants.load(second, &told(id, 0, 0), &of_second).unwrap() else { panic!("it has no mark") };
    assert_eq!(known[0].room(&grant.account_limits, Timestamp(0)).unwrap().0, 970);
    let of_second = grants.marks(&second, &known);
    charge(&grant, 5);
    let other = grants.loaded(second, &told(id, 0, 30), &of_second).unwrap();
    assert_eq!(other.account.counters.room(&grant.account_limits, Timestamp(0)).unwrap().0, 965);
    assert_eq!(other.counters.room(&grant.key_limits, Timestamp(0)).unwrap().0, 1000);
}

/// What is told of a key with a budget of 500 a month, of which that is spent.
fn told_budget(account: AccountId, id: u8, spent: i64) -> wire::KeyGrant {
    let spend = wire::Spend { month: spent, total: spent, ..wire::Spend::default() };
    let shared = wire::SharedBudget { id: vec![id; 16], per_day: -1, per_month: 500, spend: Some(spend) };
    wire::KeyGrant { budgets: vec![shared], ..told(account, 0, 0) }
}

#[tokio::test]
async fn keys_of_one_budget_share_what_is_left_of_it() {
    let (grants, id) = (grants(), AccountId::fresh());
    let (first, second, third) = ([1; 32], [2; 32], [3; 32]);
    let one = grants.loaded(first, &told_budget(id, 7, 100), &grants.marks(&first, &[])).unwrap();
    assert_eq!(one.room(Timestamp(0)).unwrap().0, 400);
    assert_eq!(one.promise(300, 300, Timestamp(0)), Ok(300));
    // The other key is asked for with the marks of what is known already.
    let Err(known) = grants.load(second, &told_budget(id, 7, 100), &Marks::default()).unwrap() else {
        panic!("no mark")
    };
    assert_eq!(known.len(), 2, "of the account and of the budget");
    let two = grants.loaded(second, &told_budget(id, 7, 100), &grants.marks(&second, &known)).unwrap();
    assert_eq!(two.promise(150, 150, Timestamp(0)), Err(None), "what the first has promised is taken");
    assert_eq!(two.promise(50, 150, Timestamp(0)), Ok(100));
    two.reserve(-100);
    // Another budget of the same account is another one.
    let other =
        grants.loaded(third, &told_budget(id, 8, 0), &grants.marks(&third, &[Arc::clone(&one.account.counters)]));
    assert_eq!(other.unwrap().promise(500, 500, Timestamp(0)), Ok(500));
    // A charge that the control plane may not have known stays counted, for both.
    one.shared.as_ref().unwrap().settle(300, 300, Timestamp(0));
    let two = grants.loaded(second, &told_budget(id, 7, 100), &grants.marks(&second, &[])).unwrap();
    assert_eq!(two.room(Timestamp(0)).unwrap().0, 100);
    one.shared.as_ref().unwrap().acknowledged(300);
    let two = grants.loaded(second, &told_budget(id, 7, 400), &grants.marks(&second, &[])).unwrap();
    assert_eq!(two.room(Timestamp(0)).unwrap().0, 100);
}

#[tokio::test]
async fn a_budget_is_forgotten_with_the_last_grant_that_names_it() {
    let (grants, id, hash) = (grants(), AccountId::fresh(), [1; 32]);
    let grant = grants.loaded(hash, &told_budget(id, 7, 0), &Marks::default()).unwrap();
    grants.entries.write().clear();
    grants.sweep();
    assert_eq!(grants.pool.len(), 1);
    drop(grant);
    grants.sweep();
    assert_eq!(grants.pool.len(), 0);
}

#[tokio::test]
async fn a_lease_is_kept_while_the_link_is_down() {
    let grants = grants();
    let id = AccountId::fresh();
    let budget = Arc::new(Budget::lying_idle(id));
    let account = Account { id, counters: Arc::default(), budget: Arc::clone(&budget) };
    grants.accounts.lock().insert(id, Arc::new(account));
    grants.sweep();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(budget.idle(moment::now()));
}
