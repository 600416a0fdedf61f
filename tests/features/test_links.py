"""Links turn other accounts' events into a buyer's own, and only as far as they were known."""

from __future__ import annotations

import pytest

from features.links import MAX_ACCOUNTS_PER_LINK, Link, PeerEvent, Verdict, peer_events


def test_two_accounts_on_one_device_learn_of_each_other_when_the_second_is_seen() -> None:
    links = [Link("device", "x", 10, "ann"), Link("device", "x", 20, "bob")]
    assert set(peer_events(links, [])) == {
        PeerEvent("ann", 20, "peer_linked", "device", "bob"),
        PeerEvent("bob", 20, "peer_linked", "device", "ann"),
    }


def test_an_account_alone_on_its_link_learns_nothing() -> None:
    assert list(peer_events([Link("device", "x", 10, "ann"), Link("address", "x", 10, "bob")], [])) == []


def test_a_peers_standing_is_carried_over_when_both_the_link_and_the_verdict_are_known() -> None:
    links = [Link("device", "x", 10, "ann"), Link("device", "x", 20, "bob")]
    verdicts = [
        Verdict(5, 5, "1", "bob", "abuse_confirmed"),
        Verdict(8, 8, "2", "bob", "abuse_cleared"),
        Verdict(30, 30, "3", "bob", "abuse_confirmed"),
    ]
    told = [e for e in peer_events(links, verdicts) if e.buyer_id == "ann" and e.kind != "peer_linked"]
    assert told == [
        PeerEvent("ann", 20, "peer_abuse_cleared", None, "bob"),
        PeerEvent("ann", 30, "peer_abuse_confirmed", None, "bob"),
    ]


@pytest.mark.parametrize("linked_at", [10, 20])
def test_of_verdicts_recorded_at_one_instant_a_peer_learns_the_last_that_happened(linked_at: int) -> None:
    links = [Link("device", "x", linked_at, "ann"), Link("device", "x", linked_at, "bob")]
    verdicts = [
        Verdict(20, 12, "1", "bob", "abuse_cleared"),
        Verdict(20, 11, "2", "bob", "abuse_confirmed"),
    ]
    told = [e for e in peer_events(links, verdicts, of="ann") if e.kind != "peer_linked"]
    assert told == [PeerEvent("ann", 20, "peer_abuse_cleared", None, "bob")]


def test_only_the_first_accounts_on_a_crowded_link_are_peers() -> None:
    crowd = [Link("address", "dormitory", i, f"b{i:03}") for i in range(MAX_ACCOUNTS_PER_LINK + 6)]
    events = list(peer_events(crowd, []))
    assert len(events) == MAX_ACCOUNTS_PER_LINK * (MAX_ACCOUNTS_PER_LINK - 1)
    assert {e.buyer_id for e in events} == {link.buyer_id for link in crowd[:MAX_ACCOUNTS_PER_LINK]}
