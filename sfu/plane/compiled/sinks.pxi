# The control methods for local sinks. Included by _plane.pyx.


cdef class Tapping(Control):
    # Ids → their structures, and the sockets of those that have one
    cdef dict sinks, sink_sockets
    cdef int sink_buffer_bytes

    def __cinit__(self, *_, **__):
        self.sinks, self.sink_sockets = {}, {}

    def add_sink(self, int64_t sink, address):
        cdef Sink *added
        cdef int fd = -1
        require_new(sink, self.sinks)
        endpoint = connect_to_reader(address, self.sink_buffer_bytes) if self.plane.live else None
        if endpoint is not None:
            fd = endpoint.fileno()
        lock(&self.plane)
        added = sink_add(&self.plane, sink, fd)
        unlock(&self.plane)
        if added == NULL:
            raise MemoryError
        self.sinks[sink] = <uintptr_t>added
        self.sink_sockets[sink] = endpoint

    def set_tap(self, sink, track, layers):
        cdef Sink *of = <Sink *><uintptr_t>self.sinks[sink]
        cdef Track *to = self.track(track)
        cdef uint64_t mask = 0
        cdef int index
        cdef bint has_memory
        for layer in layers:
            index = layer_index(to, layer)
            if index >= MOST_LAYERS:
                raise ValueError(f"layers from {MOST_LAYERS} on cannot be tapped")
            mask |= <uint64_t>1 << index
        lock(&self.plane)
        has_memory = tap_set(&self.plane, of, to, mask)
        unlock(&self.plane)
        if not has_memory:
            raise MemoryError

    def remove_sink(self, sink):
        cdef Sink *gone
        if sink not in self.sinks:
            return
        gone = <Sink *><uintptr_t>self.sinks.pop(sink)
        lock(&self.plane)
        sink_remove(&self.plane, gone)
        unlock(&self.plane)
        endpoint = self.sink_sockets.pop(sink)
        if endpoint is not None:
            endpoint.close()

    def remove_sinks(self):
        for sink in list(self.sinks):
            self.remove_sink(sink)

    def take_sink_output(self):
        """Only logic alone comes here, so there is nobody to share with."""
        cdef SinkFrame *frame
        cdef int index
        output = []
        for index in range(self.plane.frames.count):
            frame = &self.plane.frames.frames[index]
            body = PyBytes_FromStringAndSize(<char *>self.plane.frames.bytes + frame.offset, frame.size)
            output.append(interface.SinkFrame(frame.sink_id, body))
        for index in range(self.plane.sinks.count):
            (<Sink *>self.plane.sinks.items[index]).first = -1
        self.plane.frames.count = self.plane.frames.used = 0
        self.plane.counts.sink_frames += len(output)
        return output

    def poll_levels(self):
        cdef Level *rows
        cdef int count
        lock(&self.plane)
        rows, count = self.plane.levels.rows, self.plane.levels.count
        self.plane.levels.rows = NULL
        self.plane.levels.count = self.plane.levels.room = 0
        self.plane.levels.turn += 1
        unlock(&self.plane)
        taken = PyBytes_FromStringAndSize(<char *>rows, count * sizeof(Level)) if count else b""
        free(rows)
        return frombuffer(taken, LEVEL)
