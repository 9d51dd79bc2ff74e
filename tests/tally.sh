#!/bin/bash
# Passes on what a run of tests says, and adds up its lines that begin with ok, FAIL or SKIPPED. Last: "N passed, N failed".
# Ends with 1 where anything failed, where nothing ran, and, where CI=true, for what was skipped.
set -uo pipefail
passed=0
failed=0
while IFS= read -r line; do
    case $line in
    'ok '*) passed=$((passed + 1)) ;;
    'FAIL '*) failed=$((failed + 1)) ;;
    SKIPPED*) [ "${CI:-}" != true ] || failed=$((failed + 1)) ;;
    esac
    printf '%s\n' "$line"
done
[ "$((passed + failed))" != 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
