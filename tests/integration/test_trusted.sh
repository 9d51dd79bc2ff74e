#!/bin/bash
# Keys that leave an HSM under trusted keys only: born, and wrapped by nobody.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# An estate whose policy has such a rule, and where the primary's security officer can be asked.
trusting() {
    D=$D/trusting
    estate_copy "$WORK/bare"
    RULES='  - id: birth of a key that may travel
    when: {operation: generate, token: root, label: "^tw-"}
    require:
      quorum: {of: key-custodian, at-least: 3, organisations: 2}
      replicas: {at-least: 1, prove: signature}
      extractable: trusted-wrap-only
      transport: {allow: [oaep-sha1]}
  - {id: all else with it, when: {operation: [use, wrap, copy, modify, import, derive], token: root}, allow: true}' awk '
        /^  - id: birth of an application key pair$/ { print ENVIRON["RULES"] } { print }' "$D/policy.yaml" >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
    (umask 077; echo 12345678 >"$D/pins/officer")
    sed -i.plain '/slough:/s/}$/, so-pin: "file:pins\/officer"}/' "$D/bindings.yaml"
}

# Objects of ours on the primary, as anybody sees them.
trusted_there() {
    pkcs11-tool --module "$SOFTHSM" --token-label root-slough --list-objects 2>/dev/null | grep -c 'quorate:trusted' || true
}

case_born_and_wrapped_by_nobody() {
    trusting
    prepare_ready
    [ "$(trusted_there)" = 3 ] || fail 'the trusted keys are not there'
    must "$Q" inventory
    ! p11 --list-objects 2>/dev/null | grep -q quorate: || fail 'an application sees them'
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

cases
