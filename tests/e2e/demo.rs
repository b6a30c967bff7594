//! `handoffd demo`.

use std::time::Duration;

use crate::{
    process::Process,
    rest::{client, got},
};

#[test]
fn the_demo_plays_its_story_and_exits() {
    let ended = Process::start(&["demo", "--once"], &[]).ended(Duration::from_secs(60)).with_code(0);
    assert!(ended.stdout.lines().count() > 5, "it tells its story: {ended:?}");
    assert!(!ended.stderr.contains("ERROR"), "{ended:?}");
}

#[tokio::test]
async fn the_demo_stays_up_until_it_is_interrupted() {
    let mut demo = Process::start(&["demo"], &[]);
    demo.wait_for_line(|line| line.contains("Everything stays up"));
    let line = demo.wait_for_line(|line| line.contains("/status  ("));
    let address = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    assert_eq!(got(client().get(&address)).await.status, 401);
    for vendor in ["zendesk", "freshdesk", "intercom", "stripe"] {
        let line =
            demo.wait_for_line(|line| line.trim_start().starts_with(vendor) && line.contains("http://"));
        let base_url = line.split_whitespace().last().unwrap().to_owned();
        assert_eq!(got(client().get(format!("{base_url}/api/v2/tickets"))).await.status / 100, 4, "{vendor}");
    }
    demo.signal("INT");
    demo.ended(Duration::from_secs(20)).with_code(0);
}
