//! What goes right.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_echo() {
    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("echo")).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = theirs.recv().await.unwrap() {
            theirs.send(&message).await.unwrap();
        }
        theirs.finish().unwrap();
    });
    for n in 0..1000_u32 {
        ours.send(&n.to_le_bytes()).await.unwrap();
        let back = ours.recv().await.unwrap().unwrap();
        assert_eq!((&*back, back.seq()), (&n.to_le_bytes()[..], u64::from(n)));
    }
    ours.finish().unwrap();
    assert!(ours.recv().await.unwrap().is_none());
    echo.await.unwrap();
}
