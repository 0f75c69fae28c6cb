#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a table, suites by platforms, of results of scripts/test.sh --matrix.

Fails when something failed, when a guest did, or when nothing passed. What was skipped is
listed with the reason that the test gave.
"""

import argparse
import collections
import re
import sys

import tables

# A platform, and the guests whose results are its own.
PLATFORMS = {
    "x86_64 VT-d": ("intel", "edu"),
    "x86_64 VT-d strict": ("strict",),
    "x86_64 AMD": ("amd",),
    "x86_64 virtio": ("virtio", "edu-virtio"),
    "x86_64 no IOMMU": ("none", "edu-none"),
    "arm64 SMMUv3": ("smmuv3", "smmuv3-caches", "smmuv3-edu"),
    "arm64 SMMUv3 non-coherent": ("smmuv3-non-coherent", "smmuv3-caches-non-coherent",
                                  "smmuv3-edu-non-coherent"),
    "arm64 virtio": ("arm64-virtio",),
    "arm64 no IOMMU": ("arm64-none",),
    "arm no IOMMU": ("arm", "arm-display"),
}

# What a device gets, and the tests that show it.
GETS = {
    "one range, aligned as the policy says": ("vcm_policy@align-largest", "vcm_policy@align-64m-default"),
    "chunks congruent to their addresses": ("vcm_policy@congruent",),
    "narrow devices: packed tightly": ("vcm_policy@packed", "vcm_policy@packed-mixed"),
    "a guard that it reaches nothing in": ("vcm_policy@guard-read", "vcm_policy@guard-write"),
    "faults in the guard in the kernel's log": ("vcm_policy@guard-reported",),
    "nothing of a buffer that was released": ("vcm_policy@released",),
    "strict buffers": ("vcm_policy@strict",),
    "address spaces that are switched": ("vcm_space@same-address", "vcm_space@hides-other-space"),
    "interrupts in an address space": ("vcm_space@interrupts",),
    "interrupts between its address spaces": ("vcm_space_life@managed-gap",),
    "the memory itself, in as many segments as there are runs": ("vcm_noiommu@works",),
    "a picture in one run of memory, or an error": ("vcm_display@largest-chunks", "vcm_display@several-runs"),
    "its own domain replaced by root while it is in use": ("vcm_gone@managed-new-domain",),
}

PAGE = """.. SPDX-License-Identifier: GPL-2.0

==============================================
Which device gets what, on which platform
==============================================

This page is written by ``make test-matrix``: the same tests, with QEMU's ``edu``
device, on emulated machines. That of 32-bit ARM has none: it is there for the heap and a
display.

What a device gets
==================

"yes" where the tests that show it passed, "no" where one was skipped because the platform
does not have it, "-" where none runs: the device or the kernel is not there, or
see `What does not run`_.

{gets}
How many tests passed
=====================

``boot`` counts the guests that were booted for a platform. Where numbers differ without a
word of skipped ones, what is missing does not run there.

{suites}
What was skipped
================

{skipped}
What does not run
=================

{left}"""


class Results:
    """What came out, by platform."""

    def __init__(self):
        self.count = collections.defaultdict(collections.Counter)
        self.state, self.why, self.left, self.suites = {}, {}, {}, []

    def add(self, line):
        """Takes a line of results."""
        match = re.match(r"(PASS|FAIL|SKIP|LEFT) ([^/ ]+)/(\S+?)(?: \((.*)\))?$", line)
        if not match:
            return
        state, boot, name, words = match.groups()
        platform = next((p for p, boots in PLATFORMS.items() if boot in boots), None)
        if not platform:
            return
        suite = name.split("@")[0]
        if state == "LEFT":
            self.left[name, platform] = words
            return
        self.count[suite, platform][state] += 1
        self.state[name, platform] = state
        if state == "SKIP":
            self.why[name, platform] = words or "not said"
        if suite not in self.suites:
            self.suites.append(suite)

    def cell(self, suite, platform):
        """Of a suite: "12", "10, 2 skipped"."""
        count = self.count[suite, platform]
        words = [str(count["PASS"])] if count["PASS"] or not count else []
        words += [f"{count['SKIP']} skipped"] if count["SKIP"] else []
        words += [f"{count['FAIL']} FAILED"] if count["FAIL"] else []
        return ", ".join(words) if count else "-"

    def gets(self, tests, platform):
        """Of what a device gets."""
        states = {self.state[test, platform] for test in tests if (test, platform) in self.state}
        if "FAIL" in states:
            return "FAILED"
        if "SKIP" in states:
            return "no"
        return "yes" if states else "-"

    @staticmethod
    def reasons(whys):
        """Lines: a reason, and what was skipped or left out for it where."""
        by_reason = collections.defaultdict(lambda: collections.defaultdict(list))
        for (name, platform), why in sorted(whys.items()):
            suite, _, test = name.partition("@")
            by_reason[why, suite][test].append(platform)
        for (why, suite), tests in sorted(by_reason.items()):
            where = sorted({p for platforms in tests.values() for p in platforms},
                           key=list(PLATFORMS).index)
            names = list(tests)
            shown = ", ".join(names) if len(names) < 6 else f"{len(names)} tests"
            yield f"{why}: {suite} ({shown}) on {', '.join(where)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", help="the page to write")
    parser.add_argument("results", nargs="+")
    args = parser.parse_args()

    results = Results()
    for path in args.results:
        with open(path, encoding="utf-8") as file:
            for line in file:
                results.add(line.rstrip("\n"))
    platforms = list(PLATFORMS)
    rows = [[suite] + [results.cell(suite, p) for p in platforms] for suite in results.suites]
    gets = [[what] + [results.gets(tests, p) for p in platforms] for what, tests in GETS.items()]
    skipped = [f"* {line}" for line in results.reasons(results.why)]
    left = [f"* {line}" for line in results.reasons(results.left)]

    print(tables.text_table(["suite"] + platforms, rows))
    print("\n".join(["skipped:"] + skipped))
    total = sum(results.count.values(), collections.Counter())
    print(f"{total['PASS']} passed, {total['FAIL']} failed, {total['SKIP']} skipped")
    if args.page and not total["FAIL"]:
        with open(args.page, "w", encoding="utf-8") as file:
            file.write(PAGE.format(gets=tables.rst_table(["A device gets"] + platforms, gets),
                                   suites=tables.rst_table(["Suite"] + platforms, rows),
                                   skipped="\n".join(skipped) + "\n",
                                   left="\n".join(left) + "\n"))
    sys.exit(1 if total["FAIL"] or not total["PASS"] else 0)


if __name__ == "__main__":
    main()
