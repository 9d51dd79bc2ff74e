#!/bin/bash
# Keys that leave an HSM under trusted keys only: born, and wrapped by nobody.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

# An estate whose policy has such a rule, and where the primary's security officer can be asked.
trusting() {
    D=$D/trusting
    estate_copy "$WORK/bare"
    policy_travelling \
        '  - {id: how it ends, when: {operation: destroy, token: root, label: "^tw-"}, require: {quorum: {of: authority, at-least: 2}}}
  - {id: all else with it, when: {operation: [use, wrap, copy, modify, import, derive], token: root}, allow: true}'
}

# Objects of ours on the primary, as anybody sees them.
trusted_there() {
    count_listed quorate:trusted pkcs11-tool --module "$SOFTHSM" --token-label root-slough
}

case_born_and_wrapped_by_nobody() {
    trusting
    prepare_ready
    [ "$(trusted_there)" = 3 ] || fail 'the trusted keys are not there'
    must "$Q" inventory
    must p11 --list-objects
    ! grep -q quorate: <<<"$OUT" || fail 'an application sees them'
    born EC:prime256v1 tw-1 --id 0a0b
    [ "$(count_on_hsms tw-1 privkey)" = '1 1 1' ] || fail 'not at every site'
    must "$Q" log show --json --type request
    says '"operation":"generate"'
    one_key tw-1
    must "$Q" inventory
    must "$Q" drill
    gcc -Wall -Wextra -Werror -I/usr/include/p11-kit-1 -o "$D/wrap_probe" tests/integration/wrap_probe.c -ldl
    # Not by the module, though the rules allow all of it, ...
    must client "$D/wrap_probe" "$MODULE" root "$(pin slough)" tw-1
    says 'the key: CKR_KEY_NOT_WRAPPABLE' 'born trusted: CKR_TEMPLATE_INCONSISTENT' 'made trusted: CKR_TEMPLATE_INCONSISTENT' \
        'the trusted key: not there'
    ! grep -q CKR_OK <<<"$OUT" || fail 'something went through'
    must "$Q" log show --type refused
    says 'leaves its HSM for replica sites only'
    # ... nor past it by whoever has the PIN: the HSM refuses all but the keys of its security officer.
    must "$D/wrap_probe" "$SOFTHSM" root-slough "$(pin slough)" tw-1
    says 'the key: CKR_KEY_NOT_WRAPPABLE' 'born trusted: CKR_ATTRIBUTE_READ_ONLY' 'made trusted: CKR_ATTRIBUTE_READ_ONLY' \
        'the trusted key: CKR_KEY_NOT_WRAPPABLE' 'told to decrypt: CKR_ACTION_PROHIBITED' \
        'that decrypts: CKR_ACTION_PROHIBITED' 'its value: CKR_ATTRIBUTE_SENSITIVE'
    ! grep -q CKR_OK <<<"$OUT" || fail 'something went through'
}

# What the security officer has not made, or what is not made by one, stops a birth before there is a key.
case_not_without_the_security_officer() {
    trusting
    cp "$D/bindings.yaml" "$D/bindings.officer"
    cp "$D/bindings.yaml.plain" "$D/bindings.yaml"
    prepare_ready
    [ "$(trusted_there)" = 0 ] || fail 'trusted keys from nobody'
    asks generate EC:prime256v1 tw-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 tw-1
    must "$Q" log show --type refused
    says 'no trusted wrapping key is there' 'so-pin'
    [ "$(count_on_hsms tw-1 privkey)" = '0 0 0' ] || fail 'a key was made'
    # A wrong PIN is tried once, and changes nothing.
    cp "$D/bindings.officer" "$D/bindings.yaml"
    (umask 077; echo 87654321 >"$D/pins/officer")
    must "$Q" settle
    says 'refuses the PIN'
    echo 12345678 >"$D/pins/officer"
    must "$Q" settle
    says 'its trusted keys were made'
    must "$Q" settle
    says 'Nothing was left'
    must generate EC:prime256v1 tw-1
    # One of them lost: the next settlement makes it again.
    must pkcs11-tool --module "$SOFTHSM" --token-label root-slough --login --pin "$(pin slough)" --delete-object \
        --type pubkey --label quorate:trusted-transport
    asks generate EC:prime256v1 tw-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:prime256v1 tw-2
    must "$Q" settle
    must generate EC:prime256v1 tw-2
    must "$Q" inventory
    # Who retires is trusted no more.
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" retire root glasgow
    [ "$(trusted_there)" = 2 ] || fail 'the retired site is trusted still'
    must "$Q" inventory
}

# Enrolled after the others.
glasgow_comes() {
    asks "$Q" enrol glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" enrol glasgow
}

