"""Who is to be taken by a recording, as far as that is asked of people: what the recorder is to be told of it. Pure."""

from __future__ import annotations


class Consents:
    """`needed`: only who has consented is taken; else everybody is, whatever they said."""

    def __init__(self, needed: bool) -> None:
        self.needed = needed
        self._said: dict[str, bool] = {}  # by identity
        self._told: dict[str, bool] = {}  # to the recorder, of who is here

    def on_said(self, identity: str, given: bool | None) -> None:
        """None: nothing."""
        if given is None:
            self._said.pop(identity, None)
        else:
            self._said[identity] = given

    def forget(self, identity: str) -> None:
        """Who has left: the recorder forgets him, too, so that a long recording keeps nothing of all who passed."""
        self._said.pop(identity, None)
        self._told.pop(identity, None)

    def on_process(self) -> None:
        """Another one, or the same that begins again: it knows nothing."""
        self._told.clear()

    def to_tell(self, identity: str) -> bool | None:
        """Whether what comes from him may be taken; None: there is nothing new to tell."""
        given = not self.needed or self._said.get(identity, False)
        if self._told.get(identity) == given or (not self.needed and identity not in self._told):
            return None
        self._told[identity] = given
        return given
