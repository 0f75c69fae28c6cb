#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads what tests print, and prints a line for each result: STATE suite@test (words).

Tests speak KTAP (Documentation/dev-tools/ktap.rst of the kernel): flat, then the suite is
the program, or with a level of suites. What is linked with libigt has a dialect of its
own, which is turned into KTAP first. What led to a failure goes to standard error.
"""

import argparse
import base64
import os
import re
import sys

# Lines that are shown of what came before a failure
SHOWN = 25
# igt's "all skipped", and that of the kernel's selftests
NOT_FAILED = (0, 77, 4)


def igt_to_ktap(line, number):
    """The line in KTAP, if it is a result of igt."""
    match = re.match(r"Subtest (\S+): ([A-Z]+) \(([0-9.]+)s\)", line)
    if not match:
        return line
    name, verdict, seconds = match.groups()
    skip = "SKIP " if verdict == "SKIP" else ""
    return f"{'ok' if skip or verdict == 'SUCCESS' else 'not ok'} {number} {name} # {skip}{seconds} s"


def skip_reason(recent):
    """Why igt skips, of what it printed before it said so."""
    for before, line in zip(recent, recent[1:]):
        if before.startswith("Test requirement: ") and not line.startswith("Last errno: "):
            return line
    return ""


class Group:
    """Results that were announced together."""

    def __init__(self, name):
        self.name, self.plan, self.got, self.failed = name, None, 0, False


class Suite:
    """What one program prints."""

    def __init__(self, name, where="", igt=False):
        self.name, self.where, self.igt = name, where, igt
        self.outer, self.inner = Group(name), None
        self.seen, self.failed, self.recent = set(), False, []
        # Said once for all that is skipped one after the other.
        self.why = ""

    def read(self, line):
        """Takes one line."""
        if self.igt:
            line = igt_to_ktap(line, self.outer.got + 1)
            if "# SKIP " in line:
                self.why = skip_reason(self.recent) or self.why
                line = f"{line.split('# SKIP ')[0]}# SKIP {self.why}"
        self.recent = self.recent[1 - SHOWN:] + [line]
        text = line.lstrip(" ")
        # Below a case are its parameters, which are one result together.
        group = {0: self.outer, 4: self.inner}.get(len(line) - len(text))
        if line.startswith("KTAP version"):
            self.complete(self.outer)
            self.outer = Group(self.name)
        elif match := re.match(r"    # Subtest: (\S+)", line):
            self.inner = Group(match[1])
        elif group and (match := re.match(r"1\.\.(\d+)", text)):
            group.plan = int(match[1])
        elif group and (match := re.match(r"(not )?ok \d+ (?:- )?([^#]*?) *(?:# *(.*))?$", text)):
            self.result(group, not match[1], match[2], match[3] or "")

    def result(self, group, passed, name, words):
        """Takes a result."""
        group.got += 1
        if group is self.outer and self.inner:
            # Of a suite whose cases were reported: one by one, but for a failure of its own.
            self.complete(self.inner)
            if not passed and not self.inner.failed:
                self.fail(self.inner, words or "failed")
            self.inner = None
        elif passed and words.startswith("SKIP"):
            self.report("SKIP", f"{group.name}@{name}", words[4:].strip())
        elif passed:
            self.report("PASS", f"{group.name}@{name}", words)
        else:
            group.failed = True
            self.report("FAIL", f"{group.name}@{name}", words)

    def complete(self, group):
        """Was all there that was announced?"""
        if group.plan not in (None, group.got):
            self.fail(group, f"{group.got} of {group.plan} results")

    def fail(self, group, words):
        """A failure of all that is in a group."""
        group.failed = True
        self.report("FAIL", group.name, words)

    def report(self, state, name, words):
        """Prints the line of a result."""
        print(f"{state} {self.where}{name}{f' ({words})' if words else ''}", flush=True)
        self.seen.add(name)
        if state != "SKIP":
            self.why = ""
        if state == "FAIL":
            self.failed = True
            print("".join(f"    {line}\n" for line in self.recent), end="", file=sys.stderr)
        self.recent = []

    def end(self, status, expected=()):
        """The program ended, or the guest did. It may fail with no line, in a fixture say."""
        if self.inner:
            self.complete(self.inner)
        self.complete(self.outer)
        if status not in NOT_FAILED and not self.failed:
            self.fail(self.outer, f"exit status {status}")
        for name in expected:
            if f"{self.name}@{name}" not in self.seen:
                self.report("FAIL", f"{self.name}@{name}", "no result")
        if not self.seen:
            self.fail(self.outer, "no results")


def read_boot(directory, where, expected):
    """The programs that a guest runs one after the other, between lines that say so.

    Leaves a log of each in the directory. What they count comes last, if they do.
    """
    suite = log = None
    for line in (line.rstrip("\r\n") for line in sys.stdin):
        if match := re.match(r"@@begin (\S+) (\S+)$", line):
            suite = Suite(match[2], where, match[1] == "igt")
            log = open(os.path.join(directory, f"{suite.name}.log"), "w", encoding="utf-8")
        elif match := re.match(r"@@end (\d+)$", line):
            suite.end(int(match[1]), expected.pop(suite.name, ()))
            suite = log.close()
        elif line == "@@counts":
            with open(os.path.join(directory, "counts.tar.gz"), "wb") as counts:
                counts.write(base64.b64decode(sys.stdin.read()))
        elif suite:
            suite.read(line)
            print(line, file=log, flush=True)
    if suite:
        suite.end(0, expected.pop(suite.name, ()))
    for name, tests in expected.items():
        Suite(name, where).end(0, tests)


def read_expected(path):
    """From lines "suite [test]...": what has to come."""
    with open(path, encoding="utf-8") as file:
        return {line.split()[0]: line.split()[1:] for line in file}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boot", metavar="DIR", help="what a guest of scripts/test.sh prints")
    parser.add_argument("--where", default="", help="what names begin with")
    parser.add_argument("--suite", default="tests", help="the program that prints it")
    args = parser.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    if args.boot:
        read_boot(args.boot, args.where, read_expected(os.path.join(args.boot, "expected")))
        return
    suite = Suite(args.suite, args.where)
    for line in sys.stdin:
        suite.read(line.rstrip("\r\n"))
    suite.end(0)


if __name__ == "__main__":
    main()
