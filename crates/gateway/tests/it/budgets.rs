//! Budgets that keys share: those of a member of an organisation, and of a project.

use crate::platform::{Platform, Wishes, key_hash};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tacit_kernel::ids::fresh;
use tacit_link::wire::{self, update::Kind};

fn budget(per_day: i64, per_month: i64) -> wire::SharedBudget {
    wire::SharedBudget { id: fresh().as_bytes().to_vec(), per_day, per_month, spend: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_one_member_share_a_budget_and_another_member_has_their_own() {
    let p = Platform::start(Wishes::default()).await;
    let (hers, his) = (budget(-1, 2_000_000), budget(-1, 2_000_000));
    let (one, two) = (p.another_key(std::slice::from_ref(&hers)), p.another_key(&[hers]));
    let other = p.another_key(&[his]);
    let (mut statuses, mut calls) = (Vec::new(), 0);
    for round in 0..6 {
        let key = if round % 2 == 0 { &one } else { &two };
        let answer = p.chat_with(key, "chat", r#","max_tokens":40"#).await;
        statuses.push(answer.status.as_u16());
        calls += 1;
        if answer.status == 402 {
            assert!(answer.body.contains("spend limit"), "{}", answer.body);
        }
    }
    assert_eq!((statuses[0], statuses[1], statuses[4], statuses[5]), (200, 200, 402, 402), "{statuses:?}");
    let spent: i64 = p.plane.calls(calls).await.iter().map(|c| c.amount).sum();
    assert!(spent > 1_000_000 && spent <= 2_000_000, "{spent}");
    // Neither the other member nor a key without a budget is touched by it.
    assert_eq!(p.chat_with(&other, "chat", r#","max_tokens":40"#).await.status, 200);
    assert_eq!(p.chat("chat", r#","max_tokens":40"#).await.status, 200);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_project_alone_is_held_to_the_projects_budget_and_to_no_members() {
    let p = Platform::start(Wishes::default()).await;
    let (hers, ours) = (budget(-1, 1), budget(-1, 2_000_000));
    let (members, alone) = (p.another_key(&[hers, ours.clone()]), p.another_key(std::slice::from_ref(&ours)));
    let another = p.another_key(&[ours]);
    // The member has nothing left, which is nothing to the keys of the project; these share what it has.
    assert_eq!(p.chat_with(&members, "chat", r#","max_tokens":40"#).await.status, 402);
    let mut statuses = Vec::new();
    for key in [&alone, &another].repeat(3) {
        statuses.push(p.chat_with(key, "chat", r#","max_tokens":40"#).await.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[1], statuses[4], statuses[5]), (200, 200, 402, 402), "{statuses:?}");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_do_not_pass_a_budget_together() {
    let p = Arc::new(Platform::start(Wishes::default()).await);
    // Two of each key, of which the tighter holds, whichever is told first.
    let mut both = [budget(2_000_000, -1), budget(-1, 100_000_000)];
    let mut key = |_| {
        both.reverse();
        p.another_key(&both)
    };
    let keys: Vec<_> = (0..4).map(&mut key).collect();
    let calls: Vec<_> = (0..100)
        .map(|n: usize| {
            let (p, key) = (Arc::clone(&p), keys[n % 4].clone());
            tokio::spawn(async move { p.chat_with(&key, "chat", r#","max_tokens":40"#).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap());
    }
    assert!(statuses.contains(&200) && statuses.contains(&402), "{statuses:?}");
    let spent: i64 = p.plane.calls(100).await.iter().map(|c| c.amount).sum();
    assert!(spent > 0 && spent <= 2_000_000, "{spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_was_raised_holds_at_once() {
    let p = Platform::start(Wishes::default()).await;
    let small = budget(-1, 1);
    let key = p.another_key(std::slice::from_ref(&small));
    assert_eq!(p.chat_with(&key, "chat", r#","max_tokens":40"#).await.status, 402);
    let grown = wire::SharedBudget { per_month: 1_000_000_000, ..small };
    p.plane.books.lock().unwrap().keys.get_mut(&key_hash(&key)).unwrap().budgets = vec![grown];
    let before = p.plane.lookups.load(SeqCst);
    let what = wire::Invalidate { key_hashes: vec![key_hash(&key)], ..Default::default() };
    p.plane.updates.send(Kind::Invalidate(what)).unwrap();
    // Until the word has arrived the old one holds.
    for _ in 0..500 {
        if p.chat_with(&key, "chat", r#","max_tokens":40"#).await.status == 200 {
            assert!(p.plane.lookups.load(SeqCst) > before);
            return p.stop().await;
        }
    }
    panic!("the budget stayed as it was");
}
