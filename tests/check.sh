#!/bin/bash
# Run by `make check`, with what it has built: unit tests of all trees, sweeps, integration tests. Prints what failed and, last,
# "N passed, N failed"; ends with 1 where anything failed. As many at once as there are processors; what takes longest first.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
unset PKCS11_MODULE_PATH OPENSSL_CONF QUORATE_BINDINGS SOFTHSM2_CONF
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=STDOUT
# SoftHSM was not built with it: what two of its own calls do to each other is not looked at.
TSAN_OPTIONS=suppressions=$(pwd)/tests/tsan.supp${TSAN_OPTIONS:+ $TSAN_OPTIONS}
export TSAN_OPTIONS
umask 022
passed=0
failed=0
said=$(mktemp -d)
export said
trap 'rm -rf "$said"' EXIT

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
    printf 'unit %s %d passed, %d failed\n' "$1" "$good" "$bad"
    [ "$bad" = 0 ] || printf '%s\n' "$out" | sed 's/^/    /'
}

# $1: what the fuzzer once tried; with the address sanitizer.
corpus() {
    if "build/asan/tests/fuzz_$(basename "$1")" "$1"*; then
        echo "ok   inputs of $1"
    else
        echo "FAIL an input of $1 (run them one by one)"
    fi
}

# $1: tree.
bypass() {
    TREE=$1 tests/bypass/run.sh || echo "FAIL the bypass table of $1 did not run to its end"
}
parity() {
    TREE=$1 tests/parity/run.sh || echo "FAIL the parity tests of $1 did not run to their end"
}

# $1: one of these functions, $2: its argument. What it says comes out in one piece.
job() {
    local file=$said/$1-${2//\//-}
    "$1" "$2" >"$file" 2>&1 </dev/null || echo "FAIL $1 $2 ended with $?" >>"$file"
    flock "$said" cat "$file"
}
export -f unit corpus bypass parity job

# Those of the tests that take longest, of one tree.
slow='mock_births|depth_faults|depth_between|depth_crash|depth_birth|depth_far|depth_far_hostile|module_init_token|module_failover|module_failover_threads'

# Every source has its program: one that was not built would be missed silently.
jobs() {
    local source name tree
    {
        for tree in build build/asan; do
            for source in tests/unit/test_*.c; do
                echo "unit $tree/tests/$(basename "$source" .c)"
            done
        done
        for name in ${THREADS:?the tests that make threads builds}; do
            echo "unit build/tsan/tests/$name"
        done
    } >"$said/units"
    grep test_mock_births "$said/units"
    printf 'bypass %s\n' build/tsan build/asan build
    printf 'parity %s\n' build/tsan build/asan build
    grep -E "test_($slow)\$" "$said/units" | grep -v test_mock_births
    printf 'corpus %s\n' tests/fuzz/corpus/*/
    grep -vE "test_($slow)\$" "$said/units"
}

run() {
    # One more than there are processors, since many wait for disks and for time limits.
    jobs | xargs -P $(($(nproc) + 1)) -L 1 bash -c 'job "$@"' job || echo 'FAIL not every test was run'
    tests/sweep/some.sh
    tests/integration/run.sh || [ $? = 1 ] || echo 'FAIL the integration tests did not run to their end'
}

while IFS= read -r line; do
    if [[ $line =~ ^unit\ (.*)\ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[2]))
        failed=$((failed + BASH_REMATCH[3]))
        printf '%-44s %3d passed, %d failed\n' "${BASH_REMATCH[@]:1}"
        continue
    fi
    case $line in
    'ok '*) passed=$((passed + 1)) ;;
    'FAIL '*) failed=$((failed + 1)) ;;
    esac
    printf '%s\n' "$line"
done < <(run)

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
