#!/usr/bin/env python3
"""How many logs so many verifications a second take, what they store, and how even they are.

A calculation, not a measurement: its defaults are numbers that were measured once (ops/sizing.md),
and the model between them is in the functions below. It reads no files and knows no clock: the same
arguments print the same lines. ops/internet-scale.md says what they mean, and shows the defaults'.
"""

import argparse
import math
import random

DAY = 86_400
TERABYTE = 1e12


def commit_ms(events, sync_ms, round_ms, event_ms):
    """How long one commit of so many events holds up the next.

    >>> commit_ms(1, sync_ms=3.4, round_ms=0.85, event_ms=0.1)
    4.35
    """
    return sync_ms + round_ms + events * event_ms


def events_per_second(events, sync_ms, round_ms, event_ms):
    """What one log takes in commits of so many events, one after the other: its head is locked.

    What was measured with one process on two shared cores, for 1, 16 and 256 events, was 230, 1,900
    and 8,200: the model fits the ends and flatters the middle.

    >>> [round(events_per_second(n, 3.4, 0.85, 0.105), -1) for n in (1, 16, 256)]
    [230.0, 2700.0, 8220.0]
    """
    return 1_000 * events / commit_ms(events, sync_ms, round_ms, event_ms)


def partitions(verifications, events, capacity, use):
    """Partitions that are needed where each may be used to a share of what it takes.

    >>> [partitions(load, 6, 8_000, 0.5) for load in (1, 666, 667, 1_000)]
    [1, 1, 2, 2]
    """
    return max(1, math.ceil(verifications * events / (capacity * use)))


def partition_of(digest, count):
    """Which of so many partitions has a hash, given its first 32 bits: each has a range of hashes.

    >>> [partition_of(digest, 4) for digest in (0, 2**30 - 1, 2**30, 2**32 - 1)]
    [0, 0, 1, 3]
    """
    return digest * count >> 32


def fullest_by_hash(verifications, count, seed):
    """The fullest partition's share of one second's verifications, in times of the mean.

    >>> fullest_by_hash(10_000, 1, seed=1)
    1.0
    >>> 1.0 < fullest_by_hash(10_000, 10, seed=1) < 1.2
    True
    """
    draw, loads = random.Random(seed), [0] * count
    for _ in range(verifications):
        loads[partition_of(draw.getrandbits(32), count)] += 1
    return max(loads) * count / verifications


def fullest_by_account(accounts, skew, count, seed):
    """The same where all of an account's are in one partition, and the k-th largest account has
    1 / k^skew times the largest one's.

    >>> fullest_by_account(1_000, 1.0, 1, seed=1)
    1.0
    >>> even, skewed = (fullest_by_account(1_000, skew, 100, seed=1) for skew in (0.0, 1.0))
    >>> even < 2.5 and skewed > 13  # of 1,000, the largest alone has 13 times a hundredth
    True
    """
    draw, loads = random.Random(seed), [0.0] * count
    for rank in range(1, accounts + 1):
        loads[partition_of(draw.getrandbits(32), count)] += rank**-skew
    return max(loads) * count / sum(loads)


def table(heads, rows):
    """Lines of right-aligned columns.

    >>> list(table(["a", "bb"], [[1, 1_000]]))
    ['a     bb', '1  1,000']
    """
    texts = [heads]
    texts += [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    for row in texts:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths))


def capacity(options):
    """What one log takes under load, in events a second."""
    return events_per_second(options.batch, options.sync_ms, options.round_ms, options.event_ms)


def syncs(options):
    """What one log takes, by the time of a sync and the events of a commit."""
    batches = sorted({1, 16, 64, options.batch})
    rows = []
    for sync_ms in sorted({0.1, 1.0, options.sync_ms, 10.0}):
        rates = (
            events_per_second(batch, sync_ms, options.round_ms, options.event_ms)
            for batch in batches
        )
        rows.append([f"{sync_ms:g} ms"] + [round(rate) for rate in rates])
    yield "1. Events a second of one log, by a sync's time and the events of a commit"
    yield f"   (a commit: a sync, {options.round_ms:g} ms, {options.event_ms:g} ms an event)"
    yield ""
    yield from table(["sync"] + [f"{batch} at once" for batch in batches], rows)


