use super::*;

const SENDER: Sender<'static> = Sender { prefix: "p:", envoy: "me", login: None };

fn message(slot: u128, seq: u64) -> Message {
    Message {
        slot: Slot(slot),
        start: 0,
        seq,
        born: 0,
        total: 0,
        acked: 0,
        have: 0,
        need: 1,
        want: 1,
        limit: 10,
        lease_ms: 1,
        keep_ms: 0,
    }
}

fn reply(seq: u64) -> String {
    format!("*7\r\n:1\r\n:{seq}\r\n:3\r\n:0\r\n:0\r\n:0\r\n:0\r\n")
}

/// Sends all there is as `token`, and gives the commands' text.
fn send(mail: &mut Mail, token: u32) -> String {
    let (body, messages) = mail.post(&SENDER).unwrap();
    mail.sent(token, messages);
    String::from_utf8(body).unwrap()
}

#[test]
fn several_messages_go_in_one_post_and_each_gets_its_own_answer() {
    let mut mail = Mail::default();
    mail.add(vec![message(1, 5), message(2, 6)]);
    mail.wait(7, &[message(2, 6)], 1000);
    let body = send(&mut mail, 1);
    assert_eq!((body.matches("EVALSHA").count(), body.matches("QUIT").count()), (2, 1));
    assert!(mail.post(&SENDER).is_none() && mail.woken(10).is_empty());
    let replies = [reply(5), reply(6), "+OK\r\n".to_owned()].concat();
    let delivered = mail.delivered(1, Some(replies.as_bytes()), &SENDER);
    let seqs: Vec<_> = delivered.answers.iter().map(|(message, answer)| (message.seq, answer.seq)).collect();
    assert_eq!((seqs, delivered.error), (vec![(5, 5), (6, 6)], None));
    assert_eq!(mail.woken(10), [(7, false)]);
    assert!(mail.woken(10).is_empty(), "told once");
}

#[test]
fn what_is_on_its_way_is_not_sent_again_but_waited_for() {
    let mut mail = Mail::default();
    mail.add(vec![message(1, 5)]);
    send(&mut mail, 1);
    mail.add(vec![message(1, 5)]);
    mail.wait(7, &[message(1, 5)], 1000);
    assert!(!mail.is_due());
    mail.delivered(1, Some(reply(5).as_bytes()), &SENDER);
    assert_eq!(mail.woken(0), [(7, false)]);
    mail.add(vec![message(1, 5)]);
    assert!(mail.is_due(), "it is asked for again");
}

#[test]
fn a_store_that_does_not_know_the_script_is_sent_it_once() {
    let mut mail = Mail::default();
    mail.add(vec![message(1, 5), message(2, 6)]);
    mail.wait(7, &[message(1, 5)], 1000);
    send(&mut mail, 1);
    mail.delivered(1, Some(b"-NOSCRIPT no\r\n-NOSCRIPT no\r\n+OK\r\n"), &SENDER);
    assert!(mail.woken(10).is_empty());
    let body = send(&mut mail, 2);
    assert_eq!((body.matches("$4\r\nEVAL\r\n").count(), body.matches("EVALSHA").count()), (1, 1));
    mail.delivered(2, Some([reply(5), reply(6)].concat().as_bytes()), &SENDER);
    assert_eq!(mail.woken(10), [(7, false)]);
    mail.add(vec![message(1, 8)]);
    assert!(!send(&mut mail, 3).contains("$4\r\nEVAL\r\n"));
}

#[test]
fn a_store_that_never_knows_the_script_has_failed() {
    let mut mail = Mail::default();
    mail.add(vec![message(1, 5)]);
    mail.wait(7, &[message(1, 5)], 1000);
    send(&mut mail, 1);
    mail.add(vec![message(2, 5)]);
    send(&mut mail, 2);
    mail.delivered(1, Some(b"-NOSCRIPT no\r\n+OK\r\n"), &SENDER);
    let delivered = mail.delivered(2, Some(b"-NOSCRIPT no\r\n+OK\r\n"), &SENDER);
    assert_eq!(delivered.error, None, "the script had not gone with it");
    assert!(send(&mut mail, 3).contains("EVAL\r\n"));
    let delivered = mail.delivered(3, Some(b"-NOSCRIPT no\r\n-NOSCRIPT no\r\n+OK\r\n"), &SENDER);
    assert_eq!(delivered.error.as_deref(), Some("NOSCRIPT"));
    assert_eq!((mail.woken(10), mail.is_due()), (vec![(7, true)], false), "it is not sent again and again");
}

#[test]
fn whoever_waits_for_what_fails_is_told_so() {
    for body in [None, Some(&b""[..]), Some(b"-OOM no\r\n+OK\r\n"), Some(b"upstream connect error"), Some(b"*7\r\n:1")]
    {
        let mut mail = Mail::default();
        mail.add(vec![message(1, 5)]);
        mail.wait(7, &[message(1, 5)], 1000);
        mail.wait(8, &[message(2, 5)], 1000);
        send(&mut mail, 1);
        let delivered = mail.delivered(1, body, &SENDER);
        assert!(delivered.answers.is_empty() && delivered.error.is_some(), "{body:?}");
        assert_eq!(mail.woken(10), [(7, true)], "{body:?}");
        assert_eq!(mail.woken(1000), [(8, true)], "its time is over");
    }
}

#[test]
fn whoever_has_left_is_not_told() {
    let mut mail = Mail::default();
    mail.add(vec![message(1, 5)]);
    mail.wait(7, &[message(1, 5)], 1000);
    let (_, messages) = mail.post(&SENDER).unwrap();
    mail.forget(7);
    mail.lost(&messages);
    assert!(mail.woken(5000).is_empty());
}

#[test]
fn an_outage_does_not_pile_up_messages_or_connections() {
    let mut mail = Mail::default();
    mail.add((0..5000).map(|slot| message(slot, 1)).collect());
    let mut posts = 0;
    while let Some((_, messages)) = mail.post(&SENDER) {
        assert!(messages.len() <= BATCH);
        mail.sent(posts, messages);
        posts += 1;
    }
    assert_eq!(posts as usize, FLIGHTS);
    assert_eq!(mail.queue.len(), MAX_QUEUE - FLIGHTS * BATCH);
    mail.delivered(0, None, &SENDER);
    assert!(mail.is_due());
}

#[test]
fn a_password_goes_first_and_a_wrong_one_is_told() {
    for (login, command) in [
        (("", "pw"), "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"),
        (("me", "pw"), "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n"),
    ] {
        let sender = Sender { login: Some(login), ..SENDER };
        let mut mail = Mail::default();
        mail.add(vec![message(1, 5)]);
        let (body, messages) = mail.post(&sender).unwrap();
        assert!(String::from_utf8(body).unwrap().starts_with(command));
        mail.sent(1, messages);
        let delivered = mail.delivered(1, Some(["+OK\r\n", &reply(5)].concat().as_bytes()), &sender);
        assert_eq!((delivered.answers.len(), delivered.error), (1, None));
        mail.add(vec![message(1, 6)]);
        let (_, messages) = mail.post(&sender).unwrap();
        mail.sent(2, messages);
        let delivered = mail.delivered(2, Some(b"-WRONGPASS no\r\n-NOAUTH no\r\n"), &sender);
        assert_eq!((delivered.answers.len(), delivered.error.as_deref()), (0, Some("WRONGPASS no")));
    }
}
