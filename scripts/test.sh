#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the test programs that 'make' built, in guests and on this machine, and
# prints one line per subtest. Nothing may be missing, and nothing skipped.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TESTS=$VCM_TOP/out/tests
readonly KSELFTEST=$TESTS/kselftest/dmabuf-heap

# The guests in which suites run: a name, and the options of vm.sh. The name "host" is this
# machine.
# With "bounce" all memory is below the narrowest device's 256 MB, also that of the
# bounce buffers.
# Those that take longest come first.
# With "kunit" no allocation but the tests' own is there to fail: kmemleak would
# have one for each of them.
# The kernel itself must not zero pages (init_on_alloc), or a heap that forgets
# to would pass.
readonly BOOTS=(
	"intel --iommu intel --module vgem --append init_on_alloc=0"
	"strict --iommu intel --append iommu.strict=1"
	"virtio --iommu virtio"
	"amd --iommu amd"
	"pool --iommu intel --append init_on_alloc=0"
	"pressure --iommu intel --append init_on_alloc=0"
	"accounting --iommu intel --append dma_heap.mem_accounting=1"
	"init_on_free --iommu none --append init_on_free=1"
	"numa --iommu none --append numa=fake=2"
	"reserve --iommu none --append numa=fake=2 --module zram --disk 512M"
	"movable --iommu none --append kernelcore=320M"
	"small --iommu none --mem 256M --module zram --disk 256M"
	"none --iommu none --module vgem"
	"bad --iommu none"
	"bounce --iommu none --mem 256M --append swiotlb=8192,force --append cma=0"
	"debug --iommu intel --module vgem"
	"kunit --iommu intel --append kmemleak=off"
	"hide --iommu intel --module vgem"
	"load --iommu intel --no-load"
)

programs() { printf " $TESTS/vcm_%s" "$@"; }

# What runs: where, the form of its output, and its programs (patterns).
#   igt   subtests as igt prints them; --list-subtests says what must come
#   plain lines as this script prints them; --list-subtests as with igt
#   ksft  TAP of the kernel's dmabuf-heaps selftest; what is said of vcm counts
#   ktap  KTAP of the suites in the kernel
# The guests "debug" and "kunit" are for what only a kernel of scripts/kernel.sh has;
# "hide" is what imports buffers, for the kernel debug-hide, and "load" for debug-m,
# which has the project as modules.
readonly SUITES=(
	"host plain $TESTS/vcm-extent-test"
	"host plain $VCM_TOP/scripts/tests/scripts-test.sh"
	"host plain $VCM_TOP/scripts/tests/guest-test.sh"
	"intel igt $(programs alloc zero chunks mmap share sync vgem import dma vmap abi device)"
	"intel igt $(programs policy gone space space_life)"
	"intel ksft $KSELFTEST"
	"strict igt $(programs policy limits secure)"
	"pool igt $(programs pool pool_keep)"
	"bad igt $(programs pool_bad)"
	"pressure igt $(programs pool_pressure)"
	"pool plain $TESTS/vcmctl-test"
	"accounting igt $(programs pool_accounting limits)"
	"init_on_free igt $(programs pool_accounting)"
	"numa igt $(programs numa)"
	"reserve igt $(programs reserve nodes swap)"
	"movable igt $(programs movable reserve)"
	"small igt $(programs reserve swap)"
	"amd igt $(programs gone space space_life secure)"
	"virtio igt $(programs policy gone space space_life secure)"
	"none igt $(programs noiommu)"
	"bounce igt $(programs bounce)"
	"debug igt $(programs failnth)"
	"kunit ktap $VCM_TOP/scripts/vm-kunit.sh"
	"hide igt $(programs alloc share sync vgem import dma vmap device)"
	"hide ksft $KSELFTEST"
	"load igt $(programs load)"
)

# KIND PROGRAM SUBTEST...: what is not possible in a kernel. The first count the users
# of a module, vcm_iommu, that is in the image. In the last one the core frees a domain
# with what is mapped in it, which the check of its pages takes for mapped for ever.
readonly NOT_POSSIBLE=(
	"built-in vcm_space_life unbind unbind-many-times unbind-busy close-after-bind remove
	unload-refused unload parallel managed-unbind"
	"pages-watched vcm_gone managed-new-domain"
)