def counts(options):
    """How many logs each of the loads takes."""
    taken = capacity(options)
    return [
        (load, partitions(load, options.events, taken, options.use))
        for load in options.per_second
    ]


def plan(options):
    """What so many verifications a second take, and store."""
    rows = []
    for load, count in counts(options):
        a_day = load * options.bytes * DAY / TERABYTE
        kept = a_day * options.days
        rows.append([
            load, load * options.events, count, f"{a_day:,.2f} TB", f"{kept:,.0f} TB",
            f"{kept / count:,.0f} TB", max(1, math.ceil(load / options.chain)),
        ])
    yield "2. Logs, disks and chains"
    taken = f"{capacity(options):,.0f} events/s a log"
    yield f"   ({options.events} events and {options.bytes:,} bytes a verification; {taken},"
    chain = f"a chain: {options.chain:,} transactions/s"
    yield f"   used to {options.use:.0%}; kept for {options.days} days; {chain})"
    yield ""
    heads = ["verifications/s", "events/s", "logs", "a day", "kept", "kept by each", "chains"]
    yield from table(heads, rows)


def evenness(options):
    """How full the fullest log is, by what decides where a verification goes, and what follows."""
    rows = []
    for load, count in counts(options):
        fullest = (
            fullest_by_hash(load, count, options.seed),
            fullest_by_account(options.payers, options.payer_skew, count, options.seed),
            fullest_by_account(options.sellers, options.seller_skew, count, options.seed),
        )
        # When the fullest takes no more, the others still would.
        at_most = [round(count * capacity(options) / options.events / one) for one in fullest]
        rows.append([load, count] + [f"{one:.2f}" for one in fullest] + at_most)
    yield "3. The fullest log, in times of the mean, and what all logs take when it is full"
    yield f"   ({options.payers:,} payers, the k-th has 1/k^{options.payer_skew:g} of the first's;"
    yield f"   {options.sellers:,} sellers, 1/k^{options.seller_skew:g}; seed {options.seed})"
    yield ""
    heads = ["verifications/s", "logs", "by hash", "by payer", "by seller"]
    yield from table(heads + ["at most/s by hash", "by payer", "by seller"], rows)


def arguments():
    """What may be said."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def number(name, kind, default, text):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{text} [{default:,}]")

    parser.add_argument(
        "--per-second", type=int, nargs="+", default=[500, 2_000, 10_000, 50_000, 200_000],
        metavar="N", help="verifications a second [500 2000 10000 50000 200000]",
    )
    number("events", int, 6, "events of a verification")
    number("bytes", int, 9_900, "bytes that it takes in the database")
    number("sync-ms", float, 3.4, "how long the database's disk takes to sync")
    number("round-ms", float, 0.85, "what else a commit costs")
    number("event-ms", float, 0.105, "what each event of it costs")
    number("batch", int, 256, "events of a commit, under load")
    number("use", float, 0.5, "share of what a log takes that is planned with")
    number("days", int, 365, "for how long events are kept")
    number("payers", int, 100_000, "accounts that pay")
    number("payer-skew", float, 0.8, "how uneven they are: 0 is even")
    number("sellers", int, 10_000, "accounts that are paid")
    number("seller-skew", float, 1.0, "how uneven they are")
    number("chain", int, 2_000, "transactions a second of one chain: an assumption")
    number("seed", int, 402, "of the generator that deals hashes and accounts")
    return parser


def main():
    """Prints the tables."""
    options = arguments().parse_args()
    for number, lines in enumerate((syncs(options), plan(options), evenness(options))):
        if number:
            print()
        for line in lines:
            print(line)


if __name__ == "__main__":
    main()
