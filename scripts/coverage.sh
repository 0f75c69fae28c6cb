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
readonly TESTS=$VCM_TOP/out/tests
KSRC=${KSRC:-}

# What the tests are to run of all files together, in per cent
readonly GOAL_LINES=95 GOAL_BRANCHES=90

# Measuring modules are no part of what is tested.
readonly FILES='(drivers|samples)/.*vcm[^/]*\.[ch]' NOT_FILES='.*/tests/.*|.*vcm[_-]bench[^/]*'

# The guests: a name, the options of vm.sh, "--", and test programs (patterns). Those
# that say nothing new are left out.
readonly BOOTS=(
	"kunit --iommu intel -- vm-kunit.sh"
	"intel --iommu intel --module vgem -- vcm_*"
	"none --iommu none --module vgem -- vcm_noiommu vcm_alloc vcm_dma"
	"bounce --iommu none --mem 256M --append swiotlb=8192,force --append cma=0 -- vcm_bounce"
	"virtio --iommu virtio -- vcm_space vcm_policy"
	"accounting --iommu intel --append dma_heap.mem_accounting=1 -- vcm_pool_accounting"
	"numa --iommu none --append numa=fake=2 -- vcm_numa"
)

usage() {
	cat <<'USAGE'
usage: scripts/coverage.sh [--kunit] [BOOT]...

  --kunit   only the KUnit tests in user-mode Linux: a minute
  BOOT      these guests beside it (kunit, intel, none, bounce, virtio,
            accounting, numa; default all)

Exit status 1 if the goal (95 % of lines, 90 % of branches) is missed.
The test programs have to be there (make tests).
USAGE
}

guests=1
boots=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--kunit) guests= ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) boots+=("$1") ;;
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

# Runs in the guest: the programs, and then what the kernel counted. Files in debugfs
# have no size, which is why they are copied.
write_runner() {
	local program

	echo '#!/bin/sh'
	for program; do
		echo "/${program##*/} >&2"
	done
	cat <<'RUNNER'
mkdir -p /tmp/counts
cd /sys/kernel/debug/gcov || exit 1
for file in $(find . -name '*vcm*.gcda'); do
	mkdir -p "/tmp/counts/${file%/*}"
	cat "$file" >"/tmp/counts/$file"
done
cd /tmp/counts && tar -cf - . | gzip -c | base64
RUNNER
}

# Below the kernel's path of an object: the counts to where the notes are.
place_counts() {
	local dir=$1 build=$2 file object

	while read -r file; do
		object=${file##*/build/}
		mkdir -p "$dir/${object%/*}"
		mv "$file" "$dir/$object"
		cp "$build/${object%.gcda}.gcno" "$dir/${object%.gcda}.gcno"
	done < <(find "$dir/raw" -name '*.gcda')
	rm -rf "$dir/raw"
}

run_boot() {
	local name options programs program tree dir=$OUT/$1 args=() status=0

	name=$1 options=$2
	read -ra args <<<"$options"
	mkdir -p "$dir/raw"
	mapfile -t programs < <(cd "$TESTS" && compgen -G "$3" | while read -r program; do
		[[ ! -f $program || ! -x $program || $program == vcm-extent-test ]] || realpath "$program"
	done)
	[[ $3 != vm-kunit.sh ]] || programs=("$VCM_TOP/scripts/vm-kunit.sh")
	[[ ${#programs[@]} -gt 0 ]] || die "no test program $3 in $TESTS: make tests"
	for program in "${programs[@]}"; do
		args+=(--file "$program:/${program##*/}")
	done
	write_runner "${programs[@]}" >"$dir/run.sh"
	chmod +x "$dir/run.sh"
	"$VCM_TOP/scripts/vm.sh" --kernel gcov --timeout 3000 "${args[@]}" \
		--file "$dir/run.sh:/run.sh" -- /run.sh >"$dir/counts" 2>"$dir/log" || status=$?
	[[ $status -eq 0 ]] || say "guest $name: exit status $status (log: $dir/log)"
	tr -d '\r' <"$dir/counts" | base64 -d 2>/dev/null | tar -xzf - -C "$dir/raw" ||
		die "guest $name: no counts (log: $dir/log)"
	tree=$(realpath "$(vcm_cache)/kernels/tree-gcov")
	place_counts "$dir" "$tree/build"
	collect "$name" "$tree/src" "$dir"
}

run_guests() {
	local line name options globs

	"$VCM_TOP/scripts/kernel.sh" gcov
	for line in "${BOOTS[@]}"; do
		name=${line%% *}
		is_selected "$name" "${boots[@]}" || continue
		options=${line#* }
		globs=${options##*-- }
		say "guest $name"
		run_boot "$name" "${options%%-- *}" "$globs"
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
    (r"pasid", "no device of the guests has PASIDs"),
    (r"doorbell|msi", "only behind an SMMUv3"),
    (r"__exit|_exit\(|remove_node|remove_sysfs", "in the image there is no end, and no failure when booting"),
    (r"hweight64|rounddown_pow_of_two|__ffs|min_not_zero|min\(|max\(|max_t|min_t", "decided when compiling"),
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
            if not line["count"]:
                print(f"{name}:{number}: not run: {text}{reason(text)}", file=uncovered)
            elif missed:
                print(f"{name}:{number}: {missed} of {len(line['branches'])} branches not taken: {text}{reason(text)}", file=uncovered)
row("total", total)
sys.exit(percent(total[0], total[1]) < goals[0] or percent(total[2], total[3]) < goals[1])
PYTHON
}

main() {
	parse_args "$@"
	load_kernel_env x86_64
	need_tools gcovr gcov python3
	lock_output coverage
	rm -rf "$OUT"
	mkdir -p "$OUT"
	run_kunit
	[[ -z $guests ]] || run_guests
	report || { say "less than the goal: $GOAL_LINES % of lines, $GOAL_BRANCHES % of branches"; exit 1; }
}

main "$@"
