//! The link is lost and comes back; the last byte waits for the record; too much that waits.

use crate::platform::{Platform, Wishes};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

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
async fn events_that_nobody_acknowledges_stop_new_calls() {
    let p = Arc::new(Platform::start(Wishes { max_unacknowledged: 4, ..Wishes::default() }).await);
    p.plane.silent.store(true, SeqCst);
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", "").await.status })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let busy = p.chat("chat", "").await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "2"));
    assert_eq!(p.get_from(p.admin, "/readyz").await.status, 503);
    p.plane.silent.store(false, SeqCst);
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
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
