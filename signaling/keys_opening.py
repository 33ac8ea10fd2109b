"""The keyring of a server: with the keys of its configuration, and the master secret that keys made by API hang on."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from signaling.config import ServerConfig
from signaling.keyring import Keyring

NAME_BYTES = 10
MASTER_SECRET_BYTES = 32


def open_keyring(config: ServerConfig) -> Keyring:
    """Raises OSError when the master secret is to be in a file and cannot be."""
    if config.master_secret:
        master = config.master_secret.encode()
    elif config.store is not None:
        master = _kept_beside(config.store)
    else:
        master = secrets.token_bytes(MASTER_SECRET_BYTES)  # keys made by API end with the process, as all else does
    return Keyring(config.secrets, master, lambda prefix: f"{prefix}_{secrets.token_hex(NAME_BYTES)}", time.time)


def _kept_beside(store: Path) -> bytes:
    """Made the first time. In another file than the store's: backups of that open nothing."""
    path = store.with_name(store.name + ".secret")
    made = secrets.token_hex(MASTER_SECRET_BYTES).encode()
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(descriptor)
    kept = path.read_bytes()
    if len(kept) < MASTER_SECRET_BYTES:
        raise OSError(f"{path} holds no master secret; it is made anew when it is not there")
    return kept
