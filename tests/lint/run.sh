#!/bin/bash
# make lint. $1: the preprocessor's flags. Prints each check as "ok NAME" or "FAIL NAME" with what it found and, last,
# "N passed, N failed"; ends with 1 where anything failed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
flags=${1:?the preprocessor flags, as the Makefile has them}
passed=0
failed=0
mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.c')
mapfile -t headers < <(git ls-files --cached --others --exclude-standard '*.h')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
mapfile -t pythons < <(git ls-files --cached --others --exclude-standard '*.py')

# $1: name; then the command. Silent where all is well.
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        printf 'FAIL %s\n%s\n' "$name" "$out"
        failed=$((failed + 1))
    fi
}

# analyser.h says what fault.c does; fault.c itself defines it.
tidy() {
    # The flags are words.
    # shellcheck disable=SC2086
    printf '%s\n' "${sources[@]}" | grep -vx core/fault.c |
        xargs -P "$(nproc)" -I @ clang-tidy --quiet @ -- -std=c17 $flags -include tests/lint/analyser.h &&
        clang-tidy --quiet core/fault.c -- -std=c17 $flags
}

# With what each script takes in (-x), so that a name that nobody sets is seen. A warning counts, a matter of style does not.
shells() {
    printf '%s\n' "${scripts[@]}" | xargs -P "$(nproc)" -n 8 shellcheck --external-sources --severity=warning --format=gcc
}

check clang-format clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}"
check clang-tidy tidy
check cppcheck cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --library=tests/lint/cppcheck.cfg -j "$(nproc)" -I. -D_GNU_SOURCE "${sources[@]}"
check 'arrows between folders' tests/lint/arrows.sh "${sources[@]}" "${headers[@]}"
check 'the map of the files' tests/lint/map.sh
check 'sizes of functions and files' tests/lint/sizes.sh "${sources[@]}" "${headers[@]}"
check 'shell scripts' shells
check 'python programs' pyflakes3 "${pythons[@]}"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
