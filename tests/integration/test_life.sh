#!/bin/bash
# What becomes of sites and keys after the birth.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

# $1: site
retired() {
    asks "$Q" retire root "$1"
    approve "$ID" authority-1 authority-2
    must "$Q" retire root "$1"
}

case_a_site_retires() {
    born EC:secp384r1 app-1
    ends 2 "$Q" retire root leeds
    says 'not enrolled'
    ends 1 "$Q" retire root slough
    says 'primary'
    retired glasgow
    says 'root at slough: proven' 'root at cardiff: proven' 'root at glasgow: retired; its replicas are destroyed'
    [ "$(count_on_hsms app-1 privkey)" = '1 1 0' ] || fail 'not destroyed at the retired site'
    must "$Q" status
    matches 'root +glasgow +replica +not enrolled'
    must "$Q" settle
    says 'Nothing was left'
    must "$Q" log check
    # The key lives on, with the replicas that it has; new ones need two.
    must "$Q" status --offline
    says 'no key of token root can be born now: 1 of 2 replica sites'
    must "$Q" drill
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-2
    # It comes back by enrolment alone.
    asks "$Q" enrol glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" enrol glasgow
    must generate EC:secp384r1 app-2
    recorded retirements
}

case_only_once_the_others_have_proven_every_key() {
    born EC:secp384r1 app-1
    must direct cardiff --delete-object --type privkey --label app-1
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" retire root glasgow
    says 'not every key was proven at cardiff'
    [ "$(count_on_hsms app-1 privkey)" = '1 0 1' ] || fail 'something was destroyed'
    must "$Q" status
    matches 'root +glasgow +replica +enrolled'
    must "$Q" log show --type rolled-back
    says 'not every key'
    # Nor with somebody away.
    sed -i.kept "s/$(estate_serial root-cardiff)/0123456789abcdef/" "$D/bindings.yaml"
    ends 1 "$Q" retire root glasgow
    says 'not every key was proven at cardiff'
}

case_its_hsm_is_away() {
    born EC:secp384r1 app-1
    cp "$D/bindings.yaml" "$D/bindings.kept"
    sed -i "s/$(estate_serial root-glasgow)/0123456789abcdef/" "$D/bindings.yaml"
    retired glasgow
    says 'root at glasgow: retired' 'not destroyed yet'
    must "$Q" status --offline
    says 'orphans at glasgow'
    must "$Q" settle
    says 'another HSM is bound'
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'something was destroyed'
    # What waits there keeps nothing from beginning, and is destroyed when its HSM is there again.
    must "$Q" retire root glasgow
    says 'not destroyed yet'
    cp "$D/bindings.kept" "$D/bindings.yaml"
    must "$Q" settle
    says finished
    [ "$(count_on_hsms app-1 privkey)" = '1 1 0' ] || fail 'not destroyed at the retired site'
    must "$Q" status --offline
    ! grep -q orphans <<<"$OUT" || fail 'still listed'
}

