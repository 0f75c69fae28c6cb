# SPDX-License-Identifier: GPL-2.0
"""A copy of the project with mutations in it, all of them asleep.

Which one is awake says a variable, so that one build, and one boot of a guest, serves
them all: `a < b` becomes `VCM_MUTANT(17) ? (a <= b) : (a < b)`.
"""

import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
# Where the variable is: a file of the module that the others depend on.
MAIN = "drivers/iommu/vcm-iova.c"


def wrap(number, mutant, text):
    """The code that is either text or the mutant."""
    if mutant.is_statement:
        return f"({{ if (!VCM_MUTANT({number})) {{ {text} }} }});"
    awake = f"VCM_MUTANT({number})"
    if mutant.same_if:
        awake = f"(!VCM_KNOWN({mutant.same_if}) && {awake})"
    return f"({awake} ? ({mutant.new}) : ({text}))"


def render(text, start, end, numbered):
    """The text from start to end with mutants, sorted by where they begin and the longest first."""
    out = []
    while numbered:
        span = (numbered[0][1].start, numbered[0][1].end)
        same = [n for n in numbered if (n[1].start, n[1].end) == span]
        inside = [n for n in numbered if n not in same and n[1].start < span[1]]
        part = render(text, *span, inside)
        for number, mutant in same:
            part = wrap(number, mutant, part)
        out += [text[start:span[0]], part]
        start = span[1]
        numbered = [n for n in numbered if n[1].start >= span[1]]
    return "".join(out) + text[start:end]


class Tree:
    """The copy, in a directory of its own."""

    def __init__(self, top, directory):
        self.top = top
        self.path = directory
        self.written = {}
        with open(os.path.join(HERE, "vcm-mutant.h"), encoding="ascii") as file:
            self.header = file.read()

    def copy(self):
        """Brings the copy up to date: without mutations."""
        os.makedirs(self.path, exist_ok=True)
        subprocess.run(["rsync", "-a", "--delete", "--exclude=/out", "--exclude=/.git",
                        f"{self.top}/", f"{self.path}/"], check=True)

    def write(self, mutants):
        """Writes the files that mutants, by number, are in."""
        files = {}
        for number, mutant in mutants.items():
            files.setdefault(mutant.file, []).append((number, mutant))
        for name in files | self.written | {MAIN: None}:
            with open(os.path.join(self.top, name), encoding="ascii") as file:
                text = file.read()
            numbered = sorted(files.get(name, []), key=lambda n: (n[1].start, -n[1].end, n[0]))
            new = render(text, 0, len(text), numbered)
            if name.endswith(".c"):
                # What the compiler says is about the lines of the original.
                main = "#define VCM_MUTANT_MAIN\n" if name == MAIN else ""
                new = f'{main}{self.header}#line 1 "{name}"\n{new}'
            else:
                guard = re.search(r"^#define \w+_H\n", new, re.M).end()
                line = new.count("\n", 0, guard) + 1
                new = f'{new[:guard]}{self.header}#line {line} "{name}"\n{new[guard:]}'
            if self.written.get(name) != new:
                with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
                    file.write(new)
                self.written[name] = new

    def run(self, *command):
        """Runs a command in the copy; its status and output."""
        done = subprocess.run(command, cwd=self.path, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, errors="replace")
        return done.returncode, done.stdout


def overlapping(mutants):
    """The numbers of those that lie across another one's end."""
    found = set()
    by_file = {}
    for number, mutant in mutants.items():
        for other in by_file.setdefault(mutant.file, []):
            first, second = sorted((mutant, other), key=lambda m: (m.start, -m.end))
            if second.start < first.end < second.end:
                found.add(number)
                break
        else:
            by_file[mutant.file].append(mutant)
    return found


def not_compiled(output, mutants):
    """The numbers of those in lines that the compiler does not take."""
    found = set()
    for name, line in re.findall(r"^(?:\S*/)?(drivers/\S+?\.[ch]):(\d+):\d+: "
                                 r"(?:error|note: in expansion)", output, re.M):
        for number, mutant in mutants.items():
            last = mutant.line + mutant.old.count("\n")
            if mutant.file == name and mutant.line <= int(line) <= last:
                found.add(number)
    return found


def numbers_in(path):
    """The numbers of the mutants that are in the code of a built file."""
    with open(path, "rb") as file:
        return {int(n) for n in re.findall(rb"vcm-mutant-(\d+)\0", file.read())}