# A key that was born while two sites were enrolled comes to a third.
case_brought_to_a_new_site() {
    trusting
    SITES='slough cardiff' prepare_ready
    asks generate EC:prime256v1 tw-1 --id 0a0b
    local birth=$ID
    approve "$birth" custodian-1 custodian-2 custodian-3
    must generate EC:prime256v1 tw-1 --id 0a0b
    asks p11 --keygen --key-type aes:32 --label tw-2 --sensitive --private --extractable --usage-decrypt
    approve "$ID" custodian-1 custodian-2 custodian-3
    must p11 --keygen --key-type aes:32 --label tw-2 --sensitive --private --extractable --usage-decrypt
    ends 1 "$Q" replicate root tw-1 glasgow
    says 'not enrolled'
    glasgow_comes
    [ "$(count_on_hsms tw-1 privkey)" = '1 1 0' ] || fail 'it is there already'
    ends 2 "$Q" replicate root nobody glasgow
    says 'no living key "nobody"'
    ends 2 "$Q" replicate root tw-1 leeds
    says 'no replica site'
    ends 2 "$Q" replicate root tw-1
    must "$Q" replicate root tw-1 cardiff
    says 'held already'
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1
    ends 1 "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-2
    # Nothing goes out where the trusted keys are gone and nobody can make them.
    cp "$D/bindings.yaml" "$D/bindings.officer"
    cp "$D/bindings.yaml.plain" "$D/bindings.yaml"
    must pkcs11-tool --module "$SOFTHSM" --token-label root-slough --login --pin "$(pin slough)" --delete-object \
        --type secrkey --label quorate:trusted-wrapping
    ends 1 "$Q" replicate root tw-1 glasgow
    says 'no trusted wrapping key is there'
    cp "$D/bindings.officer" "$D/bindings.yaml"
    must "$Q" replicate root tw-1 glasgow
    says 'tw-1 of root at glasgow: replicated'
    [ "$(count_on_hsms tw-1 privkey)" = '1 1 1' ] || fail 'not at the new site'
    [ "$(count_on_hsms tw-1 pubkey)" = '1 1 1' ] || fail 'no public half at the new site'
    one_key tw-1
    must "$Q" replicate root tw-1 glasgow --json
    says '"status":"held"'
    must "$Q" inventory
    must "$Q" drill root glasgow
    says 'root at glasgow: proven'
    # It counts there: the others may go.
    asks "$Q" retire root cardiff
    approve "$ID" authority-1 authority-2
    must "$Q" retire root cardiff
    [ "$(count_on_hsms tw-1 privkey)" = '1 0 1' ] || fail 'not as it should be'
    # So does a secret key, on the site's word.
    asks "$Q" replicate root tw-2 glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" replicate root tw-2 glasgow
    must "$Q" inventory
    must "$Q" drill
    # And where such a key ends it ends there too, and the log says where.
    local class
    for class in 'privkey tw-1' 'secrkey tw-2'; do
        asks p11 --delete-object --type "${class% *}" --label "${class#* }"
        approve "$ID" authority-1 authority-2
        must p11 --delete-object --type "${class% *}" --label "${class#* }"
        [ "$(count_on_hsms "${class#* }" "${class% *}")" = '0 0 0' ] || fail 'not destroyed everywhere'
        must "$Q" log show --json --type destroyed
        says "\"label\":\"${class#* }\"" '"sites":["slough","glasgow"]'
    done
    must "$Q" inventory
    must "$Q" settle
    says 'Nothing was left'
    recorded replications
}

# Killed at each durable step: the key is there and in the log, or nowhere; what is asked again goes through.
case_killed_while_it_travels() {
    trusting
    SITES='slough cardiff' prepare_ready
    born EC:prime256v1 tw-1 --id 0a0b
    glasgow_comes
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1 authority-2
    local step rc=137 finished=0
    for step in $(seq 1 3 200); do
        cp -a "$D" "$D.before"
        rc=0
        QUORATE_CRASH_AT=$step "$Q" replicate root tw-1 glasgow --module build/crash/quorate-pkcs11.so >"$D.step" 2>&1 || rc=$?
        [ "$rc" != 0 ] || break
        [ "$rc" = 137 ] || fail "step $step: ended with $rc instead of being killed: $(cat "$D.step")"
        must "$Q" settle
        must "$Q" inventory
        case $(count_on_hsms tw-1 privkey) in
        '1 1 0') ;; # rolled back: the same approvals hold
        '1 1 1')
            finished=$((finished + 1))
            must "$Q" replicate root tw-1 glasgow
            says 'held already'
            rm -rf "$D"
            mv "$D.before" "$D"
            ;;
        *) fail "step $step: private keys at the sites: $(count_on_hsms tw-1 privkey)" ;;
        esac
        rm -rf "$D.before"
    done
    rm -rf "$D.before" "$D.step"
    [ "$rc" = 0 ] || fail "it never came to its end"
    [ "$step" -gt 20 ] && [ "$finished" -gt 0 ] || fail "$step steps, $finished finished: was it killed at all?"
    [ "$(count_on_hsms tw-1 privkey)" = '1 1 1' ] || fail 'not at the new site in the end'
    must "$Q" log check
}

cases
