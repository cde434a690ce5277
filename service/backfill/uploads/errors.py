"""What a caller of backfills is told who cannot have what was asked.

GridgramError
+-- Unfinished           ask again later, or read why it failed
+-- TooMuchKept          wait for a backfill to end, or delete one
+-- CannotKeep           the disk is full or fails: call whoever runs the service
+-- InputError
    +-- KeyReused        another Idempotency-Key
"""

from __future__ import annotations

from typing import ClassVar

from gridgram.errors import GridgramError, InputError


class Unfinished(GridgramError):
    """The backfill has no result, or none yet."""

    code: ClassVar[str] = "no-result"


class TooMuchKept(GridgramError):
    """The caller has as many unfinished backfills, or as many bytes of files, as one may have."""

    code: ClassVar[str] = "backfills-exhausted"


class CannotKeep(GridgramError):
    """The upload cannot be written to the disk; nothing of it is kept."""

    code: ClassVar[str] = "insufficient-storage"


class KeyReused(InputError):
    """The Idempotency-Key stands for another request already."""

    code: ClassVar[str] = "idempotency-key-reused"
