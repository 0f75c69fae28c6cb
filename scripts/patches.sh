#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes what scripts/overlay.sh does to a kernel tree as a patch series with
# cover letter, and has checkpatch look at it. The tree stays as it is: the
# series is made in a repository that has just the files it touches.

set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly OUT=$VCM_TOP/out/patches
readonly SECTION="VCM: LARGE BUFFERS FOR DEVICES BEHIND AN IOMMU"

# The patches in order, as "NAME|PATTERN...": a file goes into the first one with
# a pattern (of the shell, for the whole path) that it matches. The Kconfig and
# Makefile that make kbuild see files come with the last of them, so that each
# step of the series builds.
readonly PATCHES=(
	'uapi|include/uapi/*'
	'extent|drivers/iommu/*extent*'
	'space|include/linux/vcm-iommu.h drivers/iommu/vcm-iommu.c drivers/iommu/*space* drivers/iommu/*parent* drivers/iommu/*region* drivers/iommu/Kconfig* drivers/iommu/Makefile* drivers/iommu/.* drivers/iommu/tests/*'
	'iova|drivers/iommu/* include/linux/*'
	'heap|drivers/dma-buf/*'
	'samples|samples/*'
	'docs|Documentation/*'
)
readonly ORDER=(uapi extent iova space heap samples docs)

# The types that check.sh does without too, and why is said there.
readonly IGNORED=BIT_MACRO,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE,EMBEDDED_FILENAME

usage() {
	cat <<'USAGE'
usage: scripts/patches.sh LINUX_DIR

Writes the project as a patch series for the kernel source tree LINUX_DIR into
out/patches/. Author and sign-off are git's user.name and user.email.
USAGE
}

# ---- what the patches say ------------------------------------------------

cover_letter() {
	cat <<'TEXT'
dma-buf heap of large chunks, and IOMMU address spaces for its importers

Devices behind an IOMMU read large buffers faster when the IOMMU needs few
entries for them: 2 MB and 1 MB blocks or 64 KB contiguous ones instead of
pages. That takes physical memory in such chunks, and an IOVA that is
aligned as they are.

This series adds a dma-buf heap, "vcm", that allocates in chunks of 2 MB,
1 MB and 64 KB as far as the buddy allocator has them and pages where it
has not; a layer that gives an importer one aligned and tightly packed
range of IOVAs through the DMA API; and address spaces that a driver can
switch under its device. Importers need no change, as it is the exporter
that calls the DMA API.

The first four patches are the layer between a heap and the DMA API, the
fifth is the heap, the rest is a sample importer for QEMU's "edu" device
and documentation. Each builds by itself; the fourth is the one that adds the
layer to Kconfig and Makefile.
TEXT
}

message_uapi() {
	cat <<'TEXT'
dma-buf: heaps: Add the interface of the vcm heap

The heap itself is used through DMA_HEAP_IOCTL_ALLOC. Who wants to choose
which chunk sizes a buffer is made of, and where it goes in the address
spaces of the devices that import it, does so through a device of its own,
/dev/vcm, whose structures and ioctls are defined here.
TEXT
}

message_extent() {
	cat <<'TEXT'
iommu/vcm: Add an allocator of address ranges

Places ranges in an address space with an alignment of their own each, and
packs them: the alignment does not grow with the size, as it does with
alloc_iova(). It knows of no device, and KUnit tests compare it with a
simple model.
TEXT
}

message_iova() {
	cat <<'TEXT'
iommu/vcm: Place large buffers in the address spaces of devices

Reserves one range of IOVAs per importer and maps the chunks of a buffer
into it with dma_iova_try_alloc() and dma_iova_link(), aligned as the
chunks are. Without an IOMMU, or where a bounce buffer is needed, the
buffer is mapped by dma_map_sgtable() as ever.
TEXT
}

message_space() {
	cat <<'TEXT'
iommu/vcm: Add address spaces that a driver can switch

Gives a driver several address spaces for a device, each with regions of
its own choice, and switches between them. A device whose DMA is not to be
disturbed keeps the domain of the DMA API.

With it goes the Kconfig option that builds this and what came before.
TEXT
}

message_heap() {
	cat <<'TEXT'
dma-buf: heaps: Add a heap of large chunks

Its buffers are made of physically contiguous chunks of 2 MB, 1 MB and
64 KB where the buddy allocator has them and of pages where it has not,
the largest first, so that an IOMMU maps them with few entries. A policy
per buffer, or for all by module parameters, limits the sizes and says
how buffers are aligned for the devices that import them.
TEXT
}

message_samples() {
	cat <<'TEXT'
samples: Add an importer of large buffers for QEMU's edu device

A driver that imports dma-bufs and moves data between them and the memory
of the "edu" device that QEMU emulates, and shows how a driver switches
its device between address spaces. A second module measures what mapping a
dma-buf costs.
TEXT
}

message_docs() {
	cat <<'TEXT'
Documentation: Describe the vcm heap and its address spaces

For users of the heap, for writers of importers, and how the parts work.
TEXT
}

# ---- the repository ------------------------------------------------------

tree=
repo=

in_repo() {
	git -C "$repo" -c user.name="$name" -c user.email="$email" -c commit.gpgsign=false \
		-c core.autocrlf=false -c core.excludesFile=/dev/null "$@"
}

