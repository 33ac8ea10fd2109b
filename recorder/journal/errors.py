"""What reading a journal may raise; nothing else leaves it, but for what the file system says."""


class MalformedJournal(ValueError):
    """A file that is no journal, or of a version that is not ours. Damage within a segment is reported, not raised."""
