#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints which functions a step calls, for the heaps side by side.

Usage: profile.py STEP FILE

FILE is what 'vcm-bench count profile' wrote. A line for each function: for each heap how
often it is called and the instructions in it, without those of the functions it calls.

Being traced takes instructions too, some of them in a function and some around it. The
first number is that of the smallest functions of all. The second makes the sum of a round
of mapping that of one that was not traced.
"""

import re
import sys

NS_PER_INSTRUCTION = 2
# A round of mapping, and which of its calls are a step.
ROUND = ("dma_buf_attach",
         "dma_buf_map_attachment_unlocked", "dma_buf_unmap_attachment_unlocked",
         "dma_buf_map_attachment_unlocked", "dma_buf_unmap_attachment_unlocked",
         "dma_buf_detach")
ROUND_STEPS = {"map": (1, 2), "remap": (3, 4), "attach-map-unmap": (0, 1, 2, 5)}
# The other steps begin with these.
STEPS = {
    "alloc": ("dma_heap_ioctl",),
    "free": ("dma_buf_release",),
    "mmap": ("dma_buf_mmap_internal",),
    "vmap": ("dma_buf_vmap_unlocked", "dma_buf_vunmap_unlocked"),
    "sync": ("dma_buf_ioctl",),
}
LINE = re.compile(r"^\s*(?:[!+#*@$]\s*)?([0-9.]+ us)?\s*\|(\s+)(?:([\w.]+)(?: \[\w+\])?\(\)( \{|;)|\})")


class Call:
    """A call: how long it took, and what it called."""

    def __init__(self, function):
        self.function, self.ns, self.calls = function, 0, []

    def walk(self):
        """This one and all below."""
        yield self
        for call in self.calls:
            yield from call.walk()

    def number(self):
        """Of calls, this one included."""
        return sum(1 for _ in self.walk())


def read(path):
    """By peer the calls that nobody of those traced called, and the plain figure."""
    plain, roots, stack = {}, {}, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("plain\t"):
                _, peer, ns = line.rstrip().split("\t")
                plain[peer], roots[peer], stack = int(ns), [], []
                continue
            found = LINE.match(line)
            if not found:
                continue
            time, _, function, opening = found.groups()
            if function:
                call = Call(function)
                (stack[-1].calls if stack else roots[peer]).append(call)
                if opening != ";":
                    stack.append(call)
            elif stack:
                call = stack.pop()
            if time:
                call.ns = round(float(time.split()[0]) * 1000)
    return plain, roots


def rounds(roots):
    """
    The calls of each round of mapping but the first one, in which nothing is ready, and
    those in which there was an interrupt.
    """
    found = []
    for begin in range(len(roots) - len(ROUND) + 1):
        calls = roots[begin:begin + len(ROUND)]
        if tuple(call.function for call in calls) == ROUND:
            found.append(calls)
    numbers = [sum(call.number() for call in calls) for calls in found]
    return [calls for calls, number in zip(found[1:], numbers[1:]) if number == min(numbers[1:])]


def repeats(roots, step):
    """The calls that a step begins with, as often as it was made."""
    if step in ROUND_STEPS:
        return [[calls[i] for i in ROUND_STEPS[step]] for calls in rounds(roots)]
    return [[[call for call in roots if call.function == function][-1]
             for function in STEPS[step]]]


def costs(plain, roots):
    """What being traced takes: in a function, and around it."""
    calls = rounds(roots)[-1]
    inside = min(call.ns for root in calls for call in root.walk() if not call.calls)
    number = sum(call.number() for call in calls)
    extra = sum(call.ns for call in calls) - plain - number * inside
    return inside, extra / (number - len(calls))


def table(calls, inside, around):
    """By function: number of calls, and instructions of its own."""
    functions = {}
    for root in calls:
        for call in root.walk():
            own = call.ns - inside - sum(c.ns + around for c in call.calls)
            number, total = functions.get(call.function, (0, 0))
            functions[call.function] = number + 1, total + own / NS_PER_INSTRUCTION
    return functions


def least(tables):
    """What comes in between, like a new page of the trace, is not in all of them."""
    return {name: min((one[name] for one in tables if name in one), key=lambda f: f[1])
            for name in tables[0]}


def main():
    """The command line."""
    step, path = sys.argv[1:]
    plain, roots = read(path)
    tables = {}
    for peer, calls in roots.items():
        tables[peer] = least([table(repeat, *costs(plain[peer], calls))
                              for repeat in repeats(calls, step)])

    names = {name for one in tables.values() for name in one}
    print(f"{step:40}" + "".join(f"{peer:>18}" for peer in tables))
    for name in sorted(names, key=lambda n: -max(one.get(n, (0, 0))[1] for one in tables.values())):
        line = f"{name:40}"
        for one in tables.values():
            number, own = one.get(name, (0, 0))
            line += f"{number:>8}x {own:8.0f}" if number else " " * 18
        print(line.rstrip())
    print(f"{'all':40}" + "".join(
        f"{sum(n for n, _ in one.values()):>8}x {sum(o for _, o in one.values()):8.0f}"
        for one in tables.values()))


main()
