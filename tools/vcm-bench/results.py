#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes sense of what 'vcm-bench heap' wrote.

Usage: results.py OUTDIR FILE...

Reads lines of fields separated by tabs, the first of which says what kind of line
it is. Writes OUTDIR/results.json and OUTDIR/plot/*.dat, prints tables and what
became of the goals. Times are nanoseconds.
"""

import json
import os
import sys

KIB, MIB = 1 << 10, 1 << 20

# What repeating a measurement can differ by.
NOISE = 1.05

PEERS = ["vcm-warm", "vcm-cold", "system", "cma", "udmabuf"]

# Threads that only count: what the machine has for so many.
ALONE = "no-kernel"

METRICS = {
    "alloc": "allocate",
    "free": "free (close)",
    "mmap": "mmap alone, 2 MB aligned",
    "touch": "mmap and a write to each page, 2 MB aligned",
    "touch-shifted": "the same at an address that is not aligned",
    "touch-2m": "mmap and a write to each 2 MB, 2 MB aligned",
    "touch-2m-shifted": "the same at an address that is not aligned",
    "copy": "memcpy of the whole buffer out of the mapping",
    "vmap": "kernel mapping: vmap and vunmap",
    "vmap-touch": "the same with a read of each page",
    "map": "first map for a device, and unmap",
    "remap": "second map of the same attachment, and unmap",
    "attach-map-unmap": "attach, map, unmap and detach",
    "sync": "begin and end of CPU access while a device has it mapped",
}

# Kinds of lines and the names and types of their fields.
FIELDS = {
    "time": [("metric", str), ("heap", str), ("bytes", int), ("n", int), ("median", float),
             ("low", float), ("high", float), ("times_system", float)],
    "overhead": [("buffer", str), ("bytes", int), ("n", int), ("kernel_bytes", int),
                 ("own_bytes", int)],
    "loop": [("heap", str), ("bytes", int), ("count", int), ("ns", float)],
    "large": [("state", str), ("heap", str), ("bytes", int), ("n", int), ("runs_percent", float),
              ("chunks_percent", float)],
    "threads": [("heap", str), ("bytes", int), ("threads", int), ("n", int), ("median", float),
                ("low", float), ("high", float)],
}


def read_file(path, results):
    """Adds the lines of a file to the results."""
    part = os.path.splitext(os.path.basename(path))[0]
    machine = results["machine"].setdefault(part, {})
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, *values = line.rstrip("\r\n").split("\t")
            if kind == "info":
                machine[values[0]] = int(values[1]) if values[1].isdigit() else values[1]
            elif kind in FIELDS:
                row = {name: to(value) for (name, to), value in zip(FIELDS[kind], values)}
                results[kind].append(row)


def read(paths):
    """The results of all files."""
    results = {"machine": {}, **{kind: [] for kind in FIELDS}, "goals": []}
    for path in paths:
        read_file(path, results)
    for machine in results["machine"].values():
        if "cpu" in machine:
            machine["accelerator"] = "TCG" if "TCG" in machine["cpu"] else "KVM"
    return results


def find(rows, **want):
    """The one row with these fields, or None."""
    for row in rows:
        if all(row[key] == value for key, value in want.items()):
            return row
    return None


# --- Text ---------------------------------------------------------------------


def size_text(size):
    """4 KB, 64 MB"""
    return f"{size // MIB} MB" if size >= MIB else f"{size // KIB} KB"


def time_text(nanoseconds):
    """Three digits and a unit."""
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= scale:
            value = nanoseconds / scale
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return f"{nanoseconds:.0f} ns"


def print_table(title, head, lines):
    """A table of columns that are as wide as they have to be."""
    print(f"\n{title}")
    widths = [max(len(line[i]) for line in [head] + lines) for i in range(len(head))]
    for line in [head] + lines:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths)))


def cell(row):
    """Median and quartiles."""
    if row is None:
        return "-"
    return f"{time_text(row['median'])} ({time_text(row['low'])} .. {time_text(row['high'])})"


def print_times(results):
    """A table for each metric."""
    times = results["time"]
    peers = [peer for peer in PEERS if find(times, heap=peer)]
    for metric, title in METRICS.items():
        rows = [row for row in times if row["metric"] == metric]
        lines = []
        for size in sorted({row["bytes"] for row in rows}):
            line = [size_text(size)]
            for peer in peers:
                row = find(rows, heap=peer, bytes=size)
                line.append(cell(row))
                if peer.startswith("vcm"):
                    line.append(f"{row['times_system']:.3f}" if row else "-")
            lines.append(line)
        head = ["size"]
        for peer in peers:
            head += [peer, "/system"] if peer.startswith("vcm") else [peer]
        if lines:
            print_table(title, head, lines)


def print_overhead(results):
    """The kernel's memory besides the buffer's own."""
    lines = [[size_text(row["bytes"]), row["buffer"], str(row["kernel_bytes"]),
              str(row["own_bytes"]), f"{100 * row['own_bytes'] / row['bytes']:.4f} %"]
             for row in results["overhead"]]
    if lines:
        print_table("bookkeeping of a buffer, in bytes",
                    ["size", "heap", "all", "besides the dma-buf", ""], lines)


def print_loop(results):
    """The loop of dmabuf_heap_bench."""
    rows = results["loop"]
    heaps = list(dict.fromkeys(row["heap"] for row in rows))
    lines = []
    for size in sorted({row["bytes"] for row in rows}):
        line = [size_text(size)]
        for heap in heaps:
            row = find(rows, heap=heap, bytes=size)
            line.append(f"{time_text(row['ns'])} ({row['count']} times)" if row else "-")
        lines.append(line)
    if lines:
        seconds = max(machine.get("loop_seconds", 0) for machine in results["machine"].values())
        print_table(f"allocate and close, as dmabuf_heap_bench: 5000 times or {seconds} s",
                    ["size"] + heaps, lines)


def print_large(results):
    """Shares of large chunks."""
    lines = [[row["state"], row["heap"], f"{row['runs_percent']:.1f} %",
              f"{row['chunks_percent']:.1f} %"] for row in results["large"]]
    if lines:
        print_table("share of a fresh buffer of 128 MB in pieces of 64 KB and more",
                    ["memory", "heap", "in runs", "in chunks"], lines)


def print_threads(results):
    """Buffers per second, and how that grows."""
    rows = results["threads"]
    lines = []
    for size in sorted({row["bytes"] for row in rows}):
        for heap in PEERS + [ALONE]:
            one = find(rows, bytes=size, heap=heap, threads=1)
            if not one:
                continue
            line = [size_text(size), heap]
            for threads in range(1, 5):
                row = find(rows, bytes=size, heap=heap, threads=threads)
                line.append(f"{time_text(row['median'])} ({one['median'] / row['median']:.2f})"
                            if row else "-")
            lines.append(line)
    if lines:
        print_table("allocate and free in threads: time of a buffer (and speed, 1 thread is 1)",
                    ["size", "heap", "1", "2", "3", "4"], lines)


def print_machine(results):
    """What it was measured on."""
    for part, machine in results["machine"].items():
        print(f"\n{part}: Linux {machine.get('kernel')}, {machine.get('accelerator')} of QEMU "
              f"{machine.get('qemu')}"
              f"{' (' + machine['accelerator_mode'] + ')' if 'accelerator_mode' in machine else ''}, "
              f"{machine.get('cpus')} CPUs, {machine.get('memory_mb')} MB, "
              f"IOMMU {machine.get('iommu')}; clock {machine.get('clocksource')}: "
              f"steps of {machine.get('timer_step_ns')} ns, "
              f"{machine.get('timer_cost_ns')} ns to read; "
              f"{machine.get('repeats')} repeats and more")
    if any(machine.get("accelerator") == "TCG" for machine in results["machine"].values()):
        print("The CPU is emulated: compare the figures with each other and with nothing else.")


# --- Goals --------------------------------------------------------------------


class Goals:
    """Prints and collects what became of them."""

    def __init__(self, results):
        self.results = results

    def add(self, name, reached, value):
        """One goal: value is what was measured, in words."""
        self.results["goals"].append({"name": name, "reached": bool(reached), "value": value})
        print(f"goal: {name}: {'reached' if reached else 'NOT reached'} ({value})")

    def missing(self, name):
        """A goal whose figures are not there."""
        self.results["goals"].append({"name": name, "reached": None, "value": None})
        print(f"goal: {name}: not measured")

    def time(self, metric, heap, size):
        """A row or None."""
        return find(self.results["time"], metric=metric, heap=heap, bytes=size)

    def faster(self, name, metric, heap, size, times):
        """At least so many times as fast as the system heap."""
        row = self.time(metric, heap, size)
        if not row:
            self.missing(name)
            return
        value = 1 / row["times_system"]
        self.add(name, value >= times, f"{value:.1f} times")

    def no_slower(self, name, metric, heaps, sizes, limit=NOISE):
        """No longer than the system heap, with all of the heaps and sizes."""
        rows = [self.time(metric, heap, size) for heap in heaps for size in sizes]
        if not rows or None in rows:
            self.missing(name)
            return
        worst = max(rows, key=lambda row: row["times_system"])
        self.add(name, worst["times_system"] <= limit,
                 f"at most {worst['times_system']:.3f} of system's time, "
                 f"{worst['heap']} {size_text(worst['bytes'])}")


def goals_alloc(goals, sizes):
    """Allocating and freeing."""
    small, large = goals.time("alloc", "vcm-warm", 4 * KIB), goals.time("alloc", "vcm-warm", 64 * MIB)
    name = "warm allocation of 64 MB at most 3 times one of 4 KB"
    if small and large:
        value = large["median"] / small["median"]
        goals.add(name, value <= 3, f"{value:.2f} times")
    else:
        goals.missing(name)
    goals.faster("warm allocation of 64 MB 100 times faster than system", "alloc", "vcm-warm",
                 64 * MIB, 100)
    goals.faster("free of 64 MB 5 times faster than system", "free", "vcm-warm", 64 * MIB, 5)
    goals.no_slower("cold allocation within 5 % of system from 64 KB on", "alloc", ["vcm-cold"],
                    [size for size in sizes if size >= 64 * KIB])
    goals.no_slower("allocation of 4 KB no slower than system, warm (noise 5 %)", "alloc",
                    ["vcm-warm"], [4 * KIB])
    goals.no_slower("allocation of 4 KB no slower than system, cold (noise 5 %)", "alloc",
                    ["vcm-cold"], [4 * KIB])


def goals_map(goals, sizes):
    """Mapping for the CPU."""
    for metric, what in (("touch", "page"), ("touch-2m", "2 MB")):
        goals.faster(f"mmap and first touch of 64 MB, aligned, a write per {what}: "
                     "10 times faster than system", metric, "vcm-warm", 64 * MIB, 10)
    for metric, what in (("touch-shifted", "page"), ("touch-2m-shifted", "2 MB")):
        goals.no_slower(f"the same at any address, a write per {what}: no slower (noise 5 %)",
                        metric, ["vcm-warm"], [64 * MIB])
    goals.faster("kernel mapping of 2 MB 20 times faster than system", "vmap", "vcm-warm",
                 2 * MIB, 20)


def goals_large(goals):
    """After the fragmentation run."""
    rows = goals.results["large"]
    for state in dict.fromkeys(row["state"] for row in rows):
        cold = find(rows, state=state, heap="vcm-cold")
        system = find(rows, state=state, heap="system")
        if cold and system:
            goals.add(f"{state}: large chunks, at least system's share",
                      cold["runs_percent"] >= system["runs_percent"],
                      f"{cold['runs_percent']:.1f} % and {system['runs_percent']:.1f} %")
        warm = find(rows, state=state, heap="vcm-warm")
        if warm and system:
            goals.add(f"{state}: with chunks in the pool twice system's share",
                      warm["runs_percent"] >= 2 * system["runs_percent"] and warm["runs_percent"],
                      f"{warm['runs_percent']:.1f} % and {system['runs_percent']:.1f} %")


def goals_overhead(goals):
    """Bookkeeping of each buffer."""
    for row in goals.results["overhead"]:
        if row["buffer"].startswith("vcm"):
            limit = row["bytes"] // 1000 + KIB
            goals.add(f"bookkeeping of {size_text(row['bytes'])}, {row['buffer']}: "
                      "below 0.1 % and 1 KB", row["own_bytes"] < limit,
                      f"{row['own_bytes']} bytes of {limit}")


def speed(rows, heap, size, threads):
    """How many times as fast as one thread, or None."""
    one = find(rows, heap=heap, bytes=size, threads=1)
    many = find(rows, heap=heap, bytes=size, threads=threads)
    return one["median"] / many["median"] if one and many else None


def goals_threads(goals):
    """Two threads on two CPUs, beside two threads that only count."""
    rows = goals.results["threads"]
    for size in sorted({row["bytes"] for row in rows}):
        possible = speed(rows, ALONE, size, 2)
        for heap in ("vcm-warm", "vcm-cold"):
            value = speed(rows, heap, size, 2)
            if value and possible:
                goals.add(f"two threads, {size_text(size)}, {heap}: 80 % of the speed that "
                          "they have without the kernel", value >= 0.8 * possible,
                          f"{value:.2f} times one thread, of {possible:.2f}")


def check_goals(results):
    """All goals whose part was measured."""
    goals = Goals(results)
    sizes = sorted({row["bytes"] for row in results["time"]})
    print()
    if sizes:
        goals_alloc(goals, sizes)
        goals_map(goals, sizes)
    goals_large(goals)
    goals_overhead(goals)
    goals_threads(goals)


# --- Files --------------------------------------------------------------------


def write_dat(path, rows, key):
    """For gnuplot: an x and three y for each row, in microseconds."""
    with open(path, "w", encoding="utf-8") as dat:
        for row in sorted(rows, key=lambda row: row[key]):
            dat.write(f"{row[key]} {row['median'] / 1e3} {row['low'] / 1e3} "
                      f"{row['high'] / 1e3}\n")


def write_plots(results, out):
    """A file for each line of each picture."""
    os.makedirs(out, exist_ok=True)
    for metric in METRICS:
        for peer in PEERS:
            rows = [row for row in results["time"]
                    if row["metric"] == metric and row["heap"] == peer]
            if rows:
                write_dat(f"{out}/{metric}.{peer}.dat", rows, "bytes")
    for row in results["threads"]:
        rows = [other for other in results["threads"]
                if other["heap"] == row["heap"] and other["bytes"] == row["bytes"]]
        write_dat(f"{out}/threads-{row['bytes'] // KIB}k.{row['heap']}.dat", rows, "threads")


def main():
    """See above."""
    if len(sys.argv) < 3:
        sys.exit("usage: results.py OUTDIR FILE...")
    out = sys.argv[1]
    results = read(sys.argv[2:])
    print_times(results)
    print_overhead(results)
    print_loop(results)
    print_large(results)
    print_threads(results)
    print_machine(results)
    check_goals(results)
    write_plots(results, f"{out}/plot")
    with open(f"{out}/results.json", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
