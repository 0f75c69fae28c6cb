#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How much of the project's code in the kernel the tests run: the KUnit tests in
# user-mode Linux, and the test programs and KUnit tests in guests. Prints lines and
# branches of each file; out/coverage/uncovered has the lines that nothing ran.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/coverage
KSRC=${KSRC:-}

# What the tests are to run of all files together, in per cent
readonly GOAL_LINES=95 GOAL_BRANCHES=90

# Without the sample, which is to be read. What is in the headers of trace events
# is made by the kernel's macros.
readonly FILES='drivers/.*vcm[^/]*\.[ch]' NOT_FILES='.*/tests/.*|.*vcm_(iova_)?trace\.h'

usage() {
	cat <<'USAGE'
usage: scripts/coverage.sh [--kunit] [PATTERN]...

  --kunit   only the KUnit tests in user-mode Linux: a minute
  PATTERN   beside it the suites of scripts/test.sh that these say (shell
            patterns; default all)

Exit status 1 if the goal (95 % of lines, 90 % of branches) is missed or a test
fails.
The test programs have to be there (make tests).
USAGE
}

guests=1
patterns=()
failed=

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--kunit) guests= ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
}

# ---- collecting ----------------------------------------------------------

# collect NAME SRC DIR: what the objects below DIR, made from SRC, counted.
collect() {
	gcovr --root "$2" --filter "$2/$FILES" --exclude "$NOT_FILES" --json "$OUT/$1.json" "$3" \
		>"$OUT/$1.log" 2>&1 || die "gcovr: $(tail -n 1 "$OUT/$1.log")"
}

run_kunit() {
	local cache status=0

	cache=$(vcm_cache)/kunit
	"$VCM_TOP/scripts/kunit.sh" --coverage >"$OUT/kunit.results" || status=$?
	tail -n 1 "$OUT/kunit.results" >&2
	[[ $status -eq 0 ]] || { grep '^FAIL' "$OUT/kunit.results" >&2 || true; die "the KUnit tests fail"; }
	mkdir -p "$OUT/um"
	# The counts that they are written beside are replaced by the next build.
	(cd "$cache/um" && find drivers \( -name 'vcm*.gcda' -o -name 'vcm*.gcno' \) -print0 |
		tar -cf - --null -T -) | tar -xf - -C "$OUT/um"
	collect um "$(realpath "$cache/src")" "$OUT/um"
}

# place_counts ARCHIVE NOTES DIR: what a guest counted, and beside each object's
# counts the notes of the compiler. The guest's kernel says the path of the build.
place_counts() {
	local archive=$1 notes=$2 dir=$3 file object

	mkdir -p "$dir/raw"
	tar -xzf "$archive" -C "$dir/raw" || die "$archive: no counts"
	while read -r file; do
		object=${file##*/build/}
		mkdir -p "$dir/${object%/*}"
		mv "$file" "$dir/$object"
		cp "$notes/${object%.gcda}.gcno" "$dir/${object%.gcda}.gcno"
	done < <(find "$dir/raw" -name '*.gcda')
	rm -rf "$dir/raw"
}

run_guests() {
	local cache archive boot status=0

	cache=$(realpath "$(vcm_cache)/kernels")
	"$VCM_TOP/scripts/test.sh" --kernel gcov "${patterns[@]}" \
		>"$OUT/guests.results" || status=$?
	tail -n 1 "$OUT/guests.results" >&2
	if [[ $status -ne 0 ]]; then
		failed=1
		say "tests fail:"
		grep '^FAIL' "$OUT/guests.results" >&2 || true
	fi
	for archive in "$VCM_TOP"/out/test-debug/gcov/*/counts.tar.gz; do
		boot=${archive%/*}
		boot=${boot##*/}
		place_counts "$archive" "$cache/gcov/notes" "$OUT/$boot"
		collect "$boot" "$cache/tree-gcov/src" "$OUT/$boot"
	done
}

# ---- report --------------------------------------------------------------

