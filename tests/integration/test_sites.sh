#!/bin/bash
# A site that is missing, or is not the one that was enrolled, stops a birth before a key exists; the record names it.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

approved() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
}

# The folder in which SoftHSM keeps this token.
token_folder() {
    local serial
    serial=$(estate_serial "$1")
    echo "$D"/tokens/*-"${serial:0:4}-${serial:4}"
}

# $1: the site that the record of the refusal must name; $2: what `status` must say of it.
stopped_by() {
    ends 1 generate EC:secp384r1 app-1
    must "$Q" log show --type refused
    OUT=$(tail -n 1 <<<"$OUT")
    says app-1 "$1"
    ! "$Q" log show --type intent | grep -q generate || fail 'something was begun on an HSM'
    must "$Q" status
    matches "root +$1 .* $2$"
    says "root at $1 does not answer as the HSM that was enrolled: $2 (" '1 approved request waits to be asked again'
    [ "$(count_on_hsms app-1 privkey)" = '0 0 0' ] || fail 'a key was made'
}

case_the_third_hsm_is_missing() {
    approved
    local folder
    folder=$(token_folder root-glasgow)
    mv "$folder" "$D/away"
    # It comes back, and the same request is carried out.
    mv "$D/away" "$folder"
    must generate EC:secp384r1 app-1
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'not born on three HSMs'
}

case_the_serial_changed() {
    approved
    sed -i "s/$(estate_serial root-glasgow)/$(estate_serial auditor)/" "$D/bindings.yaml"
    stopped_by glasgow absent
}

case_the_pin_is_wrong() {
    approved
    echo 00000000 >"$D/pins/root-glasgow.wrong"
    chmod 600 "$D/pins/root-glasgow.wrong"
    sed -i 's/file:pins\/root-glasgow/&.wrong/' "$D/bindings.yaml"
    stopped_by glasgow absent
}

case_the_identity_key_changed() {
    approved
    local label id
    OUT=$(direct glasgow --list-objects --type privkey)
    label=$(sed -n 's/^ *label: *\(.*identity.*\)$/\1/p' <<<"$OUT")
    id=$(grep -A 1 -F "$label" <<<"$OUT" | sed -n 's/^ *ID: *//p')
    [ -n "$id" ] || fail 'no identity key in Glasgow'
    must direct glasgow --delete-object --type privkey --label "$label"
    direct glasgow --delete-object --type pubkey --label "$label" >/dev/null 2>&1 || true
    must direct glasgow --keypairgen --key-type EC:secp384r1 --usage-sign --label "$label" --id "$id"
    stopped_by glasgow refused
}

# An HSM that the policy's people never saw does not become a site by an entry in the bindings.
case_not_enrolled() {
    D=$D/fresh
    estate_copy "$WORK/bare"
    must "$Q" init --environment test
    policy_adopted
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-1
    [ "$(count_on_hsms app-1 privkey)" = '0 0 0' ] || fail 'a key was born at sites that nobody enrolled'
}

cases
