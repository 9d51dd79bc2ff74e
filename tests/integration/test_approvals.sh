#!/bin/bash
# Approvals and rejections: by whom, over what, how often.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# $1: request; $2: who signs; $3: as whose approval the file is left.
stock_approval() {
    local key=$D/people/$2.key
    local engine=()
    if [ ! -f "$key" ]; then
        key=$(cat "$D/people/$2.uri")
        engine=(-engine pkcs11 -keyform engine)
    fi
    must openssl cms -sign -binary -md sha256 -in "$D/estate/requests/$1/request.json" -signer "$D/people/$2.pem" \
        "${engine[@]}" -inkey "$key" -outform DER -out "$D/estate/requests/$1/$3.p7s"
}

refused_birth() {
    ends 1 generate EC:secp384r1 "$1"
    [ "$(count_on_hsms "$1" privkey)" = '0 0 0' ] || fail "$1 was born"
}

case_by_stock_openssl() {
    asks generate EC:secp384r1 app-1
    stock_approval "$ID" custodian-1 custodian-1
    stock_approval "$ID" custodian-2 custodian-2
    refused_birth app-1
    stock_approval "$ID" custodian-4 custodian-4
    must generate EC:secp384r1 app-1
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'not born on three HSMs'
    must "$Q" log show --type approval
    says custodian-1 custodian-2 custodian-4
}

case_by_a_leaver() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2
    # Whether the tool takes it or not, it does not count, and that is said.
    OUT=$("$Q" approve "$ID" --as custodian-6 --key "$(cat "$D/people/custodian-6.uri")" --yes 2>&1) || true
    refused_birth app-1
    ends 1 "$Q" request show "$ID"
    says 'custodian-6 approved, which does not count: had left the roster'
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2
    stock_approval "$ID" custodian-6 custodian-6
    refused_birth app-2
    ends 1 "$Q" request show "$ID"
    says 'custodian-6 approved, which does not count: had left the roster'
}

case_twice_by_one_person() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2
    ends 1 "$Q" approve "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes
    says 'custodian-1' already
    refused_birth app-1
}

# The second file has another name, so that only the signer tells.
case_twice_under_another_name() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2
    stock_approval "$ID" custodian-1 custodian-3
    refused_birth app-1
    ends 1 "$Q" request show "$ID"
    says custodian-3.p7s
}

case_by_one_organisation() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-3 custodian-5
    refused_birth app-1
    ends 1 "$Q" request show "$ID"
    says organisation
    approve "$ID" custodian-2
    must generate EC:secp384r1 app-1
}

case_by_somebody_without_the_role() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2
    OUT=$("$Q" approve "$ID" --as witness-1 --key "$(cat "$D/people/witness-1.uri")" --yes 2>&1) || true
    refused_birth app-1
    ends 1 "$Q" request show "$ID"
    says witness-1
}

case_with_a_swapped_certificate() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2
    ends 1 "$Q" approve "$ID" --as custodian-3 --key "$(cat "$D/people/witness-1.uri")" --yes
    says custodian-3
    ends 1 "$Q" approve "$ID" --as custodian-3 --key "$(cat "$D/people/witness-1.uri")" \
        --certificate "$D/people/witness-1.pem" --yes
    says custodian-3 certificate

    # A certificate of the right name that somebody made for a key of their own.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=custodian-3 \
        -keyout "$D/people/forged.key" -out "$D/people/forged.pem" 2>/dev/null
    stock_approval "$ID" forged custodian-3
    refused_birth app-1
    ends 1 "$Q" request show "$ID"
    says custodian-3.p7s
}

case_for_another_request() {
    local other
    asks generate EC:secp384r1 app-1
    other=$ID
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2
    stock_approval "$other" custodian-4 custodian-4
    mv "$D/estate/requests/$other/custodian-4.p7s" "$D/estate/requests/$ID/"
    refused_birth app-2
    ends 1 "$Q" request show "$ID"
    says custodian-4.p7s
}

reject() {
    must "$Q" reject "$1" --as "$2" --key "$(cat "$D/people/$2.uri")" --reason 'not this week' --yes
}

case_one_rejection_is_outvoted() {
    asks generate EC:secp384r1 app-1
    reject "$ID" custodian-5
    approve "$ID" custodian-1 custodian-2 custodian-3
    must generate EC:secp384r1 app-1
    must "$Q" log show --type rejection
    says custodian-5
}

# A rejection outweighs the same person's approval.
case_a_mind_changed() {
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    reject "$ID" custodian-3
    refused_birth app-1
    approve "$ID" custodian-5
    must generate EC:secp384r1 app-1
}

case_enough_rejections_close_the_request() {
    asks generate EC:secp384r1 app-1
    reject "$ID" custodian-1
    reject "$ID" custodian-2
    reject "$ID" custodian-3
    ends 1 "$Q" request show "$ID"
    says 'not this week' rejected
    ends 1 "$Q" approve "$ID" --as custodian-5 --key "$(cat "$D/people/custodian-5.uri")" --yes
    says rejected
    # The next attempt is another request.
    asks generate EC:secp384r1 app-1
}

case_reject_at() {
    asks generate EC:secp384r1 app-brief
    reject "$ID" custodian-1
    reject "$ID" custodian-2
    ends 1 "$Q" approve "$ID" --as custodian-5 --key "$(cat "$D/people/custodian-5.uri")" --yes
    says rejected
}

case_an_expired_request() {
    asks generate EC:secp384r1 app-brief
    local until=$((SECONDS + 30))
    while "$Q" request list | grep -q app-brief; do
        [ "$SECONDS" -lt "$until" ] || fail 'a request of three seconds does not expire'
        sleep 0.2
    done
    ends 1 "$Q" approve "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes
    says expired
    stock_approval "$ID" custodian-1 custodian-1
    stock_approval "$ID" custodian-2 custodian-2
    stock_approval "$ID" custodian-4 custodian-4
    refused_birth app-brief
    ends 1 "$Q" request show "$ID"
    says expired
}

cases
