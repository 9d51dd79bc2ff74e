#!/bin/bash
# kill -9 at each durable step of a birth, then `quorate settle`: the key is on all three HSMs or on none, the log holds,
# and the birth can be repeated or the key used.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
MODULE=$PWD/build/crash/quorate-pkcs11.so # dies at the step that QUORATE_CRASH_AT names

# After a crash at step $1, with the estate in $D.
settled() {
    local found
    must "$Q" settle
    must "$Q" log check
    found=$(count_on_hsms app-1 privkey)
    case $found in
    '0 0 0')
        # Nothing half made is left either.
        [ "$(objects)" = "$WITHOUT" ] || fail "step $1: rolled back, but not to what was there before"
        must generate EC:secp384r1 app-1
        ;;
    '1 1 1')
        must p11 --list-objects --type privkey
        says app-1
        ;;
    *) fail "step $1: private keys at the sites: $found" ;;
    esac
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail "step $1: not on three HSMs in the end"
    one_key app-1
    must "$Q" log check
}

# How many keys there are at each site. Sites are at work side by side: one may be making an object when the process dies, and
# SoftHSM then leaves its file with defaults alone, without the CKA_ID and the value that every key of ours has.
objects() {
    local site
    for site in $SITES; do
        count_listed '^ *ID:' direct "$site"
    done
}

case_at_every_step_of_a_birth() {
    local step rc approved=$D/approved
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    WITHOUT=$(objects)
    mkdir "$approved"
    cp -a "$D"/{bindings.yaml,policy.yaml,pins,people,tokens,estate} "$approved"
    for step in $(seq 1 200); do
        rc=0
        QUORATE_CRASH_AT=$step generate EC:secp384r1 app-1 >"$D.step" 2>&1 || rc=$?
        [ "$rc" != 0 ] || break
        [ "$rc" = 137 ] || fail "step $step: ended with $rc instead of being killed: $(cat "$D.step")"
        settled "$step"
        rm -rf "$D"/{pins,people,tokens,estate}
        cp -a "$approved"/. "$D"
    done
    rm -f "$D.step"
    [ "$rc" = 0 ] || fail "no birth came to its end in $step steps"
    [ "$step" -gt 10 ] || fail "the birth had only $step steps: was it killed at all?"
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'the last birth is not on three HSMs'
    must "$Q" log check
}

# A signature that people approved is in the log before it is anywhere else: a ceremony that dies before it has the certificate
# goes on with it, and nobody approves twice. Both verifiers count one use of the key.
case_before_a_ceremony_has_its_certificate() {
    local rc=0 module=$MODULE
    D=$D/signing
    estate_copy "$WORK/bare"
    policy_first '  - id: use in the room
    when: {operation: use, token: root, label: "^app-"}
    require: {ceremony: [signing], quorum: {of: key-custodian, at-least: 2}}'
    prepare_ready
    MODULE=$PWD/build/quorate-pkcs11.so born EC:prime256v1 app-1
    cp -r ceremonies/profiles "$D/profiles"
    short_ceremony signing '{}' 'Issue, do: issue-certificate, with: {token: root, label: app-1, profile: root-oca}'
    opening_approved "$D/short.yaml"
    ends 1 short_holds
    says 'step 1.2 is not approved'
    approve "$(estate_newest)" custodian-1 custodian-2
    # The first that the module shows is the intent.
    QUORATE_CRASH_AT=checkpoint-shown:2 "$Q" run "$D/short.yaml" --answers "$D/ceremony.answers.yaml" --module "$module" >"$D.step" 2>&1 ||
        rc=$?
    [ "$rc" = 137 ] || fail "ended with $rc instead of being killed: $(cat "$D.step")"
    rm -f "$D.step"
    [ "$(tail -n 1 "$D/estate/log/entries" | grep -c '"type":"used"')" = 1 ] || fail 'killed elsewhere'
    must short_holds
    [ "$(grep -c '"type":"used"' "$D/estate/log/entries")" = 1 ] || fail 'used twice'
    must "$Q" log check
    transcript_holds signing-1
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds uses,recalled
    printf '%s\n' "$OUT"
}

cases
