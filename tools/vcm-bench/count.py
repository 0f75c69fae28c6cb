#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes sense of what 'vcm-bench count' wrote.

Usage: count.py [--limit RATIO] [--update] TABLE FILE...

Reads lines of fields separated by tabs. Of a FILE strict.tsv the steps are called
strict-... in the result. Prints for each step, peer and size a line

    step peer bytes instructions ratio

with the ratio to the heap 'system', then the goals that are missed, what got worse than
TABLE says, and the worst ratio of all. Where unmapped addresses are forgotten later
(lazy), what a goal is compared with leaves out the flush that vcm does at each unmap: the
step 'flush' is that, and nothing else. Fails when that is above the limit, or a ratio more than GROWTH above
that of TABLE. --update writes TABLE instead of comparing.
"""

import argparse
import math
import os
import sys

GROWTH = 0.02
PEER = "system"
STRICT = "strict-"
MIB = 1 << 20

# Step, peer or any, least bytes, ratio to reach: all that match hold. The steps of
# devices in strict mode too.
GOALS = [
    ("alloc", "", 0, 1.0),
    ("free", "", 0, 1.0),
    ("mmap", "", 0, 1.0),
    ("vmap", "", 0, 1.0),
    ("map", "", 0, 1.0),
    ("remap", "", 0, 1.0),
    ("attach-map-unmap", "", 0, 1.0),
    ("scattered-map", "", 16 * MIB, 0.1),
    ("scattered-remap", "", 16 * MIB, 0.1),
    ("camera-start", "vcm-warm", 0, 0.2),
    ("camera-start", "vcm-cold", 0, 1.0),
    ("camera-frame", "", 0, 1.0),
    ("camera-end", "", 0, 1.0),
]
# The steps in which there is an unmap.
FLUSHING = ("map", "remap", "attach-map-unmap", "scattered-map", "scattered-remap",
            "scattered-attach-map-unmap", "camera-frame")

HEAD = """\
# SPDX-License-Identifier: GPL-2.0
#
# Instructions of each step as a multiple of the system heap's: what 'make bench-count'
# compares with, and 'make bench-count UPDATE=1' writes.
#
# {machine}
# step peer bytes ratio
"""


def read(paths):
    """Instructions by (step, peer, bytes), and what they were counted on."""
    counts, machine = {}, ""
    for path in paths:
        prefix = STRICT if os.path.basename(path) == "strict.tsv" else ""
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                kind, *values = line.rstrip("\r\n").split("\t")
                if kind == "count":
                    step, peer, size, count = values
                    counts[prefix + step, peer, int(size)] = int(count)
                elif kind == "info" and values[0] == "machine":
                    machine = values[1]
    return counts, machine


def ratio_text(ratio):
    """Four digits that count."""
    return f"{ratio:.{max(0, 3 - math.floor(math.log10(ratio)))}f}"


def ratios_of(counts):
    """The same as multiples of the system heap's, rounded as they are printed."""
    ratios = {}
    for (step, peer, size), count in counts.items():
        base = counts.get((step, PEER, size))
        if not base:
            sys.exit(f"count: {step} {size}: no figure of {PEER}")
        ratios[step, peer, size] = float(ratio_text(count / base))
    return ratios


def table_read(path):
    """Ratios by (step, peer, bytes), and what they were counted on."""
    ratios, machine = {}, ""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# Linux"):
                machine = line[1:].strip()
            elif not line.startswith("#"):
                step, peer, size, ratio = line.split()
                ratios[step, peer, int(size)] = float(ratio)
    return ratios, machine


def table_write(path, ratios, machine):
    """The ratios of all but the system heap."""
    with open(path, "w", encoding="utf-8") as table:
        table.write(HEAD.format(machine=machine))
        for (step, peer, size), ratio in ratios.items():
            if peer != PEER:
                table.write(f"{step} {peer} {size} {ratio_text(ratio)}\n")


def compare(ratios, table):
    """What is worse than the table, a line each; sizes beyond the table are not."""
    largest = max(size for _, _, size in ratios)
    known = max(size for _, _, size in table)
    worse = []
    for key, ratio in ratios.items():
        if key[1] == PEER or key[2] > known:
            continue
        if key not in table:
            worse.append(f"{name(key)}: not in the table")
        elif ratio > table[key] * (1 + GROWTH):
            worse.append(f"{name(key)}: {ratio_text(ratio)}, {ratio_text(table[key])} in the table")
    for key in table:
        if key[2] <= largest and key not in ratios:
            worse.append(f"{name(key)}: in the table alone")
    return worse


def name(key):
    """step peer bytes"""
    return " ".join(str(part) for part in key)


def flush_of(counts, peer, size):
    """Of the largest buffer that is no larger: what a flush takes depends little on it."""
    sizes = [size_ for step, peer_, size_ in counts if (step, peer_) == ("flush", peer)]
    return counts["flush", peer, max(s for s in sizes if s <= size)]


def goals_of(counts):
    """Yields for each goal its key, the figure compared, and the goal, as ratios."""
    for (step, peer, size), count in counts.items():
        if peer == PEER:
            continue
        if step in FLUSHING:
            count -= flush_of(counts, peer, size)
        ratio = count / counts[step, PEER, size]
        for goal_step, goal_peer, least, goal in GOALS:
            if step.removeprefix(STRICT) == goal_step and goal_peer in ("", peer) and size >= least:
                yield (step, peer, size), ratio, goal


def print_goals(counts):
    """Those that are missed, and how many there are."""
    total = missed = 0
    for key, ratio, goal in goals_of(counts):
        total += 1
        if ratio > goal:
            missed += 1
            flush = " without the flush" if key[0] in FLUSHING else ""
            over = round((ratio - goal) * counts[key[0], PEER, key[2]])
            print(f"missed: {name(key)} {ratio_text(ratio)}{flush}, goal {goal:.2f}, "
                  f"{over} instructions too many")
    print(f"goals: {total - missed} of {total} reached")


def judge(ratios, limit, worse):
    """Prints the end of it. Returns whether all is well."""
    own = {key: ratio for key, ratio in ratios.items() if key[1] != PEER}
    worst = max(own, key=own.get)
    for line in worse:
        print(f"FAIL {line}")
    beyond = limit is not None and own[worst] > limit
    if beyond:
        print(f"FAIL worst: above the limit of {limit}")
    print(f"worst: {ratio_text(own[worst])} of {PEER} ({name(worst)})")
    failed = len(worse) + beyond
    print(f"{max(0, len(own) + 1 - failed)} passed, {failed} failed")
    return not failed


def main():
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=float)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("table")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    counts, machine = read(args.files)
    ratios = ratios_of(counts)
    for key, count in counts.items():
        print(f"{name(key)} {count} {ratio_text(ratios[key])}")
    print_goals(counts)
    worse = []
    if args.update:
        table_write(args.table, ratios, machine)
    else:
        table, table_machine = table_read(args.table)
        worse = compare(ratios, table)
        if machine != table_machine:
            print(f"note: the table is of {table_machine}; this is {machine}")
    sys.exit(0 if judge(ratios, args.limit, worse) else 1)


main()
