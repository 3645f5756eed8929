//! The link is lost and comes back; the last byte waits for the record; too much that waits.

use crate::platform::{Platform, Wishes, key_hash};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tacit_link::wire::{self, update::Kind};

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_the_control_plane_restarts() {
    let mut p = Platform::start(Wishes::default()).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    drop(p.link.take());
    let p = Arc::new(p);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", r#","stream":true,"max_tokens":30"#).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(calls.iter().all(|c| !c.is_finished()), "the last byte waits for the record");
    let _link = p.plane.listen(&p.endpoint);
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.ends_with("data: [DONE]\n\n"));
    }
    p.plane.calls(4).await;
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_opens_and_commits_nothing_is_not_opened_in_a_hot_loop() {
    let p = Arc::new(Platform::start(Wishes::default()).await);
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.plane.calls(1).await;
    let (watched, since) = (p.plane.watches.load(SeqCst), std::time::Instant::now());
    p.plane.full.store(true, SeqCst);
    let call = tokio::spawn({
        let p = Arc::clone(&p);
        async move { p.chat("chat", "").await.status }
    });
    while p.plane.watches.load(SeqCst) < watched + 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The pauses alone: 50, 100, 200, 400 and 800. A slow machine can only make it longer.
    assert!(since.elapsed() >= Duration::from_millis(1550), "{:?}", since.elapsed());
    p.plane.full.store(false, SeqCst);
    assert_eq!(call.await.unwrap(), 200);
    p.plane.calls(2).await;
    Arc::into_inner(p).unwrap().stop().await;
}

