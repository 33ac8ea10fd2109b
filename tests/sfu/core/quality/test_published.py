"""What a Track that is published is worth, from what the plane counts of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sfu.core.quality.published import GRACE_S, Expected, PublishedQuality
from sfu.core.quality.score import Cause, Score
from sfu.core.types import Codec
from sfu.plane.interface import LayerReception
from tests.sfu.core.quality.table import nearly

ALL_LAYERS = frozenset((0, 1, 2))
CAMERA = Expected(muted=False, is_screen=False, wanted_layer=2, flowing=ALL_LAYERS)
VOICE = Expected(muted=False, is_screen=False, wanted_layer=0, flowing=frozenset((0,)))


def layer(index: int) -> LayerReception:
    return LayerReception(index, 10 + index, None, 1, 80, 0, 0, 0.0, 0.0, frames=1)


@dataclass
class Source:
    """What a plane would have counted of somebody, and a look at it every two seconds."""

    quality: PublishedQuality
    expected: Expected
    layers: dict[int, LayerReception]
    now: float = 100.0
    scores: list[Score | None] = field(default_factory=list)

    def send(
        self,
        seconds: float,
        frames_per_s: int = 30,
        packets_per_s: int = 50,
        lost_per_s: int = 0,
        layers: tuple[int, ...] | None = None,
    ) -> Score | None:
        for _ in range(int(seconds / 2)):
            self.now += 2.0
            for index in self.layers if layers is None else layers:
                one = self.layers[index]
                self.layers[index] = replace(
                    one,
                    packets=one.packets + 2 * (packets_per_s - lost_per_s),
                    bytes=one.bytes + 80 * 2 * (packets_per_s - lost_per_s),
                    highest_sequence_number=one.highest_sequence_number + 2 * packets_per_s,
                    frames=one.frames + 2 * frames_per_s,
                )
            self.look()
        return self.scores[-1]

    def stall(self, index: int, seconds: float) -> None:
        one = self.layers[index]
        self.layers[index] = replace(one, freezes=one.freezes + 1, frozen_s=one.frozen_s + seconds)

    def look(self) -> None:
        self.scores.append(self.quality.assess(list(self.layers.values()), self.expected, 0.05, self.now))


def voice() -> Source:
    return Source(PublishedQuality("audio", 48_000), VOICE, {0: layer(0)})


def camera(*layers: int) -> Source:
    return Source(PublishedQuality("video", 90_000), CAMERA, {index: layer(index) for index in layers or (0, 1, 2)})


def value(score: Score | None) -> float:
    assert score is not None
    return score.value


def test_a_voice_that_arrives_is_good_and_one_that_is_lost_is_not() -> None:
    source = voice()
    assert value(source.send(10)) > 4.2
    assert source.send(4, lost_per_s=5) == Score(nearly(2.93), Cause.LOSS)
    assert source.quality.loss == 0.1
    assert value(source.send(4)) > 4.2


def test_what_came_back_is_lost_but_not_missing() -> None:
    source = voice()
    source.send(10)
    source.send(2, lost_per_s=5)
    assert (source.quality.loss, source.quality.missing) == (0.1, 0.1)
    source.layers[0] = replace(source.layers[0], restored=8)
    source.send(2, lost_per_s=5)
    assert (source.quality.loss, source.quality.missing) == (0.1, nearly(0.02))


def test_with_redundancy_a_voice_may_lose_more() -> None:
    source = voice()
    source.layers[0] = replace(layer(0), codec=Codec.RED)
    source.send(10)
    assert source.send(4, lost_per_s=5) == Score(nearly(4.09), Cause.NOTHING)


def test_silence_is_no_loss_and_says_nothing_of_the_codec() -> None:
    source = voice()
    source.send(10)
    for _ in range(10):
        assert value(source.send(2, packets_per_s=3)) > 4.2  # of six packets one is missing
        assert value(source.send(2, packets_per_s=3, lost_per_s=0)) > 4.2


def test_a_voice_of_which_nothing_comes_is_missed_after_a_while() -> None:
    source = voice()
    source.send(10)
    assert value(source.send(2, packets_per_s=0)) > 4.2
    assert source.send(4, packets_per_s=0) == Score(1.0, Cause.SILENCE)


def test_who_is_muted_or_wanted_by_nobody_is_not_judged() -> None:
    source = voice()
    source.send(10)
    source.expected = replace(VOICE, muted=True)
    assert source.send(20, packets_per_s=0) is None
    source.expected = VOICE
    assert source.send(2, packets_per_s=0) is not None  # it may be on its way
    assert source.send(6, packets_per_s=0) == Score(1.0, Cause.SILENCE)
    unseen = camera()
    unseen.send(10)
    unseen.expected = replace(CAMERA, wanted_layer=-1)
    assert unseen.send(20, frames_per_s=0, packets_per_s=0) is None


def test_a_layer_that_is_wanted_and_does_not_come_costs() -> None:
    source = camera()
    assert value(source.send(20)) == 4.5 - 0.05
    source.expected = replace(CAMERA, flowing=frozenset((0, 1)))
    assert source.send(2, layers=(0, 1)) == Score(nearly(3.67), Cause.BANDWIDTH)


def test_a_camera_that_never_had_a_third_layer_misses_none() -> None:
    assert value(camera(0, 1).send(40)) > 4.4


def test_layers_may_take_their_time_to_come_after_they_are_wanted_again() -> None:
    source = camera()
    source.expected = replace(CAMERA, wanted_layer=0)
    source.send(20, layers=(0,))
    source.expected = replace(CAMERA, flowing=frozenset((0,)))
    assert value(source.send(GRACE_S - 2, layers=(0,))) > 4.4
    assert value(source.send(6, layers=(0,))) < 3.0


def test_fewer_frames_than_before_cost_until_it_is_another_camera() -> None:
    source = camera()
    source.send(10)
    assert source.send(4, frames_per_s=10) == Score(nearly(2.4, 0.1), Cause.FRAME_RATE)
    assert value(source.send(240, frames_per_s=10)) > 4.4


def test_a_picture_that_stood_still_costs_for_a_while() -> None:
    source = camera()
    source.send(20)
    source.stall(2, 2.0)
    assert source.send(2) == Score(nearly(3.1, 0.1), Cause.FREEZES)
    assert value(source.send(12)) > 4.4


def test_a_pause_that_was_meant_is_no_freeze() -> None:
    source = camera()
    source.send(20)
    source.expected = replace(CAMERA, muted=True)
    source.send(60, frames_per_s=0, packets_per_s=0)
    source.expected = CAMERA
    source.send(2, frames_per_s=0, packets_per_s=0)
    for index in source.layers:
        source.stall(index, 62.0)  # the first frame after it
    assert value(source.send(2)) > 4.4


def test_a_screen_may_stand_still() -> None:
    source = camera(0)
    source.expected = replace(CAMERA, is_screen=True, wanted_layer=0, flowing=frozenset((0,)))
    assert value(source.send(20, frames_per_s=1, packets_per_s=4)) > 4.4
    source.stall(0, 10.0)
    assert value(source.send(2, frames_per_s=1, packets_per_s=4)) > 4.4
    assert source.send(20, frames_per_s=0, packets_per_s=0) is None


def test_another_ssrc_begins_anew() -> None:
    source = camera()
    source.send(20, lost_per_s=10)
    source.stall(2, 3.0)
    source.layers[2] = replace(layer(2), ssrc=99)
    assert value(source.send(2)) > 4.4
    assert source.quality.loss == 0.0
