"""A composite of a call while it runs, as low-latency HLS. Layouts and drawing are `mix`'s; media is the journal's."""