# The table, the list, and whether the goal is reached.
report() {
	python3 - "$OUT" "$VCM_TOP" "$GOAL_LINES" "$GOAL_BRANCHES" <<'PYTHON'
import json
import os
import re
import sys

out, top, goals = sys.argv[1], sys.argv[2], [float(g) for g in sys.argv[3:5]]

# Why nothing runs a line, or takes all of its branches: what is in the line.
REASONS = [
    (r"WARN_ON", "only by a bug, ours or another's"),
    (r"KUNIT_STATIC_STUB", "only in a test, or only without one"),
    (r"doorbell|msi|pci_irq_vector|irq < 0", "only behind an SMMUv3"),
    (r"__exit|exit_pool|exit_work|_exit\(|remove_node|remove_sysfs|no /dev/vcm",
     "no end and no failing start in the image: vcm_load"),
    (r"hweight64|rounddown_pow_of_two|__ffs|min_not_zero|min\(|max\(|max_t|min_t"
     r"|node_isset|vcm_chunk_size_usable", "decided when compiling, or by the page size"),
    (r"trace_\w+", "only while events are traced, by hand"),
]


def reason(text):
    for pattern, why in REASONS:
        if re.search(pattern, text):
            return f" [{why}]"
    return ""


def read(path):
    with open(path) as f:
        return json.load(f)["files"]


def taken(branches):
    return sum(1 for b in branches if b["count"])


# A branch is the same one in two builds if both have as many in its line; else
# that build counts which ran more of them.
lines = {}
for name in sorted(os.listdir(out)):
    if not name.endswith(".json"):
        continue
    for file in read(os.path.join(out, name)):
        here = lines.setdefault(file["file"], {})
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            new = {"count": line["count"], "branches": [dict(b) for b in line["branches"]]}
            old = here.setdefault(line["line_number"], new)
            if old is new:
                continue
            old["count"] += new["count"]
            if len(old["branches"]) == len(new["branches"]):
                for a, b in zip(old["branches"], new["branches"]):
                    a["count"] += b["count"]
            elif taken(new["branches"]) * len(old["branches"]) > taken(old["branches"]) * len(new["branches"]):
                old["branches"] = new["branches"]


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def row(name, n):
    print(f"{name:<44}{n[0]:>6}/{n[1]:<5}{percent(n[0], n[1]):5.1f} %  {n[2]:>5}/{n[3]:<5}{percent(n[2], n[3]):5.1f} %")


total = [0, 0, 0, 0]
excused = [0, 0]
print(f"{'file':<44}{'lines':>18}  {'branches':>18}")
with open(os.path.join(out, "uncovered"), "w") as uncovered:
    for name in sorted(lines):
        here = lines[name]
        n = [sum(1 for l in here.values() if l["count"]), len(here),
             sum(taken(l["branches"]) for l in here.values()), sum(len(l["branches"]) for l in here.values())]
        row(name, n)
        total = [a + b for a, b in zip(total, n)]
        with open(os.path.join(top, name)) as f:
            source = f.read().split("\n")
        for number in sorted(here):
            line = here[number]
            text = source[number - 1].strip() if number <= len(source) else ""
            missed = len(line["branches"]) - taken(line["branches"])
            if reason(text):
                excused[0] += not line["count"]
                excused[1] += missed
            if not line["count"]:
                print(f"{name}:{number}: not run: {text}{reason(text)}", file=uncovered)
            elif missed:
                print(f"{name}:{number}: {missed} of {len(line['branches'])} branches not taken: {text}{reason(text)}", file=uncovered)
row("total", total)
total[1] -= excused[0]
total[3] -= excused[1]
row("without those that have a reason", total)
sys.exit(percent(total[0], total[1]) < goals[0] or percent(total[2], total[3]) < goals[1])
PYTHON
}

main() {
	parse_args "$@"
	load_kernel_env x86_64 build coverage
	need_tools gcovr gcov python3
	lock_output coverage
	rm -rf "$OUT"
	mkdir -p "$OUT"
	run_kunit
	[[ -z $guests ]] || run_guests
	report || { failed=1; say "less than the goal: $GOAL_LINES % of lines, $GOAL_BRANCHES % of branches"; }
	[[ -z $failed ]]
}

main "$@"
