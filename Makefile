# The only build file. One tree per variant, so that none needs a clean:
# build/ (what is shipped), build/asan, build/cov, build/tsan, build/crash (dies at a given step of the log, for tests).

VARIANT ?= plain
ifeq ($(origin CC),default)
CC := gcc
endif
PACKAGES := gcc make pkg-config libssl-dev libfyaml-dev libjansson-dev libp11-dev libp11-kit-dev \
            libcmocka-dev libcurl4-openssl-dev libmicrohttpd-dev softhsm2 opensc openssl gnutls-bin libengine-pkcs11-openssl \
            p11-kit p11-kit-modules openssh-client openssh-server iproute2 knot libnss3-tools python3 python3-pykcs11 expect
BENCH_PACKAGES := valgrind
FUZZ_PACKAGES := clang libclang-rt-14-dev
MODEL_PACKAGES := spin
INTEROP_PACKAGES := golang-go golang-golang-x-mod-dev xxd
LINT_PACKAGES := clang-tidy clang-format cppcheck shellcheck pyflakes3

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes \
            -Wvla -Wformat=2 -Werror
CFLAGS_plain := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan  := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tsan  := -O1 -g -fsanitize=thread
CFLAGS_cov   := -O0 -g --coverage -Wno-format-truncation
CFLAGS_fuzz  := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_crash := -O1 -g -DQUORATE_CRASH_TEST
B_plain := build
B_asan  := build/asan
B_tsan  := build/tsan
B_cov   := build/cov
B_crash := build/crash
B_fuzz  := build/fuzz
B       := $(B_$(VARIANT))

CPPFLAGS := -I. -D_GNU_SOURCE -I/usr/include/p11-kit-1
CFLAGS   := -std=c17 -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS_$(VARIANT))
LIBS        := -lfyaml -ljansson -lcrypto -lpthread -lm
MODULE_LIBS := $(LIBS) -ldl
TOOL_LIBS   := $(LIBS) -lp11 -lp11-kit -lcurl -lmicrohttpd -ldl
TEST_LIBS   := $(LIBS) -lcmocka -ldl

