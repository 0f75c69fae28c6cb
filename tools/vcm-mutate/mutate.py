#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Applies small mutations to the drivers and says which of them the tests notice.

One build has all mutations, asleep. For each one the KUnit suites run in user-mode
Linux with it awake; then for those that nothing noticed the programs of scripts/test.sh
that cover the file (suites.txt) and run its code run in guests of the stock kernel, which
have one after the other awake. What survives has to be in harmless.txt, with the reason
why it is no fault, and is not looked at by guests then.

A line per mutant is in out/mutate/results:

    noticed|survived|harmless NUMBER KIND FILE:LINE: FUNCTION: OLD -> NEW (BY WHAT)

Exit status 1 if less than 95 of 100 are noticed or a survivor has no reason.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import itertools
import os
import random
import re
import shutil
import signal
import sys
import time

import mutations
import runs
import tree

TOP = os.path.dirname(os.path.dirname(tree.HERE))
OUT = os.path.join(TOP, "out", "mutate")
GOAL = 95
# A line of results: the file, the mutation, and by what.
NOTICED = re.compile(r"noticed \d+ \w+ (\S+):\d+: (.*) \((\w[\w-]*: .*)\)$")


def parse_args():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=150, metavar="N",
                        help="how many, evenly over files and kinds (default 150; 0: all)")
    parser.add_argument("--seed", type=int, help="what an earlier run printed, for the same choice")
    parser.add_argument("--files", default="*", metavar="PATTERN",
                        help="only in files with such a name (shell pattern)")
    parser.add_argument("--kinds", default=",".join(mutations.KINDS), metavar="KIND,...",
                        help="only of these kinds (default all: %(default)s)")
    parser.add_argument("--list", action="store_true", help="only say what would be tried")
    parser.add_argument("--kunit", action="store_true", help="no guests: what survives KUnit")
    parser.add_argument("--again", metavar="FILE",
                        help="what an earlier run printed: what it noticed is not run again,\n"
                             "where drivers and seed are the same")
    parser.add_argument("--no-checks", action="store_true",
                        help="a quicker KUnit kernel, which does not look at memory and locks")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="how many kernels run side by side (default: as many as CPUs)")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.randrange(1 << 31)
    return args


def say(text):
    """Progress."""
    print(f"mutate: {text}", file=sys.stderr, flush=True)


def candidates(args):
    """All mutations that the arguments allow, by file."""
    kinds = args.kinds.split(",")
    found = mutations.find_mutants(TOP)
    give_reasons([mutant for of in found.values() for mutant in of])
    return {name: [m for m in of if m.kind in kinds] for name, of in found.items()
            if fnmatch.fnmatch(os.path.basename(name), args.files)}


# ---- building ------------------------------------------------------------

class Build:
    """The kernel with KUnit and the modules, with as many mutations as were asked for."""

    def __init__(self, choice, args):
        self.choice, self.count = enumerate(choice, 1), args.count
        self.checks = [] if args.no_checks else ["--checks"]
        self.tree = tree.Tree(TOP, os.path.join(OUT, "tree"))
        self.image = os.path.join(OUT, "linux")
        self.modules = os.path.join(self.tree.path, "out", "modules")
        self.mutants = {}

    def fill(self):
        """Takes as many as are missing."""
        missing = self.count - len(self.mutants) if self.count else sys.maxsize
        self.mutants.update(itertools.islice(self.choice, missing))

    def drop(self, numbers, why):
        """Leaves some out, for others to come."""
        for number in numbers:
            del self.mutants[number]
        if numbers:
            say(f"{len(numbers)} {why}")

    def build(self):
        """Builds until all that are chosen are in the code."""
        self.tree.copy()
        while True:
            self.fill()
            self.drop(tree.overlapping(self.mutants), "overlap others")
            self.tree.write(self.mutants)
            wrong = self.build_modules() or self.build_kunit()
            if wrong:
                self.drop(wrong, "do not compile")
                continue
            absent = set(self.mutants) - tree.numbers_in(self.image) - self.numbers_in_modules()
            self.drop(absent, "are in code that is not compiled here")
            if not absent or not self.count:
                return

    def errors(self, what, output):
        """The mutants that a build failed for: there is another reason if there are none."""
        wrong = tree.not_compiled(output, self.mutants)
        if not wrong:
            raise SystemExit(f"{what}:\n{output[-3000:]}")
        return wrong

    def build_modules(self):
        """The modules for the stock kernel; the numbers of mutants that do not compile."""
        status, output = self.tree.run("make", "MAKEFLAGS=k", "modules")
        return self.errors("the modules do not build", output) if status else set()

    def build_kunit(self):
        """The kernel with the KUnit suites, in the same way."""
        if os.path.exists(self.image):
            os.remove(self.image)
        status, output = self.tree.run("scripts/kunit.sh", *self.checks, "--keep", self.image)
        if os.path.exists(self.image):
            if status:
                raise SystemExit(f"the KUnit tests fail without a mutation:\n{output[-3000:]}")
            return set()
        log = os.path.join(self.tree.path, "out/kunit/kunit.log")
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                output = file.read()
        return self.errors("the kernel does not build", output)

    def numbers_in_modules(self):
        """The mutants that are in the modules."""
        return set().union(*(tree.numbers_in(os.path.join(self.modules, name))
                             for name in os.listdir(self.modules) if name.endswith(".ko")))


# ---- results -------------------------------------------------------------

