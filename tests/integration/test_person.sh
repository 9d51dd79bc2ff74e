#!/bin/bash
# PINs that a person types at the terminal of quorate.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
FROM=bare

# $1: what is typed; then the command. What the terminal showed is in OUT; ends as the command does.
typed() {
    local rc=0
    OUT=$(expect -f tests/integration/pin.exp "$@" 2>&1) || rc=$?
    return $rc
}

case_a_pin_is_typed() {
    sed -i 's!\(cardiff: .*\)pin: "file:[^"]*"!\1pin: prompt!' "$D/bindings.yaml"
    grep -q 'pin: prompt' "$D/bindings.yaml" || fail 'no prompt'
    must "$Q" init --environment test
    policy_adopted
    # Nobody to ask: it says whose PIN is missing, and nothing was tried.
    ends 1 setsid "$Q" enrol cardiff
    says 'root at cardiff: its PIN is asked for on the terminal'
    typed 99999999 "$Q" enrol cardiff && fail 'a wrong PIN was taken'
    says 'PIN of root at cardiff (HSM' 'it is not tried again'
    ! grep -q 99999999 <<<"$OUT" || fail 'the PIN was shown'
    [ "$(grep -o 'PIN of root' <<<"$OUT" | wc -l)" = 1 ] || fail 'asked more than once'
    typed "$(pin cardiff)" "$Q" enrol cardiff && fail 'enrolled without people'
    approve "$(estate_newest)" authority-1 authority-2
    typed "$(pin cardiff)" "$Q" enrol cardiff || fail "not enrolled"
    ! grep -q "$(pin cardiff)" <<<"$OUT" || fail 'the PIN was shown'
}

cases
