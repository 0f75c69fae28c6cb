#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs a mode of vcm-stress in a guest of its own. 'make soak' and 'make fuzz'
# build the modules first.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Seconds that a run may take besides what it is told to.
readonly SPARE=1800

usage() {
	cat <<'USAGE'
usage: scripts/soak.sh [--kernel stock|debug] [--iommu IOMMU] [--mem SIZE] soak|fuzz [OPTION]...

Runs a mode of vcm-stress with the OPTIONs (see tools/) in a guest. What it
prints is in out/soak/; it begins with the seed, and '--seed N' is the option
that repeats the run. A report of the guest's kernel is a failure too.

OPTIONs:
  --seconds N   soak: how long (default 300)
  --ioctls N    fuzz: how many ioctls, at least (default 1000000)
  --workers N   fuzz: in how many processes (default 2)
  --seed N      random numbers of an earlier run
USAGE
}

vm_options=()
what=
options=()

parse_args() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		-h | --help) usage; exit 0 ;;
		--kernel | --iommu | --mem)
			[[ $# -ge 2 ]] || die "$1 needs a value (see --help)"
			[[ $1 != --kernel || $2 == stock || $2 == debug ]] ||
				die "--kernel $2: stock or debug (see --help)"
			vm_options+=("$1" "$2")
			shift 2
			;;
		soak | fuzz) what=$1; shift; options=("$@"); return ;;
		*) die "unknown argument '$1' (see --help)" ;;
		esac
	done
	die "soak or fuzz? (see --help)"
}

# check_option NAME VALUE: before a guest boots. The programs take octal numbers too.
check_option() {
	case $1 in
	--seed)
		[[ $2 =~ ^(0[xX][0-9a-fA-F]{1,16}|0[0-7]*|[1-9][0-9]{0,19})$ ]] ||
			die "'$2' is no seed: a number is needed"
		;;
	--seconds)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || die "'$2' is no number of seconds"
		seconds=$2
		;;
	esac
}

# Sets seconds if the program is told them.
check_program_options() {
	local i

	for ((i = 0; i < ${#options[@]}; i++)); do
		case ${options[i]} in
		--seed=* | --seconds=*) check_option "${options[i]%%=*}" "${options[i]#*=}" ;;
		--seed | --seconds)
			((i + 1 < ${#options[@]})) || die "${options[i]} needs a value"
			check_option "${options[i]}" "${options[i + 1]}"
			;;
		esac
	done
}

# The guest's end is one more result.
finish() {
	local out=$1 status=$2 end=PASS words=

	[[ $status -eq 0 ]] || end=FAIL words=" (exit status $status)"
	{
		"$VCM_TOP/scripts/results.py" --suite "$what" <"$out/$what.log"
		echo "$end boot@$what$words"
	} | tee "$out/results"
	print_sum "$out/results"
}

main() {
	local out=$VCM_TOP/out/soak status=0 seconds=300

	parse_args "$@"
	check_program_options
	load_kernel_env x86_64 build guest
	lock_output soak
	mkdir -p "$out"
	make -s -C "$VCM_TOP/tools" O="$out" vcm-stress
	"$VCM_TOP/scripts/vm.sh" --timeout $((seconds * 2 + SPARE)) "${vm_options[@]}" --module vcm-edu-test \
		--file "$out/vcm-stress:/vcm-stress" -- vcm-stress "$what" "${options[@]}" |
		tee "$out/$what.log" | grep --line-buffered '^#' || status=${PIPESTATUS[0]}
	finish "$out" "$status"
}

main "$@"
