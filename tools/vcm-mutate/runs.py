# SPDX-License-Identifier: GPL-2.0
"""Runs the tests against a mutant: KUnit in user-mode Linux, programs in guests.

Each kind of run says None when the tests pass, or else in a few words what
noticed: the first test that fails, a report of the kernel, or that it hangs.
"""

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tree

# What a kernel says when something is wrong.
REPORT = re.compile(r"WARNING: |BUG: |UBSAN: |KASAN: |Oops|Call Trace|Kernel panic"
                    r"|kmemleak: \d+ new suspected|general protection|Segmentation fault")

# A kernel that says nothing for so many seconds hangs. The longest pause of the suites is
# that of the leak test, 6 seconds.
SILENCE = 30

# A child that another thread begins while an image is written has it open for a moment,
# and what is open for writing cannot be run.
WRITING = threading.Lock()


def covering(name):
    """What suites.txt says that covers a file: a pattern of KUnit suites, and programs."""
    with open(os.path.join(tree.HERE, "suites.txt"), encoding="ascii") as file:
        for line in file:
            files, _, suites = line.partition(":")
            if any(fnmatch.fnmatch(os.path.basename(name), f) for f in files.split()) and suites:
                return suites.split()[0], suites.split()[1:]
    raise SystemExit(f"suites.txt: nothing covers {name}")