KSRC=${KSRC:-} KUAPI=${KUAPI:-}
patterns=()
kernels=()
boots=()
logs=
list=
out=
where=
results=

usage() {
	cat <<'USAGE'
usage: scripts/test.sh [--kernel KERNEL]... [--boot BOOT]... [--logs DIR] [PATTERN]...
       scripts/test.sh --list [--kernel KERNEL]... [PATTERN]...

Runs the suites (test programs) whose name matches a shell pattern, by default
all: 'scripts/test.sh vcm_alloc', 'scripts/test.sh "vcm_*"'.
Logs are in out/test/. 'make test' builds what is needed first.

  --kernel KERNEL   debug, debug-m, debug-hide, kcsan or gcov, of
                    scripts/kernel.sh; repeatable. Names of results begin with
                    KERNEL/ then, and logs are in out/test-debug/. What gcov counted
                    is in a file counts.tar.gz beside the logs of each guest
  --boot BOOT       only in this guest of the table; repeatable
  --logs DIR        logs are in out/DIR: runs with a DIR of their own may go on at
                    the same time
  --list            only say what would run: lines "BOOT PROGRAM"
USAGE
}

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--kernel)
			case ${2:-} in
			debug | debug-m | debug-hide | kcsan | gcov) kernels+=("$2") ;;
			*) die "--kernel ${2:-}: not for tests (see --help)" ;;
			esac
			shift
			;;
		--boot) boots+=("${2:?--boot needs a value}"); shift ;;
		--logs) logs=${2:?--logs needs a value}; shift ;;
		--list) list=1 ;;
		-h | --help) usage; exit 0 ;;
		-*) die "unknown option '$1' (see --help)" ;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	out=$VCM_TOP/out/test
	[[ ${#kernels[@]} -eq 0 ]] || out=$VCM_TOP/out/test-debug
	[[ -z $logs ]] || out=$VCM_TOP/out/$logs
	[[ ${#kernels[@]} -gt 0 ]] || kernels=(stock)
}

# Does boot $2 belong to kernel $1? Modules or not makes no difference to the
# IOMMUs, and races are the same with all of them. What KASAN takes of the memory is
# missing for "pressure", and for those where all of it has to be accounted for, which
# need swap and cpusets besides.
is_boot_of() {
	case $1:$2 in
	debug-hide:hide | debug-m:intel | debug-m:load) ;;
	kcsan:intel | kcsan:pool | kcsan:virtio) ;;
	stock:debug | stock:kunit | *:hide | *:load) return 1 ;;
	stock:*) ;;
	debug:host | debug:bad | gcov:host | gcov:bad) return 1 ;;
	debug:pressure | debug:reserve | debug:movable | debug:small) return 1 ;;
	gcov:reserve | gcov:movable | gcov:small) return 1 ;;
	debug:* | gcov:*) ;;
	*) return 1 ;;
	esac
}

# Does kernel $1 have what kind $2 of NOT_POSSIBLE says?
is_kind_of() {
	case $2:$1 in
	built-in:debug | built-in:gcov | built-in:kcsan) ;;
	pages-watched:debug | pages-watched:debug-m | pages-watched:debug-hide) ;;
	*) return 1 ;;
	esac
}

# ---- choosing ------------------------------------------------------------

# Lines "KIND PROGRAM" of the selected programs of boot $1.
programs_of() {
	local suite boot kind glob program

	for suite in "${SUITES[@]}"; do
		read -r boot kind glob <<<"$suite"
		[[ $boot == "$1" ]] || continue
		for program in $glob; do
			[[ -f $program && -x $program ]] || continue
			! is_selected "${program##*/}" "${patterns[@]}" || echo "$kind $program"
		done
	done
}

# The subtests of program $2 that kernel $1 makes impossible, one a line.
not_possible() {
	local line kind program subtests

	for line in "${NOT_POSSIBLE[@]}"; do
		read -r -d '' kind program subtests <<<"$line" || true
		[[ $program == "${2##*/}" ]] || continue
		! is_kind_of "$1" "$kind" || tr -s ' \t\n' '\n' <<<"$subtests"
	done
}

