//! What the views of a link's tickets mean, and what came of writes: one row a case.
//! The language of the rows is described in `rows`.

use crate::rows::check;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn check_all(rows: &[Row]) {
    let wrong: Vec<_> = rows.iter().filter_map(|row| check(row.0, row.1, row.2, row.3, row.4).err()).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn one_side_changed() {
    check_all(&[
        ("nothing changed", "", "status=open", "a@11", "status=open"),
        ("nothing is looked at", "", "status=open", "", "status=open"),
        ("a change goes to the other side", "", "status=open", "a@11 status=solved",
            "status=solved; took status a=solved; b status=open !status ~status:solved; update b status=solved ?10"),
        ("and the other way", "", "status=open", "b@11 status=solved",
            "status=solved; took status b=solved; a status=open !status ~status:solved; update a status=solved ?10"),
        ("to both others", "three", "priority=low", "c@11 priority=high",
            "priority=high; took priority c=high; a priority=low !priority ~priority:high; \
             b priority=low !priority ~priority:high; update a priority=high ?10; update b priority=high ?10"),
        ("several fields travel in one update", "", "subject=X status=open", "a@11 subject=Y status=solved",
            "subject=Y status=solved; took subject a=Y; took status a=solved; \
             b subject=X status=open !subject !status ~subject:Y ~status:solved; \
             update b subject=Y status=solved ?10"),
        ("only what changed is sent", "", "subject=X status=open priority=low", "a@11 priority=urgent",
            "subject=X status=open priority=urgent; took priority a=urgent; \
             b priority=low !priority ~priority:urgent; update b priority=urgent ?10"),
        ("a priority is taken off", "", "priority=low", "b@11 priority=none",
            "priority=none; took priority b=none; b priority=none; a priority=low !priority ~priority:none; update a priority=none ?10"),
        ("what a vendor cannot hold is not sent to it", "", "priority=low", "a@11 priority=none",
            "priority=none; took priority a=none; b priority=low"),
        ("what looks the same there is not sent", "", "status=pending", "a@11 status=on_hold",
            "status=on_hold; took status a=on_hold"),
        ("a coarser form is in step", "", "status=on_hold", "b@11", "status=on_hold"),
        ("the value is sent in the vendor's form", "", "status=open", "a@11 status=closed",
            "status=closed; took status a=closed; b status=open !status ~status:solved; update b status=solved ?10"),
        ("a change of a coarse side counts as it is shown", "", "status=on_hold", "b@11 status=solved",
            "status=solved; took status b=solved; a status=on_hold !status ~status:solved; update a status=solved ?10"),
        ("a field that is not shown stands", "", "subject=X status=open", "a@11 status=?", "subject=X status=open"),
        ("the owner is watched and not spread", "", "status=open", "a@11 assignee=7 group=8", "status=open"),
        ("a field that is not synced is watched", "unsynced priority", "status=open", "a@11 priority=high", "status=open; a priority=high"),
        ("a field that left the mapping leaves the base", "unsynced priority", "status=open priority=low; b !priority", "a@11",
            "status=open; a priority=low; b priority=low"),
    ]);
}

#[test]
fn a_field_without_a_base() {
    check_all(&[
        ("equal values become the base", "", "; a status=open; b status=open", "a@11",
            "status=open; took status a=open"),
        ("values that agree in their own forms do too", "", "; a status=on_hold; b status=pending", "",
            "status=on_hold; took status a=on_hold"),
        ("one that knows gives it to one that does not", "", "; a status=open", "",
            "status=open; took status a=open; b !status ~status:open; update b status=open ?10"),
        ("unequal ones are a conflict", "", "; a status=open seen=12; b status=solved", "",
            "status=open; conflict status a=open over b=solved; b status=solved !status ~status:open; update b status=open ?10"),
        ("tags are united", "", "; a tags=x,Y; b tags=y,z", "",
            "tags=Y,x,z; tags a +Y +x; tags b +y +z; a tags=Y,x !tags ~tags:Y,x,z; update a tags=Y,x,z ?10; \
             b tags=y,z !tags ~tags:x,y,z; update b tags=x,y,z ?10"),
    ]);
}

#[test]
fn both_sides_changed() {
    check_all(&[
        ("to the same value: no conflict", "", "status=open", "a@11 status=solved; b@12 status=solved",
            "status=solved; took status b=solved"),
        ("to values that agree up to the vendor's form: the finer one", "", "status=open", "a@11 status=on_hold; b@12 status=pending",
            "status=on_hold; took status a=on_hold"),
        ("the newest view wins", "", "status=open", "a@12 status=solved; b@11 status=pending",
            "status=solved; conflict status a=solved over b=pending; b status=pending !status ~status:solved; update b status=solved ?11"),
        ("whichever side that is", "", "status=open", "a@11 status=solved; b@12 status=pending",
            "status=pending; conflict status b=pending over a=solved; a status=solved !status ~status:pending; update a status=pending ?11"),
        ("a tie goes to the account that faces the customer", "", "priority=low", "a@11 priority=high; b@11 priority=urgent",
            "priority=high; conflict priority a=high over b=urgent; b priority=urgent !priority ~priority:high; update b priority=high ?11"),
        ("whichever account that is", "facing b", "priority=low", "a@11 priority=high; b@11 priority=urgent",
            "priority=urgent; conflict priority b=urgent over a=high; a priority=high !priority ~priority:urgent; update a priority=urgent ?11"),
        ("an account that always wins", "wins b", "status=open", "a@12 status=solved; b@11 status=pending",
            "status=pending; conflict status b=pending over a=solved; a status=solved !status ~status:pending; update a status=pending ?12"),
        ("an account that always wins and has not changed it does not contend", "wins b; three", "status=open", "a@11 status=solved; c@12 status=pending",
            "status=pending; conflict status c=pending over a=solved; a status=solved !status ~status:pending; \
             update a status=pending ?11; b status=open !status ~status:pending; update b status=pending ?10"),
        ("three contend", "three", "priority=low", "a@11 priority=high; b@12 priority=urgent; c@13 priority=normal",
            "priority=normal; conflict priority c=normal over b=urgent a=high; a priority=high !priority ~priority:normal; \
             b priority=urgent !priority ~priority:normal; update a priority=normal ?11; update b priority=normal ?12"),
        ("different fields: no conflict", "", "status=open priority=low", "a@11 status=solved; b@12 priority=high",
            "status=solved priority=high; took status a=solved; took priority b=high; \
             a priority=low !priority ~priority:high; b status=open !status ~status:solved; \
             update a priority=high ?11; update b status=solved ?12"),
    ]);
}

#[test]
fn what_was_not_delivered_contends() {
    check_all(&[
        ("a side that was behind changed later: it wins over the base", "", "status=solved; b status=open !status", "b@11 status=pending",
            "status=pending; conflict status b=pending over base=solved; a status=solved !status ~status:pending; update a status=pending ?10"),
        ("a side that was behind changed earlier: the base stays", "", "status=solved; a seen=20; b status=open !status", "b@11 status=pending",
            "status=solved; conflict status base=solved over b=pending; b status=pending !status ~status:solved; update b status=solved ?11"),
        ("the base counts for the account that shows it", "wins a", "status=solved; b status=open !status", "b@30 status=pending",
            "status=solved; conflict status base=solved over b=pending; b status=pending !status ~status:solved; update b status=solved ?30"),
        ("and not for one that does not", "wins b", "status=solved; a seen=20; b status=open !status", "b@11 status=pending",
            "status=pending; conflict status b=pending over base=solved; a status=solved !status ~status:pending; update a status=pending ?20"),
        ("a side that was behind came to agree by itself", "", "status=solved; b status=open !status", "b@11 status=solved",
            "status=solved; took status b=solved"),
        ("up to its form", "", "status=closed; b status=open !status", "b@11 status=solved", "status=closed"),
        ("a side that had the base replaces it", "three", "status=solved; b status=open !status", "a@11 status=pending",
            "status=pending; took status a=pending; b status=open !status ~status:pending; c status=solved !status ~status:pending; \
             update b status=pending ?10; update c status=pending ?10"),
        ("a side that had the base and one that had not: the base itself is out", "three", "priority=urgent; b priority=low !priority", "a@11 priority=high; b@12 priority=normal",
            "priority=normal; conflict priority b=normal over a=high; a priority=high !priority ~priority:normal; \
             c priority=urgent !priority ~priority:normal; update a priority=normal ?11; update c priority=normal ?10"),
        ("a change while the base is on its way", "", "status=solved; b status=open !status ~status:solved out", "b@11 status=pending",
            "status=pending; conflict status b=pending over base=solved; b ~status:solved; a status=solved !status ~status:pending; update a status=pending ?10"),
    ]);
}

#[test]
fn what_is_in_flight_is_ours() {
    check_all(&[
        ("it shows up", "", "status=solved; b status=open !status ~status:solved out", "b@11 status=solved", "status=solved; b ~status:solved"),
        ("it shows up, and nothing is outstanding", "", "status=solved; b status=open !status ~status:solved", "b@11 status=solved", "status=solved"),
        ("it has not shown up yet", "", "status=solved; b status=open !status ~status:solved out", "b@11",
            "status=solved; b status=open !status ~status:solved"),
        ("an older one shows up late", "", "status=pending; b status=open !status ~status:solved ~status:pending out", "b@11 status=solved",
            "status=pending; b status=solved !status ~status:pending"),
        ("a newer one shows up: the older is over", "", "status=pending; b status=open !status ~status:solved ~status:pending out", "b@11 status=pending",
            "status=pending; b ~status:pending"),
        ("one that was given up shows up", "", "priority=high; b priority=low !priority ~priority:high", "b@11 priority=high", "priority=high"),
        ("one that was given up shows up after the base moved on", "", "priority=urgent; b priority=low !priority ~priority:high", "b@11 priority=high",
            "priority=urgent; b priority=high !priority ~priority:urgent; update b priority=urgent ?11"),
        ("a person changes another field meanwhile", "", "status=solved priority=low; b status=open !status ~status:solved out", "b@11 status=solved priority=high",
            "status=solved priority=high; took priority b=high; b ~status:solved; a priority=low !priority ~priority:high; update a priority=high ?10"),
        ("a person set it before ours came, and then another", "", "status=solved; b ~status:solved out", "b@11 status=pending",
            "status=pending; took status b=pending; b ~status:solved; a status=solved !status ~status:pending; update a status=pending ?10"),
        ("an outstanding write holds back the next", "", "priority=low; b out", "a@11 priority=high",
            "priority=high; took priority a=high; b priority=low !priority"),
    ]);
}

#[test]
fn changes_that_do_not_count() {
    check_all(&[
        ("where they come from an account that only receives", "from a", "status=open", "b@11 status=solved",
            "status=open; overruled status b=solved by open; b status=solved !status ~status:open; update b status=open ?11"),
        ("where it only gives and does not receive", "from a; to b", "status=open", "b@11 status=solved; a@11 status=pending",
            "status=pending; took status a=pending; overruled status b=solved by pending; b status=solved !status ~status:pending; update b status=pending ?11"),
        ("where it neither gives nor receives: only watched", "from a; to a", "status=open", "b@11 status=solved", "status=open; b status=solved"),
        ("the giver is never written to", "from a b; to b", "status=open", "b@11 status=solved", "status=solved; took status b=solved; a status=open"),
        ("tags of an account that only receives", "from a", "tags=x", "b@11 tags=x,y",
            "tags=x; overruled tags b=x,y by x; b tags=x,y !tags ~tags:x; update b tags=x ?11"),
        ("it agrees by itself", "from a", "status=solved; b status=open !status", "b@11 status=solved", "status=solved"),
        ("a helpdesk that insists is let be at last", "from a", "status=open; b rw:status:3", "b@11 status=solved", "status=open; kept status b=solved; b status=solved"),
        ("until somebody changes the field", "from a", "status=open; b status=solved", "a@11 status=pending",
            "status=pending; took status a=pending; b status=solved !status ~status:pending; update b status=pending ?10"),
    ]);
}

#[test]
fn rewritings_that_nobody_foresaw() {
    check_all(&[
        ("the answer shows another value: the shadow is what was sent", "", "subject=long; b subject=old !subject ~subject:long out",
            "settle b subject=long ?10 -> applied@12 shown subject=lo", "subject=long"),
        ("which then looks like an edit and is spread", "", "subject=long; b rw:subject:1", "b@12 subject=lo",
            "subject=lo; took subject b=lo; a subject=long !subject ~subject:lo; update a subject=lo ?10"),
        ("not for ever", "", "subject=long; b rw:subject:3", "b@12 subject=lo", "subject=long; kept subject b=lo; b subject=lo"),
        ("a person's edit elsewhere ends the count", "", "subject=long; b rw:subject:3", "a@12 subject=new; b@13",
            "subject=new; took subject a=new; b subject=long !subject ~subject:new; update b subject=new ?13"),
        ("tags too", "", "tags=x; b rw:tags:3", "b@12 tags=xx", "tags=x; kept tags b=xx; b tags=xx"),
    ]);
}

#[test]
fn tags_merge_as_sets() {
    check_all(&[
        ("one is added", "", "tags=x", "a@11 tags=x,y", "tags=x,y; tags a +y; b tags=x !tags ~tags:x,y; update b tags=x,y ?10"),
        ("one is removed", "", "tags=x,y", "b@11 tags=x", "tags=x; tags b -y; a tags=x,y !tags ~tags:x; update a tags=x ?10"),
        ("the last is removed", "", "tags=x", "b@11 tags=-", "tags=-; tags b -x; a tags=x !tags ~tags:-; update a tags=- ?10"),
        ("both add", "", "tags=x", "a@11 tags=x,y; b@11 tags=x,z",
            "tags=x,y,z; tags a +y; tags b +z; a tags=x,y !tags ~tags:x,y,z; b tags=x,z !tags ~tags:x,y,z; \
             update a tags=x,y,z ?11; update b tags=x,y,z ?11"),
        ("both add the same", "", "tags=-", "a@11 tags=y; b@11 tags=y", "tags=y; tags a +y; tags b +y"),
        ("one adds, the other removes another", "", "tags=x", "a@11 tags=x,y; b@11 tags=-",
            "tags=y; tags a +y; tags b -x; a tags=x,y !tags ~tags:y; b tags=- !tags ~tags:y; update a tags=y ?11; update b tags=y ?11"),
        ("both remove the same", "", "tags=x,y", "a@11 tags=x; b@11 tags=x", "tags=x; tags a -y; tags b -y"),
        ("one is removed where it was, added where it was not: it stays", "", "tags=x; b tags=- !tags", "a@11 tags=-; b@11 tags=x",
            "tags=x; tags a -x; tags b +x; a tags=- !tags ~tags:x; update a tags=x ?11"),
        ("a coarse side has its own form of a tag", "", "tags=VIP+Gold", "b@11", "tags=VIP+Gold"),
        ("removing that form removes the tag", "", "tags=VIP+Gold,x", "b@11 tags=x",
            "tags=x; tags b -vip_gold; a tags=VIP+Gold,x !tags ~tags:x; update a tags=x ?10"),
        ("and every tag that looks like it", "", "tags=VIP,vip", "b@11 tags=-",
            "tags=-; tags b -vip; a tags=VIP,vip !tags ~tags:-; update a tags=- ?10"),
        ("adding another leaves the finer form", "", "tags=VIP+Gold", "b@11 tags=vip_gold,y",
            "tags=VIP+Gold,y; tags b +y; a tags=VIP+Gold !tags ~tags:VIP+Gold,y; update a tags=VIP+Gold,y ?10"),
        ("adding the coarse form of one on its way is adding that one", "", "tags=VIP+Gold; b tags=- !tags", "b@11 tags=vip_gold",
            "tags=VIP+Gold; tags b +vip_gold"),
        ("a tag that a vendor cannot hold survives its edits", "", "tags=!odd,x", "b@11 tags=-",
            "tags=!odd; tags b -x; a tags=!odd,x !tags ~tags:!odd; update a tags=!odd ?10"),
        ("a vendor's own spelling is not rewritten", "", "tags=x", "b@11 tags=Big,x",
            "tags=Big,x; tags b +Big; b tags=Big,x; a tags=x !tags ~tags:Big,x; update a tags=Big,x ?10"),
        ("ours shows up", "", "tags=x,y; b tags=x !tags ~tags:x,y out", "b@11 tags=x,y", "tags=x,y; b ~tags:x,y"),
        ("ours shows up with an addition on top: only that counts", "", "tags=y; b tags=x !tags ~tags:y out", "b@11 tags=y,z",
            "tags=y,z; tags b +z; b ~tags:y; a tags=y !tags ~tags:y,z; update a tags=y,z ?10"),
        ("an addition before ours came", "", "tags=x,y; b tags=x !tags ~tags:x,y out", "b@11 tags=x,z",
            "tags=x,y,z; tags b +z; b tags=x,z !tags ~tags:x,y; a tags=x,y !tags ~tags:x,y,z; update a tags=x,y,z ?10"),
        ("nobody can tell whether ours came: nothing counts as removed", "", "tags=y; b tags=x !tags ~tags:y out", "b@11 tags=z",
            "tags=y,z; tags b +z; b tags=z !tags ~tags:y; a tags=y !tags ~tags:y,z; update a tags=y,z ?10"),
        ("a tag that ours takes off is still there: ours did not come", "", "tags=-; b tags=x,z !tags ~tags:- out", "b@11 tags=x",
            "tags=-; tags b -z; b tags=x !tags ~tags:-"),
        ("a removal before ours came", "", "tags=x,y; b tags=x !tags ~tags:x,y out", "b@11 tags=-",
            "tags=y; tags b -x; b tags=- !tags ~tags:x,y; a tags=x,y !tags ~tags:y; update a tags=y ?10"),
    ]);
}

#[test]
fn old_and_doubtful_views() {
    check_all(&[
        ("a page older than what is known", "", "status=open", "a@9 status=solved feed", "status=open; dropped a"),
        ("a fetch older than what is known: look again", "", "status=open", "a@9 status=solved fetch", "status=open; dropped a; requeue"),
        ("an answer older than what is known", "", "status=open", "a@9 status=solved answer", "status=open; dropped a"),
        ("a page of the same version and content", "", "status=open", "a@10 feed", "status=open"),
        ("a page of the same version and other content is read by id", "", "status=open", "a@10 status=solved feed", "status=open; doubt a; read a"),
        ("even if it only shows what is in flight", "", "status=solved; b status=open !status ~status:solved out", "b@10 status=solved feed",
            "status=solved; doubt b; read b; b status=open !status ~status:solved"),
        ("a fetch of the same version is taken", "", "status=open", "a@10 status=solved fetch",
            "status=solved; took status a=solved; b status=open !status ~status:solved; update b status=solved ?10"),
        ("an answer of the same version is taken", "", "status=open", "a@10 status=solved answer",
            "status=solved; took status a=solved; b status=open !status ~status:solved; update b status=solved ?10"),
        ("an answer of the same version that was read before the last view", "", "status=open", "a@10 status=solved answer early", "status=open; dropped a"),
        ("a newer page is taken", "", "status=open", "a@11 status=solved feed",
            "status=solved; took status a=solved; b status=open !status ~status:solved; update b status=solved ?10"),
        ("a ticket of no side", "", "status=open", "z@11 status=solved", "status=open; stranger z"),
        ("a doubtful page does not hold back the others", "three", "status=open", "a@10 status=pending feed; b@11 status=solved",
            "status=solved; doubt a; read a; took status b=solved; a status=open !status; c status=open !status ~status:solved; update c status=solved ?10"),
    ]);
}

#[test]
fn what_is_written_and_when() {
    check_all(&[
        ("a vendor that checks no condition is read first", "blind b", "status=open", "a@11 status=solved",
            "status=solved; took status a=solved; b status=open !status; read b"),
        ("a page is no reading", "blind b", "status=open", "a@11 status=solved; b@11 feed",
            "status=solved; took status a=solved; b status=open !status; read b"),
        ("having been read it is written to without a condition", "blind b", "status=open", "a@11 status=solved; b@10",
            "status=solved; took status a=solved; b status=open !status ~status:solved; update b status=solved"),
        ("an answer is a reading", "blind b", "status=solved; b status=open !status", "b@11 answer",
            "status=solved; b status=open !status ~status:solved; update b status=solved"),
        ("a side that is behind is written to whatever woke the link", "", "status=solved; b status=open !status", "",
            "status=solved; b status=open !status ~status:solved; update b status=solved ?10"),
        ("what needs nothing after all is not behind", "", "status=solved; b !status", "", "status=solved"),
        ("a parked side is not written to", "", "status=open; b parked", "a@11 status=solved",
            "status=solved; took status a=solved; b status=open !status parked"),
        ("until it changes", "", "status=solved; b status=open !status parked", "b@11",
            "status=solved; unparked b; b status=open !status ~status:solved; update b status=solved ?11"),
        ("the same version is no change", "", "status=solved; b status=open !status parked", "b@10",
            "status=solved; b status=open !status parked"),
        ("an account without the permission is not written to", "disarmed b", "status=open", "a@11 status=solved",
            "status=solved; took status a=solved; b status=open !status"),
        ("a ticket that is gone is not written to", "three; ", "status=open; b gone", "a@11 status=solved",
            "status=solved; took status a=solved; b status=open gone; c status=open !status ~status:solved; update c status=solved ?10"),
    ]);
}

#[test]
fn settling() {
    let sent = "status=solved; b status=open !status ~status:solved out";
    let over = "status=pending; b status=pending ~status:solved over:status out seen=12";
    check_all(&[
        ("applied", "", sent, "settle b status=solved ?10 -> applied@12", "status=solved"),
        ("applied and shown", "", sent, "settle b status=solved ?10 -> applied@12 shown status=solved", "status=solved"),
        ("applied, in a form that was foreseen", "", "status=closed; b status=open !status ~status:solved out",
            "settle b status=solved ?10 -> applied@12", "status=closed"),
        ("other fields of the answer are left to the next look", "", "status=solved priority=low; b status=open !status ~status:solved out",
            "settle b status=solved ?10 -> applied@12 shown status=solved priority=high", "status=solved priority=low"),
        ("applied after the base moved on", "", "status=pending; b status=open !status ~status:solved out",
            "settle b status=solved ?10 -> applied@12", "status=pending; b status=solved !status"),
        ("older values in flight are over", "", "status=solved; b status=open !status ~status:pending ~status:solved out",
            "settle b status=solved -> applied@12", "status=solved"),
        ("it had shown up already", "", "status=solved; b seen=12 out", "settle b status=solved ?10 -> applied@12", "status=solved"),
        ("it had shown up, and a person changed it since", "", "status=pending; b seen=13 out",
            "settle b status=solved -> applied@12", "status=pending"),
        ("in the very version that is known: read again", "", sent, "settle b status=solved -> applied@10", "status=solved; again b"),
        ("without a version: read again", "", sent, "settle b status=solved -> applied@?", "status=solved; again b"),
        ("a newer view shows the old value: read again", "", "status=solved; b status=open !status ~status:solved out seen=13",
            "settle b status=solved -> applied@12", "status=solved; again b"),
        ("a person's edit was seen, and ours came later", "", over, "settle b status=solved -> applied@13",
            "status=pending; b status=solved !status"),
        ("a person's edit was seen, and ours came before", "", over, "settle b status=solved -> applied@11", "status=pending"),
        ("a person's edit was seen in the same version: nobody knows", "", over, "settle b status=solved -> applied@12",
            "status=pending; b ~status:solved; again b"),
        ("lost, but it was shown since", "", "status=solved; b ~status:solved out", "settle b status=solved -> lost", "status=solved"),
        ("not applied: still behind", "", sent, "settle b status=solved ?10 -> not_applied", "status=solved; b status=open !status; again b"),
        ("not applied: only that value is taken back", "", "status=solved; b status=open !status ~status:pending ~status:solved out",
            "settle b status=solved ?10 -> not_applied", "status=solved; b status=open !status ~status:pending; again b"),
        ("lost: it may still show up", "", sent, "settle b status=solved ?10 -> lost", "status=solved; b status=open !status ~status:solved"),
        ("refused: the side is parked", "", sent, "settle b status=solved ?10 -> refused no", "status=solved; parked b; b status=open !status parked"),
        ("tags applied", "", "tags=x,y; b tags=x !tags ~tags:x,y out", "settle b tags=x,y ?10 -> applied@12", "tags=x,y"),
        ("tags applied, more on the way", "", "tags=x,y,z; b tags=x !tags ~tags:x,y out", "settle b tags=x,y ?10 -> applied@12",
            "tags=x,y,z; b tags=x,y !tags"),
        ("a write to a ticket that is gone", "", "status=solved; b gone", "settle b status=solved -> applied@12", "status=solved; b gone"),
    ]);
}

#[test]
fn tickets_come_and_go() {
    check_all(&[
        ("gone: never spread", "", "status=solved; b status=open !status ~status:solved out", "gone b", "status=solved; b status=open gone"),
        ("a page does not bring it back", "", "status=open; b gone", "b@12 feed", "status=open; doubt b; read b; b gone"),
        ("an old page says nothing", "", "status=open; b gone", "b@9 feed", "status=open; dropped b; b gone"),
        ("a fetch does, and what it missed follows", "", "status=solved; b status=open gone", "b@12 listed",
            "status=solved; back b; b status=open !status ~status:solved; update b status=solved ?12"),
        ("it changed while it was gone: a conflict", "", "status=solved; b status=open gone", "b@12 status=pending",
            "status=pending; back b; conflict status b=pending over base=solved; look b; a status=solved !status"),
        ("merged away", "three", "status=open", "moved b 2", "status=open; former b; look b"),
        ("joined: equal up to the form", "three; facing a", "status=on_hold", "drop b; add b; b@5 status=pending",
            "status=on_hold; look b"),
        ("joined: unequal is a conflict with the base", "three", "status=open", "drop b; add b; b@5 status=solved",
            "status=open; conflict status base=open over b=solved; look b; b status=solved !status"),
        ("joined: tags are united", "", "tags=x", "drop b; add b; b@5 tags=y",
            "tags=x,y; tags b +y; look b; a tags=x !tags; b tags=y !tags"),
    ]);
}

#[test]
fn mirrors() {
    check_all(&[
        ("a route makes a mirror once the comments are listed", "route a b", "subject=Hi status=open", "a@11", "subject=Hi status=open; look a"),
        ("in its vendor's form", "route a b", "subject=Hi status=new tags=VIP", "a@11 listed",
            "subject=Hi status=new tags=VIP; creating b; create b subject=Hi status=open tags=vip"),
        ("only with the route's tags", "route a b vip", "subject=Hi tags=x", "a@11 listed", "subject=Hi tags=x"),
        ("with the route's tags", "route a b vip", "subject=Hi tags=vip,x", "a@11 listed",
            "subject=Hi tags=vip,x; creating b; create b subject=Hi tags=vip,x"),
        ("not the other way", "route b a", "subject=Hi", "a@11 listed", "subject=Hi"),
        ("not where tickets cannot be made", "route a b; createless b", "subject=Hi", "a@11 listed", "subject=Hi"),
        ("what does not travel there is left out, the subject apart", "route a b; from a; to a", "subject=Hi status=open", "a@11 listed",
            "subject=Hi status=open; creating b; create b subject=Hi"),
        ("two routes to one account make one mirror", "route a b; route a b", "subject=Hi", "a@11 listed", "subject=Hi; creating b; create b subject=Hi"),
        ("not again for one that is gone", "route a b", "subject=Hi; b gone", "a@11 listed", "subject=Hi; b gone"),
        ("not where there is one", "route a b", "subject=Hi; b seen=10", "a@11 listed", "subject=Hi"),
    ]);
}

#[test]
fn addresses_in_copy_merge_as_sets() {
    check_all(&[
        ("both add", "with ccs", "ccs=x@y", "a@11 ccs=x@y,a@y; b@11 ccs=b@y,x@y",
            "ccs=a@y,b@y,x@y; ccs a +a@y; ccs b +b@y; a ccs=a@y,x@y !ccs ~ccs:a@y,b@y,x@y; b ccs=b@y,x@y !ccs ~ccs:a@y,b@y,x@y; \
             update a ccs=a@y,b@y,x@y ?11; update b ccs=a@y,b@y,x@y ?11"),
        ("one is removed", "with ccs", "ccs=x@y,z@y", "b@11 ccs=x@y", "ccs=x@y; ccs b -z@y; a ccs=x@y,z@y !ccs ~ccs:x@y; update a ccs=x@y ?10"),
        ("without a base they are united", "with ccs", "; a ccs=x@y; b ccs=z@y", "",
            "ccs=x@y,z@y; ccs a +x@y; ccs b +z@y; a ccs=x@y !ccs ~ccs:x@y,z@y; b ccs=z@y !ccs ~ccs:x@y,z@y; \
             update a ccs=x@y,z@y ?10; update b ccs=x@y,z@y ?10"),
        ("tags beside them stay", "with ccs", "tags=x ccs=x@y", "a@11 tags=x,y ccs=-",
            "tags=x,y ccs=-; tags a +y; ccs a -x@y; b tags=x ccs=x@y !tags !ccs ~tags:x,y ~ccs:-; update b tags=x,y ccs=- ?10"),
        ("ours shows up with an addition on top", "with ccs", "ccs=y@y; b ccs=x@y !ccs ~ccs:y@y out", "b@11 ccs=y@y,z@y",
            "ccs=y@y,z@y; ccs b +z@y; b ~ccs:y@y; a ccs=y@y !ccs ~ccs:y@y,z@y; update a ccs=y@y,z@y ?10"),
    ]);
}

#[test]
fn other_fields_are_registers() {
    check_all(&[
        ("owners by name", "with agent; with team", "agent=alice team=eu", "a@11 agent=bob",
            "agent=bob team=eu; took agent a=bob; b agent=alice !agent ~agent:bob; update b agent=bob ?10"),
        ("a custom field", "with custom:plan", "custom:plan=basic", "b@11 custom:plan=gold",
            "custom:plan=gold; took custom:plan b=gold; a custom:plan=basic !custom:plan ~custom:plan:gold; update a custom:plan=gold ?10"),
        ("one that does not count", "with type; from a", "type=bug", "b@11 type=task",
            "type=bug; overruled type b=task by bug; b type=task !type ~type:bug; update b type=bug ?11"),
        ("one that a helpdesk insists on", "with due_at", "due_at=5000; b rw:due_at:3", "b@12 due_at=6000",
            "due_at=1970-01-01T00:00:05Z; kept due_at b=1970-01-01T00:00:06Z; b due_at=1970-01-01T00:00:06Z"),
        ("one that is not synced is watched", "", "status=open", "a@11 custom:plan=x requester=ann@y", "status=open; a requester=ann@y custom:plan=x"),
    ]);
}

#[test]
fn a_status_of_an_accounts_own_making() {
    check_all(&[
        ("goes to the other side", "three", "status=open", "a@11 status=pending(parts)",
            "status=pending(parts); took status a=pending(parts); b status=open !status ~status:pending; c status=open !status ~status:pending(parts); \
             update b status=pending ?10; update c status=pending(parts) ?10"),
        ("its plain form is in step", "", "status=pending(parts)", "b@11", "status=pending(parts)"),
        ("the plain form said again is nothing", "", "status=pending(parts)", "b@11 status=pending", "status=pending(parts)"),
        ("another category is an edit", "", "status=pending(parts)", "b@11 status=open",
            "status=open; took status b=open; a status=pending(parts) !status ~status:open; update a status=open ?10"),
        ("another detail of the category is none for a coarse side", "", "status=pending(parts)", "a@11 status=pending(callback)",
            "status=pending(callback); took status a=pending(callback)"),
        ("ours shows up in its plain form", "", "status=pending(parts); b status=open !status ~status:pending", "b@11 status=pending", "status=pending(parts)"),
        ("both set it up to the form: the finer one", "", "status=open", "a@11 status=pending(parts); b@12 status=pending",
            "status=pending(parts); took status a=pending(parts)"),
        ("plain is not the detail where both can show it", "three", "status=pending(parts)", "c@11 status=pending",
            "status=pending; took status c=pending; a status=pending(parts) !status ~status:pending; update a status=pending ?10"),
    ]);
}

#[test]
fn closed_for_good() {
    let sent = "status=solved; b status=open !status ~status:solved out";
    check_all(&[
        ("a write that finds it so", "", sent, "settle b status=solved ?10 -> closed", "status=solved; closed b; b status=open closed"),
        ("it takes no writes", "", "status=open; b closed", "a@11 status=solved", "status=solved; took status a=solved; b status=open closed"),
        ("nor because it changes", "", "subject=w status=solved; b status=closed closed", "b@11 subject=x", "subject=x status=solved; took subject b=x; a subject=w !subject ~subject:x; b status=closed closed; update a subject=x ?10"),
        ("open again, what it missed follows", "", "status=solved; b status=open closed", "b@11",
            "status=solved; back b; b status=open !status; look b"),
        ("the same version says nothing new", "", "status=solved; b status=open closed", "b@10", "status=solved; b status=open closed"),
        ("an old page neither", "", "status=solved; b status=open closed", "b@9 feed", "status=solved; dropped b; b status=open closed"),
    ]);
}

#[test]
fn ratings() {
    check_all(&[
        ("are kept and told", "", "status=open", "a@11 rated", "status=open; rated a 75 good"),
        ("none is no news", "", "status=open", "a@11", "status=open"),
    ]);
}
