"""A request that is declined. Whatever else is raised inside a Worker is a bug of ours."""


class Refused(Exception):
    """A fair request that is declined: an unknown name, a limit, a Slot that is taken. The asker is told the code.

    `code` is stable and for programs (`unknown_track`); `reason` is a sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
