#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The two sides of igt-gpu-tools: the sources as it takes them, and the results of its runner.

  igt.py tree DIR      writes DIR/tree: each test with the comment that igt's documentation
                       wants, from what the programs say to --describe (DIR/<program>.txt)
  igt.py results DIR   prints a line for each result of DIR/results.json, of the programs
                       in DIR/chosen; one that is missing has failed
"""

import json
import os
import re
import shutil
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TESTS = "tools/vcmheap-test/tests"
LIBRARIES = ("tools/lib", "tools/vcmheap-test/lib")
HEADERS = ("include/uapi/linux/dma-heap-vcm.h", "samples/vcm/vcm-edu.h",
           "tools/vcmheap-test/module/vcm-edu-test.h")
# What igt's documentation wants of each test.
FIELDS = ("Category: Core", "Mega feature: General Core features", "Sub-category: dma-buf",
          "Functionality: heap vcm")
# The runner warns of what a test notes, and of faults in the kernel's log, which tests
# provoke; a report of the kernel's is a failure of the guest, and not its matter.
STATES = {"pass": "PASS", "warn": "PASS", "dmesg-warn": "PASS", "skip": "SKIP"}

MESON = """# The tests of the dma-buf heap vcm; 'subdir(\\'vcm\\')' in tests/meson.build reads this.
vcm_progs = [
{progs}
]

vcm_lib = static_library('vcm_tests', [
{libs}
], dependencies : test_deps, include_directories : include_directories('../../lib/vcm'))

foreach prog : vcm_progs
	test_executables += executable(prog, prog + '.c',
				       dependencies : test_deps,
				       link_with : vcm_lib,
				       include_directories : include_directories('../../lib/vcm'),
				       install_dir : libexecdir,
				       install_rpath : libexecdir_rpathdir,
				       install : true)
	test_list += join_paths('vcm', prog)
endforeach
"""


def described(path):
    """What a program is, and {subtest: what it is} in order."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return text.split("\n\n")[0].strip(), dict(re.findall(r"^SUB (\S+) .*\n  (.*)$", text, re.MULTILINE))


def comment(name, what, subtests):
    """In the form that igt reads."""
    lines = [f"TEST: {name.replace('_', ' ')}", *FIELDS, f"Description: {what}"]
    for subtest, words in subtests.items():
        lines += ["", f"SUBTEST: {subtest}", f"Description: {words}"]
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n\n"


def copy_flat(paths, to):
    """Side by side, where one file includes another from elsewhere too."""
    for path in paths:
        with open(os.path.join(TOP, path), encoding="utf-8") as file:
            text = re.sub(r'#include "[./a-z]*/([a-z-]+\.h)"', r'#include "\1"', file.read())
        with open(os.path.join(to, os.path.basename(path)), "w", encoding="utf-8") as file:
            file.write(text)


def sources(directory, ends):
    """The project's, with paths from its top."""
    return sorted(os.path.join(directory, name) for name in os.listdir(os.path.join(TOP, directory))
                  if name.endswith(ends))


def write_tree(out):
    """All that igt needs, in its directories."""
    tree = os.path.join(out, "tree")
    tests, lib, uapi = (os.path.join(tree, name) for name in
                        ("tests/vcm", "lib/vcm", "include/linux-uapi/linux"))
    shutil.rmtree(tree, ignore_errors=True)
    for directory in (tests, lib, uapi):
        os.makedirs(directory)
    for directory in LIBRARIES:
        copy_flat(sources(directory, (".c", ".h")), lib)
    copy_flat(HEADERS[:1], uapi)
    copy_flat(HEADERS[1:], lib)
    copy_flat(sources(TESTS, (".h",)), tests)
    programs = []
    for name in sorted(name[:-4] for name in os.listdir(out) if re.match(r"vcm_.*\.txt$", name)):
        with open(os.path.join(TOP, TESTS, name + ".c"), encoding="utf-8") as file:
            text = file.read()
        what, subtests = described(os.path.join(out, name + ".txt"))
        at = text.index("IGT_TEST_DESCRIPTION(")
        with open(os.path.join(tests, name + ".c"), "w", encoding="utf-8") as file:
            file.write(text[:at] + comment(name, what, subtests) + text[at:])
        programs.append(name)
    libs = sorted(name for name in os.listdir(lib) if name.endswith(".c"))
    with open(os.path.join(tests, "meson.build"), "w", encoding="utf-8") as file:
        file.write(MESON.format(progs="\n".join(f"\t'{name}'," for name in programs),
                                libs="\n".join(f"\t'../../lib/vcm/{name}'," for name in libs)))


def print_results(out):
    """Those of the runner, by the programs that were to run."""
    with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
        results = json.load(file)["tests"]
    with open(os.path.join(out, "chosen"), encoding="ascii") as file:
        chosen = file.read().split()
    for name in chosen:
        for subtest in described(os.path.join(out, name + ".txt"))[1]:
            result = results.get(f"igt@{name}@{subtest}", {"result": "no result"})["result"]
            words = "" if result == "pass" else f" ({result})"
            print(f"{STATES.get(result, 'FAIL')} igt@{name}@{subtest}{words}")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("tree", "results"):
        sys.exit(__doc__.strip())
    {"tree": write_tree, "results": print_results}[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    main()
