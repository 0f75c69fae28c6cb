# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Helpers that the scripts in this directory share. Source it, do not run it.

VCM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VCM_PROG=${0##*/}

# Progress and errors go to stderr: stdout belongs to what a script answers.
say() { printf '%s: %s\n' "${VCM_PROG%.sh}" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

need_tools() {
	local tool missing=()

	for tool; do
		have "$tool" || missing+=("$tool")
	done
	[[ ${#missing[@]} -eq 0 ]] || die "not found: ${missing[*]}"
}

vcm_cache() {
	printf '%s\n' "${VCM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vcm}"
}

host_arch() {
	case $(uname -m) in
	x86_64) echo x86_64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# Fails with the reason why there is no guest of architecture $1.
check_arch() {
	case $1 in
	x86_64) ;;
	arm64) die "architecture arm64: not yet" ;;
	*) die "unknown architecture '$1' (known: x86_64, arm64)" ;;
	esac
}

# The options that set KDIR, KIMAGE, KMODULES and KSRC in the caller, after
# setting up whatever is missing.
load_kernel_env() {
	local env

	env=$("$VCM_TOP/scripts/setup.sh" --arch "${1:-x86_64}" --print) || exit 1
	eval "$env"
}

# Two runs that write to the same out/$1 go one after the other.
lock_output() {
	mkdir -p "$VCM_TOP/out"
	exec 8>"$VCM_TOP/out/$1.lock"
	flock -n 8 || { say "waiting for another run"; flock 8; }
}

# is_selected NAME [PATTERN]...: does NAME match a shell pattern? Without patterns all do.
is_selected() {
	local name=$1 pattern

	shift
	[[ $# -gt 0 ]] || return 0
	for pattern; do
		# shellcheck disable=SC2053 # a pattern is what it is
		[[ $name != $pattern ]] || return 0
	done
	return 1
}

# The file name of a project or kernel module as the kernel writes it.
module_name() {
	local name=${1##*/}

	name=${name%%.ko*}
	printf '%s\n' "${name//-/_}"
}
