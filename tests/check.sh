#!/bin/bash
# Run by `make check`, with what it has built: unit tests of both trees, then the integration tests. Prints what failed and, last,
# "N passed, N failed"; ends with 1 where anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
unset PKCS11_MODULE_PATH OPENSSL_CONF QUORATE_BINDINGS SOFTHSM2_CONF
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=STDOUT
umask 022
passed=0
failed=0

# $1: program. Every test of it counts; one that dies counts as a failure of its own.
unit() {
    local out rc=0 good bad
    out=$("$1" 2>&1) || rc=$?
    good=$(grep -c '^\[       OK \]' <<<"$out")
    bad=$(grep -c '^\[  FAILED  \] [^0-9]' <<<"$out")
    # cmocka names each failed test twice: where it fails, and in the list at the end.
    bad=$((bad / 2))
    if [ "${CI:-}" = true ]; then
        bad=$((bad + $(grep -c '^\[  SKIPPED \] [^0-9]' <<<"$out") / 2))
    fi
    if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then
        bad=1
    fi
    if [ "$rc" = 0 ] && [ "$good" = 0 ]; then
        bad=1
        out+=$'\nno test ran'
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-44s %3d passed, %d failed\n' "$1" "$good" "$bad"
    [ "$bad" = 0 ] || printf '%s\n' "$out" | sed 's/^/    /'
}

# Every source has its program: one that was not built would be missed silently.
for source in tests/unit/test_*.c; do
    name=$(basename "$source" .c)
    for tree in build build/asan; do
        unit "$tree/tests/$name"
    done
done

# SoftHSM was not built with it: what two of its own calls do to each other is not looked at.
TSAN_OPTIONS=suppressions=$(pwd)/tests/tsan.supp${TSAN_OPTIONS:+ $TSAN_OPTIONS}
export TSAN_OPTIONS
for name in ${THREADS:?the tests that make threads builds}; do
    unit "build/tsan/tests/$name"
done

# What the fuzzer once tried, with the address sanitizer.
for corpus in tests/fuzz/corpus/*/; do
    target=$(basename "$corpus")
    if "build/asan/tests/fuzz_$target" "$corpus"*; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL an input of $corpus (run them one by one)"
    fi
done

while read -r verdict line; do
    case $verdict in
    ok) passed=$((passed + 1)) ;;
    FAIL) failed=$((failed + 1)) ;;
    esac
    printf '%s %s\n' "$verdict" "$line"
done < <(tests/sweep/some.sh
    tests/integration/run.sh || echo 'FAIL the integration tests did not run to their end'
    for tree in build build/asan build/tsan; do
        TREE=$tree tests/bypass/run.sh || echo "FAIL the bypass table of $tree did not run to its end"
        TREE=$tree tests/parity/run.sh || echo "FAIL the parity tests of $tree did not run to their end"
    done)

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
