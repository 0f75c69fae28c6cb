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
##   TESTS=<pattern> the suites that 'make test' runs (shell patterns, default: all)
KDIR ?=
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

# Sets up what is missing, then sets KDIR and the like in the shell of a recipe.
load_env = env=$$(scripts/setup.sh --print) && eval "$$env"

## Targets:
.DEFAULT_GOAL := modules
.PHONY: all modules setup tests demo test kunit check bench bench-iova bench-space \
	help clean distclean

all: modules ## the same as modules

modules: ## (default) build the modules into out/modules
	@$(load_env) && $(MAKE) -C "$$KDIR" M="$(CURDIR)" MO="$(OUT)/modules" modules

setup: ## install packages, download and prepare the kernel
	@scripts/setup.sh

tests: ## build the test programs into out/tests
	@$(load_env) && \
	$(MAKE) -C tools/vcmheap-test O="$(OUT)/tests" KSRC="$$KSRC" && \
	$(MAKE) -C tools/vcm-extent-test O="$(OUT)/tests" KSRC="$$KSRC"

# The demo and the benchmark are one program.
run_demo = $(load_env) && $(MAKE) -s -C tools/vcm-demo O="$(OUT)/demo" && \
	scripts/vm.sh --file "$(OUT)/demo/vcm-demo:/vcm-demo"

demo: modules ## set up everything and show the main job
	@$(run_demo) --file "$$KIMAGE:/kernel-image" -- vcm-demo /kernel-image

test: modules tests ## set up everything and run the tests in a guest
	@scripts/test.sh $(TESTS)

kunit: ## run the KUnit tests in user-mode Linux (cold: 9 minutes)
	@scripts/kunit.sh

check: ## checkpatch, kernel-doc, sparse, W=1, headers, shellcheck
	@scripts/check.sh

bench: modules ## measure cold allocations against the system heap
	@$(run_demo) -- vcm-demo --cold-alloc

bench-iova: modules tests ## measure placement and mapping against the DMA API alone
	@scripts/bench-iova.sh

bench-space: modules ## measure address spaces: create, destroy, switch
	@scripts/bench-space.sh

help: ## this list
	@sed -nE -e 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' -e 's/^## ?(.*)/\1/p' \
		$(firstword $(MAKEFILE_LIST)) | expand -t 20

clean: ## remove what builds and runs produced
	rm -rf "$(OUT)"

distclean: clean ## the same, and the set-up kernel
	rm -rf "$${VCM_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/vcm}"
