#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In a guest: runs programs with a mutation awake, as standard input says, and says what
# noticed:
#
#   NUMBER SECONDS PROGRAM [SUBTEST]  ->  @@reached NUMBER,NUMBER-NUMBER...
#                                         @@done [WHAT NOTICED]

export PATH="/:$PATH"
params=$(dirname /sys/module/*/parameters/vcm_mutant)
log=/tmp/mutant.log
wrong='^Subtest .*: [EFSTC][^U]|^(FAIL|SKIP) '
report='cut here|WARNING: |BUG: |UBSAN: |Oops|general protection|blocked for more than|list_(add|del) corruption|refcount_t: '

# The first failure is enough; what it left behind gets the time to end.
run() {
	seconds=$1
	shift
	setsid timeout -s KILL "$seconds" "$@" >$log 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! grep -qE "$wrong" $log; do
		sleep 0.1
	done
	kill -TERM -- -$pid 2>/dev/null
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 $pid 2>/dev/null || break
		sleep 0.3
	done
	kill -KILL -- -$pid 2>/dev/null
	wait $pid
}

dmesg -c >/dev/null
echo @@ready
while read -r number seconds program subtest; do
	cat "$params/vcm_mutants_reached" >/dev/null
	echo "$number" >"$params/vcm_mutant"
	run "$seconds" "$program" ${subtest:+--run-subtest "$subtest"}
	status=$?
	echo 0 >"$params/vcm_mutant"
	echo "@@reached $(cat "$params/vcm_mutants_reached")"
	failed=$(grep -m1 -E "$wrong" $log | sed -E 's/^Subtest ([^:]*):.*/\1/;s/^(FAIL|SKIP) ([^ ]*).*/\2/')
	reported=$(dmesg -c | grep -m1 -E "$report" | cut -c1-100)
	if [ -n "$failed" ]; then
		echo "@@done $program@$failed"
	elif [ -n "$reported" ]; then
		echo "@@done $program: $reported"
	elif [ $status -ne 0 ]; then
		echo "@@done $program: exit status $status"
	else
		echo "@@done"
	fi
	[ -z "$reported" ] || exit
done