class Killed:
    """A process with all its children, which are killed at the end or when time is up."""
    running = set()

    def __init__(self, command, seconds, silence=None, **kwargs):
        with WRITING:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, start_new_session=True, stdin=subprocess.DEVNULL, **kwargs)
        self.late = False
        self.silence = silence or seconds
        self.deadline = time.monotonic() + seconds
        self.heard = time.monotonic()
        self.running.add(self)
        threading.Thread(target=self.watch, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()
        self.process.wait()
        self.running.discard(self)
        if self.process.stdout:
            self.process.stdout.close()

    def watch(self):
        """Ends it when it takes too long, or says nothing for too long."""
        while self.process.poll() is None:
            if time.monotonic() > min(self.deadline, self.heard + self.silence):
                self.late = True
                self.end()
            time.sleep(0.2)

    def lines(self):
        """What it prints."""
        for line in self.process.stdout:
            self.heard = time.monotonic()
            yield line

    @classmethod
    def end_all(cls, number, _):
        """What a signal does to the whole program."""
        # Held from now on: nothing new begins.
        WRITING.acquire(timeout=5)  # pylint: disable=consider-using-with
        for run in list(cls.running):
            run.end()
        os._exit(128 + number)  # pylint: disable=protected-access

    def end(self):
        """Asks the whole session to end, and makes it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
            for _ in range(100 if number == signal.SIGTERM else 0):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)


class Kunit:
    """The KUnit suites in a kernel that is a program."""

    def __init__(self, image, directory, seed):
        self.image, self.directory, self.seed = image, directory, seed
        self.passed = None
        self.seconds = 600

    def baseline(self):
        """What passes without a mutation, and how long that takes."""
        start = time.monotonic()
        noticed, self.passed = self.boot(0, "vcm_*")
        if noticed or not self.passed:
            raise SystemExit(f"KUnit does not pass without a mutation: {noticed}")
        self.seconds = 15 + 10 * (time.monotonic() - start)

    def run(self, number, name):
        """The verdict on a mutant of a file."""
        suites, _ = covering(name)
        noticed, passed = self.boot(number, suites)
        missing = sorted(p for p in self.passed - passed if fnmatch.fnmatch(p, f"{suites}@*"))
        if not noticed and missing:
            noticed = f"no result of {missing[0]}"
        return f"kunit: {noticed}" if noticed else None

    def boot(self, number, suites):
        """Runs suites until one fails: what noticed, and what passed before that."""
        passed, suite, noticed = set(), "", None
        with tempfile.TemporaryDirectory(dir=self.directory) as work:
            with WRITING:
                image = shutil.copy(self.image, os.path.join(work, "linux"))
                tree.wake(image, number)
            command = [image, "mem=512M", "console=tty", "kunit_shutdown=halt",
                       f"vcm_extent_kunit.seed={self.seed}", f"kunit.filter_glob={suites}"]
            with Killed(command, self.seconds, SILENCE, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True, errors="replace") as run:
                for line in run.lines():
                    if match := re.match(r"\s*# Subtest: (\S+)", line):
                        suite = match[1]
                    elif match := re.match(r"\s*ok \d+ (\S+)", line):
                        passed.add(f"{suite}@{match[1]}")
                    elif match := re.match(r"\s*not ok \d+ (\S+)", line):
                        noticed = f"{suite}@{match[1]}"
                    elif REPORT.search(line):
                        noticed = f"{suite}: {line.strip()[:100]}"
                    if noticed:
                        break
                if not noticed and run.late:
                    noticed = f"{suite}: hangs"
        return noticed, passed


class Guests:
    """The programs of scripts/test.sh that cover a file, in the guests that it has for them."""
    # Longer than scripts/vm.sh lets a guest run.
    SECONDS = 1200

    def __init__(self, top, modules, directory):
        self.top, self.modules, self.directory = top, modules, directory
        self.boots = {}
        self.sound = {}
        self.lock = threading.Lock()

    def plan(self, name):
        """Pairs of a guest and the programs for it: one guest after the other."""
        guests = {}
        for program in covering(name)[1]:
            if program not in self.boots:
                self.boots[program] = self.boots_of(program)
            for boot in self.boots[program]:
                guests.setdefault(boot, []).append(program)
        return list(guests.items())

    def boots_of(self, program):
        """The guests that scripts/test.sh has for a program."""
        done = subprocess.run([os.path.join(self.top, "scripts/test.sh"), "--list", program],
                              stdout=subprocess.PIPE, text=True, check=True)
        boots = [line.split()[0] for line in done.stdout.splitlines()]
        if not boots:
            raise SystemExit(f"suites.txt: scripts/test.sh does not know {program}")
        return boots

    def run(self, number, name):
        """The verdict on a mutant of a file."""
        for boot, programs in self.plan(name):
            noticed = self.boot(number, boot, programs)
            if noticed and self.is_sound(boot, noticed, programs):
                return f"{boot}: {noticed}"
        return None

    def is_sound(self, boot, noticed, programs):
        """Does what noticed pass without a mutation? Tried once."""
        named = [p for p in programs if noticed.startswith(f"{p}@") or f"/{p}@" in noticed]
        key = boot, tuple(named or programs)
        with self.lock:
            if key not in self.sound:
                self.sound[key] = self.boot(0, boot, key[1])
        if self.sound[key]:
            print(f"mutate: fails without a mutation: {boot}: {self.sound[key]}", file=sys.stderr)
        return not self.sound[key]

    def boot(self, number, boot, programs):
        """Runs programs in one guest until the first of them fails."""
        modules = tempfile.mkdtemp(dir=self.directory, prefix="modules-")
        logs = f"mutate/guest-{number}-{boot}"
        for name in os.listdir(self.modules):
            if name.endswith(".ko"):
                tree.wake(shutil.copy(os.path.join(self.modules, name), modules), number)
        shutil.rmtree(os.path.join(self.top, "out", logs), ignore_errors=True)
        results = os.path.join(self.top, "out", logs, "stock", boot, "results")
        command = [os.path.join(self.top, "scripts/test.sh"), "--logs", logs, "--boot", boot,
                   *programs]
        with Killed(command, self.SECONDS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env=os.environ | {"VCM_MODULES": modules}) as run:
            while True:
                ended = run.process.poll() is not None
                noticed = self.failure(results)
                if noticed or ended:
                    break
                time.sleep(0.3)
            if not noticed and run.late:
                noticed = "hangs"
            elif not noticed and run.process.returncode:
                noticed = f"exit status {run.process.returncode}"
        shutil.rmtree(modules)
        return noticed

    @staticmethod
    def failure(results):
        """The first failure in the lines of scripts/test.sh, if they are there."""
        try:
            with open(results, encoding="utf-8", errors="replace") as file:
                match = re.search(r"^FAIL (\S+)", file.read(), re.M)
                return match and match[1]
        except FileNotFoundError:
            return None