# The kernel's selftest by its own Makefile, with nothing written to its source.
build_kselftest() {
	local dir=$KSRC/tools/testing/selftests/dmabuf-heaps

	is_selected dmabuf-heap "${patterns[@]}" || return 0
	[[ -d $dir ]] || die "no selftest in the kernel source (KSRC=$KSRC)"
	mkdir -p "${KSELFTEST%/*}"
	make -s -C "$dir" OUTPUT="${KSELFTEST%/*}" KHDR_INCLUDES="${KUAPI:+-isystem $KUAPI}" \
		>"$out/kselftest-build.log" 2>&1 ||
		die "cannot build the kernel's selftest: $(tail -n 1 "$out/kselftest-build.log")"
}

all_suites() {
	local suite program glob

	for suite in "${SUITES[@]}"; do
		read -r _ _ glob <<<"$suite"
		for program in $glob; do
			echo "${program##*/}"
		done
	done | sort -u
}

# A pattern that matches nothing is a mistake.
check_patterns() {
	local pattern suite suites found

	mapfile -t suites < <(all_suites)
	for pattern in "${patterns[@]}"; do
		found=
		for suite in "${suites[@]}"; do
			! is_selected "$suite" "$pattern" || found=1
		done
		[[ -n $found ]] || die "no suite is called '$pattern'; there are: ${suites[*]}"
	done
}

# ---- results -------------------------------------------------------------

# result PASS|FAIL|SKIP NAME [SECONDS|REASON]: the line, and for the sum.
result() {
	local line="$1 $where$2${3:+ ($3)}"

	echo "$line"
	echo "$line" >>"$results"
}

has_result() {
	grep -qE "^(PASS|FAIL|SKIP) $where$1( \(|\$)" "$results"
}

# The part of suite log $1 that belongs to subtest $2.
show_failure() {
	awk -v name="$2" '
		/^Starting subtest: / { on = ($3 == name) }
		on { print "    " $0 }
		index($0, "Subtest " name ":") == 1 { exit }' "$1" | tail -n 25 >&2
}

parse_igt() {
	local suite=$1 line=$2 log=$3

	[[ $line =~ ^Subtest\ ([^: ]+):\ ([A-Z]+)\ \(([0-9.]+)s\) ]] || return 0
	case ${BASH_REMATCH[2]} in
	SUCCESS) result PASS "$suite@${BASH_REMATCH[1]}" "${BASH_REMATCH[3]} s" ;;
	SKIP) result SKIP "$suite@${BASH_REMATCH[1]}" "${BASH_REMATCH[3]} s" ;;
	*)
		result FAIL "$suite@${BASH_REMATCH[1]}" "${BASH_REMATCH[3]} s"
		show_failure "$log" "${BASH_REMATCH[1]}"
		;;
	esac
}

parse_plain() {
	[[ $2 =~ ^(PASS|FAIL|SKIP)\ ([^ ]+@[^ ]+)(\ \((.*)\))?$ ]] || return 0
	result "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[4]}"
}

parse_ksft() {
	local suite=$1 line=$2

	if [[ $line =~ ^#\ Testing\ heap:\ ([^ ]+) ]]; then
		heap=${BASH_REMATCH[1]}
		number=0
	fi
	[[ $heap == vcm && $line =~ ^(ok|not\ ok)\ [0-9]+\ (.*) ]] || return 0
	number=$((number + 1))
	case $line in
	*"# SKIP"*) result SKIP "$suite@$heap-$number" "${BASH_REMATCH[2]}" ;;
	ok*) result PASS "$suite@$heap-$number" "${BASH_REMATCH[2]}" ;;
	*) result FAIL "$suite@$heap-$number" "${BASH_REMATCH[2]}" ;;
	esac
}

# What should have come and did not, by what the program itself says.
complete_igt() {
	local suite=$1 program=$2 prefix=${4:-$1} subtests subtest

	if ! subtests=$("$program" --list-subtests 2>/dev/null) || [[ -z $subtests ]]; then
		result FAIL "$suite" "does not list its subtests"
		return
	fi
	while read -r subtest; do
		has_result "$prefix@$subtest" || result FAIL "$suite@$subtest" "no result"
	done < <(grep -vxFf <(not_possible "$kernel" "$program") <<<"$subtests")
}

