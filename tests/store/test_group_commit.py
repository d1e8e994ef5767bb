"""Group commit: what gathers while a commit runs goes with the next one; every batch ends, with an error or without."""

from __future__ import annotations

import asyncio

from smackbox.base.errors import StorageError
from smackbox.store.group_commit import GroupCommit


class Journal:
    """Entries that wait, batches that were committed, and a disk that fails when told."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.committed: list[list[int]] = []
        self.ended: list[tuple[list[int], bool]] = []
        self.fails: set[int] = set()
        self.gate = asyncio.Event()
        self.commits = GroupCommit("test", self.take, self.commit, self.finish)

    def add(self, entry: int) -> None:
        self.waiting.append(entry)
        self.commits.want()

    def take(self) -> list[int] | None:
        taken, self.waiting = self.waiting, []
        return taken or None

    async def commit(self, batch: list[int]) -> None:
        await self.gate.wait()
        if self.fails & set(batch):
            raise StorageError("the disk is full")
        self.committed.append(batch)

    def finish(self, batch: list[int], error: StorageError | None) -> None:
        self.ended.append((batch, error is None))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_all_of_one_turn_share_a_commit() -> None:
    async def run() -> None:
        journal = Journal()
        journal.gate.set()
        for entry in range(5):
            journal.add(entry)
        await journal.commits.settle()
        assert journal.committed == [[0, 1, 2, 3, 4]]

    asyncio.run(run())


def test_what_comes_during_a_commit_waits_for_the_next() -> None:
    async def run() -> None:
        journal = Journal()
        journal.add(1)
        await turns()
        for entry in (2, 3):
            journal.add(entry)
            await turns()
        assert journal.ended == [], "nothing is answered before it is durable"
        journal.gate.set()
        await journal.commits.settle()
        assert journal.committed == [[1], [2, 3]]

    asyncio.run(run())


def test_a_failed_commit_ends_its_batch_and_no_other() -> None:
    async def run() -> None:
        journal = Journal()
        journal.fails = {1}
        journal.add(1)
        await turns()
        journal.add(2)
        journal.gate.set()
        await journal.commits.settle()
        assert journal.ended == [([1], False), ([2], True)]
        journal.add(3)
        await journal.commits.settle()
        assert journal.ended[-1] == ([3], True)

    asyncio.run(run())


def test_a_batch_that_is_wanted_while_another_is_finished_is_committed() -> None:
    async def run() -> None:
        journal = Journal()
        journal.gate.set()
        finish = journal.finish

        def more(batch: list[int], error: StorageError | None) -> None:
            finish(batch, error)
            if batch == [1]:
                journal.add(2)

        journal.commits = GroupCommit("test", journal.take, journal.commit, more)
        journal.add(1)
        await journal.commits.settle()
        assert [batch for batch, _ in journal.ended] == [[1], [2]]

    asyncio.run(run())
