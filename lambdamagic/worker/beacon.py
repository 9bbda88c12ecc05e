"""Heartbeats of an invocation, for a client that does not wait for a response.

An environment that dies says nothing to anybody when it was invoked by an event: the client sees its heartbeat stop.
The first sign is also a claim: Lambda may deliver an event twice, and the second delivery finds the sign there, or, if
the client has read and deleted it meanwhile, the answer.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from lambdamagic.errors import BucketMissingError, CredentialsError, LambdaMagicError, TargetError
from lambdamagic.protocol.envelope import Live
from lambdamagic.protocol.life import DONE, beat, new_sign
from lambdamagic.storage.object_store import TransferError

if TYPE_CHECKING:
    from lambdamagic.storage.presigned import Transfer

#: S3 answers 409 where two conditional writes meet; the loser is to ask again ("Conditional writes", S3 user guide).
_CONFLICT, _EXISTS = 409, 412
_REFUSED = (400, 403)
_CONFLICT_WAITS_S = (0.05, 0.1, 0.2, 0.4)


def claim(live: Live, sign: bytes, transfer: Transfer) -> bool:
    """Give the first sign; False if another delivery of this event has begun, or is done, or if S3 refuses the sign.

    Each request may have its effect and lose its answer, and is then sent again. The order of the requests is what
    keeps an event from running twice: the sign first, then the look for an answer, which is stored before the last
    sign, and that is deleted only when it was read.

    Args:
        live: Where the sign is written.
        sign: A sign that no other delivery writes.
        transfer: Sends the requests.
    """
    try:
        _write_first(live, sign, transfer)
    except TransferError as error:
        if error.status in (_EXISTS, _CONFLICT):
            try:
                # The request may have been answered and repeated: then the sign is our own.
                if bytes(transfer.fetch(live.get_url)) != sign:
                    return False
            except (LambdaMagicError, FileNotFoundError):
                return False
        elif error.status in _REFUSED:
            return False
        # Else S3 is unwell: the run continues, and the client waits longer.
    except (CredentialsError, BucketMissingError):
        return False  # the links' credentials have ended, or allow nothing: the answer could not be stored either
    except TargetError:
        pass  # as above
    # Also after a repeated request: its first try may have come after the end of another delivery.
    if not _is_answered(live, transfer):
        return True
    transfer.upload(live.put_url, [DONE])
    return False


def _write_first(live: Live, sign: bytes, transfer: Transfer) -> None:
    for wait_s in (*_CONFLICT_WAITS_S, None):
        try:
            # Only if there is none ("Conditional writes", S3 user guide); a store that does not know this writes it.
            transfer.upload(live.put_url, [beat(sign, 0)], headers={"If-None-Match": "*"})
        except TransferError as error:
            if error.status != _CONFLICT or wait_s is None:
                raise
            time.sleep(wait_s)
        else:
            return


def _is_answered(live: Live, transfer: Transfer) -> bool:
    try:
        transfer.fetch(live.answer_url)
    except (FileNotFoundError, TargetError):
        return False
    except LambdaMagicError:
        return True  # there is one, and the client says what is wrong with it
    return True


class Beacon:
    """The sign of one invocation.

    Args:
        live: Where it is written.
    """

    def __init__(self, live: Live) -> None:
        from lambdamagic.storage.presigned import default_transfer

        self._live = live
        self._sign = new_sign()
        self._transfer = default_transfer()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> bool:
        """Claim the event and continue giving signs in a thread; False if it is another delivery's: see `claim`."""
        if not claim(self._live, self._sign, self._transfer):
            return False
        self._thread = threading.Thread(target=self._go_on, name="lambdamagic-beacon", daemon=True)
        self._thread.start()
        return True

    def _go_on(self) -> None:
        number = 0
        while not self._over.wait(self._live.every_s):
            number += 1
            try:
                self._transfer.upload(self._live.put_url, [beat(self._sign, number)])
            except TargetError:
                continue  # the next one may come through

    def end(self) -> None:
        """Give the last sign, after the answer was stored."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(30.0)  # its sign must not come after ours; a transfer ends within its own deadline
        self._transfer.upload(self._live.put_url, [DONE])
