"""More people than pairs: who has one changes by a switch and a message, and the loudest are heard all the same."""

from __future__ import annotations

from typing import Any

from sfu import control
from signaling.limits import SessionLimits
from signaling.messages import Explain, Layout, SlotsChanged, Speakers, Tile, TrackMuted
from signaling.room_events import LoudestChanged, MediaMoved
from tests.signaling.conversations import Conversation, participant, tags, track
from tests.signaling.test_subscribing import carried, flowing, offers


def crowded(count: int = 4) -> Conversation:
    """So many with microphone and camera, and two pairs; the first two have them."""
    people = [
        participant(f"p{index}", track(f"TR_{index}a", "microphone"), track(f"TR_{index}v", "camera", ("q", "h")))
        for index in range(count)
    ]
    conversation = Conversation(limits=SessionLimits(max_pairs=2, max_voices=1)).join(*people)
    conversation.serve()
    conversation.answer()
    for name in ("TR_0a", "TR_0v", "TR_1a", "TR_1v"):
        flowing(conversation, name)
    return conversation


def shows(conversation: Conversation, *names: str) -> list[Any]:
    tiles = tuple(Tile(track=name, width=320, height=180) for name in names)
    sent = conversation.say(lambda number: Layout(id=number, tiles=tiles))
    return sent + conversation.serve()


def test_in_a_crowd_pairs_go_to_what_is_shown_by_a_switch_and_a_message() -> None:
    conversation = crowded()
    assert set(conversation.subscriptions) == {"TR_0a", "TR_0v", "TR_1a", "TR_1v"}
    sent = shows(conversation, "TR_3v", "TR_0v")
    assert offers(sent) == [] and SlotsChanged(freed=("2", "3")) in sent, "who was there is not any more"
    assert set(conversation.subscriptions) == {"TR_0a", "TR_0v", "TR_3a", "TR_3v"}
    (change,) = flowing(conversation, "TR_3v", layer=1, timestamp=90)
    assert [(slot.mid, slot.track, slot.rid, slot.timestamp) for slot in change.slots] == [("3", "TR_3v", "h", 90)]


def test_a_page_turned_and_turned_back_moves_nobody_else() -> None:
    conversation = crowded()
    shows(conversation, "TR_3v", "TR_0v")
    calls = len(conversation.said)
    shows(conversation, "TR_0v", "TR_3v")
    assert [type(call).__name__ for call in conversation.said[calls:]] == ["SetLayout"]


def test_the_loudest_without_a_tile_has_an_audio_slot_of_his_own() -> None:
    conversation = crowded()
    conversation.hear(LoudestChanged(frozenset({"TR_0a", "TR_3a"})))
    (offer,) = offers(conversation.serve())
    assert carried(offer) == {"0": "TR_0a", "1": "TR_0v", "2": "TR_1a", "3": "TR_1v", "4": "TR_3a"}
    conversation.answer()
    flowing(conversation, "TR_3a")
    sent = conversation.hear(LoudestChanged(frozenset({"TR_0a", "TR_2a"}))) + conversation.serve()
    assert sent == [], "no offer, and no word before the next voice is heard in the Slot"
    (change,) = flowing(conversation, "TR_2a")
    assert [(slot.mid, slot.track) for slot in change.slots] == [("4", "TR_2a")]


def test_a_voice_that_gets_a_pair_leaves_its_slot() -> None:
    conversation = crowded()
    conversation.hear(LoudestChanged(frozenset({"TR_3a"})))
    conversation.serve()
    conversation.answer()
    flowing(conversation, "TR_3a")
    sent = shows(conversation, "TR_3v")
    assert [message.freed for message in sent if isinstance(message, SlotsChanged)] == [("2", "3", "4")]
    (change,) = flowing(conversation, "TR_3a")
    assert [(slot.mid, slot.track) for slot in change.slots] == [("2", "TR_3a")]


def test_for_a_client_that_does_not_say_what_it_shows_who_speaks_has_a_pair() -> None:
    conversation = crowded()
    conversation.hear(Speakers(recent=("p3",), speaking=True))
    conversation.serve()
    assert set(conversation.subscriptions) == {"TR_0a", "TR_0v", "TR_3a", "TR_3v"}


def test_a_client_that_missed_too_much_is_told_all_slots_anew() -> None:
    conversation = crowded()
    conversation.lose_socket()
    sent = conversation.resume(received=10**6)
    assert tags(sent)[0] == "resynced"
    assert {
        slot.mid: slot.track for message in sent if isinstance(message, SlotsChanged) for slot in message.slots
    } == {
        "0": "TR_0a",
        "1": "TR_0v",
        "2": "TR_1a",
        "3": "TR_1v",
    }


# --- why there is nothing to be seen or heard of the rest -------------------------------------------------------


def reasons(conversation: Conversation, *tracks: str) -> dict[str, str]:
    """Of what the Worker is not asked about."""
    conversation.say(lambda number: Explain(id=number, tracks=tracks or None))
    (asked,) = conversation.calls
    told = conversation.reply(control.Explanation(call=asked.call, budget_bps=1, estimate_bps=None, subscriptions=[]))
    (explanation,) = told
    return {row.track: row.reason for row in explanation.tracks}


def test_who_has_no_place_is_told_why() -> None:
    conversation = crowded()
    assert reasons(conversation) == {"TR_2a": "quiet", "TR_2v": "last_n", "TR_3a": "quiet", "TR_3v": "last_n"}
    shows(conversation, "TR_0v", "TR_1v", "TR_2v")
    assert reasons(conversation) == {"TR_2a": "quiet", "TR_2v": "last_n", "TR_3a": "quiet", "TR_3v": "layout"}
    assert reasons(conversation, "TR_3v", "TR_99") == {"TR_3v": "layout"}


def test_who_has_no_place_and_would_send_nothing_is_told_that() -> None:
    conversation = crowded()
    conversation.hear(TrackMuted(identity="p3", track="TR_3a", muted=True))
    conversation.hear(MediaMoved("TR_3v", None))
    conversation.serve()
    assert reasons(conversation, "TR_3a", "TR_3v") == {"TR_3a": "muted", "TR_3v": "not_sent"}
    conversation.hear(TrackMuted(identity="p3", track="TR_3a", muted=False))
    assert reasons(conversation, "TR_3a") == {"TR_3a": "quiet"}


def test_who_has_a_place_that_the_client_has_not_answered_for_is_about_to_come() -> None:
    conversation = crowded()
    conversation.hear(LoudestChanged(frozenset({"TR_3a"})))
    conversation.serve()
    assert reasons(conversation, "TR_3a") == {"TR_3a": "not_connected"}
