//! Who may open the store, and what `status` says with and without a daemon.

use serde_json::Value;

use crate::{process::text, run::mirror_at_freshdesk, world::World};

#[tokio::test]
async fn the_store_has_one_owner_and_status_finds_it() {
    let world = World::new(17).await;
    let daemon = world.start().await;
    world.sandbox.zendesk.zendesk_open("Broken cup", "Glue it?").await;
    mirror_at_freshdesk(&world, "Broken cup").await;

    let asked = world.command(&["status", "--json"]).with_code(0);
    assert_eq!(asked.stderr, "", "the daemon itself was asked");
    let accounts = |report: &str| {
        let report: Value = serde_json::from_str(report).unwrap();
        let names = report["accounts"].as_array().unwrap().iter();
        names.map(|account| account["account"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(accounts(&asked.stdout), ["fd", "zd", "pay"]);
    let said = world.command(&["status"]).with_code(0);
    assert!(said.stdout.contains("zd") && said.stdout.contains("parked: 0"), "{said:?}");

    let pid = daemon.id().to_string();
    let backup = world.path("backup.hexp");
    for args in [
        &["store", "verify"][..],
        &["store", "export", "--out", text(&backup)],
        &["run"],
        &["sync", "--once"],
    ] {
        let refused = world.command(args).with_code(5);
        assert!(refused.stderr.contains(&pid), "{args:?} names the process {pid}: {refused:?}");
    }
    assert!(!backup.exists());
    world.stop(daemon);

    let read = world.command(&["status", "--json"]).with_code(0);
    assert!(read.stderr.contains("no daemon answers"), "{read:?}");
    assert_eq!(accounts(&read.stdout), ["fd", "zd", "pay"]);
    let verified = world.command(&["store", "verify"]).with_code(0);
    assert!(verified.stdout.contains("nothing is wrong"), "{verified:?}");
    let exported = world.command(&["store", "export", "--out", text(&backup), "--json"]).with_code(0);
    assert!(serde_json::from_str::<Value>(&exported.stdout).is_ok(), "{exported:?}");
    assert!(std::fs::metadata(&backup).unwrap().len() > 100);
}
