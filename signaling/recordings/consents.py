"""Who is to be taken by a recording, as far as that is asked of people: what the recorder is to be told of it. Pure."""

from __future__ import annotations


class Consents:
    """`needed`: only who has consented is taken; else everybody is, whatever they said."""

    def __init__(self, needed: bool) -> None:
        self.needed = needed
        self._said: dict[str, bool] = {}  # by identity
        self._told: dict[str, bool] = {}  # to the recorder's process
        self._known: set[str] = set()  # of whom any process was told something: it may withhold still

    def on_said(self, identity: str, given: bool | None) -> None:
        """None: nothing."""
        if given is None:
            self._said.pop(identity, None)
        else:
            self._said[identity] = given

    def forget(self, identity: str) -> None:
        """Who has left; what the recorder was told of him holds until he is back."""
        self._said.pop(identity, None)

    def on_process(self) -> None:
        """It may be another one, which was told nothing."""
        self._told.clear()

    def to_tell(self, identity: str) -> bool | None:
        """Whether what comes from him may be taken; None: there is nothing new to tell."""
        given = not self.needed or self._said.get(identity, False)
        if self._told.get(identity) == given or (not self.needed and identity not in self._known):
            return None
        self._known.add(identity)
        self._told[identity] = given
        return given
