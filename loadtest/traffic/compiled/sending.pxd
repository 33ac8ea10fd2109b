"""Sends every frame that is due, and says when the next is."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from loadtest.traffic.compiled.histogram cimport note_duration
from loadtest.traffic.compiled.payload cimport write_payload
from loadtest.traffic.compiled.system cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_ns
from loadtest.traffic.compiled.tables cimport Connection, DATAGRAM_BYTES, Generator, LONGEST_FRAME, Outgoing, SendIds
from sfu.plane.compiled.numbers cimport write16
from sfu.plane.compiled.rtp cimport write_rtp
from sfu.plane.compiled.system cimport EINTR, MSG_DONTWAIT, errno, iovec, mmsghdr, sendmmsg, sendto, sockaddr

cdef enum:
    ONE_BYTE_FORM = 0xBEDE
    FRAMES_BEHIND = 8  # frames that are made up for after a stall; more are left out, and the clock goes on


cdef inline void send_due(Generator *generator, int64_t now_ns) noexcept nogil:
    """`now_ns` on the monotonic clock."""
    cdef Connection *connection
    cdef Outgoing *stream
    cdef double next_ns = 9e18  # never
    cdef int at, index
    for at in range(generator.connections.count):
        connection = <Connection *>generator.connections.items[at]
        for index in range(connection.outgoing.count):
            stream = <Outgoing *>connection.outgoing.items[index]
            if now_ns - stream.due_ns > FRAMES_BEHIND * stream.frame_ns:
                stream.due_ns = now_ns - FRAMES_BEHIND * stream.frame_ns
            while stream.due_ns <= now_ns:
                note_duration(&generator.lateness, clock_ns(CLOCK_MONOTONIC) - <int64_t>stream.due_ns)
                send_frame(generator, connection, stream)
                stream.due_ns += stream.frame_ns
            if stream.due_ns < next_ns:
                next_ns = stream.due_ns
    generator.due_ns = next_ns


cdef inline void send_frame(Generator *generator, Connection *connection, Outgoing *stream) noexcept nogil:
    cdef mmsghdr messages[LONGEST_FRAME]
    cdef iovec parts[LONGEST_FRAME]
    cdef int64_t now_ns = clock_ns(CLOCK_REALTIME)
    cdef bint key_frame = stream.video and stream.key_frame_wanted
    cdef int index, size, count = 0
    stream.timestamp += stream.timestamp_step
    stream.last_frame_ns = now_ns
    memset(messages, 0, stream.packets_per_frame * sizeof(mmsghdr))
    for index in range(stream.packets_per_frame):
        parts[count].iov_base = generator.outbox + count * DATAGRAM_BYTES
        size = write_packet(connection, stream, key_frame, index, now_ns, <uint8_t *>parts[count].iov_base)
        if generator.protect(connection.outbound, parts[count].iov_base, &size) != 0:
            generator.sums.send_refused += 1
            continue
        parts[count].iov_len = size
        messages[count].msg_hdr.msg_name = &connection.remote
        messages[count].msg_hdr.msg_namelen = connection.remote_size
        messages[count].msg_hdr.msg_iov = &parts[count]
        messages[count].msg_hdr.msg_iovlen = 1
        count += 1
    stream.key_frame_wanted = False
    stream.picture_id = (stream.picture_id + 1) & 0x7FFF
    stream.tl0_picture_index += 1
    send_messages(generator, connection.fd, messages, count)


cdef inline int write_packet(
    Connection *connection, Outgoing *stream, bint key_frame, int index, int64_t now_ns, uint8_t *out
) noexcept nogil:
    """Returns its size."""
    cdef int block = write_elements(connection, stream, now_ns, out + 12)
    # Opus's marker says that somebody begins to speak; nobody here ever pauses.
    cdef bint marker = stream.video and index == stream.packets_per_frame - 1
    write_rtp(
        out, block > 0, marker, stream.payload_type, stream.sequence_number, <uint32_t><int64_t>stream.timestamp,
        stream.ssrc
    )
    write_payload(stream, key_frame, index, now_ns, out + 12 + block)
    stream.sequence_number += 1
    stream.packets += 1
    stream.octets += stream.payload_size
    return 12 + block + stream.payload_size


cdef inline int write_elements(
    Connection *connection, const Outgoing *stream, int64_t now_ns, uint8_t *out
) noexcept nogil:
    """The block of header extensions (RFC 8285, one-byte form); returns its size, 0 for none."""
    cdef const SendIds *ids = &connection.send_ids
    cdef uint32_t at = 4, time
    if ids.transport_cc:
        out[at] = ids.transport_cc << 4 | 1
        write16(out + at + 1, connection.transport_number)
        connection.transport_number += 1
        at += 3
    if ids.abs_send_time:
        # 24 bits of seconds with 18 behind the point; the remainder first, or it would not fit 64 bits.
        time = <uint32_t>(((now_ns % 64000000000LL) << 18) // 1000000000)
        out[at] = ids.abs_send_time << 4 | 2
        out[at + 1], out[at + 2], out[at + 3] = time >> 16 & 0xFF, time >> 8 & 0xFF, time & 0xFF
        at += 4
    if ids.audio_level and not stream.video:
        out[at] = ids.audio_level << 4
        out[at + 1] = stream.level
        at += 2
    if not stream.introduced:
        at += write_text(ids.mid, stream.mid, stream.mid_size, out + at)
        at += write_text(ids.rid, stream.rid, stream.rid_size, out + at)
    if at == 4:
        return 0
    while at & 3:
        out[at] = 0
        at += 1
    write16(out, ONE_BYTE_FORM)
    write16(out + 2, at // 4 - 1)
    return at


cdef inline uint32_t write_text(uint8_t number, const uint8_t *text, int size, uint8_t *out) noexcept nogil:
    if number == 0 or size == 0:
        return 0
    out[0] = <uint8_t>(number << 4 | (size - 1))
    memcpy(out + 1, text, size)
    return size + 1


cdef inline void send_messages(Generator *generator, int fd, mmsghdr *messages, int count) noexcept nogil:
    cdef int done = 0, sent, index
    while done < count:
        sent = sendmmsg(fd, messages + done, count - done, MSG_DONTWAIT)
        if sent > 0:
            for index in range(done, done + sent):
                generator.sums.sent_bytes += messages[index].msg_len
            generator.sums.sent += sent
            done += sent
        elif errno != EINTR:
            generator.sums.send_refused += 1
            done += 1


cdef inline bint send_rtcp(Generator *generator, Connection *connection, uint8_t *compound, int size) noexcept nogil:
    """Protects it in place, with room behind it. False when it did not leave."""
    if generator.protect_rtcp(connection.outbound, compound, &size) != 0:
        return False
    return sendto(
        connection.fd, compound, size, MSG_DONTWAIT, <const sockaddr *>&connection.remote, connection.remote_size
    ) == size