# The files of the tree that overlay.sh looks at or changes, without what an
# earlier run of it may have put in.
copy_touched() {
	local file

	while read -r file; do
		install -D -m 644 "$tree/$file" "$repo/$file"
	done < <(sed -nE "s/^\t['\"]([A-Za-z/-]+[A-Za-z.]+)\|[^|]*\|.*$/\1/p" "$VCM_TOP/scripts/overlay.sh" |
		sort -u; printf '%s\n' Makefile Kbuild MAINTAINERS)
	if [[ -f $tree/.vcm-overlay ]]; then
		cp "$tree/.vcm-overlay" "$repo/"
		"$VCM_TOP/scripts/overlay.sh" "$repo" --remove 2>/dev/null
	fi
}

# The patch that file $1 belongs to.
patch_of() {
	local line name pattern

	for line in "${PATCHES[@]}"; do
		IFS='|' read -r name line <<<"$line"
		read -ra line <<<"$line"
		for pattern in "${line[@]}"; do
			# shellcheck disable=SC2053 # a pattern is what it is
			[[ $1 != $pattern ]] || { echo "$name"; return; }
		done
	done
	die "no patch for $1"
}

# MAINTAINERS with a section for the files that are the arguments; a directory
# of the project's own is named instead of what is in it.
maintainers() {
	local files

	files=$(printf 'F:\t%s\n' "$@" | sed -E 's|^(F:\tsamples/vcm/).*|\1|' | LC_ALL=C sort -u)
	awk -v section="$SECTION" -v who="$name <$email>" -v files="$files" '
		function put() {
			print section
			print "M:\t" who
			print "L:\tiommu@lists.linux.dev"
			print "L:\tlinux-media@vger.kernel.org"
			print "S:\tMaintained"
			print files
			print ""
			done = 1
		}
		/^Maintainers List/ { list = 1 }
		list && !done && /^[A-Z0-9]/ && previous == "" && !/^Maintainers/ && $0 > section { put() }
		{ print; previous = $0 }
		END { if (!done) exit 1 }' "$repo/.git/MAINTAINERS" >"$repo/MAINTAINERS"
}

# A commit per patch, of the files that are its.
make_commits() {
	local patch file files entries=()

	in_repo init -q
	in_repo add -A
	in_repo commit -q -m base
	cp "$repo/MAINTAINERS" "$repo/.git/MAINTAINERS"
	"$VCM_TOP/scripts/overlay.sh" "$repo" 2>/dev/null
	rm "$repo/.vcm-overlay"
	for patch in "${ORDER[@]}"; do
		files=()
		while read -r file; do
			[[ $(patch_of "$file") == "$patch" ]] || continue
			files+=("$file")
			in_repo ls-files --error-unmatch "$file" >/dev/null 2>&1 || entries+=("$file")
		done < <(in_repo ls-files -mo)
		[[ ${#files[@]} -gt 0 ]] || continue
		in_repo add -f "${files[@]}"
		maintainers "${entries[@]}"
		in_repo add MAINTAINERS
		"message_$patch" | in_repo commit -q -s -F -
	done
	[[ -z $(in_repo status --porcelain) ]] || die "left over: $(in_repo status --porcelain | head -n 3)"
}

write_series() {
	local cover subject

	rm -rf "$OUT"
	mkdir -p "$OUT"
	in_repo format-patch -q --cover-letter --no-signature -o "$OUT" \
		"$(in_repo rev-list --max-parents=0 HEAD)"
	cover=$(echo "$OUT"/0000-*)
	subject=$(cover_letter | head -n 1)
	cover_letter | tail -n +3 >"$repo/.git/blurb"
	sed -i -e "s/\*\*\* SUBJECT HERE \*\*\*/$subject/" \
		-e "/\*\*\* BLURB HERE \*\*\*/{r $repo/.git/blurb" -e 'd}' "$cover"
}

# A line per patch, and what checkpatch has to say about it.
check_series() {
	local patch log failed=0 passed=0

	for patch in "$OUT"/*.patch; do
		[[ ${patch##*/} != 0000-* ]] || continue
		if log=$("$tree/scripts/checkpatch.pl" --root="$tree" --strict --no-summary --terse --show-types \
			--color=never --quiet --ignore "$IGNORED" "$patch" 2>&1); then
			echo "ok   ${patch##*/}"
			passed=$((passed + 1))
		else
			echo "FAIL ${patch##*/}"
			printf '%s\n' "$log" | sed "s|^$OUT/|    |"
			failed=$((failed + 1))
		fi
	done
	echo "$passed passed, $failed failed"
	[[ $failed -eq 0 ]]
}

main() {
	[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
	[[ $# -eq 1 && -n $1 && $1 != -* ]] || die "which kernel tree? Give LINUX_DIR (see --help)"
	[[ -d $1 ]] || die "$1: no such directory"
	tree=$(realpath "$1")
	need_tools git perl
	name=$(git config user.name || true)
	email=$(git config user.email || true)
	[[ -n $name && -n $email ]] || die "who is the author? Set git's user.name and user.email"
	[[ -x $tree/scripts/checkpatch.pl && -f $tree/MAINTAINERS ]] || die "$1: not the source tree of a kernel"
	repo=$(mktemp -d "${TMPDIR:-/tmp}/vcm-patches.XXXXXX")
	trap 'rm -rf "$repo"' EXIT
	copy_touched
	make_commits
	write_series
	say "$(find "$OUT" -name '*.patch' | wc -l) files in out/patches"
	check_series
}

main "$@"
