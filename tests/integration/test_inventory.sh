#!/bin/bash
# What lies on the HSMs against what the log says, both ways.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

case_all_as_the_log_says() {
    born EC:secp384r1 app-1
    must "$Q" inventory
    says 'root at slough: looked-at' 'root at cardiff' 'root at glasgow' 'Everything is as the log says'
    matches 'own +private-key +quorate:identity'
    [ "$(grep -cE 'key +private-key +app-1' <<<"$OUT")" = 3 ] || fail 'not three replicas'
    must "$Q" inventory root --json
    says '"differences":0'
    ends 2 "$Q" inventory leaf
    says 'no token "leaf"'
}

case_a_replica_is_gone() {
    born EC:secp384r1 app-1
    must direct glasgow --delete-object --type privkey --label app-1
    ends 1 "$Q" inventory
    matches 'missing +private-key +app-1'
    says '1 thing is not'
}

# The public half is part of a birth: who verifies with the replica needs it.
case_a_public_half_is_gone() {
    born EC:secp384r1 app-1
    must direct glasgow --delete-object --type pubkey --label app-1
    ends 1 "$Q" inventory
    matches 'missing +public-key +app-1'
    says '1 thing is not'
}

# Who looks for the public half by its CKA_ID finds another key's.
case_a_public_half_is_exchanged() {
    born EC:secp384r1 app-1 --id 6162
    must direct glasgow --delete-object --type pubkey --label app-1
    must direct glasgow --keypairgen --key-type EC:secp384r1 --label app-1 --id 6162
    must direct glasgow --delete-object --type privkey --label app-1
    ends 1 "$Q" inventory
    matches 'unknown +public-key +app-1 +6162'
    matches 'missing +public-key +app-1 +6162'
}

case_a_key_that_the_log_does_not_know() {
    must direct cardiff --keypairgen --key-type EC:secp256r1 --label app-secretly --id 0a0b
    ends 1 "$Q" inventory root
    matches 'unknown +private-key +app-secretly +0a0b'
    says '1 thing is not'
}

# Quorate's own label does not make a key Quorate's.
case_something_abandoned() {
    must direct cardiff --keypairgen --key-type EC:secp256r1 --label quorate:identity --id 0c
    ends 1 "$Q" inventory
    matches 'abandoned +private-key +quorate:identity +0c'
}

# What bears the CKA_ID of a birth is that birth's, whatever its label.
case_left_by_a_birth() {
    local id
    asks generate EC:secp384r1 app-1 --id 7788
    approve "$ID" custodian-1 custodian-2 custodian-3
    must generate EC:secp384r1 app-1 --id 7788
    must "$Q" inventory
    id=$({
        printf 'quorate key id v1\n'
        grep '"type":"intent"' "$D/estate/log/entries" | tail -n 1 | tr -d '\n' | openssl dgst -sha256 -binary
    } | openssl dgst -sha256 -r | cut -c 1-40)
    must direct glasgow --keypairgen --key-type EC:secp384r1 --label app-2 --id "$id"
    ends 1 "$Q" inventory
    matches "abandoned +private-key +app-2 +$id"
}

case_the_identity_key_is_gone() {
    must direct glasgow --delete-object --type privkey --label quorate:identity
    ends 1 "$Q" inventory
    matches 'missing +private-key +quorate:identity'
}

case_an_hsm_does_not_answer() {
    sed -i "s/$(estate_serial root-glasgow)/0123456789abcdef/" "$D/bindings.yaml"
    ends 1 "$Q" inventory
    says 'root at glasgow: absent' 'root at cardiff: looked-at'
}

# An HSM that fails while it makes an object may leave one that says neither what it is nor where it belongs.
case_something_half_made() {
    local folder
    born EC:secp384r1 app-1 --id 6162
    for folder in "$D"/tokens/*/; do
        grep -qaE 'root-(slough|cardiff)' "$folder/token.object" || continue
        # CKA_LABEL, CKA_APPLICATION and CKA_VALUE, all empty; CKA_COPYABLE: as SoftHSM stores them.
        printf "$(printf '\\0%.0s' {1..7})"'\013'"$(
            for attribute in '\0\003' '\0\020' '\0\021'; do
                printf '%s' '\0\0\0\0\0\0'"$attribute"'\0\0\0\0\0\0\0\003\0\0\0\0\0\0\0\0'
            done
        )"'\0\0\0\0\0\0\001\161\0\0\0\0\0\0\0\001\377' >"$folder/0c60f965-45f0-dfcd-98af-0a9e7de11e24.object"
    done
    ends 1 "$Q" inventory
    says 'root at slough: looked-at' 'root at cardiff: looked-at' '2 things are not'
    [ "$(grep -cE 'key +private-key +app-1' <<<"$OUT")" = 3 ] || fail 'not three replicas'
    [ "$(grep -cE 'unknown +unreadable' <<<"$OUT")" = 2 ] || fail 'not both'
    must "$Q" drill
    openssl dgst -sha384 -binary "$D/policy.yaml" >"$D/digest"
    must p11 --sign --mechanism ECDSA --id 6162 --input-file "$D/digest" --output-file "$D/signature"
    must p11 --list-objects
    says app-1
    born EC:secp384r1 app-2
}

cases