FOUNDATION := $(sort $(wildcard core/*.c policy/*.c audit/*.c estate/*.c))
MODULE     := $(sort $(wildcard module/*.c))
TOOL       := $(sort $(wildcard ceremony/*.c))
MOCK       := tests/mock-hsm.c $(sort $(wildcard tests/mock/*.c))
UNIT       := $(sort $(wildcard tests/unit/test_*.c))
object      = $(patsubst %.c,$(B)/obj/%.o,$(1))
TEST_HSMS  := $(addprefix $(B)/,mock-hsm.so shim-hsm.so lossy-hsm.so)
UNIT_BINS  := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT))

.PHONY: all bypass help deps lint-deps demo check check-ceremonies check-interop check-crash check-model unit threads fuzz coverage lint mediation bench bench-births bench-log bench-deps clean install
all: $(B)/quorate $(B)/quorate-pkcs11.so

unit: $(UNIT_BINS) $(B)/bypass $(if $(filter plain,$(VARIANT)),$(B)/tests/sweep)

# What the thread sanitizer looks at: the module over an HSM that is built with it too.
THREADS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_mock_*.c)) \
           $(addprefix test_module_,conventions errands failover failover_threads gates handles life lockless threads versions)
threads: $(addprefix $(B)/tests/,$(THREADS))

help:
	@echo 'make              build build/quorate and build/quorate-pkcs11.so'
	@echo 'make demo         install what is missing, build, and show a key being born under quorum (build/demo/)'
	@echo 'make check        install what is missing, build, and run every test, plain and sanitized'
	@echo 'make check-ceremonies   ceremonies at random and by script, both verifiers, 2,000 bytes flipped'
	@echo 'make check-interop  log and approvals by other programs: Go, openssl'
	@echo 'make check-crash  deaths at every call of whole operations, disks that fail, power that fails: nothing half done, nothing lost'
	@echo 'make check-model  the birth protocol, by spin: every state that deaths and lost messages reach'
	@echo 'make lint         clang-format, clang-tidy, cppcheck, shellcheck, pyflakes, sizes, and the arrows between folders'
	@echo 'make fuzz         a target of tests/fuzz, FUZZ=calls where none is named, for FUZZ_SECONDS (600)'
	@echo 'make coverage     lines of the parsers of what strangers send that unit tests and corpora reach'
	@echo 'make unit         build the unit tests alone'
	@echo 'make bypass       try every way round the module, here and across the boundary; print the table'
	@echo 'make bench        what the layer costs, against the bare HSM and two other layers'
	@echo 'make bench-births  the part of it that is about births to two replicas'
	@echo 'make bench-log    the part of it that is about the log: appends, verification, proofs (ENTRIES=10000000)'
	@echo 'make mediation    write docs/mediation.md anew, from the table of functions'
	@echo 'make deps         install the Debian packages that are missing; lint-deps: those of make lint'
	@echo 'make install      into $$(DESTDIR)$$(PREFIX)'
	@echo 'make clean        remove build/'
	@echo 'VARIANT=asan|tsan|cov|crash selects another tree: build/asan ...; CC=clang another compiler'

# Objects are kept, so that a test is compiled again only where it changed.
.SECONDARY:

# One short line a file; V=1 shows the commands.
tell = $(if $(V),,@echo '  $(1) $@' && )

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call tell,CC) $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A snapshot of a state is believed by the code that made it alone.
FOLD := $(sort $(wildcard audit/*.[ch]))
$(B)/obj/estate/snapshot.o: $(FOLD)
$(B)/obj/estate/snapshot.o: CPPFLAGS += -DFOLD_DIGEST='"$(shell cat $(FOLD) | sha256sum | cut -c 1-64)"'

$(B)/libquorate.a: $(call object,$(FOUNDATION))
	@rm -f $@
	$(call tell,AR) ar rcs $@ $^

$(B)/quorate: $(call object,$(TOOL)) $(B)/libquorate.a
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ $(TOOL_LIBS)

# nodelete: what a process keeps for its life (libcrypto's context, handlers of fork) must not outlive its code where an
# application loads the module more than once.
$(B)/quorate-pkcs11.so: $(call object,$(MODULE)) $(B)/libquorate.a module/exports.map
	$(call tell,LD) $(CC) $(CFLAGS) -shared -Wl,-z,defs,-z,nodelete -Wl,--version-script=module/exports.map -o $@ \
	    $(call object,$(MODULE)) $(B)/libquorate.a $(MODULE_LIBS)

# An HSM whose every answer a test decides (tests/mock-hsm.h).
# The thread sanitizer leaves it alone: it takes no lock where a test calls it as no HSM would let itself be called.
$(call object,$(MOCK)): CFLAGS := $(filter-out -fsanitize=thread,$(CFLAGS))
$(B)/mock-hsm.so: $(call object,$(MOCK))
	$(call tell,LD) $(CC) $(CFLAGS) -shared -o $@ $^ -lcrypto -lpthread

# SoftHSM as a module of another version shows it.
$(B)/shim-hsm.so: $(B)/obj/tests/shim-hsm.o
	$(call tell,LD) $(CC) $(CFLAGS) -shared -Wl,-z,defs -o $@ $^ -ldl

# SoftHSM over a link that a test cuts.
$(B)/lossy-hsm.so: $(B)/obj/tests/lossy-hsm.o
	$(call tell,LD) $(CC) $(CFLAGS) -shared -Wl,-z,defs -o $@ $^ -lpthread -ldl

# Ways round the module, tried by a program that knows PKCS#11 alone (tests/bypass/run.sh).
$(B)/bypass: $(call object,$(sort $(wildcard tests/bypass/*.c)))
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ -lpthread -ldl

# A unit test sees the foundation and the module's and the tool's inner parts (all but the tool's main). It is itself compiled
# without optimization: that takes a third of the time, and what it tests is as ever.
$(B)/libinner.a: $(call object,$(MODULE)) $(filter-out $(B)/obj/ceremony/main.o,$(call object,$(TOOL)))
	@rm -f $@
	$(call tell,AR) ar rcs $@ $^

$(call object,$(UNIT)): CFLAGS := $(filter-out -O% -D_FORTIFY_SOURCE=2,$(CFLAGS)) -O0 -Wno-format-truncation
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(B)/libinner.a $(B)/libquorate.a | $(TEST_HSMS)
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ $(TEST_LIBS) -lp11 -lp11-kit -lcurl -lmicrohttpd

# One a file of tests/fuzz, each with a corpus of its name.
FUZZ_TARGETS := $(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))

# Fuzz targets: with clang and its fuzzer (make fuzz), or with any compiler to replay the corpus.
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),,$(B)/obj/tests/fuzz/replay.o)
$(B)/tests/fuzz_%: $(B)/obj/tests/fuzz/%.o $(FUZZ_MAIN) $(B)/libinner.a $(B)/libquorate.a $(B)/mock-hsm.so
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $(filter-out %.so,$^) $(TEST_LIBS) -lp11 -lp11-kit -lcurl -lmicrohttpd

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# docs/mediation.md, from the table of functions.
mediation: $(B)/tests/test_module_mediation
	$(B)/tests/test_module_mediation write

# What the layer costs, against the bare HSM, p11-kit's proxy and OpenSC's spy.
$(B)/tests/bench: $(B)/obj/tests/bench/bench.o
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ -lpthread -ldl

$(B)/tests/bench-lease: $(B)/obj/tests/bench/lease.o $(call object,$(MODULE)) $(B)/libquorate.a $(B)/mock-hsm.so
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $(filter-out %.so,$^) $(TEST_LIBS)

# Births, through the module's inner parts.
$(B)/tests/bench-births: $(B)/obj/tests/bench/births.o $(call object,$(MODULE)) $(B)/libquorate.a $(B)/mock-hsm.so
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $(filter-out %.so,$^) $(TEST_LIBS)

$(B)/tests/bench-log: $(B)/obj/tests/bench/log.o $(B)/libquorate.a
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/appender: $(B)/obj/tests/sweep/appender.o $(B)/libquorate.a
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) -o $@ $^ $(LIBS)

# Whole operations, ended at each call to disk and HSM (tests/sweep/sweep.h). What changes the disk is led through its I/O layer.
SWEEP      := $(filter-out tests/sweep/hsm%.c tests/sweep/appender.c,$(sort $(wildcard tests/sweep/*.c)))
DISK_CALLS := open openat write pwrite ftruncate fsync fdatasync syncfs renameat renameat2 linkat unlink unlinkat rmdir mkdir
$(B)/tests/sweep: $(call object,$(SWEEP)) $(B)/libinner.a $(B)/libquorate.a | $(B)/sweep-hsm.so
	@mkdir -p $(@D)
	$(call tell,LD) $(CC) $(CFLAGS) $(DISK_CALLS:%=-Wl,--wrap=%) -o $@ $^ $(TEST_LIBS) -lp11 -lp11-kit -lcurl -lmicrohttpd

$(B)/sweep-hsm.so: $(call object,$(sort $(wildcard tests/sweep/hsm*.c)))
	$(call tell,LD) $(CC) $(CFLAGS) -shared -Wl,-z,defs -o $@ $^ -ldl

# Every call of an append to the operating system fails once; longer than what make check should take.
check-crash: deps
	$(call install_missing,strace)
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all build/tests/appender build/tests/sweep
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=crash all
	@{ tests/sweep/some.sh all; tests/sweep/run.sh; tests/integration/run.sh tests/integration/test_crash.sh; } | tests/tally.sh

# The birth protocol in every state that deaths and lost messages reach.
check-model:
	$(call install_missing,gcc $(MODEL_PACKAGES))
	@tests/model/run.sh | tests/tally.sh

bypass: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all unit
	@tests/bypass/run.sh
	@sed -n '/^  way round/,$$p' build/ways-round/in-process.log

bench: bench-deps bench-log bench-births
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all build/mock-hsm.so build/tests/bench build/tests/bench-lease
	@tests/bench/run.sh

# On a disk, as an estate is.
bench-births: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain build/tests/bench-births
	@TMPDIR=$${TMPDIR:-/tmp} build/tests/bench-births softhsm 15
	@TMPDIR=$${TMPDIR:-/tmp} build/tests/bench-births mock 3 50

bench-log: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain build/tests/bench-log
	@tests/bench/log.sh

# Asks apt for nothing where nothing is missing.
define install_missing
@missing=; for p in $(1); do \
    dpkg-query -W -f='$${db:Status-Status}\n' "$$p" 2>/dev/null | grep -qx installed || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then \
    echo "Installing$$missing"; \
    sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
    $$sudo apt-get update -q && \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; fi
endef

deps:
	$(call install_missing,$(PACKAGES))

bench-deps:
	$(call install_missing,$(PACKAGES) $(BENCH_PACKAGES))

lint-deps:
	$(call install_missing,$(PACKAGES) $(LINT_PACKAGES))

JOBS := $(shell nproc 2>/dev/null || echo 2)

# In a make of its own, so that the headers that deps installs are there before anything is compiled.
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all
	@demo/run.sh

check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all unit
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=asan all unit $(FUZZ_TARGETS:%=build/asan/tests/fuzz_%)
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=tsan all threads build/tsan/bypass
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=crash all
	@THREADS='$(THREADS)' tests/check.sh

# The ceremonies' tests alone, with more flipped bytes and random policies than `make check` has.
check-ceremonies: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all
	@FLIPS=2000 EVERY=every VERDICTS=2000 VALID=1000 tests/integration/run.sh $(sort $(wildcard tests/integration/test_ceremony*.sh $(foreach t,rehearsal transcript trail withhold,tests/integration/test_$(t).sh))) | tests/tally.sh

# One target for FUZZ_SECONDS. What is found lies in build/fuzz; it belongs into tests/fuzz/corpus/TARGET.
FUZZ_SECONDS ?= 600
FUZZ ?= calls
fuzz: deps
	$(call install_missing,$(FUZZ_PACKAGES))
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang VARIANT=fuzz build/fuzz/tests/fuzz_$(FUZZ)
	@mkdir -p build/fuzz/corpus/$(FUZZ)
	build/fuzz/tests/fuzz_$(FUZZ) -max_total_time=$(FUZZ_SECONDS) -max_len=2000 -len_control=0 \
	    -artifact_prefix=build/fuzz/ build/fuzz/corpus/$(FUZZ) tests/fuzz/corpus/$(FUZZ)

# The log and the approvals by other people's programs alone.
check-interop: deps
	$(call install_missing,$(INTEROP_PACKAGES))
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=plain all build/tests/bench-log
	@tests/interop/run.sh

# Of what reads documents that strangers may have made.
PARSERS := audit/entry.c audit/note.c audit/checkpoint.c audit/proof.c audit/tiles.c audit/receipt.c audit/offer.c \
           audit/tree.c audit/lines.c policy/signature.c core/json.c core/encode.c ceremony/verify_files.c \
           ceremony/verify_requests.c
coverage: deps
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=cov unit $(FUZZ_TARGETS:%=build/cov/tests/fuzz_%)
	@tests/coverage.sh $(PARSERS)

lint: lint-deps
	@tests/lint/run.sh '$(CPPFLAGS)'

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
install: all
	install -D -m 755 $(B)/quorate $(DESTDIR)$(PREFIX)/bin/quorate
	install -D -m 644 $(B)/quorate-pkcs11.so $(DESTDIR)$(LIBDIR)/pkcs11/quorate-pkcs11.so
	for page in $(wildcard docs/man/*.[1-8]); do \
	    install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done

clean:
	rm -rf build