complete_ktap() {
	local state name line got=

	while read -r state name line; do
		result "$state" "$name" "${line//[()]/}"
		got=1
	done < <(ktap_results <"$3")
	[[ -n $got ]] || result FAIL "$1" "no results"
}

# The name of the suite is the program's own affair.
complete_plain() {
	complete_igt "$1" "$2" "$3" "[^ ]+"
}

complete_ksft() {
	local suite=$1 log=$3 plan got

	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" 2>/dev/null | head -n 1)
	got=$(grep -cE '^(not )?ok ' "$log" 2>/dev/null || true)
	[[ -n $plan && $plan == "$got" ]] ||
		result FAIL "$suite" "${got:-0} of ${plan:-?} results"
	grep -q "^PASS $where$suite@vcm-" "$results" ||
		result FAIL "$suite" "nothing was tested for the heap vcm"
}

# Splits what a boot prints into a log per suite and reads the results.
parse_boot() {
	local dir=$1 line suite='' kind='' heap='' number=0

	while IFS= read -r line; do
		if [[ $line =~ ^@@begin\ ([^ ]+)\ ([^ ]+)$ ]]; then
			kind=${BASH_REMATCH[1]}
			suite=${BASH_REMATCH[2]}
			heap='' number=0
		elif [[ $line =~ ^@@end\ ([0-9]+)$ ]]; then
			suite_status "$suite" "$kind" "${BASH_REMATCH[1]}" "$dir/$suite.log"
			suite=''
		elif [[ $line == @@counts ]]; then
			base64 -di >"$dir/counts.tar.gz"
		elif [[ -n $suite ]]; then
			printf '%s\n' "$line" >>"$dir/$suite.log"
			[[ $kind == ktap ]] || "parse_$kind" "$suite" "$line" "$dir/$suite.log"
		fi
	done
}

# A program that failed without a failed subtest, in a fixture for example.
suite_status() {
	local suite=$1 status=$3 log=$4

	# 77 is igt's "all skipped", 4 that of the kernel's selftests.
	[[ $status -ne 0 && $status -ne 77 && $status -ne 4 ]] || return 0
	! grep -qsE '^(FAIL|Subtest .*: FAIL|not ok) ' "$log" || return 0
	result FAIL "$suite" "exit status $status"
	tail -n 25 "$log" 2>/dev/null | sed 's/^/    /' >&2
}

# ---- running -------------------------------------------------------------

# The script that runs the programs of boot $1, read as "KIND PROGRAM", one
# after the other. In a guest they lie in /.
write_runner() {
	local kind program without

	cat <<'RUNNER'
#!/bin/sh
suite() {
	kind=$1
	shift
	printf '\n@@begin %s %s\n' "$kind" "${1##*/}"
	"$@" 2>&1
	printf '\n@@end %s\n' $?
}
RUNNER
	while read -r kind program; do
		[[ $1 == host ]] || program=/${program##*/}
		without=$(not_possible "$kernel" "$program" | sed '/./s/^/,!/' | tr -d '\n')
		[[ -z $without ]] || without=" --run-subtest '*$without'"
		echo "suite $kind $program$without"
	done
	[[ $kernel != gcov ]] || write_counting
	# What failed says its own output.
	echo "exit 0"
}

# Files in debugfs have no size, which is why they are copied. The rest of what the
# guest prints is theirs.
write_counting() {
	cat <<'RUNNER'
cd /sys/kernel/debug/gcov
for file in $(find . -name '*vcm*.gcda'); do
	mkdir -p "/tmp/counts/${file%/*}"
	cat "$file" >"/tmp/counts/$file"
done
printf '\n@@counts\n'
cd /tmp/counts && tar -cf - . | gzip -c | base64
RUNNER
}

# Runs the runner in directory $4 of boot $1 where it belongs.
start_boot() {
	local boot=$1 dir=$4 kind program args
	read -ra args <<<"$2"

	if [[ $boot == host ]]; then
		"$dir/run.sh"
		return
	fi
	while read -r kind program; do
		args+=(--file "$program:/${program##*/}")
	done <<<"$3"
	"$VCM_TOP/scripts/vm.sh" "${args[@]}" --file "$dir/run.sh:/run.sh" -- /run.sh
}

# run_boot KERNEL BOOT OPTIONS
run_boot() {
	local kernel=$1 boot=$2 options=$3 dir=$out/$1/$2 programs kind program status start=$SECONDS

	programs=$(programs_of "$boot")
	[[ -n $programs ]] || return 0
	# The same suite may run in several guests.
	case $boot in
	host | intel | debug | kunit | hide | load) where= ;;
	*) where=$boot/ ;;
	esac
	if [[ $kernel != stock ]]; then
		where=$kernel/$where
		options="--kernel $kernel $options"
		# vcm_limits asks for buffers of 256 MB, and KASAN keeps what was freed.
		[[ $boot != strict ]] || options+=" --mem 1536M"
	fi
	mkdir -p "$dir"
	results=$dir/results
	: >"$results"
	write_runner "$boot" <<<"$programs" >"$dir/run.sh"
	chmod +x "$dir/run.sh"
	set +e
	start_boot "$boot" "$options" "$programs" "$dir" | tee "$dir/output.log" | parse_boot "$dir"
	status=${PIPESTATUS[0]}
	set -e
	if [[ $status -eq 0 ]]; then
		result PASS "boot@$boot" "$((SECONDS - start)) s"
	else
		result FAIL "boot@$boot" "exit status $status"
	fi
	while read -r kind program; do
		"complete_$kind" "${program##*/}" "$program" "$dir/${program##*/}.log"
	done <<<"$programs"
}

