# The only build file. One tree per variant, so that none needs a clean:
# build/ (what is shipped), build/asan, build/cov, build/tsan.

VARIANT ?= plain
CC      ?= gcc
PACKAGES := gcc make pkg-config libssl-dev libfyaml-dev libjansson-dev libp11-dev libp11-kit-dev \
            libcmocka-dev softhsm2 opensc openssl gnutls-bin libengine-pkcs11-openssl p11-kit p11-kit-modules
LINT_PACKAGES := clang-tidy clang-format cppcheck

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes \
            -Wvla -Wformat=2 -Werror
CFLAGS_plain := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan  := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tsan  := -O1 -g -fsanitize=thread
CFLAGS_cov   := -O0 -g --coverage
B_plain := build
B_asan  := build/asan
B_tsan  := build/tsan
B_cov   := build/cov
B       := $(B_$(VARIANT))

CPPFLAGS := -I. -D_GNU_SOURCE -I/usr/include/p11-kit-1
CFLAGS   := -std=c17 -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS_$(VARIANT))
LIBS        := -lfyaml -ljansson -lcrypto -lpthread -lm
MODULE_LIBS := $(LIBS) -ldl
TOOL_LIBS   := $(LIBS) -lp11 -ldl
TEST_LIBS   := $(LIBS) -lcmocka -ldl

FOUNDATION := $(sort $(wildcard core/*.c policy/*.c audit/*.c estate/*.c))
MODULE     := $(sort $(wildcard module/*.c))
TOOL       := $(sort $(wildcard ceremony/*.c))
UNIT       := $(sort $(wildcard tests/unit/test_*.c))
object      = $(patsubst %.c,$(B)/obj/%.o,$(1))
UNIT_BINS  := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT))

.PHONY: all help deps lint-deps demo check check-unit check-variant lint clean install
all: $(B)/quorate $(B)/quorate-pkcs11.so

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libquorate.a: $(call object,$(FOUNDATION))
	@rm -f $@
	ar rcs $@ $^

$(B)/quorate: $(call object,$(TOOL)) $(B)/libquorate.a
	$(CC) $(CFLAGS) -o $@ $^ $(TOOL_LIBS)

$(B)/quorate-pkcs11.so: $(call object,$(MODULE)) $(B)/libquorate.a module/exports.map
	$(CC) $(CFLAGS) -shared -Wl,-z,defs -Wl,--version-script=module/exports.map -o $@ \
	    $(call object,$(MODULE)) $(B)/libquorate.a $(MODULE_LIBS)

# A unit test sees the foundation and the module's and the tool's inner parts (all but the tool's main).
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(call object,$(MODULE)) $(filter-out $(B)/obj/ceremony/main.o,$(call object,$(TOOL))) $(B)/libquorate.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(TEST_LIBS) -lp11

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
