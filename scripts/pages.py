#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What README and the first page of the documentation both show: the figures of
bench-count.txt, as a picture and a table, and the table of heaps, which README has by hand.
With --check, whether they show what is there.

The same input gives the same bytes, with nothing but Python."""

import argparse
import math
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
COUNTS = "tools/vcm-bench/bench-count.txt"
PICTURE = "Documentation/figures/bench-count.svg"
README = "README.md"
INDEX = "Documentation/index.rst"

KIB, MIB = 1 << 10, 1 << 20
SIZES = {4 * KIB: "4 KB", 64 * KIB: "64 KB", MIB: "1 MB", 2 * MIB: "2 MB", 4 * MIB: "4 MB",
         16 * MIB: "16 MB", 64 * MIB: "64 MB"}
IN_TABLE = [4 * KIB, MIB, 2 * MIB, 64 * MIB]

# What the table says of a step, and a peer.
ROWS = [
    ("allocate, from the warm pool", "alloc", "vcm-warm"),
    ("allocate, with an empty pool", "alloc", "vcm-cold"),
    ("free, into the pool", "free", "vcm-warm"),
    ("`mmap()` and a write to each page", "touch", "vcm-warm"),
    ("map for a device and unmap", "map", "vcm-warm"),
    ("the same with `iommu.strict=1`", "strict-map", "vcm-warm"),
    ("the same with memory in pieces", "scattered-map", "vcm-warm"),
]
LINES = [
    ("allocate (pool)", "alloc", "vcm-warm", "#1b6ca8"),
    ("free", "free", "vcm-warm", "#7a4fa3"),
    ("mmap, touch", "touch", "vcm-warm", "#2e7d32"),
    ("map, in pieces", "scattered-map", "vcm-warm", "#b35c00"),
    ("map for a device", "map", "vcm-warm", "#c2185b"),
]

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP_EDGE, BOTTOM = 70, 620, 56, 350
LEAST, MOST = 1e-4, 2.0
LABEL_HEIGHT = 15


def read_counts():
    """{(step, peer): {bytes: ratio}}"""
    counts = {}
    with open(os.path.join(TOP, COUNTS), encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words and words[0] != "#":
                pairs = (word.split(":") for word in words[2:])
                counts[words[0], words[1]] = {int(size): float(ratio) for size, ratio in pairs}
    return counts


def percent(ratio):
    """Two digits that count, and no more than what is a percent."""
    number = 100 * ratio
    return f"{number:.{max(0, 1 - math.floor(math.log10(number)))}f} %"


# ---- the picture ---------------------------------------------------------

def x_of(size):
    least, most = min(SIZES), max(SIZES)
    return LEFT + (RIGHT - LEFT) * math.log(size / least) / math.log(most / least)


def y_of(ratio):
    return BOTTOM - (BOTTOM - TOP_EDGE) * math.log(ratio / LEAST) / math.log(MOST / LEAST)


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


def line(x1, y1, x2, y2, color, more=""):
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}"{more}/>'


def axes():
    parts = []
    for decade in range(-4, 1):
        y = y_of(10.0 ** decade)
        parts.append(line(LEFT, y, RIGHT, y, "#444" if decade == 0 else "#ddd"))
        parts.append(text(LEFT - 8, y + 4, f"{100 * 10.0 ** decade:g} %", "end"))
    for size, name in SIZES.items():
        x = x_of(size)
        parts.append(line(x, BOTTOM, x, BOTTOM + 5, "#444"))
        # 2 MB and 4 MB are close to 1 MB.
        if size != 2 * MIB:
            parts.append(text(x, BOTTOM + 20, name, "middle"))
    parts.append(text(LEFT + 6, y_of(1) - 10, "the system heap"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 42, "bytes in the buffer", "middle"))
    return parts


def label_places(ends):
    """For a list of y, y that are as close to them as labels may be."""
    places = {}
    last = -math.inf
    for index in sorted(range(len(ends)), key=lambda i: ends[i]):
        last = max(ends[index], last + LABEL_HEIGHT)
        places[index] = last
    return places


def curves(counts):
    parts, ends = [], []
    for _, step, peer, color in LINES:
        points = [(x_of(size), y_of(ratio)) for size, ratio in sorted(counts[step, peer].items())]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{path}" stroke="{color}" stroke-width="2.2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.8" fill="{color}" stroke="none"/>'
                  for x, y in points]
        ends.append(points[-1][1])
    for index, y in label_places(ends).items():
        name, color = LINES[index][0], LINES[index][3]
        parts.append(text(RIGHT + 10, y + 4, name, more=f' fill="{color}" font-weight="bold"'))
    return parts


def picture(counts):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="none">',
        "<title>Instructions of each step, as a part of those of the system heap</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        '<g fill="#222">',
        text(LEFT, 24, "Instructions beside the system heap: less is better", more=' font-size="15"'),
        text(LEFT, 42, "x86_64, VT-d, Linux 7.3; make bench-count", more=' fill="#666"'),
        "</g>",
        '<g fill="#222" stroke-width="1">', *axes(), "</g>", *curves(counts), "</svg>", ""]
    # Text has no outline.
    return "\n".join(parts).replace("<text ", '<text stroke="none" ')


# ---- tables --------------------------------------------------------------

def cells(counts):
    for words, step, peer in ROWS:
        ratios = counts[step, peer]
        yield [words] + [percent(ratios[size]) if size in ratios else "" for size in IN_TABLE]


HEAD = ["instructions, of those of `system`"] + [SIZES[size] for size in IN_TABLE]


def markdown(counts):
    rows = [HEAD, ["---"] + ["--:"] * len(IN_TABLE), *cells(counts)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def rst(rows):
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for index, cell in enumerate(row):
            mark = "   * - " if index == 0 else "     - "
            lines.append((mark + cell.replace("`", "``")).rstrip())
    return "\n".join(lines) + "\n"


def heaps():
    """The rows of README's table of heaps."""
    lines = between(README, "<!-- heaps -->", "<!-- end of heaps -->").strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if set(row[0]) != {"-"}]


def read(path):
    full = os.path.join(TOP, path)
    if not os.path.exists(full):
        return None
    with open(full, encoding="utf-8") as file:
        return file.read()


def split(content, begin, end):
    head, found, rest = content.partition(begin + "\n")
    middle, also, tail = rest.partition(end + "\n")
    if not found or not also:
        sys.exit(f"no lines '{begin}' and '{end}'")
    return head, middle, tail


def between(path, begin, end):
    return split(read(path), begin, end)[1]


def replaced(content, begin, end, new):
    """The content with new between its lines begin and end."""
    head, _, tail = split(content, begin, end)
    return f"{head}{begin}\n\n{new}\n{end}\n{tail}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    counts = read_counts()
    index = replaced(read(INDEX), ".. figures", ".. end of figures", rst([HEAD, *cells(counts)]))
    files = {
        PICTURE: picture(counts),
        README: replaced(read(README), "<!-- figures -->", "<!-- end of figures -->",
                         markdown(counts)),
        INDEX: replaced(index, ".. heaps", ".. end of heaps", rst(heaps())),
    }
    stale = []
    for path, content in files.items():
        if read(path) == content:
            continue
        if args.check:
            stale.append(path)
            continue
        with open(os.path.join(TOP, path), "w", encoding="utf-8") as file:
            file.write(content)
    if stale:
        sys.exit(f"not what {COUNTS} and {README} say, run 'make pages': {' '.join(stale)}")


main()
