#!/bin/bash
# make coverage: runs unit tests and corpora of the tree build/cov, and prints for each of the files named how many of its
# lines were reached. Ends with 1 where a file stays under 90 %.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
find build/cov -name '*.gcda' -delete
for test in build/cov/tests/test_* build/cov/tests/fuzz_*; do
    name=${test##*/fuzz_}
    if [[ $test == *.d || ! -x $test ]]; then
        continue
    elif [ "$name" != "$test" ]; then
        "$test" tests/fuzz/corpus/"$name"/* >/dev/null 2>&1 || echo "$test failed"
    else
        "$test" >/dev/null 2>&1 || echo "$test failed"
    fi
done
low=0
for file in "$@"; do
    percent=$(gcov -n -o "build/cov/obj/${file%.c}.o" "$file" 2>/dev/null |
        awk -v file="$file" '$0 == "File \047" file "\047" { here = 1; next } here && /^Lines executed:/ { sub(/^Lines executed:/, ""); sub(/%.*/, ""); print; exit }')
    printf '%-28s %6s %% of its lines\n' "$file" "${percent:-0}"
    awk -v p="${percent:-0}" 'BEGIN { exit p < 90 }' || low=1
done
exit "$low"