/// What the control plane says has changed.
fn changed(everything: bool, key: &str) -> Kind {
    let key_hashes = if key.is_empty() { Vec::new() } else { vec![key_hash(key)] };
    Kind::Invalidate(wire::Invalidate { everything, key_hashes, ..Default::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_looked_up_when_the_control_plane_is_back() {
    let mut p = Platform::start(Wishes::default()).await;
    drop(p.link.take());
    let p = Arc::new(p);
    let call = tokio::spawn({
        let p = Arc::clone(&p);
        async move { p.get_from(p.address, "/v1/models").await.status }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!call.is_finished(), "the call waits for the control plane");
    let _link = p.plane.listen(&p.endpoint);
    assert_eq!(call.await.unwrap(), 200);
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_makes_no_grant_unusable_and_a_named_change_does() {
    let p = Platform::start(Wishes::default()).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.plane.blind.store(true, SeqCst);
    p.plane.updates.send(changed(true, "")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let looked = p.plane.lookups.load(SeqCst);
    let begun = std::time::Instant::now();
    assert_eq!(p.chat("chat", "").await.status, 200);
    assert!(p.plane.lookups.load(SeqCst) > looked, "it was asked for again");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    p.plane.updates.send(changed(false, &p.key)).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = std::time::Instant::now();
    let (a, b, c) = tokio::join!(p.chat("chat", ""), p.chat("chat", ""), p.chat("chat", ""));
    assert!([a, b, c].iter().all(|answer| answer.status == 503));
    assert!(begun.elapsed() < Duration::from_secs(9), "they wait together: {:?}", begun.elapsed());
    p.plane.blind.store(false, SeqCst);
    assert_eq!(p.chat("chat", "").await.status, 200);
    // With the control plane there, what it says counts at once.
    p.plane.books.lock().unwrap().keys.clear();
    p.plane.updates.send(changed(true, "")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(p.chat("chat", "").await.status, 401);
    p.stop().await;
}

/// The word of a change overtakes an answer from before it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_change_has_overtaken_is_not_taken() {
    let overtaken = async |p: &Platform, before: bool, what: Kind| {
        let grant = p.plane.books.lock().unwrap().keys.get(&key_hash(&p.key)).cloned();
        if !before {
            p.plane.books.lock().unwrap().keys.clear();
        }
        p.plane.delayed.store(true, SeqCst);
        let looked = p.plane.lookups.load(SeqCst);
        let (answer, ()) = tokio::join!(p.chat("chat", ""), async {
            while p.plane.lookups.load(SeqCst) == looked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            match (before, &grant) {
                (false, Some(grant)) => {
                    p.plane.books.lock().unwrap().keys.insert(key_hash(&p.key), grant.clone());
                }
                _ => p.plane.books.lock().unwrap().keys.clear(),
            }
            p.plane.updates.send(what).unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            p.plane.delayed.store(false, SeqCst);
        });
        (answer.status.as_u16(), p.chat("chat", "").await.status.as_u16())
    };
    // The first look-up of a key, and one of a key that is known.
    for known in [false, true] {
        for by in ["key", "account", "everything"] {
            let p = Platform::start(Wishes::default()).await;
            let account = p.plane.books.lock().unwrap().keys[&key_hash(&p.key)].account.clone();
            let of_account = Kind::Invalidate(wire::Invalidate { accounts: vec![account], ..Default::default() });
            let what = match by {
                "key" => changed(false, &p.key),
                "account" => of_account,
                _ => changed(true, ""),
            };
            if known {
                assert_eq!(p.chat("chat", "").await.status, 200);
                p.plane.updates.send(changed(false, &p.key)).unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(overtaken(&p, true, what).await, (401, 401), "{by}, known: {known}");
            p.stop().await;
        }
    }
    // A key that was made while it was asked for.
    let p = Platform::start(Wishes::default()).await;
    let made = changed(false, &p.key);
    assert_eq!(overtaken(&p, false, made).await, (200, 200));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_do_not_stand_in_the_way_of_known_keys() {
    let p = Arc::new(Platform::start(Wishes::default()).await);
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.plane.pensive.store(true, SeqCst);
    let guesses: Vec<_> = (0..100)
        .map(|_| {
            use secrecy::ExposeSecret;
            let key = tacit_kernel::keytext::generate(&mut rand::rng());
            let mut request = p.request("/v1/chat/completions", "{}");
            let bearer = format!("Bearer {}", key.expose_secret());
            request.headers_mut().insert("authorization", bearer.parse().unwrap());
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.send(request).await.status.as_u16() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    p.plane.updates.send(changed(false, &p.key)).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), 503);
    }
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_acknowledges_stop_new_calls() {
    // A call leaves one event or two, as its end came before or after its begin had left.
    let p = Arc::new(Platform::start(Wishes { max_unacknowledged: 1, ..Wishes::default() }).await);
    p.plane.silent.store(true, SeqCst);
    let call = tokio::spawn({
        let p = Arc::clone(&p);
        async move { p.chat("chat", "").await.status }
    });
    while p.get_from(p.admin, "/readyz").await.status != 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let busy = p.chat("chat", "").await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "2"));
    p.plane.silent.store(false, SeqCst);
    assert_eq!(call.await.unwrap(), 200);
    while p.get_from(p.admin, "/readyz").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(p.chat("chat", "").await.status, 200);
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_hold_no_word_of_a_client() {
    let p = Platform::start(Wishes::default()).await;
    assert_eq!(p.chat("canary-model-name", "").await.status, 404);
    assert_eq!(p.chat("chat", "").await.status, 200);
    let health = p.get_from(p.admin, "/healthz").await.json();
    assert_eq!((health["sandbox"].as_str(), health["link"].as_str()), (Some("off"), Some("up")));
    let metrics = p.get_from(p.admin, "/metrics").await.body;
    assert!(
        metrics
            .contains("tacit_gateway_calls_total{endpoint=\"/v1/chat/completions\",status=\"completed\",code=\"\"} 1")
    );
    assert!(metrics.contains("tacit_gateway_provider_attempts_total{provider=\"practice\",code=\"\"} 1"));
    assert!(metrics.contains("tacit_gateway_sandbox 0"));
    assert!(!metrics.contains("canary"));
    // Every label is declared.
    for line in metrics.lines().filter(|l| !l.starts_with('#')) {
        let Some((name, labels)) = line.split_once('{') else { continue };
        let name = name.trim_end_matches("_total").trim_end_matches("_bucket");
        for label in labels.split('}').next().unwrap().split(',').filter_map(|l| l.split_once('=')) {
            let declared = tacit_gateway::datamap::ELEMENTS.iter().any(|e| {
                matches!(e.place, tacit_kernel::datamap::Place::MetricLabel { metric, label: l } if metric == name && l == label.0)
            });
            assert!(declared, "{name} {}", label.0);
        }
    }
    p.stop().await;
}
