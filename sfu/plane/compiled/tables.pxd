"""What the plane knows: Transports, Tracks with their layers, Slots, local sinks, and the plane that holds them.

Who frees what: the plane its Transports and sinks, a Transport its Tracks and Slots. A Layer is counted, because Slots
still answer NACKs from its history after another SSRC has taken its place. All of it is touched under the plane's mutex
only.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from sfu.plane.compiled.arena cimport Arena
from sfu.plane.compiled.blocks cimport BlockRow, LayerReported
from sfu.plane.compiled.clusters cimport Clusters
from sfu.plane.compiled.consent cimport Consent
from sfu.plane.compiled.drops cimport DROPS
from sfu.plane.compiled.events cimport Events
from sfu.plane.compiled.extensions cimport SendIds, Text
from sfu.plane.compiled.flight cimport Flight
from sfu.plane.compiled.groups cimport Groups
from sfu.plane.compiled.history cimport History, RecentNumbers
from sfu.plane.compiled.layering cimport LayerReader
from sfu.plane.compiled.numbering cimport NumberMap
from sfu.plane.compiled.numbers cimport Unwrapper
from sfu.plane.compiled.openssl cimport OpenSsl
from sfu.plane.compiled.packets cimport CODECS, Packet
from sfu.plane.compiled.paths cimport Endpoint, PathTable
from sfu.plane.compiled.pictures cimport PictureFields, Pictures
from sfu.plane.compiled.pointers cimport Pointers
from sfu.plane.compiled.protection cimport RtpKeys
from sfu.plane.compiled.reception cimport Reception
from sfu.plane.compiled.spent cimport SpentNumbers
from sfu.plane.compiled.system cimport pthread_mutex_t
from sfu.plane.compiled.timeline cimport SourceClock, Timeline
from sfu.plane.compiled.twcc cimport TransportFeedback

ctypedef int (*SrtpCall)(void *session, void *packet, int *size) noexcept nogil

cdef struct Track
cdef struct Transport


cdef struct Format:
    # What one RTP payload type means on a Track.
    int codec  # NO_CODEC: nothing
    int repairs  # -1: this is media


cdef struct Layer:
    # One encoding under one SSRC, and one for RTX.
    int holders
    Track *track
    int index
    bint has_ssrc
    bint has_rtx_ssrc
    uint32_t ssrc
    uint32_t rtx_ssrc
    double rtx_learned_at
    SourceClock *clock
    Reception reception
    LayerReported reported
    History history  # of sound only what a Slot may look back to
    RecentNumbers recent  # audio only
    Unwrapper numbers
    LayerReader reader
    bint has_key_frame
    uint32_t key_frame_timestamp
    Packet *restored  # by the last packet's redundancy; NULL: nothing was
    uint64_t dropped[DROPS]


cdef struct Sink:
    int64_t id
    int fd  # -1: logic alone
    bint gone
    uint32_t dropped  # frames, modulo 2**32
    Pointers tracks  # that it taps
    # Its frames that wait to leave: indices into SinkOutbox.frames, -1 for none
    int first
    int last


cdef struct Tap:
    Sink *sink
    uint64_t layers  # bit per layer


cdef struct Track:
    int64_t id
    Transport *transport
    Text mid
    bint is_video
    int clock_rate
    Format formats[128]
    int opus_payload_type  # of which RED is made; -1: none
    int rid_count
    Text *rids
    int layer_count
    Layer **layers
    Pointers slots  # those that carry it, in the order of their routes
    int tap_count
    Tap *taps
    uint64_t level_turn  # of plane.levels, in which so many were noted
    int level_count


cdef struct Sent:
    int64_t number  # as sent, unwrapped
    int64_t source_number
    Layer *layer  # NULL: nothing was sent here
    PictureFields picture
    double repeated_at  # minus infinity: not yet
    uint32_t timestamp  # as sent
    bint waiting  # it is to be repeated as soon as there is room


cdef struct SlotFormat:
    bint known
    int payload_type
    int rtx_payload_type  # -1: none


cdef struct Slot:
    # What each packet looks at, and in `pictures` up to its table: together (prefetch.pxd)
    Transport *transport
    Layer *layer  # being sent
    Track *track
    int wanted  # -1: paused
    int payload_type  # the last one sent
    uint32_t ssrc
    SlotFormat formats[CODECS]
    NumberMap numbers
    Timeline line
    Sent *sent  # NULL: nothing of what it carries is kept
    int64_t newest_sent
    bint has_sent
    int64_t first_sent  # the lowest there can be, if there is any
    uint64_t packets
    uint64_t octets
    SpentNumbers spent
    Pictures pictures
    # The rest
    Text mid
    int64_t id
    bint has_rtx
    uint32_t rtx_ssrc
    uint32_t probe  # serial number of the probe cluster that looked last, and where it goes on
    int64_t probe_next
    int64_t next_rtx_number
    SpentNumbers spent_on_rtx
    uint64_t retransmitted
    bint has_switched
    double switched_at
    uint64_t packets_reported[2]  # at the last two reports
    bint has_block  # that was not polled
    BlockRow block
    uint64_t dropped[DROPS]


cdef struct Source:
    # What one SSRC of a publisher carries. NULL layer: another SSRC has taken its place.
    uint32_t ssrc
    bint rtx
    Track *track
    Layer *layer


cdef struct Arrival:
    int64_t number
    double at_s


cdef struct Arrivals:
    # Of one publisher, and the feedback about them.
    int count
    int room
    Arrival *noted  # since the last feedback, sorted by number
    double interval_s  # 0: no feedback
    double due_at  # infinite: nothing has arrived
    bint has_next
    int64_t next_first  # where the next report begins
    uint32_t feedback_count
    Arrival *remembered  # ring; NULL: nothing was reported yet


cdef struct ReportRow:
    # transport_feedback.REPORT
    int64_t transport
    double at_s
    double rtt_s
    int64_t acked_packets
    int64_t acked_bytes
    int64_t lost_packets
    int64_t reordered_packets
    int64_t in_flight_bytes
    int64_t groups


cdef struct Feedback:
    # What one Transport reports of its flight.
    Groups groups
    Clusters clusters
    Unwrapper remote_clock
    int64_t newest_acked
    bint has_report
    ReportRow report


cdef struct Bucket:
    double rate_bps
    double level  # bytes; negative: owed
    double at_s


cdef struct Waiting:
    Slot *slot
    int64_t number  # as sent, unwrapped
    double since


cdef struct Recovery:
    # RTX towards one Transport; what waits is a ring.
    Bucket bucket
    int start
    int count
    Waiting *waiting  # NULL: nothing has waited yet


cdef struct Probing:
    uint32_t cluster  # serial number of the one that runs; 0: none
    int packets  # still to be sent
    double rate_bps
    double next_at


cdef enum:
    LONGEST_DESCRIPTION = 44  # with interface.LONGEST_CNAME_BYTES


cdef struct Reporter:
    # Who our reports are by: where they speak of no Slot, and as a whole packet with no SSRC in it yet.
    uint32_t ssrc
    int description_size
    uint8_t description[LONGEST_DESCRIPTION]


cdef struct Transport:
    int64_t id
    # What each packet that leaves looks at lies together
    void *outbound  # NULL without keys
    RtpKeys rtp_keys
    bint has_selected
    Endpoint selected
    SendIds send_ids
    int last_datagram  # of its datagrams in the outbox, if it is of this flush
    uint64_t flush
    Flight flight
    # Receiving
    void *inbound  # NULL without keys
    int path_count
    Endpoint *paths  # validated; the latest check last
    Consent consent
    uint8_t roles[256]  # header extension id → bit mask of roles
    # Publishing
    Pointers tracks
    int source_count
    Source *sources
    double heard_at  # SRTP and SRTCP
    int heard_count
    uint32_t *heard  # SSRCs of which libsrtp keeps state
    Unwrapper transport_numbers
    Arrivals arrivals
    # Subscribing
    Pointers slots
    Feedback feedback
    Recovery recovery
    Probing probing
    bint is_later  # in Plane.later
    bint is_reporting  # in Plane.reporting
    bint is_reported_on  # in Plane.reported_on
    Reporter reporter


cdef struct Counts:
    uint64_t received_datagrams
    uint64_t received_rtp
    uint64_t received_rtcp
    uint64_t received_stun
    uint64_t received_dtls
    uint64_t recovered
    uint64_t forwarded
    uint64_t retransmitted
    uint64_t probes
    uint64_t feedback_forgotten
    uint64_t transport_feedback_sent
    uint64_t sent_datagrams
    uint64_t sent_bytes
    uint64_t sink_frames
    uint64_t dropped[DROPS]


cdef struct Limits:
    # PlaneConfig
    int history_packets
    int sent_packets
    int batch_datagrams
    int strangers_per_batch
    double stray_interval_s
    double moved_silent_s
    int paths_per_transport
    int ssrcs_per_transport
    int arrivals_per_transport
    int pending_events
    int audio_kept_packets
    int levels_per_track
    double clock_tolerance_s
    double rtx_repeat_after_s
    double recovery_bps
    double recovery_burst_s
    double report_patience_s
    int rtx_waiting
    double rtx_wait_s
    int packets_in_flight
    int groups_pending


cdef struct Outgoing:
    # A datagram that waits to leave, in Outbox.bytes.
    Endpoint to
    uint32_t offset
    int size
    int next  # to the same Transport, in this flush; -1: none
    bint is_next  # some other's next


cdef struct Outbox:
    uint64_t flush  # their running number
    int count
    int room
    Outgoing *datagrams
    uint32_t used
    uint32_t bytes_room
    uint8_t *bytes


cdef struct SinkFrame:
    # A frame that waits to leave, in SinkOutbox.bytes.
    Sink *sink  # NULL: removed since
    int64_t sink_id
    uint32_t offset
    int size
    int next  # to the same sink; -1: none


cdef struct SinkOutbox:
    int count
    int room
    SinkFrame *frames
    uint32_t used
    uint32_t bytes_room
    uint8_t *bytes


cdef struct Level:
    # A row of sfu.core.audio_levels.LEVEL.
    int64_t track
    double at_s
    int64_t level
    int64_t voice


cdef struct Levels:
    uint64_t turn  # how often they were taken
    int count
    int room
    Level *rows


cdef struct Plane:
    pthread_mutex_t mutex
    Arena arena  # Python's alone
    int waiting  # threads that want the mutex; atomic
    Limits limits
    Counts counts
    PathTable paths
    Pointers transports
    Pointers sinks
    SinkOutbox frames
    Levels levels
    Pointers later  # Transports: RTX waits, or a probe runs; in the order in which that began
    Pointers reporting  # Transports: feedback has come, or is awaited of a probe
    Pointers reported_on  # Transports: blocks about their Slots have come
    Events events
    Outbox outbox
    int strangers  # in this batch
    double next_stray_at
    Packet scratch  # the packet being read
    uint8_t *buffer  # the datagram being decrypted, when it does not come from a socket
    # libsrtp
    SrtpCall protect
    SrtpCall protect_rtcp
    SrtpCall unprotect
    SrtpCall unprotect_rtcp
    int replay_statuses[2]
    OpenSsl openssl
    # Sockets; `live` while the thread runs
    bint live
    bint realtime  # its thread comes before Python's
    int stop
    int wake_fd
    double wakes_at  # when the thread will look at `later` by itself; infinite: never
    int events_fd
    bint signalled  # events_fd is readable
    int socket_count
    int *sockets
    int *feedback_sockets  # beside each, for feedback (feedback_sockets.py); -1: none
    uint8_t *offload  # per socket: UDP GSO works
    TransportFeedback feedback  # the one being read; last, because it is long
