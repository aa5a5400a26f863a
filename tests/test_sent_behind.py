"""Exchanges that go on while ranks compute, over a stand-in for MPI that is as late as it may be."""

from __future__ import annotations

import threading
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pytest
from seeds import SEED

from symgrad.ranks.sent_behind import AT_ONCE, SentBehind

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.ranks.sent_behind import OnTheWay


class LatePost:
    """Messages between ranks, each looked at when it must be, not before; in the order in which they go."""

    def __init__(self, seed: int) -> None:
        self.lock, self.random = threading.RLock(), Random(seed)
        self.sent: dict[tuple[int, int], list[Any]] = defaultdict(list)
        self.taken: dict[tuple[int, int], int] = defaultdict(int)
        self.open: list[Request] = []
        self.most = 0


class Request:
    """A message on its way; whoever looks after one of a rank moves all of that rank, as MPI does."""

    def __init__(self, post: LatePost, rank: int, move: Callable[[], bool]) -> None:
        self.post, self.rank, self.move = post, rank, move
        self.looks, self.is_done = post.random.randrange(4), False
        with post.lock:
            post.open.append(self)
            post.most = max(post.most, len(post.open))

    def Test(self) -> bool:
        with self.post.lock:
            for each in [each for each in self.post.open if each.rank == self.rank]:
                each.looks -= 1
                each.is_done = each.looks < 0 and each.move()
            self.post.open = [each for each in self.post.open if not each.is_done or each.rank != self.rank]
        return self.is_done


class LateRank:
    """As much of a communicator as is asked for."""

    def __init__(self, post: LatePost, rank: int, ranks: int) -> None:
        self.post, self.rank, self.ranks = post, rank, ranks

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.ranks

    def Isend(self, part: Any, goal: int) -> Request:
        message: dict[str, Any] = {}
        self.post.sent[self.rank, goal].append(message)

        def move() -> bool:
            message["part"] = part.copy()
            return True

        return Request(self.post, self.rank, move)

    def Irecv(self, part: Any, source: int) -> Request:
        messages, number = self.post.sent[source, self.rank], self.post.taken[source, self.rank]
        self.post.taken[source, self.rank] += 1

        def move() -> bool:
            if len(messages) <= number or "part" not in messages[number]:
                return False
            assert len(messages[number]["part"]) == len(part), "another piece than was sent"
            part[:] = messages[number]["part"]
            return True

        return Request(self.post, self.rank, move)


def drawn(random: Random, ranks: int) -> tuple[list[Any], list[Any], list[Any]]:
    """What each rank sends and takes, over garbage, and what must be there then."""
    counts = [
        [0 if a == b else random.choice((0, 1, random.randrange(40))) for b in range(ranks)]
        for a in range(ranks)
    ]
    sent, taken, expected = [], [], []
    for rank in range(ranks):
        own = counts[rank]
        places = [sum(own[:n]) + n for n in range(ranks)]
        vector = np.array([random.random() for _ in range(sum(own) + ranks)])
        sent.append([vector, (own, places)])
    for rank in range(ranks):
        theirs = [counts[other][rank] for other in range(ranks)]
        places = [sum(theirs[:n]) + 2 * n for n in range(ranks)]
        taken.append([np.full(sum(theirs) + 2 * ranks, np.nan), (theirs, places)])
        whole = taken[-1][0].copy()
        for other, (vector, (own, starts)) in enumerate(sent):
            part = vector[starts[rank] : starts[rank] + own[rank]]
            whole[places[other] : places[other] + len(part)] = part
        expected.append(whole)
    return sent, taken, expected


def waited(request: OnTheWay) -> None:
    while not request.Test():
        pass


@pytest.mark.parametrize("has_thread", [True, False])
def test_every_part_comes_to_its_place(has_thread: bool) -> None:
    """Several exchanges are begun before the first is waited for."""
    random = Random(SEED)
    for _ in range(6):
        ranks, post = random.randint(2, 5), LatePost(random.randrange(10**6))
        exchanges = [drawn(random, ranks) for _ in range(3)]

        def run(rank: int, post: LatePost = post, ranks: int = ranks, asked: Any = exchanges) -> None:
            behind = SentBehind(LateRank(post, rank, ranks), has_thread=has_thread)
            begun = [behind.begin(sent[rank], taken[rank], waited) for sent, taken, _ in asked]
            for each, (_, taken, expected) in zip(begun, asked, strict=True):
                each.Wait()
                np.testing.assert_array_equal(taken[rank][0], expected[rank])

        with patch("symgrad.ranks.sent_behind.PIECE", random.choice((8, 24, 1000))):
            errors: list[Exception] = []
            threads = [
                threading.Thread(target=_kept(run, rank, errors), daemon=True) for rank in range(ranks)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        assert not errors, errors
        assert not any(thread.is_alive() for thread in threads), "some wait forever"
        assert not post.open, "requests were left open"
        assert post.most <= ranks * 2 * (AT_ONCE + 1)


def _kept(run: Callable[[int], None], rank: int, errors: list[Exception]) -> Callable[[], None]:
    def kept() -> None:
        try:
            run(rank)
        except Exception as error:  # noqa: BLE001  # it is looked at
            errors.append(error)

    return kept


def test_who_waits_is_told_what_went_wrong() -> None:
    class Broken(LateRank):
        def Isend(self, part: Any, goal: int) -> Request:
            raise OSError("the line is cut")

    behind = SentBehind(Broken(LatePost(0), 0, 2), has_thread=True)
    message = [np.zeros(3), ([0, 3], [0, 0])]
    for _ in range(2):  # and the thread goes on
        with pytest.raises(OSError, match="the line is cut"):
            behind.begin(message, message, waited).Wait()
