"""The dependency descriptor (RTP Payload Format For AV1, appendix A): how a frame depends on others, for any codec.

     0                   1                   2
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
    |S|E| template  |         frame number          |   in every packet
    |T|A|D|F|C| structure, active decode targets, own dtis, fdiffs, chains |   if longer than three bytes

Key frames bring a structure: templates that later frames name by number. Whoever reads keeps the latest structure of
each SSRC and hands it in. It stands outside of the payload, so it can be read when that is encrypted end to end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Their names fill six, three and two bits.
MOST_TEMPLATES: Final = 64
MOST_TEMPORAL_LAYERS: Final = 8
MOST_SPATIAL_LAYERS: Final = 4

_NEXT_TEMPORAL, _NEXT_SPATIAL, _NO_MORE = 1, 2, 3


class Dti(IntEnum):
    """What a frame is to a decode target (decode target indication)."""

    NOT_PRESENT = 0
    DISCARDABLE = 1  # no other frame of the target refers to it
    SWITCH = 2  # whoever can decode it can decode the target from here on
    REQUIRED = 3


@dataclass(frozen=True, slots=True)
class Template:
    """What frames have in common. `fdiffs`: frame number minus that of each frame referred to; `chain_fdiffs`: the same
    for the frame before in each chain, 0: none."""

    spatial_id: int
    temporal_id: int
    dtis: tuple[Dti, ...]  # by decode target
    fdiffs: tuple[int, ...]
    chain_fdiffs: tuple[int, ...]

    @property
    def inter_picture(self) -> bool:
        """Whether it refers to frames of earlier pictures. Those of one picture have numbers in a row, by layer."""
        return any(fdiff > self.spatial_id for fdiff in self.fdiffs)


@dataclass(frozen=True, slots=True)
class Structure:
    """`targets` is (spatial id, temporal id) of the best frame each decode target contains. `protected_by` is a chain
    for each target; empty without chains. `sizes` is width × height by spatial layer; empty when not stated."""

    template_id_offset: int
    templates: tuple[Template, ...]
    targets: tuple[tuple[int, int], ...]
    chain_count: int
    protected_by: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DependencyDescriptor:
    """`frame` is the template with what the packet has of its own. `active_targets` is a bit mask, bit 0 the first
    target; `None` when nothing is said of it, and then what was said last stands."""

    start_of_frame: bool
    end_of_frame: bool
    frame_number: int
    frame: Template
    structure: Structure  # the one to read the next packets with
    structure_attached: bool
    active_targets: int | None

    @property
    def key_frame(self) -> bool:
        """Whether this is the first packet of a frame that depends on nothing."""
        return self.start_of_frame and self.structure_attached and not self.frame.fdiffs

    @property
    def switches_to(self) -> int:
        """The highest temporal layer that can be decoded after this frame, in its own spatial layer; -1: none."""
        frame, targets = self.frame, self.structure.targets
        return max(
            (
                temporal_id
                for dti, (spatial_id, temporal_id) in zip(frame.dtis, targets, strict=True)
                if dti is Dti.SWITCH and spatial_id == frame.spatial_id
            ),
            default=-1,
        )


def parse(value: bytes, structure: Structure | None) -> DependencyDescriptor | None:
    """`structure`: the latest of this SSRC. `None` when the value is cut short, contradicts itself, or names a
    template that is not there."""
    try:
        return _parse(_Bits(value), structure)
    except _Malformed:
        return None


def rewrite(value: bytes, frame_number: int) -> bytes:
    """With another frame number, taken modulo 2^16; what refers to others does so by differences."""
    return value[:1] + (frame_number & 0xFFFF).to_bytes(2, "big") + value[3:]


class _Malformed(Exception):
    """Stays in this file."""


class _Bits:
    """Reads from the front."""

    __slots__ = ("_left", "_value")

    def __init__(self, value: bytes) -> None:
        self._value = int.from_bytes(value, "big")
        self._left = 8 * len(value)

    @property
    def left(self) -> int:
        return self._left

    def take(self, count: int) -> int:
        """Raises _Malformed at the end."""
        self._left -= count
        if self._left < 0:
            raise _Malformed
        return self._value >> self._left & ((1 << count) - 1)

    def take_below(self, limit: int) -> int:
        """ns(n) of the AV1 specification, §4.10.7: a number below `limit`, in as few bits as will do."""
        width = limit.bit_length()
        short = (1 << width) - limit
        value = self.take(width - 1)
        if value < short:
            return value
        return (value << 1) - short + self.take(1)


def _parse(bits: _Bits, structure: Structure | None) -> DependencyDescriptor:
    start, end = bits.take(1), bits.take(1)
    template_id, frame_number = bits.take(6), bits.take(16)
    attached = own_dtis = own_fdiffs = own_chains = 0
    active_targets = None
    if bits.left:
        attached, says_active = bits.take(1), bits.take(1)
        own_dtis, own_fdiffs, own_chains = bits.take(1), bits.take(1), bits.take(1)
        if attached:
            structure = _take_structure(bits)
            active_targets = (1 << len(structure.targets)) - 1
        if says_active and structure is not None:
            active_targets = bits.take(len(structure.targets))
    if structure is None:
        raise _Malformed
    index = (template_id - structure.template_id_offset) % MOST_TEMPLATES
    if index >= len(structure.templates):
        raise _Malformed
    template = structure.templates[index]
    return DependencyDescriptor(
        start_of_frame=bool(start),
        end_of_frame=bool(end),
        frame_number=frame_number,
        frame=Template(
            template.spatial_id,
            template.temporal_id,
            _take_dtis(bits, len(structure.targets)) if own_dtis else template.dtis,
            _take_own_fdiffs(bits) if own_fdiffs else template.fdiffs,
            tuple(bits.take(8) for _ in range(structure.chain_count)) if own_chains else template.chain_fdiffs,
        ),
        structure=structure,
        structure_attached=bool(attached),
        active_targets=active_targets,
    )


def _take_structure(bits: _Bits) -> Structure:
    template_id_offset = bits.take(6)
    target_count = bits.take(5) + 1
    layers = _take_layers(bits)
    dtis = [_take_dtis(bits, target_count) for _ in layers]
    fdiffs = [_take_fdiffs(bits) for _ in layers]
    chain_count = bits.take_below(target_count + 1)
    protected_by = tuple(bits.take_below(chain_count) for _ in range(target_count)) if chain_count else ()
    chain_fdiffs = [tuple(bits.take(4) for _ in range(chain_count)) for _ in layers]
    sizes: tuple[tuple[int, int], ...] = ()
    if bits.take(1):
        sizes = tuple((bits.take(16) + 1, bits.take(16) + 1) for _ in range(layers[-1][0] + 1))
    return Structure(
        template_id_offset,
        tuple(Template(*layers[at], dtis[at], fdiffs[at], chain_fdiffs[at]) for at in range(len(layers))),
        tuple(_best_layer(target, layers, dtis) for target in range(target_count)),
        chain_count,
        protected_by,
        sizes,
    )


def _take_layers(bits: _Bits) -> list[tuple[int, int]]:
    layers: list[tuple[int, int]] = []
    spatial_id = temporal_id = 0
    while True:
        layers.append((spatial_id, temporal_id))
        step = bits.take(2)
        if step == _NO_MORE:
            return layers
        if step == _NEXT_TEMPORAL:
            temporal_id += 1
        elif step == _NEXT_SPATIAL:
            spatial_id, temporal_id = spatial_id + 1, 0
        if len(layers) == MOST_TEMPLATES or spatial_id == MOST_SPATIAL_LAYERS or temporal_id == MOST_TEMPORAL_LAYERS:
            raise _Malformed


def _take_dtis(bits: _Bits, count: int) -> tuple[Dti, ...]:
    return tuple(Dti(bits.take(2)) for _ in range(count))


def _take_fdiffs(bits: _Bits) -> tuple[int, ...]:
    fdiffs = []
    while bits.take(1):
        fdiffs.append(bits.take(4) + 1)
    return tuple(fdiffs)


def _take_own_fdiffs(bits: _Bits) -> tuple[int, ...]:
    fdiffs = []
    while size := bits.take(2):
        fdiffs.append(bits.take(4 * size) + 1)
    return tuple(fdiffs)


def _best_layer(target: int, layers: list[tuple[int, int]], dtis: list[tuple[Dti, ...]]) -> tuple[int, int]:
    """The highest spatial and the highest temporal id among the frames it contains; the lowest for one without any."""
    within = [layer for layer, of_layer in zip(layers, dtis, strict=True) if of_layer[target] is not Dti.NOT_PRESENT]
    return max((layer[0] for layer in within), default=0), max((layer[1] for layer in within), default=0)
