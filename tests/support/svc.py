"""A publisher with spatial and temporal layers in one stream: VP9, AV1, or anything with a dependency descriptor.

Every payload ends with a mark, (picture, spatial id, temporal id), by which the far end knows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sfu.core.types import Codec, PayloadFormat
from sfu.wire import rtp, rtx
from sfu.wire.dependency_descriptor import Structure, Template
from tests.support.layering import dependency_descriptor, structure_of, template, vp9_descriptor
from tests.support.rtp import AV1, PUBLISHER_IDS, media_packet, vp8_payload

PATTERN = (0, 2, 1, 2)  # temporal ids, picture by picture
Mark = tuple[int, int, int]


def layer_structure(spatial_layers: int, template_id_offset: int = 0) -> Structure:
    """L1T3, L2T3 … as libwebrtc describes them. Template 5 s + 0 is a key frame's, the others the pattern's."""
    templates: list[Template] = []
    for spatial_id in range(spatial_layers):
        below = (1,) if spatial_id else ()
        templates.append(template(spatial_id, 0, _dtis(spatial_layers, spatial_id, 0, key=True), below))
        for temporal_id, fdiff in ((0, 4), (1, 2), (2, 1), (2, 1)):
            dtis = _dtis(spatial_layers, spatial_id, temporal_id)
            templates.append(template(spatial_id, temporal_id, dtis, (fdiff * spatial_layers, *below)))
    return structure_of(*templates, template_id_offset=template_id_offset)


def _dtis(spatial_layers: int, spatial_id: int, temporal_id: int, *, key: bool = False) -> str:
    letters = ""
    for target_spatial in range(spatial_layers):
        for target_temporal in range(3):
            if spatial_id > target_spatial or temporal_id > target_temporal:
                letters += "-"
            elif key:
                letters += "S"
            elif spatial_id < target_spatial:
                letters += "R"
            elif temporal_id == target_temporal and temporal_id:
                letters += "D"
            else:
                letters += "S"
    return letters


@dataclass
class LayeredSource:
    """`described`: with dependency descriptors. VP9 is in flexible mode, as Chromium sends it, unless `flexible` is
    false; `key_switching`: layers depend on each other in key pictures only (K-SVC)."""

    form: PayloadFormat = AV1
    spatial_layers: int = 2
    described: bool = True
    flexible: bool = True
    key_switching: bool = False
    ssrc: int = 4
    rid: str | None = None
    next_number: int = 1000
    next_timestamp: int = 50_000
    picture_id: int = 300
    frame_number: int = 500
    tl0: int = 20
    template_id_offset: int = 0
    made: int = 0
    packets: dict[int, bytes] = field(default_factory=dict)  # plain, by sequence number
    marks: dict[int, Mark] = field(default_factory=dict)

    def picture(
        self, packets: int = 1, *, key: bool = False, temporal_id: int | None = None, joins: tuple[int, ...] = ()
    ) -> list[bytes]:
        """Of each spatial layer `packets`, in order. `joins`: spatial layers that refer to no earlier picture."""
        if temporal_id is None:
            temporal_id = 0 if key else PATTERN[self.made % 4]
        self.tl0 += temporal_id == 0
        made = []
        for spatial_id in range(self.spatial_layers):
            for index in range(packets):
                start, end = index == 0, index == packets - 1
                independent = key or spatial_id in joins
                payload = self._payload(spatial_id, temporal_id, key, independent, start, end)
                value = self._descriptor(spatial_id, temporal_id, key, independent, start, end)
                marker = end and spatial_id == self.spatial_layers - 1
                made.append(self._packet(payload, (self.made, spatial_id, temporal_id), value, marker))
            self.frame_number += 1
        self.made = 0 if key else self.made
        self.made += 1
        self.picture_id += 1
        self.next_timestamp += 3000
        return made

    def repair(self, number: int, rtx_number: int, form: PayloadFormat) -> bytes:
        """The packet with this number once more, by RTX; the descriptor comes along."""
        header = rtp.parse(self.packets[number])
        payload = rtx.wrap(self.packets[number][header.payload_offset : header.payload_end], number & 0xFFFF)
        value = header.extensions.get(PUBLISHER_IDS.dependency_descriptor)
        return media_packet(
            form, rtx_number, header.timestamp, self.ssrc + 50, payload, marker=header.marker, mid="0",
            repaired_rid=self.rid, more=() if value is None else ((PUBLISHER_IDS.dependency_descriptor, value),),
        )  # fmt: skip

    def _payload(
        self, spatial_id: int, temporal_id: int, key: bool, independent: bool, start: bool, end: bool
    ) -> bytes:
        if self.form.codec is Codec.VP9:
            return vp9_descriptor(
                self.picture_id & 0x7FFF,
                inter_picture=not independent,
                flexible=self.flexible,
                start=start,
                end=end,
                not_for_upper_layers=spatial_id == self.spatial_layers - 1 or (self.key_switching and not key),
                layers=(spatial_id, temporal_id),
                switching_up=True,
                inter_layer=spatial_id > 0 and (independent or not self.key_switching),
                tl0_picture_index=self.tl0,
                differences=() if independent or not self.flexible else ({0: 4, 1: 2, 2: 1}[temporal_id],),
            )
        if self.form.codec is Codec.AV1:
            return bytes((0x18 if key and start and spatial_id == 0 else 0x10,))
        if self.form.codec is Codec.VP8:
            return vp8_payload(self.picture_id, self.tl0, temporal_id=temporal_id, key=key, start=start, size=4)
        return b"\x65" if key else b"\x41"

    def _descriptor(
        self, spatial_id: int, temporal_id: int, key: bool, independent: bool, start: bool, end: bool
    ) -> bytes | None:
        if not self.described:
            return None
        template_id = self.template_id_offset + 5 * spatial_id + (0 if key else (1, 2, 3)[temporal_id])
        return dependency_descriptor(
            self.frame_number,
            template_id,
            start=start,
            end=end,
            attached=self.structure if key and start and spatial_id == 0 else None,
            fdiffs=(1,) if independent and not key else None,
            target_count=3 * self.spatial_layers,
        )

    @property
    def structure(self) -> Structure:
        return layer_structure(self.spatial_layers, self.template_id_offset)

    def _packet(self, payload: bytes, mark: Mark, value: bytes | None, marker: bool) -> bytes:
        number = self.next_number
        self.next_number += 1
        self.marks[number] = mark
        packet = media_packet(
            self.form, number, self.next_timestamp, self.ssrc,
            payload + bytes((mark[0] >> 8, mark[0] & 0xFF, *mark[1:])),
            marker=marker, mid="0", rid=self.rid,
            more=() if value is None else ((PUBLISHER_IDS.dependency_descriptor, value),),
        )  # fmt: skip
        self.packets[number] = packet
        return packet


def mark_of(payload: bytes) -> Mark:
    return payload[-4] << 8 | payload[-3], payload[-2], payload[-1]
