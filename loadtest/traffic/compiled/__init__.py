"""The load generator's thread, in Cython: sends at exact times, reads all sockets each millisecond, counts."""
