#!/bin/bash
# Approvals that are renewed, because a rule wants them within a time.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

again() {
    "$Q" approve "$ID" --as "$1" --key "$(cat "$D/people/$1.uri")" --yes --again
}

# $1: person, $2: the document; $3: the file, whose name says what it is.
signed() {
    openssl cms -sign -binary -md sha256 -in "$2" -signer "$D/people/$1.pem" -engine pkcs11 -keyform engine \
        -inkey "$(cat "$D/people/$1.uri")" -outform DER -out "$D/estate/requests/$ID/$3" 2>/dev/null
}

case_renewed() {
    sed -i '/id: birth of an application key pair/,/quorum:/ s/of: key-custodian, at-least: 3/&, within: 1 hour/' "$D/policy.yaml"
    prepare_ready >/dev/null 2>&1
    local beside digest
    asks generate EC:secp384r1 app-1
    beside=$D/estate/requests/$ID
    ends 1 again custodian-1
    says 'nothing to renew'
    approve "$ID" custodian-1
    ends 1 "$Q" approve "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes
    says already
    must again custodian-1
    must again custodian-1
    ends 2 "$Q" approve --file "$beside/request.json" --as custodian-1 --again
    # The same signature in other words is no approval of now: it has the time that it had.
    cp "$beside/custodian-1.p7s" "$D/kept"
    signed custodian-1 "$beside/request.json" custodian-1.p7s
    ends 1 "$Q" request show "$ID"
    says 'custodian-1.p7s' 'by another signature'
    cp "$D/kept" "$beside/custodian-1.p7s"
    # By stock openssl.
    approve "$ID" custodian-2
    digest=$(sha256sum <"$beside/custodian-2.p7s" | cut -d' ' -f1)
    printf '{"renews":"%s","request":"%s","type":"quorate/renewal/v1"}' "$digest" "$(basename "$beside")" >"$D/document"
    signed custodian-2 "$D/document" "custodian-2.$digest.p7s"
    signed custodian-3 "$D/document" "custodian-3.$digest.p7s"
    approve "$ID" custodian-3
    must "$Q" request show "$ID"
    says "custodian-3.$digest.p7s: it renews an approval that is not that person's last one"
    rm "$beside/custodian-3.$digest.p7s"
    must generate EC:secp384r1 app-1
    [ "$("$Q" log show --type approval --json | grep -c "$(basename "$beside")")" = 6 ] || fail 'not six approvals'
    [ "$("$Q" log show --type approval --json | grep "$(basename "$beside")" | grep -c '"renews":')" = 3 ] || fail 'not three renewals'
    recorded renewals
    says '6 changes in all'
}

case_nothing_goes_stale() {
    prepare_ready >/dev/null 2>&1
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1
    ends 1 again custodian-1
    says 'lets no approval go stale'
}

cases
