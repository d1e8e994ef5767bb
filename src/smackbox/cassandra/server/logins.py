"""Compares passwords in threads: that takes tens of milliseconds by design, and must not block others.

`Security` remembers verified passwords, so the next login with the same password does not wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from smackbox.cassandra.execution.security import Security
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.state import passwords
from smackbox.cassandra.state.roles import DEFAULT_SUPERUSER

log = logging.getLogger(__name__)

PASSWORD_THREADS = 2


class Logins:
    """The password comparisons in progress."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self._threads = ThreadPoolExecutor(PASSWORD_THREADS, thread_name_prefix="password")

    def check(self, session: Session, token: bytes, then: Callable[[], None]) -> bool:
        """Compare the password of a login and call `then`. Returns False, without any effect, if there is nothing to
        compare.
        """
        if token == session.refused_token:
            return False
        unchecked = self._security.unchecked(token)
        if unchecked is None:
            return False
        password, hashed = unchecked
        work = asyncio.get_running_loop().run_in_executor(self._threads, passwords.matches, password, hashed)

        def done(finished: asyncio.Future[bool]) -> None:
            if finished.cancelled():
                return
            error = finished.exception()
            if error is not None:
                log.error("a password could not be compared", exc_info=error)
            if error is None and finished.result():
                self._security.remember(password, hashed)
            else:
                session.refused_token = token
            then()

        work.add_done_callback(done)
        return True

    async def warn_of_default(self, host: str) -> None:
        """Log a warning if anybody who can reach `host` knows the superuser's password."""
        role = self._security.roles.get(DEFAULT_SUPERUSER)
        if role is None or role.salted_hash is None or not role.login:
            return
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._threads, passwords.matches, DEFAULT_SUPERUSER, role.salted_hash):
            log.warning(
                "cassandra listens on %s and its superuser %s still has the default password: "
                "ALTER ROLE %s WITH PASSWORD = '…'",
                host, DEFAULT_SUPERUSER, DEFAULT_SUPERUSER,
            )  # fmt: skip

    def close(self) -> None:
        """Stop the threads; comparisons that have not started are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