def read_harmless():
    """The reasons by mutation: lines of text, and behind a tab below them the reason."""
    reasons, key = {}, None
    with open(os.path.join(tree.HERE, "harmless.txt"), encoding="ascii") as file:
        for line in file:
            if line.startswith("\t") and key:
                reasons[key] = f"{reasons[key]} {line.strip()}".strip()
            elif line.strip() and not line.startswith("#"):
                key = line.strip()
                reasons[key] = ""
    return reasons


def give_reasons(mutants):
    """Finds the mutants of harmless.txt, also in a function that has another name now."""
    by_key = {mutant.key: mutant for mutant in mutants}
    for key, reason in read_harmless().items():
        text = key.partition(": ")[2]
        same = [mutant for mutant in mutants if mutant.key.endswith(f": {text}")]
        if key not in by_key and len(same) != 1:
            say(f"harmless.txt: there is no such place any more: {key}")
        else:
            (by_key.get(key) or same[0]).reason = reason


class Results:
    """Verdicts, as they come and at the end."""

    def __init__(self, mutants):
        self.mutants = mutants
        self.verdicts = {}

    def add(self, number, noticed):
        """The verdict on a mutant: None if nothing noticed."""
        self.verdicts[number] = noticed
        print(self.line(number), flush=True)

    def state(self, number):
        """noticed, harmless or survived"""
        if self.verdicts[number]:
            return "noticed"
        return "harmless" if self.mutants[number].reason else "survived"

    def line(self, number):
        """The line of a mutant."""
        mutant = self.mutants[number]
        why = self.verdicts[number] or mutant.reason or "nothing noticed"
        return (f"{self.state(number)} {number} {mutant.kind} {mutant.file}:{mutant.line}: "
                f"{mutant.key} ({why})")

    def take_over(self, path):
        """What an earlier run noticed."""
        earlier = {}
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if match := NOTICED.match(line):
                    earlier[match[1], match[2]] = match[3]
        for number, mutant in sorted(self.mutants.items()):
            if verdict := earlier.get((mutant.file, mutant.key)):
                self.add(number, verdict)

    def finish(self):
        """The sum, and the exit status."""
        lines = [self.line(number) for number in sorted(self.verdicts)]
        with open(os.path.join(OUT, "results"), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        survivors = [number for number in sorted(self.verdicts) if not self.verdicts[number]]
        print("\nsurvivors")
        for number in survivors:
            print(f"  {self.line(number)}")
        states = collections.Counter(self.state(number) for number in self.verdicts)
        kunit = sum(1 for v in self.verdicts.values() if v and v.startswith("kunit: "))
        share = 100 * states["noticed"] / max(1, len(self.verdicts))
        print(f"\n{len(self.verdicts)} mutations: {states['noticed']} noticed ({share:.1f} %: "
              f"{kunit} by KUnit, {states['noticed'] - kunit} in guests), "
              f"{states['harmless']} harmless, {states['survived']} survived")
        return 0 if share >= GOAL and not states["survived"] else 1


# ---- running -------------------------------------------------------------

def run_kunit(args, build, results):
    """The verdicts of KUnit; the numbers of those that survive it."""
    kunit = runs.Kunit(build.image, OUT, args.seed)
    kunit.baseline()
    survivors = set()
    # One more: the leak test only waits.
    with concurrent.futures.ThreadPoolExecutor(args.jobs + 1) as pool:
        jobs = {pool.submit(kunit.run, number, build.mutants[number].file): number
                for number in sorted(set(build.mutants) - set(results.verdicts))}
        for job in concurrent.futures.as_completed(jobs):
            if noticed := job.result():
                results.add(jobs[job], noticed)
            else:
                survivors.add(jobs[job])
                say(f"survives KUnit: {build.mutants[jobs[job]].key}")
    return survivors


def run_guests(args, build, results, survivors):
    """The verdicts of the guests on what survived KUnit."""
    guests = runs.Guests(TOP, build.modules, build.mutants,
                         lambda number, text: results.add(number, text) if number else say(text))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for job in [pool.submit(guests.run, *plan) for plan in guests.plan(survivors)]:
            job.result()
    return guests.left


def main():
    """Chooses, builds, runs and says."""
    args = parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, runs.Killed.end_all)
    if not shutil.which("spatch"):
        raise SystemExit("not found: spatch (apt-get install coccinelle)")
    start = time.monotonic()
    choice = mutations.choose(candidates(args), args.seed)
    if args.list:
        for mutant in itertools.islice(choice, args.count or None):
            print(f"{mutant.kind} {mutant.file}:{mutant.line}: {mutant.function}: {mutant.text}")
        return 0
    say(f"seed {args.seed}")
    os.makedirs(OUT, exist_ok=True)
    build = Build(choice, args)
    build.build()
    say(f"{len(build.mutants)} mutations built: {time.monotonic() - start:.0f} s")
    results = Results(build.mutants)
    if args.again:
        results.take_over(args.again)
    survivors = run_kunit(args, build, results)
    say(f"{len(survivors)} survive KUnit: {time.monotonic() - start:.0f} s")
    for number in sorted(n for n in survivors if build.mutants[n].reason):
        results.add(number, None)
        survivors.remove(number)
    if survivors and not args.kunit:
        survivors = run_guests(args, build, results, survivors)
    for number in sorted(survivors):
        results.add(number, None)
    say(f"{time.monotonic() - start:.0f} s")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
