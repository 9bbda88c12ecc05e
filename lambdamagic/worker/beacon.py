"""Shows that an invocation is under way, to a client that waits for no response.

An environment that dies says nothing to anybody when it was invoked by an event: the client sees its sign of life stop.
The first sign is also a claim: Lambda may deliver an event twice, and the second delivery finds the sign there, or, if
the client has read and deleted it meanwhile, the answer.
"""

from __future__ import annotations

import threading

from lambdamagic.errors import TargetError
from lambdamagic.protocol.envelope import Live
from lambdamagic.protocol.life import DONE, beat, new_sign
from lambdamagic.storage.object_store import TransferError


class Beacon:
    """The sign of one invocation.

    Args:
        live: Where it is written.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._sign = new_sign()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> bool:
        """Give the first sign and go on in a thread; False if another delivery of this event has begun, or is done."""
        from lambdamagic.storage.presigned import fetch, upload

        try:
            # Only if there is none ("Conditional writes", S3 user guide); a store that does not know this writes it.
            upload(self._live.put_url, [beat(self._sign, 0)], headers={"If-None-Match": "*"})
        except TransferError as error:
            if error.status == 412:
                # The request may have been answered and repeated: then the sign is our own.
                try:
                    if bytes(fetch(self._live.get_url)) != self._sign:
                        return False
                except (TargetError, FileNotFoundError):
                    return False
            # Else S3 is unwell: the run goes on, and the client waits longer.
        except TargetError:
            pass  # as above
        else:
            # After the sign: the answer is stored before the last sign, and that is deleted only when it was read.
            if self._is_answered():
                self.end()
                return False
        self._thread = threading.Thread(target=self._go_on, name="lambdamagic-beacon", daemon=True)
        self._thread.start()
        return True

    def _is_answered(self) -> bool:
        from lambdamagic.storage.presigned import fetch

        try:
            fetch(self._live.answer_url)
        except (FileNotFoundError, TargetError):
            return False
        return True

    def _go_on(self) -> None:
        from lambdamagic.storage.presigned import upload

        number = 0
        while not self._over.wait(self._live.every_s):
            number += 1
            try:
                upload(self._live.put_url, [beat(self._sign, number)])
            except TargetError:
                continue  # the next one may come through

    def end(self) -> None:
        """Give the last sign, after the answer was stored."""
        from lambdamagic.storage.presigned import upload

        self._over.set()
        if self._thread is not None:
            self._thread.join(30.0)  # its sign must not come after ours; a transfer ends within its own patience
        upload(self._live.put_url, [DONE])
