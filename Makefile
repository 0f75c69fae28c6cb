# SPDX-License-Identifier: GPL-2.0
#
# What a user of this repository types; the kernel's own build reads Kbuild.

## Variables:
##   KDIR=<dir>      prepared or built tree of a kernel of your own: nothing is downloaded
##   KIMAGE=<file>   its image, for the targets that boot a guest
##   KMODULES=<dir>  its lib/modules/<version>, for the targets that boot a guest
##   KSRC=<dir>      its source (default: what KDIR says)
##   VCM_CACHE=<dir> where set-up puts the kernel (default: ~/.cache/vcm)
##   VCM_MIRROR=<url> the Debian mirror to use instead of this machine's own
##   TESTS=<pattern> the suites that 'make test' and the like run (shell patterns,
##                   default: all)
##   BOOT=<pattern>  the guests of 'make test-arm64' and 'make test-arm' (default: all)
##   SEED=<number> what 'make soak', 'make fuzz' and 'make mutate' printed, to repeat a run
##   N=<number>    how many mutations 'make mutate' tries (default 150)
##   KERNEL=<name> the kernel for 'make soak' and 'make fuzz': stock (default) or debug;
##                 for 'make test-arm64' also builtin, 16k or 64k
##   SECONDS=<number> how long 'make soak' runs (default 300)
##   LARGEST=<MB>  the largest buffer of 'make bench-count' (default 64)
##   HEAP=<name>   the heap that 'make conformance' asks (default: each)
##   UPDATE=1      'make bench-count' writes its table anew
##   PROFILE=<step>:<bytes> the functions of a step, as 'make bench-count PROFILE=map:4096'
##   DESTDIR=<dir> where 'make install' puts everything below (default: this machine's /)
##   LINUX_DIR=<dir> the kernel that 'make patches' is for (default: the downloaded one)
KDIR ?=
DESTDIR ?=
KIMAGE ?=
KMODULES ?=
KSRC ?=
export KDIR KIMAGE KMODULES KSRC
ifdef VCM_CACHE
export VCM_CACHE
endif
ifdef VCM_MIRROR
export VCM_MIRROR
endif

OUT := $(CURDIR)/out