# A rule that plainly allows it ends a key at all its sites too; who cannot be reached is listed until then.
case_destroyed_freely() {
    D=$D/free
    estate_copy "$WORK/bare"
    policy_first '  - {id: end of a key, when: {operation: destroy, token: root, label: "^app-"}, allow: true}
  - {id: birth of a key of its own, when: {operation: [generate, copy, modify], token: root, label: "^own-"}, allow: true}'
    prepare_ready
    born EC:secp384r1 app-1 --id 0101
    born EC:secp384r1 app-2 --id 0202
    must p11 --delete-object --type privkey --id 0101
    [ "$(count_on_hsms app-1 privkey)" = '0 0 0' ] || fail 'not destroyed everywhere'
    [ "$(count_on_hsms app-1 pubkey)" = '0 0 0' ] || fail 'a public half is left'
    must "$Q" log show --json --type destroyed
    says '"left":["slough","cardiff","glasgow"],"sites":[]'
    must "$Q" log show --json --type cleared
    says '"sites":["slough","cardiff","glasgow"]'
    must "$Q" inventory
    # Nothing is begun while a site is away, for it could not be looked at.
    cp "$D/bindings.yaml" "$D/bindings.kept"
    sed -i "s/$(estate_serial root-glasgow)/0123456789abcdef/" "$D/bindings.yaml"
    ends 1 p11 --delete-object --type privkey --id 0202
    cp "$D/bindings.kept" "$D/bindings.yaml"
    # A site that is reached otherwise is left, and its turn comes.
    sed -i 's/glasgow: .*/glasgow: {carried: true}/' "$D/bindings.yaml"
    must p11 --delete-object --type privkey --id 0202
    must "$Q" status --offline
    says 'destroyed  "app-2" of root, left at glasgow'
    cp "$D/bindings.kept" "$D/bindings.yaml"
    must "$Q" settle
    matches 'key app-2 +destroyed at glasgow'
    [ "$(count_on_hsms app-2 privkey)" = '0 0 0' ] || fail 'not destroyed everywhere'
    must "$Q" status --offline
    ! grep -q 'left at' <<<"$OUT" || fail 'still listed'
    # So does one bring keys into being, of which the log says before the HSM is asked what begins.
    must p11 --keypairgen --key-type EC:prime256v1 --label own-1 --id 0303
    must p11 --keygen --key-type aes:32 --label own-2 --sensitive --private
    must "$Q" log show --json --type intent
    says '"caller-id":"0303"' '"caller-id":""' '"plain":"true"'
    [ "$(p11 --list-objects 2>/dev/null | grep -c 'ID: *0303')" = 2 ] || fail 'not the CKA_ID that was asked for'
    must "$Q" inventory
    must "$Q" settle
    says 'Nothing was left'
    must "$Q" drill root cardiff
    recorded ends,plains
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --estate "$D" \
        --kinds replays
    printf '%s\n' "$OUT"
}

case_an_hsm_moves() {
    born EC:secp384r1 app-1
    ends 1 "$Q" arrive root glasgow --bag TEB-1
    says 'has not left'
    ends 2 "$Q" move root glasgow
    must "$Q" move root glasgow --bag TEB-1 --carrier 'Key Custodian One'
    ends 1 "$Q" move root glasgow --bag TEB-2
    says 'left already, in bag TEB-1'
    must "$Q" status
    matches 'root +glasgow +replica +enrolled +on its way'
    says 'no key of token root can be born now: 1 of 2 replica sites'
    # It counts nowhere: a key with two replicas cannot be born.
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-2
    [ "$(count_on_hsms app-2 privkey)" = '0 0 0' ] || fail 'a key was made'
    ends 1 "$Q" arrive root glasgow --bag TEB-2
    says 'another bag'
    ends 1 "$Q" arrive root glasgow
    # Nothing but its own answer will do.
    cp "$D/bindings.yaml" "$D/bindings.kept"
    sed -i "s/$(estate_serial root-glasgow)/0123456789abcdef/" "$D/bindings.yaml"
    ends 2 "$Q" arrive root glasgow --bag TEB-1
    cp "$D/bindings.kept" "$D/bindings.yaml"
    must "$Q" arrive root glasgow --bag TEB-1 --received-by custodian-2 --safe GLA-1 --elsewhere 48.86,2.35
    must "$Q" status
    matches 'root +glasgow +replica +enrolled +elsewhere'
    ends 1 generate EC:secp384r1 app-2
    must "$Q" move root glasgow --bag TEB-3
    must "$Q" arrive root glasgow --bag TEB-3
    must generate EC:secp384r1 app-2
    recorded moves
}

# In a ceremony the arrival is a step.
case_an_hsm_arrives_in_a_ceremony() {
    must "$Q" move root glasgow --bag TEB-1
    recorded moves '{"1.2": [{bag: TEB-1, safe: GLA-1}]}' 'Receive the HSM, do: arrive, with: {token: root, site: glasgow}'
    must "$Q" status
    matches 'root +glasgow +replica +enrolled +at home'
}

cases
