#!/bin/bash
# Every replica of every key proves itself again, and what the policy, the status and a ceremony make of it.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh

case_every_replica_proves_itself() {
    born EC:secp384r1 app-1
    must "$Q" drill
    says 'root at slough: proven, 1 key' 'root at cardiff: proven, 1 key' 'root at glasgow: proven, 1 key' \
        'Every replica proved itself.'
    must "$Q" drill root glasgow --json
    says '"unproven":0' '"site":"glasgow"'
    [ "$("$Q" log show --type drill | wc -l)" = 4 ] || fail 'not four drills in the log'
    must "$Q" status
    matches 'root +glasgow .*ready, drilled 20'
    must "$Q" log check
    ends 2 "$Q" drill root leeds
    says 'no such site is enrolled'
    ends 2 "$Q" drill root glasgow twice
}

case_a_replica_is_gone() {
    born EC:secp384r1 app-1
    must "$Q" drill
    must direct glasgow --delete-object --type privkey --label app-1
    ends 1 "$Q" drill
    says 'root at glasgow: failed, 0 keys' 'root at cardiff: proven' 'Not every replica'
    matches 'not proven +app-1 +.*no such key'
    must "$Q" status
    ! grep -q 'glasgow.*drilled' <<<"$OUT" || fail 'a failed drill counts'
}

case_an_hsm_is_away() {
    sed -i "s/$(estate_serial root-glasgow)/0123456789abcdef/" "$D/bindings.yaml"
    ends 1 "$Q" drill
    says 'root at glasgow: absent' 'root at cardiff: proven'
    must "$Q" log show --type drill --json
    says '"reason":'
}

# A rule that counts replicas by their last drill, and what `status` says of it.
case_fresh() {
    D=$D/fresh
    estate_copy "$WORK/bare"
    sed -i '/^  - id: birth of an application key pair$/,/transport/s/apart-km: 100/&, fresh: 12 months/' "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-1
    ends 1 "$Q" request show "$ID"
    says 'was not drilled within the time'
    must "$Q" status
    says 'drill of root at glasgow: it has passed none' 'quorate drill root glasgow'
    must "$Q" drill root glasgow
    ends 1 generate EC:secp384r1 app-1
    must "$Q" drill root cardiff
    must generate EC:secp384r1 app-1
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'not born on three HSMs'
    must "$Q" status --offline --json
    says '"drill-due":"20'
    ! grep -q 'passed none' <<<"$OUT" || fail 'still due'
}

# In a ceremony, with a key that failed: only under a deviation; both verifiers read it alike.
case_in_a_ceremony() {
    born EC:secp384r1 app-1
    must direct glasgow --delete-object --type privkey --label app-1
    answers
    drilling_script
    opening_approved "$D/drilling.yaml"
    ends 1 holds "$D/drilling.yaml"
    says '1 key did not prove itself' 'step 3.5.3'
    # No certificate is made without knowing why: the participants note it and go on.
    sed -i 's!^answers:$!&\n  "3.5.3": {deviation: {cause: the replica of an application key is gone, accepted-by: witness-1}}!' \
        "$D/ceremony.answers.yaml"
    must holds "$D/drilling.yaml"
    transcript_holds $CEREMONY
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    matches 'proven +drills +.*6 replicas signed, 2 times a key did not'
    must tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    says 'the drill of root/slough' '2 keys proved or attested, 0 not' '1 keys proved or attested, 1 not'
}

cases