# An emulated machine keeps one CPU busy: as many as there are run side by side.
# What each prints comes at its end, in one piece.
start_when_free() {
	while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do wait -n || true; done
	(
		run_boot "$1" "$2" "$3" >"$out/$1-$2.txt" 2>&1
		flock "$out/terminal" cat "$out/$1-$2.txt"
	) &
}

# The lines "KERNEL BOOT OPTIONS" of the guests that were chosen.
chosen_boots() {
	local boot kernel name options

	for boot in "host " "${BOOTS[@]}"; do
		read -r name options <<<"$boot"
		is_selected "$name" "${boots[@]}" || continue
		for kernel in "${kernels[@]}"; do
			! is_boot_of "$kernel" "$name" || echo "$kernel $name $options"
		done
	done
}

run_boots() {
	local boot chosen kernel name options

	mapfile -t chosen < <(chosen_boots)
	for boot in "${chosen[@]}"; do
		read -r kernel name options <<<"$boot"
		start_when_free "$kernel" "$name" "$options"
	done
	wait
}

list_programs() {
	local kernel name kind program

	while read -r kernel name _; do
		while read -r kind program; do
			echo "$name ${program##*/}"
		done < <(programs_of "$name")
	done < <(chosen_boots)
}

count() { grep -c "^$1 " "$out/results" || true; }

# The last line, and the exit status.
finish() {
	local passed failed skipped

	passed=$(count PASS) failed=$(count FAIL) skipped=$(count SKIP)
	if [[ $skipped -gt 0 ]]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[[ $passed -gt 0 && $failed -eq 0 && $skipped -eq 0 ]]
}

main() {
	local kernel purposes=(build tests)

	parse_args "$@"
	check_patterns
	if [[ -n $list ]]; then
		list_programs
		exit
	fi
	# A kernel of one's own without an image serves to build the others. In one
	# call: what it sets would be taken for a kernel of one's own by a second one.
	[[ ${kernels[*]} != stock ]] || purposes+=(guest)
	load_kernel_env x86_64 "${purposes[@]}"
	lock_output "${out#"$VCM_TOP"/out/}"
	rm -rf "$out"
	mkdir -p "$out"
	results=$out/results
	: >"$results"
	build_kselftest
	compgen -G "$TESTS/vcm_*" >/dev/null || result FAIL vcm "no test program in out/tests (make tests)"
	for kernel in "${kernels[@]}"; do
		# Before the guests, which would wait for it all at once.
		[[ $kernel == stock ]] || "$VCM_TOP/scripts/kernel.sh" "$kernel"
	done
	run_boots
	cat "$out"/*/*/results >>"$out/results"
	finish
}

main "$@"
