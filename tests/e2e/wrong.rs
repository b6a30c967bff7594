//! A credential that is wrong.

use crate::{
    process::assert_without,
    rest::Vendor,
    run::{freshdesk_shows, mirror_at_freshdesk, only, zendesk_shows},
    world::{Sandbox, World, eventually},
};

const SECOND_DESK: &str = r#"
[accounts.zd2]
connector = "zendesk"
base_url = "@zendesk2@"
auth = { method = "client_credentials", client_id = "@client@", client_secret = "env:ZD2_SECRET" }
webhook_secret = "env:ZD2_SIGNS"
"#;

/// Joins a second Zendesk to the group; `fd` has a key that is wrong.
async fn world_of_three(second: &Sandbox) -> World {
    let mut world = World::new(18).await;
    let signs = world.webhook_of(&second.zendesk, "zd2").await;
    world.set("ZD2_SIGNS", &signs);
    world.set("ZD2_SECRET", &second.zendesk.credential("client_secret"));
    world.config = world.config.replace("[\"zd\", \"fd\"]\ncustomer", "[\"zd\", \"zd2\", \"fd\"]\ncustomer");
    let routes = "routes = [{ from = \"zd\", to = \"zd2\" }, ";
    world.config = world.config.replace("routes = [", routes);
    let account = SECOND_DESK.replace("@zendesk2@", &second.zendesk.base_url);
    world.config += &account.replace("@client@", &second.zendesk.credential("client_id"));
    world
}

async fn mirror_at(desk: &Vendor, subject: &str) -> String {
    eventually("a mirror", || async { only(&desk.zendesk_tickets().await, subject) }).await
}

#[tokio::test]
async fn a_wrong_credential_pauses_its_account_alone() {
    let second = Sandbox::start(19);
    let mut world = world_of_three(&second).await;
    let right = world.variable("FD_KEY");
    world.set("FD_KEY", "a-key-that-is-wrong");
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Late tram", "It never came.").await;
    let mirror = mirror_at(&second.zendesk, "Late tram").await;
    second.zendesk.zendesk_reply(&mirror, "We are sorry.").await;
    zendesk_shows(&world, &ticket, &["It never came.", "We are sorry."]).await;

    let report = world.admin_get("/status.json").await.json;
    let state = |name: &str| {
        let accounts = report["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["account"] == name).unwrap()["state"].clone()
    };
    assert_eq!([state("zd"), state("zd2"), state("fd")], ["works", "works", "paused"], "{report}");
    let page = world.admin_get("/status").await.text;
    assert!(page.contains("paused since"), "{page}");
    let ended = world.stop(daemon);
    let about = |line: &&str| line.contains("WARN") && line.contains("account=fd");
    let warnings: Vec<&str> = ended.stderr.lines().filter(about).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(world.sandbox.freshdesk.freshdesk_tickets().await.is_empty());

    world.set("FD_KEY", &right);
    let daemon = world.start().await;
    let late = mirror_at_freshdesk(&world, "Late tram").await;
    freshdesk_shows(&world, &late, &["It never came.", "We are sorry."]).await;
    let ended = world.stop(daemon);
    assert_without(&[second.zendesk.credential("client_secret")], &ended.stderr);
    second.stop().with_code(0);
}
