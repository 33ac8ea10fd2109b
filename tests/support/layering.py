"""Writers for what `wire` only reads: VP9 payload descriptors and dependency descriptors."""

from __future__ import annotations

from itertools import pairwise

from sfu.wire.dependency_descriptor import Dti, Structure, Template
from sfu.wire.vp9 import ScalabilityStructure


class Bits:
    def __init__(self) -> None:
        self._digits = ""

    def put(self, value: int, count: int) -> None:
        assert 0 <= value < 1 << count
        self._digits += f"{value:0{count}b}" if count else ""

    def put_below(self, value: int, limit: int) -> None:
        """ns(n) of the AV1 specification, §4.10.7."""
        width = limit.bit_length()
        short = (1 << width) - limit
        if value < short:
            self.put(value, width - 1)
        else:
            self.put((value + short) >> 1, width - 1)
            self.put((value + short) & 1, 1)

    def to_bytes(self) -> bytes:
        """Padded with zeros to whole bytes."""
        digits = self._digits + "0" * (-len(self._digits) % 8)
        return int(digits, 2).to_bytes(len(digits) // 8, "big")


def dependency_descriptor(
    frame_number: int,
    template_id: int,
    *,
    start: bool = True,
    end: bool = True,
    attached: Structure | None = None,
    active_targets: int | None = None,
    dtis: tuple[Dti, ...] | None = None,
    fdiffs: tuple[int, ...] | None = None,
    chain_fdiffs: tuple[int, ...] | None = None,
    target_count: int = 0,
) -> bytes:
    """`template_id` as on the wire. Without a structure attached, `target_count` gives `active_targets` its width."""
    bits = Bits()
    bits.put(start, 1)
    bits.put(end, 1)
    bits.put(template_id % 64, 6)
    bits.put(frame_number & 0xFFFF, 16)
    if attached is None and active_targets is None and dtis is None and fdiffs is None and chain_fdiffs is None:
        return bits.to_bytes()
    for flag in (attached, active_targets, dtis, fdiffs, chain_fdiffs):
        bits.put(flag is not None, 1)
    if attached is not None:
        put_structure(bits, attached)
        target_count = len(attached.targets)
    if active_targets is not None:
        bits.put(active_targets, target_count)
    for dti in dtis or ():
        bits.put(dti, 2)
    if fdiffs is not None:
        for fdiff in fdiffs:
            size = 1 if fdiff <= 16 else 2 if fdiff <= 256 else 3
            bits.put(size, 2)
            bits.put(fdiff - 1, 4 * size)
        bits.put(0, 2)
    for fdiff in chain_fdiffs or ():
        bits.put(fdiff, 8)
    return bits.to_bytes()


def put_structure(bits: Bits, structure: Structure) -> None:
    templates = structure.templates
    bits.put(structure.template_id_offset, 6)
    bits.put(len(structure.targets) - 1, 5)
    for before, after in pairwise(templates):
        if after.spatial_id != before.spatial_id:
            bits.put(2, 2)
        else:
            bits.put(int(after.temporal_id != before.temporal_id), 2)
    bits.put(3, 2)
    for template in templates:
        for dti in template.dtis:
            bits.put(dti, 2)
    for template in templates:
        for fdiff in template.fdiffs:
            bits.put(1, 1)
            bits.put(fdiff - 1, 4)
        bits.put(0, 1)
    bits.put_below(structure.chain_count, len(structure.targets) + 1)
    for chain in structure.protected_by:
        bits.put_below(chain, structure.chain_count)
    for template in templates:
        for fdiff in template.chain_fdiffs:
            bits.put(fdiff, 4)
    bits.put(bool(structure.sizes), 1)
    for width, height in structure.sizes:
        bits.put(width - 1, 16)
        bits.put(height - 1, 16)


def template(
    spatial_id: int, temporal_id: int, dtis: str, fdiffs: tuple[int, ...] = (), chain_fdiffs: tuple[int, ...] = ()
) -> Template:
    """`dtis` as in the specification's examples: `-`, `D`, `S`, `R` by decode target."""
    return Template(spatial_id, temporal_id, tuple(Dti("-DSR".index(letter)) for letter in dtis), fdiffs, chain_fdiffs)


def structure_of(*templates: Template, template_id_offset: int = 0, chain_count: int = 0) -> Structure:
    """Its decode targets follow from the templates; all are protected by the first chain."""
    target_count = len(templates[0].dtis)
    targets = []
    for target in range(target_count):
        within = [one for one in templates if one.dtis[target] is not Dti.NOT_PRESENT]
        spatial_id = max((one.spatial_id for one in within), default=0)
        targets.append((spatial_id, max((one.temporal_id for one in within), default=0)))
    protected_by = (0,) * target_count if chain_count else ()
    return Structure(template_id_offset, templates, tuple(targets), chain_count, protected_by, ())


def vp9_descriptor(
    picture_id: int | None = None,
    *,
    picture_id_bits: int = 15,
    inter_picture: bool = False,
    flexible: bool = False,
    start: bool = True,
    end: bool = True,
    not_for_upper_layers: bool = False,
    layers: tuple[int, int] | None = None,
    switching_up: bool = False,
    inter_layer: bool = False,
    tl0_picture_index: int = 0,
    differences: tuple[int, ...] = (),
    structure: ScalabilityStructure | None = None,
) -> bytes:
    """`layers` is (spatial id, temporal id); the index of the base layer is written where the format has it."""
    first = (
        (picture_id is not None) << 7 | inter_picture << 6 | (layers is not None) << 5 | flexible << 4
        | start << 3 | end << 2 | (structure is not None) << 1 | not_for_upper_layers
    )  # fmt: skip
    out = bytearray((first,))
    if picture_id is not None and picture_id_bits == 15:
        out += bytes((0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF))
    elif picture_id is not None:
        out.append(picture_id & 0x7F)
    if layers is not None:
        out.append(layers[1] << 5 | switching_up << 4 | layers[0] << 1 | inter_layer)
        if not flexible:
            out.append(tl0_picture_index & 0xFF)
    for index, difference in enumerate(differences):
        out.append(difference << 1 | (index + 1 < len(differences)))
    if structure is not None:
        out += _vp9_structure(structure)
    return bytes(out)


def _vp9_structure(structure: ScalabilityStructure) -> bytes:
    head = structure.spatial_layers - 1 << 5 | bool(structure.sizes) << 4 | bool(structure.pattern) << 3
    out = bytearray((head,))
    for width, height in structure.sizes:
        out += width.to_bytes(2, "big") + height.to_bytes(2, "big")
    if structure.pattern:
        out.append(len(structure.pattern))
    for picture in structure.pattern:
        out.append(picture.temporal_id << 5 | picture.switching_up << 4 | len(picture.differences) << 2)
        out += bytes(picture.differences)
    return bytes(out)
