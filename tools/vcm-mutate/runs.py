# SPDX-License-Identifier: GPL-2.0
"""Runs the tests against a mutant: KUnit in user-mode Linux, programs in guests.

Each kind of run says None when the tests pass, or else in a few words what
noticed: the first test that fails, a report of the kernel, or that it hangs.
"""

import fnmatch
import os
import re
import signal
import subprocess
import threading
import time

import tree

# What a kernel says when something is wrong.
REPORT = re.compile(r"WARNING: |BUG: |UBSAN: |KASAN: |Oops|Call Trace|Kernel panic"
                    r"|kmemleak: \d+ new suspected|general protection|Segmentation fault")

# A kernel that says nothing for so many seconds hangs. The longest pause of the suites is
# that of the leak test, 6 seconds.
SILENCE = 30

# How long a program may take with a mutation: so many times what it takes without one.
PATIENCE = 5

# Of a program's subtests that run a mutant's code, the quickest that take so many seconds.
ENOUGH = 20

STARTING = threading.Lock()


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
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        with STARTING:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, start_new_session=True, stdout=subprocess.PIPE, text=True,
                errors="replace", **kwargs)
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
        STARTING.acquire(timeout=5)  # pylint: disable=consider-using-with
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
        command = [self.image, "mem=512M", "console=tty", "kunit_shutdown=halt",
                   f"vcm_iova.vcm_mutant={number}", f"vcm_extent_kunit.seed={self.seed}",
                   f"kunit.filter_glob={suites}"]
        with Killed(command, self.seconds, SILENCE, stderr=subprocess.STDOUT,
                    cwd=self.directory) as run:
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


class Guest:
    """A guest of scripts/test.sh that is up, and has one mutant after the other awake."""
    # For a boot.
    SECONDS = 300

    def __init__(self, top, modules, options, programs):
        files = [os.path.join(tree.HERE, "guest.sh"),
                 *(os.path.join(top, "out/tests", program) for program in programs)]
        command = [os.path.join(top, "scripts/vm.sh"), "--timeout", "7200", *options.split()]
        for name in files:
            command += ["--file", f"{name}:/{os.path.basename(name)}"]
        self.run = Killed([*command, "--", "/guest.sh"], 7200, self.SECONDS,
                          stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=os.environ | {"VCM_MODULES": modules})
        self.ended = None
        # Nothing that a mutation did can be left.
        self.fresh = True
        self.answers = self.run.lines()
        self.answer("@@ready")

    def answer(self, begins):
        """The rest of the next line that begins so, or None if the guest ends."""
        for line in self.answers:
            if line.startswith(begins):
                return line[len(begins):].strip()
        self.ended = "hangs" if self.run.late else "the guest dies"
        return None

    def try_out(self, number, seconds, program, subtest=""):
        """Runs a program: what noticed, and what code ran."""
        self.run.silence = seconds + 60
        self.run.heard = time.monotonic()
        try:
            self.run.process.stdin.write(f"{number} {seconds:.0f} {program} {subtest}\n")
            self.run.process.stdin.flush()
        except BrokenPipeError:
            pass
        self.fresh = self.fresh and not number
        reached = numbers(self.answer("@@reached") or "")
        noticed = self.answer("@@done")
        if noticed is None:
            noticed = f"{program}: {self.ended}"
        elif ": " in noticed:
            # What the kernel reported, or what hangs, may go on.
            self.ended = noticed
        return noticed, reached

    def close(self):
        """The end."""
        self.run.__exit__()
        self.run.process.stdin.close()


def numbers(text):
    """Those of a list like 3,5-7"""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


class Guests:
    """All guests that have programs for a file with a mutant."""

    def __init__(self, top, modules, mutants, tell):
        self.top, self.modules, self.mutants, self.tell = top, modules, mutants, tell
        self.left = set()
        self.options = {}
        self.lock = threading.Lock()

    def plan(self, left):
        """For each guest its programs, each with the mutants for it; the longest plan first."""
        self.left = set(left)
        wanted = {}
        for number in left:
            for program in covering(self.mutants[number].file)[1]:
                wanted.setdefault(program, []).append(number)
        done = subprocess.run([os.path.join(self.top, "scripts/test.sh"), "--list", *wanted],
                              stdout=subprocess.PIPE, text=True, check=True)
        plan = {}
        for line in done.stdout.splitlines():
            boot, program, *options = line.split()
            self.options[boot] = " ".join(options)
            plan.setdefault(boot, {})[program] = wanted[program]
        return sorted(plan.items(), key=lambda p: -len(p[1]))

    def run(self, boot, programs):
        """Tries out the mutants of a guest's programs."""
        guest = None
        for program, chosen in programs.items():
            if not self.left.intersection(chosen):
                continue
            guest = self.guest(guest, boot, programs)
            subtests = self.baseline(guest, boot, program)
            for number in sorted(self.left.intersection(chosen)):
                names, seconds = self.reaching(subtests, number)
                if not names or number not in self.left:
                    continue
                guest = self.guest(guest, boot, programs)
                noticed, _ = guest.try_out(number, seconds, program, names)
                if noticed and not self.is_sound(guest, noticed):
                    # What was awake before may be why.
                    guest = self.guest(guest, boot, programs)
                    noticed, _ = guest.try_out(number, seconds, program, names)
                if noticed:
                    self.notice(number, f"{boot}: {noticed}")
        if guest:
            guest.close()

    def baseline(self, guest, boot, program):
        """The subtests that pass without a mutation: seconds, name, and what code they run."""
        done = subprocess.run([os.path.join(self.top, "out/tests", program), "--list-subtests"],
                              stdout=subprocess.PIPE, text=True, check=True)
        subtests = []
        for name in done.stdout.split():
            start = time.monotonic()
            noticed, reached = guest.try_out(0, 240, program, name)
            subtests.append((time.monotonic() - start, name, reached))
            if noticed:
                self.tell(None, f"{boot}: {program}@{name} fails without a mutation: {noticed}")
                subtests.pop()
                if guest.ended:
                    break
        return sorted(subtests, key=lambda s: s[0])

    @staticmethod
    def reaching(subtests, number):
        """The quickest subtests that run a mutant's code, and how long they may take."""
        names, seconds = [], 0
        for took, name, reached in subtests:
            if number in reached and (not names or seconds + took < ENOUGH):
                names.append(name)
                seconds += took
        return ",".join(names), 10 + PATIENCE * seconds

    def guest(self, guest, boot, programs):
        """The guest that is up, or another one."""
        if guest and not guest.ended:
            return guest
        if guest:
            guest.close()
        return Guest(self.top, self.modules, self.options[boot], programs)

    @staticmethod
    def is_sound(guest, noticed):
        """Does what a mutation made fail pass again without it?"""
        if not guest.ended:
            program, _, subtest = noticed.partition("@")
            guest.ended, _ = guest.try_out(0, 240, program, subtest)
        return not guest.ended

    def notice(self, number, noticed):
        """Nobody else has to look at it."""
        with self.lock:
            if number in self.left:
                self.left.discard(number)
                self.tell(number, noticed)
