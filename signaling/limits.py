"""What one client, one address and one room may take of this server. Every number has its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from signaling.auth import LEEWAY_S

# A Worker answers within milliseconds; one that is silent for this long is stuck or dead.
REPLY_TIMEOUT_S: Final = 10.0

Duplicates = Literal["replace", "reject"]


@dataclass(frozen=True, slots=True)
class RoomLimits:
    # A room costs little; this stops a token that may create from filling memory with names.
    max_rooms: int = 1000
    # Each join is told to everybody: the work grows with the square. A room of 500 that fills
    # within seconds is what is tested.
    max_participants: int = 500
    # Viewers (who may not publish) that are listed by name; of more only the number is told.
    listed_viewers: int = 30
    # From so many on, what changes in a room is told in batches, so that each of hundreds wakes up seldom.
    batched_from: int = 50
    batch_s: float = 0.25
    # How long an empty room stays: long enough for the last one to reload the page without the `create` grant.
    departure_timeout_s: float = 20.0
    # After a restart, who was in a room is expected back for so long before `left` is told of him: our clients try
    # again for as long as a session would have waited for them, and a server needs some seconds to start.
    return_within_s: float = 30.0
    # How long a room waits for the first one, if whoever created it says nothing else: time for a link to be followed.
    empty_timeout_s: float = 300.0
    # A room that is to stay longer with nobody in it stays for ever (`empty_timeout_s: null`), until it is deleted.
    max_timeout_s: float = 7 * 86400.0
    # What happens when an identity joins that is already there. A reload should not be locked out by its own ghost.
    duplicates: Duplicates = "replace"
    # How many of the last messages are kept for who comes later, unless the room says otherwise.
    history_messages: int = 0
    # Each who comes is sent all of them: a page of chat, not an archive.
    max_history_messages: int = 200
    # Of a room, or of a participant: told to everybody who joins, so that a room of a hundred stays below 1 MB.
    metadata_bytes: int = 8 * 1024
    # Of one participant: a role, a colour, a seat; all keys and values together.
    attributes_bytes: int = 4 * 1024
    # Who waits in a lobby is shown to each moderator, who looks at them one by one.
    max_waiting: int = 100
    # Watchers that nobody sees: a recorder, somebody who listens for quality.
    max_hidden: int = 10
    # Each is looked at when somebody comes; a backend that bans more should not give them tokens.
    max_bans: int = 1000
    # What a room remembers of identities that may be gone: sources kept muted, grants changed, who was admitted.
    max_remembered: int = 1000
    # Of all rooms, each until its tokens have expired or so: beyond this the oldest are forgotten.
    max_revocations: int = 10_000
    # For so long another word describes somebody's call until app backends hear of it: a walk past the lift is over by
    # then, and so is a reload. Shorter: more requests about what nobody can help any more; longer: help comes late.
    quality_hold_s: float = 10.0
    # Of the app's messages, as for those of participants: sfu/core/messages.py has the reasons.
    message_bytes: int = 60 * 1024
    lossy_message_bytes: int = 15 * 1024
    topic_characters: int = 64
    # How long a seat is kept for somebody who is moved here: his client comes within a second.
    move_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    # Our clients acknowledge once a second. In 30 s a lively room of a hundred says less than this; beyond it the full
    # state is shorter than what was missed.
    messages: int = 256
    # Offers are nearly all of it: 150 kB in a room of a hundred, 10 kB in one of five. Times all sessions.
    octets: int = 512 * 1024
    # As many as may wait (`max_waiting`): no client has more requests open.
    answers: int = 64


@dataclass(frozen=True, slots=True)
class SessionLimits:
    # PROTOCOL.md states it. A browser joins within a second; the rest is for slow networks.
    join_timeout_s: float = 10.0
    # Camera, microphone, screen and its sound, some of each while they change over.
    max_tracks: int = 12
    # Places of a subscriber for a picture with its sound: a grid of 49, and a screen.
    max_pairs: int = 50
    # Places for voices that have no picture: as many as are heard at once, and some that do not say
    # how loud they are.
    max_voices: int = 6
    # Requests whose turn has not come, because the one before waits for the Worker. A client that waits for
    # its answers has one or two.
    max_waiting: int = 64
    # A page that joins sends a dozen messages in its first second, a person afterwards hardly one per second.
    messages_per_s: float = 20.0
    messages_burst: int = 100
    # Reading the largest description takes 40 ms, in which nobody else is served: at this rate, 5 % of the time.
    # An honest answer in a room of a hundred is 100 kB, and comes again with each change.
    bytes_per_s: float = 256 * 1024.0
    bytes_burst: int = 2 << 20
    # How long a session waits for its client to come back on another socket: as long as its silent media would be
    # waited for (RFC 7675: consent expires after 30 s).
    resume_within_s: float = 30.0
    # How long the others are not told that it is away: most sockets that drop are back within a second.
    resume_grace_s: float = 2.0
    # How long a session outlives its token, where no other comes: as an expired token is taken at `join`. A backend
    # that lets tokens expire means it; infinite where `--expired-tokens keep` says that it does not.
    token_grace_s: float = LEEWAY_S
    # A client that is here and was told to build a connection anew does so within a second; the rest is for slow ones.
    rebuild_timeout_s: float = 15.0
    replay: ReplayLimits = field(default_factory=ReplayLimits)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Of Workers in processes of their own."""

    # How often each is asked for its load. More often: a hang is noticed sooner, and idle Workers wake more.
    beat_s: float = 1.0
    # Unanswered in a row until it counts as hung. Its plane may go on forwarding meanwhile, and replacing it costs
    # everybody in it a second of silence: so not before browsers find that nobody answers their checks, after some 5 s.
    beats_missed: int = 5
    # From exec to hello: a second, most of it imports. The rest is for a machine with everything else to do: ten times
    # as much was seen at fifteen processes for each core. Killing one that is only slow would not make the next faster.
    start_timeout_s: float = 40.0
    # A link that ended announces an exit, which takes milliseconds.
    exit_timeout_s: float = 1.0
    # To write down where it hangs, before it is killed.
    abort_timeout_s: float = 0.5
    # When the server stops: for farewells to everybody. The process itself gives up after 5 s.
    stop_timeout_s: float = 6.0
    # Who ran for so long may be followed at once, whatever was before.
    steady_after_s: float = 30.0
    # Before the second restart in a row; doubles with each. What kills Workers at once kills the next one too. The
    # longest leaves clients' requests, which wait for it, half of their 10 s.
    pause_s: float = 0.5
    longest_pause_s: float = 5.0
    # A scrape waits no longer for any of them; Prometheus itself waits 10 s by default.
    metrics_timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    # One of all, some of one participant each; more of one room would take the same again.
    running_per_room: int = 8
    # Each takes some file descriptors of the recorder and, per packet, 6 µs of CPU; files are made one after another.
    running: int = 200
    # Live composites, each a fifth of a core and more with every picture in it. More would be late, not harm the calls.
    live: int = 8
    # Each takes as much disk as one participant's file.
    mixes_per_recording: int = 20
    # They are made one after another, each in about the time of its recording.
    mixes_waiting: int = 100
    # Full HD. CPU grows with each.
    mix_pixels: int = 1920 * 1080
    mix_frames_per_s: int = 30


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    # File descriptors and memory; a thousand in a room is already the far end of one server.
    max_connections: int = 4096
    # From one address (one /64 in IPv6) that have not joined yet: a classroom behind one NAT connects at once.
    max_joining_per_address: int = 64
    # Until the first request is there, line and headers, and from each response until the next: a page loads a dozen
    # files in a second, and whoever dribbles headers holds a socket no longer than one who says nothing.
    request_timeout_s: float = 15.0
    # A peer that vanished without closing is noticed within one and a half of these.
    heartbeat_s: float = 15.0
    # Frames the client has not taken. A room of a hundred is some 50 kB; who lags by this has stopped reading.
    send_queue_frames: int = 1000
    send_queue_bytes: int = 2 << 20
    # Tokens that are no good, from one address: a page with a broken backend tries a few times a minute, and a whole
    # classroom of them is behind one address.
    bad_tokens_per_s: float = 1.0
    bad_tokens_burst: int = 60
    max_remembered_addresses: int = 4096
    # How long a farewell may take to be written before the socket is cut.
    close_timeout_s: float = 2.0
