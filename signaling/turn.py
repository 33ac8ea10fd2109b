"""ICE servers as one client is told them: TURN credentials are made for it, and end by themselves.

The scheme of coturn's `use-auth-secret` (draft-uberti-behave-turn-rest-00): the user name says until when it is good,
the password proves that whoever made it knows the secret that we share with the TURN server. Pure: `now` is Unix time.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from hashlib import blake2s, sha1

from signaling.messages import IceServer


@dataclass(frozen=True, slots=True)
class IceServers:
    """`fixed` have credentials of their own, or need none. `turn_urls` take those that `turn_secret` makes."""

    fixed: tuple[IceServer, ...] = ()
    turn_urls: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    valid_for_s: float = 0.0

    def told(self, identity: str, now: float) -> tuple[IceServer, ...]:
        """For one client. All its TURN servers have the same credentials."""
        if not self.turn_urls:
            return self.fixed
        username, credential = credentials(self.turn_secret, identity, now + self.valid_for_s)
        return (*self.fixed, IceServer(urls=self.turn_urls, username=username, credential=credential))


def credentials(secret: str, identity: str, until: float) -> tuple[str, str]:
    """User name and password. The TURN server may belong to somebody else, so it sees a digest of the identity: enough
    to tell one user from another, for its quotas."""
    user = blake2s(identity.encode(), key=secret.encode()[:32], digest_size=8).hexdigest()
    username = f"{int(until)}:{user}"
    # HMAC-SHA1 is what coturn computes; here it is as good as any, as nobody can choose what is signed.
    digest = hmac.new(secret.encode(), username.encode(), sha1).digest()
    return username, base64.b64encode(digest).decode()