# The kernel's build takes neither, and fails late and unclearly.
colon := :
ifneq ($(words $(CURDIR))$(findstring $(colon),$(CURDIR)),1)
$(error '$(CURDIR)': the kernel's build takes no path with a blank or a colon: move this repository)
endif

# $(call load_env,PURPOSE...[,ARCH]) sets up what is missing for the purposes, those of
# scripts/setup.sh, then sets KDIR and the like in the shell of a recipe.
load_env = env=$$(scripts/setup.sh $(addprefix --for=,$(1)) $(addprefix --arch=,$(2)) --print) && eval "$$env"

## Targets:
.DEFAULT_GOAL := modules
.PHONY: all modules setup tests arm64 arm demo test test-arm64 test-arm test-matrix kunit debug-kernel test-debug soak fuzz \
	shell coverage mutate conformance igt programs test-kernels patches deps check htmldocs pages picture install install-modules install-tools install-boot deb test-deb bench bench-count bench-count-arm64 bench-iova bench-space help clean \
	distclean

all: modules ## the same as modules

modules: ## (default) build the modules into out/modules
	@$(call load_env,build) && $(MAKE) -C "$$KDIR" M="$(CURDIR)" MO="$(OUT)/modules" modules

setup: ## download and prepare the kernel, install the packages of all targets
	@scripts/setup.sh --for all

tests: ## build the test programs into out/tests
	@$(call load_env,build tests) && $(MAKE) -C tools O="$(OUT)/tests" tests vcm-udmabuf.so

arm64: ## modules and test programs for guests of 'scripts/vm.sh --arch arm64', into out/arm64
	@$(call load_env,build tests,$@) && \
	$(MAKE) -C "$$KDIR" ARCH="$$KARCH" CROSS_COMPILE="$$KCROSS" M="$(CURDIR)" MO="$(OUT)/$@/modules" modules && \
	$(MAKE) -C tools O="$(OUT)/$@/tests" CC="$${KCROSS}gcc" AR="$${KCROSS}ar" LDFLAGS=-static IGT_COMPAT=1 tests

arm: ## test programs for guests of 'scripts/vm.sh --arch arm', into out/arm, and their kernel
	@$(call load_env,tests,$@) && \
	$(MAKE) -C tools O="$(OUT)/$@/tests" CC="$${KCROSS}gcc" AR="$${KCROSS}ar" LDFLAGS=-static IGT_COMPAT=1 tests

demo: modules ## set up everything and show the main job
	@$(call load_env,build guest) && $(MAKE) -s -C tools O="$(OUT)/demo" vcm-demo && \
	scripts/vm.sh --file "$(OUT)/demo/vcm-demo:/vcm-demo" \
		--file "$$KIMAGE:/kernel-image" -- vcm-demo /kernel-image

shell: modules tests ## a guest to type into, with vcmctl and the test programs
	@scripts/vm.sh --shell --module vcm-edu-test --file "$(OUT)/tests/vcmctl" $$(printf -- '--file %s ' $(OUT)/tests/vcm_*)

test: modules tests ## set up everything and run the tests in a guest
	@scripts/test.sh $(TESTS)

test-arm64: tests arm64 ## run the tests in guests of arm64 (cold: 10 minutes more)
	@scripts/test.sh --arch arm64 $(if $(KERNEL),--kernel $(KERNEL)) $(if $(BOOT),--boot '$(BOOT)') $(TESTS)

test-arm: tests arm ## run the tests in guests of 32-bit ARM (cold: 8 minutes more)
	@scripts/test.sh --arch arm $(if $(BOOT),--boot '$(BOOT)') $(TESTS)

test-matrix: modules tests arm64 arm ## the same tests on all platforms, and a table of them (warm: 13 minutes)
	@scripts/matrix.sh $(TESTS)

kunit: ## run the KUnit tests in user-mode Linux (cold: 9 minutes)
	@scripts/kunit.sh --checks

debug-kernel: ## build the kernels that check everything (cold: 10 minutes)
	@scripts/kernel.sh debug debug-m debug-hide

test-debug: tests ## run the tests again in kernels that check everything
	@scripts/test.sh --kernel debug --kernel debug-m --kernel debug-hide $(TESTS)

soak: modules ## use the heap in all ways at once for SECONDS (default 300)
	@scripts/soak.sh $(if $(KERNEL),--kernel $(KERNEL)) soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

fuzz: modules ## a million ioctls with arguments of all kinds
	@scripts/soak.sh $(if $(KERNEL),--kernel $(KERNEL)) fuzz $(if $(SEED),--seed $(SEED))

coverage: tests ## how much of the code the tests run
	@scripts/coverage.sh

mutate: modules tests ## put small faults into the drivers: do the tests notice them?
	@$(call load_env,build tests guest mutate) && \
	tools/vcm-mutate/mutate.py $(if $(N),--count $(N)) $(if $(SEED),--seed $(SEED))

conformance: modules tests ## what holds for buffers of each heap: a table (cold: 10 minutes more)
	@scripts/conformance.sh $(HEAP)

igt: modules tests ## run the tests with the runner and the library of igt-gpu-tools
	@scripts/igt.sh $(TESTS)

programs: modules tests ## programs of others use the heap: Vulkan, GStreamer, libcamera (cold: 2 minutes more)
	@$(call load_env,build programs) && $(MAKE) -C tools O="$(OUT)/tests" vcm_vulkan
	@scripts/test.sh --programs --logs programs $(TESTS)

test-kernels: tests ## compile for other architectures, page sizes and compilers, and boot the mirror's other kernels (cold: 40 minutes)
	@scripts/test-kernels.sh

patches: ## write the project as a patch series into out/patches (cold: 5 minutes)
	@scripts/patches.sh "$(LINUX_DIR)"

install: install-modules install-tools install-boot ## modules for the kernel of KDIR, vcmctl and what 'make deb' packs, below DESTDIR

install-modules:
	@test -n "$(KDIR)" || { echo "install: for which kernel? Give KDIR=<its build tree>, as KDIR=/lib/modules/$$(uname -r)/build" >&2; exit 1; }
	@$(call load_env,build) && set -- $(MAKE) -C "$$KDIR" M="$(CURDIR)" MO="$(OUT)/install" VCM_DRIVERS_ONLY=1 && \
	"$$@" modules && "$$@" INSTALL_MOD_PATH="$(abspath $(DESTDIR))" modules_install

install-tools: # vcmctl with page and completion, the header for programs
	@$(MAKE) -C tools O="$(abspath $(OUT))/tools" vcmctl
	install -D -m 755 "$(OUT)/tools/vcmctl" "$(DESTDIR)/usr/bin/vcmctl"
	tools/vcmctl/man.sh "$(OUT)/tools/vcmctl" >"$(OUT)/tools/vcmctl.1"
	install -D -m 644 "$(OUT)/tools/vcmctl.1" "$(DESTDIR)/usr/share/man/man1/vcmctl.1"
	install -D -m 644 tools/vcmctl/vcmctl.bash-completion "$(DESTDIR)/usr/share/bash-completion/completions/vcmctl"
	install -D -m 644 include/uapi/linux/dma-heap-vcm.h "$(DESTDIR)/usr/include/linux/dma-heap-vcm.h"

install-boot: # the group of the nodes, and loading at boot
	install -D -m 644 tools/boot/60-vcm.rules "$(DESTDIR)/usr/lib/udev/rules.d/60-vcm.rules"
	install -D -m 644 tools/boot/vcm.conf "$(DESTDIR)/usr/lib/modules-load.d/vcm.conf"

deb: ## Debian packages into out/deb: vcm-dkms, vcm-tools
	@scripts/deb.sh

test-deb: deb ## ... installed, used and removed in a guest with Debian (cold: 10 minutes)
	@scripts/deb.sh --test

deps: modules ## which file of the drivers needs which; there is to be no circle
	@scripts/deps.sh

check: ## checkpatch, kernel-doc, sparse, W=1, headers, shellcheck, documentation
	@scripts/check.sh

htmldocs: ## the documentation as HTML, into out/html
	@scripts/htmldocs.sh

pages: ## the figures and the picture in README and Documentation, from bench-count's table
	@scripts/pages.py

picture: modules tests ## the picture of a display in README, from a guest
	@scripts/vm.sh --iommu intel --device virtio-gpu-pci,blob=on,disable-legacy=on,iommu_platform=on \
		--module virtio-gpu --screen Documentation/figures/display.png \
		--file "$(OUT)/tests/vcm_display" -- vcm_display --run-subtest modeset

bench: modules ## measure the heap beside the other heaps: tables and pictures
	@scripts/bench.sh heap

# The worst that there is, rounded up. The tables in tools/vcm-bench guard the rest.
COUNT_LIMIT := 1.23
count_options = --limit $(COUNT_LIMIT) $(if $(LARGEST),--largest $(LARGEST)) $(if $(UPDATE),--update) $(if $(PROFILE),--profile $(PROFILE))

bench-count: modules ## count the instructions of each step: no ratio to system may grow
	@scripts/bench.sh count $(count_options)

bench-count-arm64: arm64 ## the same on arm64 behind SMMUv3, with devices coherent and not
	@scripts/bench.sh count --arch arm64 $(count_options)

bench-iova: modules ## measure placement and mapping against the DMA API alone
	@scripts/bench.sh iova

bench-space: modules ## measure address spaces: create, destroy, switch
	@scripts/bench.sh space

help: ## this list
	@sed -nE -e 's/^([a-z0-9-]+):[^#]*## (.*)/  \1\t\2/p' -e 's/^## ?(.*)/\1/p' \
		$(firstword $(MAKEFILE_LIST)) | expand -t 20

clean: ## remove what builds and runs produced
	rm -rf "$(OUT)"

distclean: ## the same, and the set-up kernel
	@scripts/distclean.sh
	@$(MAKE) --no-print-directory clean
