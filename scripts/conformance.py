#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a table, what holds by heap, of what vcm_conformance printed in guests.

Fails when the heap vcm does not have what every heap should, or when nothing was asked.
"""

import argparse
import re
import sys

import tables

# The project's own last.
OWN = "vcm"
NO_IOMMU = "none.log"
# What is another thing where no IOMMU is.
WITHOUT_IOMMU = ("segments", "segments-2m")

PAGE = """.. SPDX-License-Identifier: GPL-2.0

==================================
What holds for buffers of any heap
==================================

This page is written by ``make conformance``: the same program, ``vcm_conformance``, for
each heap of a guest with Linux {kernel}, behind VT-d and without an IOMMU.
``make conformance HEAP=<name>`` asks one; ``HEAP=<name> vcm_conformance`` asks any heap of the
machine that it runs on, and needs the tests' importer ``vcm-edu-test`` and ``vgem`` for what
devices see. Of a heap that others brought the table says what holds, and a "no" is no
failure of the run; of ``vcm`` it is one.

What every heap should have
===========================

"yes" where the test passed, "no" where it failed.

{rules}
What may be so or otherwise
===========================

{found}
``default_cma_region`` and ``reserved`` are two names of one region, of 256 MB here. "The OOM
killer came" is said of a process that asked for the memory and was first in its list.
"""


class Results:
    """What was printed, by heap."""

    def __init__(self):
        self.heaps, self.kernel = [], "?"
        # {(subtest, heap): [state]} and {(subtest, heap, without an IOMMU): words}
        self.states, self.words = {}, {}

    def read(self, path):
        """Takes the output of a guest."""
        heap = None
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if match := re.match(r"@@heap (\S+)", line):
                    heap = match[1]
                    if heap not in self.heaps:
                        self.heaps.append(heap)
                elif match := re.match(r"IGT-Version: .*\(Linux: (\S+)", line):
                    self.kernel = match[1]
                elif match := re.match(r"@found (\S+): (.*)", line):
                    self.words[match[1], heap, path.endswith(NO_IOMMU)] = match[2]
                elif match := re.match(r"Subtest (\S+): ([A-Z]+) \(", line):
                    self.states.setdefault((match[1], heap), []).append(match[2])
        self.heaps.sort(key=lambda name: (name == OWN, name))

    def rule(self, subtest, heap):
        """yes, no or - of what passes or fails."""
        states = set(self.states.get((subtest, heap), ())) - {"SKIP"}
        return "-" if not states else "yes" if states == {"SUCCESS"} else "no"

    def has(self, subtest):
        """Is it one that finds out something?"""
        return any(key[0] == subtest for key in self.words)

    def lacks(self, subtests):
        """What the project's own heap does not have."""
        return [name for name in subtests if self.rule(name, OWN) != "yes"]


def read_described(path):
    """{subtest: what it is}, in order."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^SUB (\S+) .*\n  (.*)$", file.read(), re.MULTILINE))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--describe", required=True, help="what the program says to --describe")
    parser.add_argument("--page", help="the page to write")
    parser.add_argument("logs", nargs="+")
    args = parser.parse_args()

    described, results = read_described(args.describe), Results()
    for path in args.logs:
        results.read(path)
    heaps = results.heaps
    rules = [[what] + [results.rule(name, heap) for heap in heaps]
             for name, what in described.items() if not results.has(name)]
    found = []
    for without, more in ((False, ""), (True, ", without an IOMMU")):
        found += [[what + more] + [results.words.get((name, heap, without), "-") for heap in heaps]
                  for name, what in described.items()
                  if results.has(name) and (not without or name in WITHOUT_IOMMU)]

    head = ["Of a buffer"] + [f"{heap}" for heap in heaps]
    print(tables.text_table(head, rules) + "\n\n" + tables.text_table(head, found))
    lacks = results.lacks(described) if OWN in heaps else []
    if lacks:
        print(f"{OWN} lacks: {', '.join(lacks)}")
    if args.page and not lacks:
        head = head[:1] + [f"``{heap}``" for heap in heaps]
        with open(args.page, "w", encoding="utf-8") as file:
            file.write(PAGE.format(kernel=results.kernel, rules=tables.rst_table(head, rules),
                                   found=tables.rst_table(head, found)))
    sys.exit(1 if lacks or not heaps else 0)


if __name__ == "__main__":
    main()
