"""Who has a place at a subscriber, as tables and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.messages import Source as Purpose
from signaling.seating import Audience, RemoteTrack, Seating, Source, numbered, seat
from tests.signaling.conversations import track

PURPOSES: dict[str, Purpose] = {"a": "microphone", "v": "camera", "s": "screen", "t": "screen_audio"}


def remote(words: str) -> list[RemoteTrack]:
    """`bob:av` has microphone and camera, `eve:s` shares a screen; in the order of publishing."""
    found: list[RemoteTrack] = []
    for word in words.split():
        identity, _, kinds = word.partition(":")
        for index, kind in enumerate(kinds):
            theirs = [one for one in found if one.participant == identity]
            found.append(numbered(identity, track(f"{identity}.{kind}{index}", PURPOSES[kind]), theirs))
    return found


def camera(identity: str) -> Source:
    return Source(identity, is_screen=False, number=0)


def told(seating: Seating) -> tuple[list[str], list[str]]:
    def names(sources: object) -> list[str]:
        assert isinstance(sources, dict)
        return [one.participant + ("/screen" if one.is_screen else "") for one in sources]

    return names(seating.pairs), names(seating.voices)


@pytest.mark.parametrize(
    ("audience", "holders", "pairs", "voices"),
    [
        pytest.param(Audience(), "", ["a", "b"], [], id="as they came, who has a picture first"),
        pytest.param(Audience(), "c b", ["b", "c"], [], id="who has a place keeps it"),
        pytest.param(Audience(recent=("d", "x")), "b c", ["d", "b"], [], id="who speaks gets one"),
        pytest.param(Audience(recent=("x",)), "a b", ["a", "b"], [], id="but not for a voice alone"),
        pytest.param(Audience(tiles=("d.v1", "c.v1")), "a b", ["d", "c"], [], id="what is shown, in its order"),
        pytest.param(Audience(tiles=("d.v1",)), "a b", ["d", "a"], [], id="what is left stays as it is"),
        pytest.param(Audience(tiles=("x9", "d.v1")), "", ["d", "a"], [], id="tiles of nobody"),
        pytest.param(Audience(tiles=(), recent=("d",)), "a b", ["a", "b"], [], id="a client that says what it shows"),
        pytest.param(Audience(loudest=("x.a0", "a.a0")), "a b", ["a", "b"], ["x"], id="the loudest without a place"),
        pytest.param(Audience(loudest=("c.a0", "d.a0", "x.a0")), "a b", ["a", "b"], ["x", "c"], id="as many as may"),
    ],
)
def test_who_has_one_of_two_pairs(audience: Audience, holders: str, pairs: list[str], voices: list[str]) -> None:
    seating = seat(
        remote("x:a a:av b:av c:av d:av"),
        audience,
        {camera(identity) for identity in holders.split()},
        max_pairs=2,
        max_voices=2,
    )
    assert told(seating) == (pairs, voices) and seating.is_crowded


def test_a_screen_comes_before_faces_for_a_client_that_does_not_say() -> None:
    seating = seat(remote("a:av b:av c:avs"), Audience(), {camera("a")}, max_pairs=2, max_voices=0)
    assert told(seating) == (["c/screen", "a"], [])


def test_while_all_fit_all_have_a_place_whatever_is_shown() -> None:
    seating = seat(remote("a:av x:a"), Audience(tiles=(), loudest=("x.a0",)), (), max_pairs=2, max_voices=2)
    assert told(seating) == (["a", "x"], []) and not seating.is_crowded


def test_a_second_camera_has_a_place_of_its_own_with_the_second_microphone() -> None:
    tracks = remote("a:avva")
    assert [(one.name, one.number) for one in tracks] == [("a.a0", 0), ("a.v1", 0), ("a.v2", 1), ("a.a3", 1)]
    again = numbered("a", track("a.v9", "camera"), [one for one in tracks if one.name != "a.v1"])
    assert again.number == 0, "the place of the one that went"


IDENTITIES = st.sampled_from("abcdefgh")


@given(
    st.lists(st.tuples(IDENTITIES, st.sampled_from(["a", "v", "av", "avs", "st"])), unique_by=lambda one: one[0]),
    st.none() | st.lists(IDENTITIES.map(lambda identity: f"{identity}.v1"), unique=True),
    st.lists(IDENTITIES, unique=True),
    st.sets(IDENTITIES),
    st.integers(1, 6),
    st.integers(0, 3),
)
def test_nobody_sits_twice_and_sitting_again_changes_nothing(
    people: list[tuple[str, str]],
    tiles: list[str] | None,
    recent: list[str],
    loud: set[str],
    max_pairs: int,
    max_voices: int,
) -> None:
    tracks = remote(" ".join(f"{identity}:{kinds}" for identity, kinds in people))
    audience = Audience(tiles, recent, {f"{identity}.a0" for identity in loud})
    first = seat(tracks, audience, (), max_pairs=max_pairs, max_voices=max_voices)
    sources = {one.source for one in tracks}
    assert len(first.pairs) == min(len(sources), max_pairs)
    assert len(first.voices) <= max_voices and not first.pairs.keys() & first.voices.keys()
    placed = [one.name for places in (first.pairs, first.voices) for held in places.values() for one in held.values()]
    assert len(set(placed)) == len(placed)
    again = seat(tracks, audience, set(first.pairs), max_pairs=max_pairs, max_voices=max_voices)
    assert again.pairs.keys() == first.pairs.keys() and again.voices == first.voices
