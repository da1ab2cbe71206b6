"""A fuzz target for the matchers: every known answer, mutated at random, from a seed.

    .venv/bin/python -m tests.services.fuzz_matchers --rounds 1000000 --seed 7

Nothing may raise or take long, and whatever a matcher makes of the bytes must be fit to print. What fails is shown as
bytes that can be pasted into a test. The suite runs a short round of it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator

from probe.model import Service
from probe.services import http
from probe.services.hellos import PLAIN
from probe.services.matchers import MATCHERS
from tests.services.answers import ANSWERS

SLOW = 0.5  # seconds for all matchers over one answer: a thousand times what it takes
MOST = 4096
_CORPUS = [data for data, _ in ANSWERS]
_NASTY = (
    b"\xff" * 4,
    bytes(4),
    b"\x7f\xff\xff\xff",
    b"\x80",
    b"\r\n\r\n",
    b"\0",
    b"{" * 40,
    b" " * 200,
    b'"' * 9,
    b"\x1b[2J",
)


def mutants(rounds: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for _ in range(rounds):
        data = rng.choice(_CORPUS)
        for _ in range(rng.randint(1, 6)):
            data = _mutated(data, rng)
        yield data[:MOST]


def _mutated(data: bytes, rng: random.Random) -> bytes:
    at, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    other = rng.choice(_CORPUS)
    return rng.choice(
        (
            data[:at] + rng.randbytes(1) + data[at + 1 :],
            data[:at] + data[end:],
            data[:end] + data[at:end] * rng.randint(1, 9) + data[end:],
            data[:at] + rng.choice(_NASTY) + data[at:],
            data[:at] + rng.choice(_NASTY) + data[end:],
            data[:at] + other[rng.randint(0, len(other)) :],
            data[:at],
            data[at:],
        )
    )


def check(data: bytes) -> str | None:
    """What is wrong with how these bytes are taken, if anything."""
    began = time.perf_counter()
    for matcher in MATCHERS:
        service = matcher(data)
        if service is not None and not _printable(service):
            return f"{matcher.__module__}.{matcher.__name__} gives what cannot be printed"
    for hello in PLAIN.values():
        if hello.more:
            hello.more(data)
    http.further(data)
    return "takes too long" if time.perf_counter() - began > SLOW else None


def _printable(service: Service) -> bool:
    fields = (service.name, service.product, service.version, service.info)
    return all(text is None or (text.isprintable() and 0 < len(text) <= 200) for text in fields)


def main() -> int:
    options = argparse.ArgumentParser(description="mutate every known answer and match it")
    options.add_argument("--rounds", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    for data in mutants(given.rounds, given.seed):
        fault = check(data)
        if fault:
            sys.stdout.write(f"{fault}: {data!r}\n")
            return 1
    sys.stdout.write(f"{given.rounds} answers, nothing found\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
