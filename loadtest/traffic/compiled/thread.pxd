"""The thread: sends at the moment that is due, and once per turn reads every socket, whether or not anything came."""

from libc.stdint cimport int64_t

from loadtest.traffic.compiled.feedback cimport INTERVAL_NS, send_feedback
from loadtest.traffic.compiled.receiving cimport Inbox, inbox_open, receive_all
from loadtest.traffic.compiled.reports cimport REPORT_INTERVAL_NS, send_reports
from loadtest.traffic.compiled.sending cimport send_due
from loadtest.traffic.compiled.sharing cimport let_others
from loadtest.traffic.compiled.system cimport CLOCK_MONOTONIC, PR_SET_TIMERSLACK, clock_ns, prctl, sleep_until
from loadtest.traffic.compiled.tables cimport Connection, Generator
from sfu.plane.compiled.system cimport (
    __ATOMIC_RELAXED, __atomic_load_n, pthread_mutex_lock, pthread_mutex_unlock, pthread_self, pthread_setname_np,
)

cdef enum:
    SLACK_NS = 1000  # of timers; 50 µs otherwise, which would be most of a frame's lateness


cdef inline void run(Generator *generator) noexcept nogil:
    cdef Inbox inbox
    cdef int64_t now_ns, turn_ns
    inbox_open(&inbox, generator.inbox)
    pthread_setname_np(pthread_self(), b"traffic")
    prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0)
    turn_ns = clock_ns(CLOCK_MONOTONIC)
    while not __atomic_load_n(&generator.stop, __ATOMIC_RELAXED):
        pthread_mutex_lock(&generator.mutex)
        now_ns = clock_ns(CLOCK_MONOTONIC)
        if now_ns >= generator.due_ns:
            send_due(generator, now_ns)
        if now_ns >= turn_ns:
            serve_all(generator, &inbox)
            turn_ns += generator.poll_ns
            if turn_ns <= now_ns:
                turn_ns = now_ns + generator.poll_ns
        now_ns = turn_ns if turn_ns < generator.due_ns else <int64_t>generator.due_ns
        pthread_mutex_unlock(&generator.mutex)
        sleep_until(now_ns)


cdef inline void serve_all(Generator *generator, Inbox *inbox) noexcept nogil:
    cdef Connection *connection
    cdef int64_t now_ns
    cdef int index = 0
    while index < generator.connections.count:
        connection = <Connection *>generator.connections.items[index]
        receive_all(generator, inbox, connection)
        now_ns = clock_ns(CLOCK_MONOTONIC)
        if connection.arrivals != NULL and now_ns >= connection.feedback_due_ns:
            connection.feedback_due_ns = later(connection.feedback_due_ns, INTERVAL_NS, now_ns)
            send_feedback(generator, connection)
        if now_ns >= connection.report_due_ns:
            connection.report_due_ns = later(connection.report_due_ns, REPORT_INTERVAL_NS, now_ns)
            send_reports(generator, connection)
        if now_ns >= generator.due_ns:
            send_due(generator, now_ns)
        let_others(generator)  # after which connections may have come or gone: at worst one is read a turn later
        index += 1


cdef inline int64_t later(int64_t due_ns, int64_t interval_ns, int64_t now_ns) noexcept nogil:
    due_ns += interval_ns
    return due_ns if due_ns > now_ns else now_ns + interval_ns
