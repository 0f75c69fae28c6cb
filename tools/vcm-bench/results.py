#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes sense of what vcm-bench wrote: lines of fields separated by tabs.

Usage: results.py heap OUTDIR FILE...
       results.py count [--limit RATIO] [--update] TABLE FILE...

heap prints tables of times and what became of the goals, and writes OUTDIR/results.json
and OUTDIR/plot/*.dat.

count prints for each step, peer and size a line

    step peer bytes instructions ratio

with the ratio to the heap 'system', then the goals that are missed, what got worse than
TABLE says, and the worst ratio of all. Of a FILE strict.tsv the steps are called
strict-..., of non-coherent.tsv non-coherent-... . Of the steps calls-... it is calls that
are counted, and not instructions. Where unmapped addresses are forgotten later (lazy.tsv),
what a goal is compared with leaves out the flush that vcm does at each unmap: the step
'flush' is that, and nothing else. Fails when a ratio is above the limit, or more than GROWTH (some: LOOSE) above that of TABLE.
--update writes TABLE instead of comparing.
"""

import argparse
import json
import math
import os
import sys

KIB, MIB, ANY = 1 << 10, 1 << 20, 1 << 60

PEERS = ["vcm-warm", "vcm-cold", "system", "cma", "udmabuf"]
SYSTEM = "system"
# Of guests whose steps have a name of their own: strict-map and so on.
PREFIXED = ("strict", "non-coherent")

# Kinds of lines, and the names and types of their fields.
FIELDS = {
    "time": {"metric": str, "heap": str, "bytes": int, "n": int, "median": float, "low": float,
             "high": float, "times_system": float},
    "overhead": {"buffer": str, "bytes": int, "n": int, "kernel_bytes": int, "own_bytes": int},
    "loop": {"heap": str, "bytes": int, "count": int, "ns": float},
    "large": {"state": str, "heap": str, "bytes": int, "n": int, "runs_percent": float,
              "chunks_percent": float},
    "runs": {"state": str, "heap": str, "bytes": int, "n": int, "tries": int, "median": float,
             "low": float, "most": float},
    "threads": {"task": str, "heap": str, "bytes": int, "threads": int, "n": int,
                "median": float, "low": float, "high": float},
    "count": {"step": str, "heap": str, "bytes": int, "instructions": int},
}


def read(paths):
    """The rows of all files by their kind; "machine" is what was measured on, by file."""
    results = {"machine": {}, **{kind: [] for kind in FIELDS}, "goals": []}
    for path in paths:
        part = os.path.splitext(os.path.basename(path))[0]
        machine = results["machine"].setdefault(part, {})
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                kind, *values = line.rstrip("\r\n").split("\t")
                if kind == "info":
                    machine[values[0]] = int(values[1]) if values[1].isdigit() else values[1]
                elif kind in FIELDS:
                    row = {name: to(value) for (name, to), value in zip(FIELDS[kind].items(), values)}
                    results[kind].append({**row, "part": part})
        if "cpu" in machine:
            machine["accelerator"] = "TCG" if "TCG" in machine["cpu"] else "KVM"
    return results


def find(rows, **want):
    """The one row with these fields, or None."""
    return next((row for row in rows if all(row[key] == want[key] for key in want)), None)


def values_of(rows, key):
    """The different ones, in their order."""
    return list(dict.fromkeys(row[key] for row in rows))


# --- Times: tables ------------------------------------------------------------

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
    """A table of columns that are as wide as they have to be, if there is anything in it."""
    if not lines:
        return
    print(f"\n{title}")
    widths = [max(len(line[i]) for line in [head] + lines) for i in range(len(head))]
    for line in [head] + lines:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths)))


def print_times(times):
    """A table for each metric: medians and quartiles."""
    peers = [peer for peer in PEERS if find(times, heap=peer)]
    head = ["size"]
    for peer in peers:
        head += [peer, "/system"] if peer.startswith("vcm") else [peer]
    for metric, title in METRICS.items():
        rows = [row for row in times if row["metric"] == metric]
        lines = []
        for size in sorted(values_of(rows, "bytes")):
            line = [size_text(size)]
            for peer in peers:
                row = find(rows, heap=peer, bytes=size)
                line.append(f"{time_text(row['median'])} ({time_text(row['low'])} .. "
                            f"{time_text(row['high'])})" if row else "-")
                if peer.startswith("vcm"):
                    line.append(f"{row['times_system']:.3f}" if row else "-")
            lines.append(line)
        print_table(title, head, lines)


def print_others(results):
    """The other tables."""
    print_table("bookkeeping of a buffer, in bytes",
                ["size", "heap", "all", "besides the dma-buf", ""],
                [[size_text(row["bytes"]), row["buffer"], str(row["kernel_bytes"]),
                  str(row["own_bytes"]), f"{100 * row['own_bytes'] / row['bytes']:.4f} %"]
                 for row in results["overhead"]])

    heaps = values_of(results["loop"], "heap")
    seconds = max((machine.get("loop_seconds", 0) for machine in results["machine"].values()), default=0)
    rows = {(row["heap"], row["bytes"]): f"{time_text(row['ns'])} ({row['count']} times)"
            for row in results["loop"]}
    print_table(f"allocate and close, as dmabuf_heap_bench: 5000 times or {seconds} s",
                ["size"] + heaps,
                [[size_text(size)] + [rows.get((heap, size), "-") for heap in heaps]
                 for size in sorted(values_of(results["loop"], "bytes"))])

    print_table("share of a fresh buffer of 128 MB in pieces of 64 KB and more",
                ["memory", "heap", "in runs", "in chunks"],
                [[row["state"], row["heap"], f"{row['runs_percent']:.1f} %",
                  f"{row['chunks_percent']:.1f} %"] for row in results["large"]])


def print_runs(rows):
    """What was had of so many tries, and how long it took."""
    print_table("one run of memory (contiguous), the same from CMA's region, and memory in chunks",
                ["memory", "size", "from", "had", "median", "longest"],
                [[row["state"], size_text(row["bytes"]), row["heap"], f"{row['n']} of {row['tries']}",
                  time_text(row["median"]), time_text(row["most"])] for row in rows])


def print_threads(rows):
    """Time of each, and how much faster more threads are."""
    lines = []
    for one in (row for row in rows if row["threads"] == 1):
        line = [one["task"], size_text(one["bytes"]), one["heap"]]
        for threads in range(1, 5):
            row = find(rows, task=one["task"], bytes=one["bytes"], heap=one["heap"], threads=threads)
            line.append(f"{time_text(row['median'])} ({one['median'] / row['median']:.2f})"
                        if row else "-")
        lines.append(line)
    print_table("in threads: time of a buffer, mapping or attachment (and speed, 1 thread is 1), "
                "for one device and\n  for four; no-kernel is what the machine has for so many",
                ["", "size", "heap", "1", "2", "3", "4"], lines)


def print_machine(machines):
    """What it was measured on."""
    for part, machine in machines.items():
        mode = f" ({machine['accelerator_mode']})" if "accelerator_mode" in machine else ""
        print(f"\n{part}: Linux {machine.get('kernel')}, {machine.get('accelerator')} of QEMU "
              f"{machine.get('qemu')}{mode}, {machine.get('cpus')} CPUs, "
              f"{machine.get('memory_mb')} MB, IOMMU {machine.get('iommu')}; clock "
              f"{machine.get('clocksource')}: steps of {machine.get('timer_step_ns')} ns, "
              f"{machine.get('timer_cost_ns')} ns to read; {machine.get('repeats')} repeats and more")
    if any(machine.get("accelerator") == "TCG" for machine in machines.values()):
        print("The CPU is emulated: compare the figures with each other and with nothing else.")


# --- Times: goals -------------------------------------------------------------

# What repeating a measurement can differ by.
NOISE = 1.05

# What, its metric and heap, from and to so many bytes: at most so many times system's time.
TIME_GOALS = [
    ("warm allocation of 64 MB", "alloc", "vcm-warm", 64 * MIB, 64 * MIB, 1 / 100),
    ("free of 64 MB", "free", "vcm-warm", 64 * MIB, 64 * MIB, 1 / 5),
    ("cold allocation from 64 KB on (noise 5 %)", "alloc", "vcm-cold", 64 * KIB, ANY, NOISE),
    ("allocation of 4 KB, warm (noise 5 %)", "alloc", "vcm-warm", 4 * KIB, 4 * KIB, NOISE),
    ("allocation of 4 KB, cold (noise 5 %)", "alloc", "vcm-cold", 4 * KIB, 4 * KIB, NOISE),
    ("mmap and first touch of 64 MB, aligned, a write per page",
     "touch", "vcm-warm", 64 * MIB, 64 * MIB, 1 / 10),
    ("mmap and first touch of 64 MB, aligned, a write per 2 MB",
     "touch-2m", "vcm-warm", 64 * MIB, 64 * MIB, 1 / 10),
    ("the same at any address, a write per page (noise 5 %)",
     "touch-shifted", "vcm-warm", 64 * MIB, 64 * MIB, NOISE),
    ("the same at any address, a write per 2 MB (noise 5 %)",
     "touch-2m-shifted", "vcm-warm", 64 * MIB, 64 * MIB, NOISE),
    ("kernel mapping of 2 MB", "vmap", "vcm-warm", 2 * MIB, 2 * MIB, 1 / 20),
]


def time_goals(times):
    """Yields name, whether it is reached (None without figures), and what was measured."""
    for name, metric, heap, least, most, limit in TIME_GOALS:
        rows = [row for row in times if (row["metric"], row["heap"]) == (metric, heap)
                and least <= row["bytes"] <= most]
        worst = max(rows, key=lambda row: row["times_system"], default=None)
        yield (f"{name}: at most {limit:.3g} of system's time",
               worst["times_system"] <= limit if worst else None,
               f"{worst['times_system']:.4f}, {size_text(worst['bytes'])}" if worst else "")
    small = find(times, metric="alloc", heap="vcm-warm", bytes=4 * KIB)
    large = find(times, metric="alloc", heap="vcm-warm", bytes=64 * MIB)
    value = large["median"] / small["median"] if small and large else None
    yield ("warm allocation of 64 MB at most 3 times one of 4 KB",
           value <= 3 if value else None, f"{value:.2f} times" if value else "")


def large_goals(rows):
    """After the fragmentation run."""
    for state in values_of(rows, "state"):
        share = {row["heap"]: row["runs_percent"] for row in rows if row["state"] == state}
        for heap, times, name in (("vcm-cold", 1, "large chunks, at least system's share"),
                                  ("vcm-warm", 2, "with chunks in the pool twice system's share")):
            if heap in share:
                yield (f"{state}: {name}", share[heap] >= times * share[SYSTEM] and share[heap] > 0,
                       f"{share[heap]:.1f} % and {share[SYSTEM]:.1f} %")


def overhead_goals(rows):
    """Bookkeeping of each buffer."""
    for row in rows:
        limit = row["bytes"] // 1000 + KIB
        if row["buffer"].startswith("vcm"):
            yield (f"bookkeeping of {size_text(row['bytes'])}, {row['buffer']}: below 0.1 % and 1 KB",
                   row["own_bytes"] < limit, f"{row['own_bytes']} bytes of {limit}")


def thread_goals(rows):
    """Two threads on two CPUs: as fast as two that only count; on one device, as system's."""
    def speed(**of):
        one, two = (find(rows, threads=threads, **of) for threads in (1, 2))
        return one["median"] / two["median"] if one and two else None

    for row in (row for row in rows if row["threads"] == 1 and row["heap"].startswith("vcm")):
        task, size, heap = row["task"], row["bytes"], row["heap"]
        other = task if task.endswith("-1") else "no-kernel"
        value = speed(task=task, heap=heap, bytes=size)
        possible = speed(task=other, heap=SYSTEM, bytes=size)
        if value and possible:
            yield (f"two threads, {task}, {size_text(size)}, {heap}: 80 % of the speed of "
                   f"{SYSTEM if other == task else 'two without the kernel'}",
                   value >= 0.8 * possible, f"{value:.2f} times one thread, of {possible:.2f}")


def check_goals(results):
    """All goals whose part was measured."""
    goals = [*large_goals(results["large"]), *overhead_goals(results["overhead"]),
             *thread_goals(results["threads"])]
    if results["time"]:
        goals[:0] = time_goals(results["time"])
    words = {None: "not measured", True: "reached", False: "NOT reached"}
    print()
    for name, reached, value in goals:
        results["goals"].append({"name": name, "reached": reached, "value": value})
        print(f"goal: {name}: {words[reached]}{f' ({value})' if value else ''}")


# --- Times: files -------------------------------------------------------------


def write_plots(results, out):
    """For gnuplot a file for each line of each picture: an x and three y, in microseconds."""
    lines = {}
    for row in results["time"]:
        lines.setdefault((row["metric"], row["heap"]), []).append((row["bytes"], row))
    for row in results["threads"]:
        name = f"threads-{row['task']}-{row['bytes'] // KIB}k"
        lines.setdefault((name, row["heap"]), []).append((row["threads"], row))
    os.makedirs(out, exist_ok=True)
    for (name, heap), points in lines.items():
        with open(f"{out}/{name}.{heap}.dat", "w", encoding="utf-8") as dat:
            for x, row in sorted(points, key=lambda point: point[0]):
                dat.write(f"{x} {row['median'] / 1e3} {row['low'] / 1e3} {row['high'] / 1e3}\n")


def heap(args):
    """See above."""
    results = read(args.files)
    print_times(results["time"])
    print_others(results)
    print_runs(results["runs"])
    print_threads(results["threads"])
    print_machine(results["machine"])
    check_goals(results)
    write_plots(results, f"{args.out}/plot")
    with open(f"{args.out}/results.json", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    return True


# --- Instructions -------------------------------------------------------------

# How much a ratio may grow. Where the small chunks of a frame lie, what else is in the
# kernel's tree of mappings, and how many page tables the peer's address for scattered memory
# begins and ends (a whole one each for every 2 MB or not), differs from build to build.
GROWTH = 0.02
LOOSE = {"camera-frame": 0.1, "vmap": 0.1, "vmap-touch": 0.1, "scattered-map": 0.1,
         "scattered-remap": 0.1, "scattered-attach-map-unmap": 0.1,
         "non-coherent-camera-end": 0.1}
# Not held to the limit: the longer it takes to unmap, the more of what was freed does the
# pool's worker zero meanwhile, which "system" does in camera-start.
UNLIMITED = ("camera-end",)

# Steps, a peer or any, from so many bytes on: at most so many times system's instructions.
# In the other guests too.
COUNT_GOALS = [
    (("alloc", "free", "mmap", "vmap", "map", "remap", "attach-map-unmap"), "", 0, 1.0),
    (("scattered-map", "scattered-remap"), "", 16 * MIB, 0.1),
    (("camera-start",), "vcm-warm", 0, 0.2),
    (("camera-start",), "vcm-cold", 0, 1.0),
    (("camera-frame", "camera-end"), "", 0, 1.0),
    (("calls-map", "calls-sync", "calls-unmap"), "", 0, 1.0),
]
# The steps in which there is an unmap.
FLUSHING = ("map", "remap", "attach-map-unmap", "scattered-map", "scattered-remap",
            "scattered-attach-map-unmap", "camera-frame")

TABLE_HEAD = """\
# SPDX-License-Identifier: GPL-2.0
#
# Instructions of each step as a multiple of the system heap's: what 'make bench-count'
# compares with, and 'make bench-count UPDATE=1' writes.
#
# {machine}
# step peer bytes:ratio...
"""


def ratio_text(ratio):
    """Four digits that count."""
    return f"{ratio:.{max(0, 3 - math.floor(math.log10(ratio)))}f}"


def base_of(step):
    """The step without what says in which guest."""
    for part in PREFIXED:
        step = step.removeprefix(f"{part}-")
    return step


def name_text(key):
    """step peer bytes"""
    return " ".join(str(part) for part in key)


def ratios_of(counts):
    """The same as multiples of the system heap's, rounded as they are printed."""
    return {(step, peer, size): float(ratio_text(count / counts[step, SYSTEM, size]))
            for (step, peer, size), count in counts.items()}


def table_read(path):
    """Ratios by (step, peer, bytes), and what they were counted on."""
    ratios, machine = {}, ""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# Linux"):
                machine = line[1:].strip()
            elif not line.startswith("#"):
                step, peer, *values = line.split()
                for size, ratio in (value.split(":") for value in values):
                    ratios[step, peer, int(size)] = float(ratio)
    return ratios, machine


def table_write(path, ratios, machine):
    """The ratios of all but the system heap."""
    lines = {}
    for (step, peer, size), ratio in ratios.items():
        if peer != SYSTEM:
            lines.setdefault(f"{step} {peer}", []).append(f"{size}:{ratio_text(ratio)}")
    with open(path, "w", encoding="utf-8") as table:
        table.write(TABLE_HEAD.format(machine=machine))
        for line, values in lines.items():
            table.write(f"{line} {' '.join(values)}\n")


def growth_of(step):
    """How much its ratio may grow."""
    return LOOSE.get(step, LOOSE.get(base_of(step), GROWTH))


def compare(ratios, table):
    """What is worse than the table, a line each; sizes beyond the table are not."""
    largest = max(size for _, _, size in ratios)
    known = max(size for _, _, size in table)
    worse = []
    for key, ratio in ratios.items():
        if key[1] == SYSTEM or key[2] > known:
            continue
        if key not in table:
            worse.append(f"{name_text(key)}: not in the table")
        elif ratio > table[key] * (1 + growth_of(key[0])):
            worse.append(f"{name_text(key)}: {ratio_text(ratio)}, {ratio_text(table[key])} in the table")
    for key in table:
        if key[2] <= largest and key not in ratios:
            worse.append(f"{name_text(key)}: in the table alone")
    return worse


def flush_of(counts, peer, size):
    """Of the largest buffer that is no larger: what a flush takes depends little on it."""
    return counts["flush", peer, max(of_size for step, of_peer, of_size in counts
                                     if (step, of_peer) == ("flush", peer) and of_size <= size)]


def print_count_goals(counts, lazy):
    """Those that are missed, and how many there are. Of the steps @lazy without the flush."""
    total = missed = 0
    for (step, peer, size), count in counts.items():
        base = counts[step, SYSTEM, size]
        limits = [limit for steps, of_peer, least, limit in COUNT_GOALS
                  if base_of(step) in steps and of_peer in ("", peer) and size >= least]
        if peer == SYSTEM or not limits:
            continue
        flushing = step in lazy and step in FLUSHING
        if flushing:
            count -= flush_of(counts, peer, size)
        total += 1
        if count > min(limits) * base:
            missed += 1
            print(f"missed: {step} {peer} {size} {ratio_text(count / base)}"
                  f"{' without the flush' if flushing else ''}, goal {min(limits):.2f}, "
                  f"{count - min(limits) * base:.0f} instructions too many")
    print(f"goals: {total - missed} of {total} reached")


def judge(ratios, limit, worse):
    """Prints the end of it. Returns whether all is well."""
    own = {key: ratio for key, ratio in ratios.items() if key[1] != SYSTEM}
    worst = max((key for key in own if base_of(key[0]) not in UNLIMITED), key=own.get)
    for line in worse:
        print(f"FAIL {line}")
    beyond = limit is not None and own[worst] > limit
    if beyond:
        print(f"FAIL worst: above the limit of {limit}")
    print(f"worst: {ratio_text(own[worst])} of {SYSTEM} ({name_text(worst)})")
    failed = len(worse) + beyond
    print(f"{max(0, len(own) + 1 - failed)} passed, {failed} failed")
    return not failed


def count(args):
    """See above."""
    results = read(args.files)
    machine = next(iter(results["machine"].values()))["machine"]
    counts = {((f"{row['part']}-" if row["part"] in PREFIXED else "") + row["step"], row["heap"],
               row["bytes"]): row["instructions"] for row in results["count"]}
    ratios = ratios_of(counts)
    for key, number in counts.items():
        print(f"{name_text(key)} {number} {ratio_text(ratios[key])}")
    print_count_goals(counts, {row["step"] for row in results["count"] if row["part"] == "lazy"})
    worse = []
    if args.update:
        table_write(args.table, ratios, machine)
    else:
        table, table_machine = table_read(args.table)
        worse = compare(ratios, table)
        if machine != table_machine:
            print(f"note: the table is of {table_machine}; this is {machine}")
    return judge(ratios, args.limit, worse)


def main():
    """The command line."""
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(required=True)
    mode = modes.add_parser("heap")
    mode.set_defaults(run=heap)
    mode.add_argument("out")
    mode.add_argument("files", nargs="+")
    mode = modes.add_parser("count")
    mode.set_defaults(run=count)
    mode.add_argument("--limit", type=float)
    mode.add_argument("--update", action="store_true")
    mode.add_argument("table")
    mode.add_argument("files", nargs="+")
    args = parser.parse_args()
    sys.exit(0 if args.run(args) else 1)


main()
