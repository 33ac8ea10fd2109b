"""The dependency descriptor (RTP Payload Format For AV1, appendix A). As `sfu/wire/dependency_descriptor.py`; of what
frames refer to only that is kept which decides about forwarding."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

cdef enum:
    MOST_TEMPLATES = 64
    MOST_TARGETS = 32
    MOST_TEMPORAL_LAYERS = 8
    MOST_SPATIAL_LAYERS = 4
    DTI_SWITCH = 2


cdef struct Template:
    int spatial_id
    int temporal_id
    uint64_t dtis  # two bits each, the first target lowest
    bint refers  # to any frame
    bint inter_picture


cdef struct Structure:
    bint known
    int template_id_offset
    int template_count
    int target_count
    int chain_count
    Template templates[MOST_TEMPLATES]
    uint8_t target_spatial[MOST_TARGETS]
    uint8_t target_temporal[MOST_TARGETS]


cdef struct Described:
    bint start_of_frame
    bint end_of_frame
    bint attached
    Template frame
    int switches_to  # -1: none


cdef struct Bits:
    const uint8_t *value
    int at
    int size
    bint failed  # something was taken behind the end


cdef inline uint32_t take(Bits *bits, int count) noexcept nogil:
    """Zero behind the end."""
    cdef uint32_t taken = 0
    cdef int at
    if bits.at + count > bits.size:
        bits.failed = True
        return 0
    for at in range(bits.at, bits.at + count):
        taken = taken << 1 | (bits.value[at >> 3] >> (7 - (at & 7)) & 1)
    bits.at += count
    return taken


cdef inline uint32_t take_below(Bits *bits, uint32_t limit) noexcept nogil:
    """ns(n) of the AV1 specification, §4.10.7."""
    cdef int width = 0
    cdef uint32_t value
    while limit >> width:
        width += 1
    value = take(bits, width - 1)
    if value < (1U << width) - limit:
        return value
    return (value << 1) - ((1U << width) - limit) + take(bits, 1)


cdef inline bint read_descriptor(
    const uint8_t *value, int size, const Structure *structure, Structure *attached, Described *out
) noexcept nogil:
    """False when the value is cut short, contradicts itself, or names a template that is not there. `structure` may be
    NULL; the one that the value brings, if any, is in `attached`."""
    cdef Bits bits
    cdef int template_id, index
    cdef bint says_active = False, own_dtis = False, own_fdiffs = False, own_chains = False
    memset(&bits, 0, sizeof(Bits))
    bits.value = value
    bits.size = 8 * size
    out.start_of_frame = take(&bits, 1)
    out.end_of_frame = take(&bits, 1)
    template_id = take(&bits, 6)
    take(&bits, 16)
    out.attached = False
    if bits.at < bits.size:
        out.attached = take(&bits, 1)
        says_active = take(&bits, 1)
        own_dtis = take(&bits, 1)
        own_fdiffs = take(&bits, 1)
        own_chains = take(&bits, 1)
    if out.attached:
        if not take_structure(&bits, attached):
            return False
        structure = attached
    if structure == NULL or not structure.known:
        return False
    if says_active:
        take(&bits, structure.target_count)
    index = (template_id - structure.template_id_offset) & (MOST_TEMPLATES - 1)
    if index >= structure.template_count:
        return False
    out.frame = structure.templates[index]
    if own_dtis:
        out.frame.dtis = take_dtis(&bits, structure.target_count)
    if own_fdiffs:
        take_own_fdiffs(&bits, &out.frame)
    if own_chains:
        for index in range(structure.chain_count):
            take(&bits, 8)
    out.switches_to = switches_to(structure, &out.frame)
    return not bits.failed


cdef inline bint same_structure(const Structure *one, const Structure *other) noexcept nogil:
    return memcmp(one, other, sizeof(Structure)) == 0


cdef inline bint take_structure(Bits *bits, Structure *out) noexcept nogil:
    cdef int index, target, chain
    memset(out, 0, sizeof(Structure))  # to the last gap: structures are compared
    out.known = True
    out.template_id_offset = take(bits, 6)
    out.target_count = take(bits, 5) + 1
    if not take_layers(bits, out):
        return False
    for index in range(out.template_count):
        out.templates[index].dtis = take_dtis(bits, out.target_count)
    for index in range(out.template_count):
        out.templates[index].refers = out.templates[index].inter_picture = False
        while take(bits, 1):
            note_fdiff(&out.templates[index], take(bits, 4) + 1)
    out.chain_count = take_below(bits, out.target_count + 1)
    if out.chain_count:
        for target in range(out.target_count):
            take_below(bits, out.chain_count)
    for index in range(out.template_count):
        for chain in range(out.chain_count):
            take(bits, 4)
    if take(bits, 1):
        for index in range(out.templates[out.template_count - 1].spatial_id + 1):
            take(bits, 32)
    find_targets(out)
    return not bits.failed


cdef inline bint take_layers(Bits *bits, Structure *out) noexcept nogil:
    cdef int spatial_id = 0, temporal_id = 0
    cdef uint32_t step
    out.template_count = 0
    while True:
        out.templates[out.template_count].spatial_id = spatial_id
        out.templates[out.template_count].temporal_id = temporal_id
        out.template_count += 1
        step = take(bits, 2)
        if step == 3:
            return True
        if step == 1:
            temporal_id += 1
        elif step == 2:
            spatial_id += 1
            temporal_id = 0
        if (
            out.template_count == MOST_TEMPLATES
            or spatial_id == MOST_SPATIAL_LAYERS
            or temporal_id == MOST_TEMPORAL_LAYERS
        ):
            return False


cdef inline uint64_t take_dtis(Bits *bits, int count) noexcept nogil:
    cdef uint64_t dtis = 0
    cdef int target
    for target in range(count):
        dtis |= <uint64_t>take(bits, 2) << 2 * target
    return dtis


cdef inline void take_own_fdiffs(Bits *bits, Template *frame) noexcept nogil:
    cdef uint32_t size = take(bits, 2)
    frame.refers = frame.inter_picture = False
    while size:
        note_fdiff(frame, take(bits, 4 * size) + 1)
        size = take(bits, 2)


cdef inline void note_fdiff(Template *frame, uint32_t fdiff) noexcept nogil:
    """Frames of one picture have numbers in a row, by layer."""
    frame.refers = True
    if fdiff > <uint32_t>frame.spatial_id:
        frame.inter_picture = True


cdef inline void find_targets(Structure *structure) noexcept nogil:
    """The best frame that each decode target contains."""
    cdef int target, index
    cdef Template *template
    for target in range(structure.target_count):
        structure.target_spatial[target] = structure.target_temporal[target] = 0
        for index in range(structure.template_count):
            template = &structure.templates[index]
            if template.dtis >> 2 * target & 3:
                structure.target_spatial[target] = max(structure.target_spatial[target], template.spatial_id)
                structure.target_temporal[target] = max(structure.target_temporal[target], template.temporal_id)


cdef inline int switches_to(const Structure *structure, const Template *frame) noexcept nogil:
    """The highest temporal layer that can be decoded after this frame, in its own spatial layer; -1: none."""
    cdef int target, highest = -1
    for target in range(structure.target_count):
        if frame.dtis >> 2 * target & 3 == DTI_SWITCH and structure.target_spatial[target] == frame.spatial_id:
            highest = max(highest, <int>structure.target_temporal[target])
    return highest
