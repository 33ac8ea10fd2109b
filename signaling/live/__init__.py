"""Live composites of recordings, served to viewers: playlists that wait for what comes next, and files that stay."""
