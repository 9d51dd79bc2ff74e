#!/bin/bash
# A key is born under quorum on three HSMs, asked for by an unmodified client.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

case_ec_p384() {
    local before first asked
    before=$(on_hsms)
    asks generate EC:secp384r1 app-1
    says 'unknown PKCS11 error (0x200)'
    [ "$(on_hsms)" = "$before" ] || fail 'a refused birth left something on an HSM'
    [ "$(sha256sum <"$D/estate/requests/$ID/request.json" | cut -d' ' -f1)" = "$ID" ] ||
        fail 'the id is not the hash of the request'

    # The retry takes the one pending request, and two of three are not enough.
    first=$ID
    approve "$ID" custodian-1 custodian-2
    asked=$(ls "$D/estate/requests")
    ends 1 generate EC:secp384r1 app-1
    [ "$(ls "$D/estate/requests")" = "$asked" ] || fail 'the retry made another request'
    ends 1 "$Q" request show "$ID"
    [ "$(on_hsms)" = "$before" ] || fail 'a birth without its quorum left something on an HSM'

    approve "$ID" custodian-3
    must generate EC:secp384r1 app-1
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail "private keys: $(count_on_hsms app-1 privkey)"
    [ "$(count_on_hsms app-1 pubkey)" = '1 1 1' ] || fail "public keys: $(count_on_hsms app-1 pubkey)"
    closed_everywhere app-1 privkey
    one_key app-1

    # The request is spent: the same command is another request.
    asks generate EC:secp384r1 app-1
    says 'unknown PKCS11 error (0x200)'
    [ "$ID" != "$first" ] || fail 'the spent request was taken again'
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'a second key was born'
    must "$Q" log check
}

# Every key of this label and type is sensitive and not extractable, and there is one at each site.
closed_everywhere() {
    local site
    for site in $SITES; do
        OUT=$(direct "$site" --list-objects --type "$2" | grep -A 4 -E "label: +$1$")
        matches 'Access: +sensitive'
        ! sed 's/never extractable//' <<<"$OUT" | grep -q extractable || fail "$1 is extractable in $site"
    done
}

case_ca_key_needs_a_ceremony() {
    local line
    line=$(grep -n -- '- id: birth of a CA key' "$D/policy.yaml" | cut -d: -f1)
    asks generate EC:secp384r1 root-g9
    ends 1 "$Q" request show "$ID"
    says "policy.yaml:$line" 'birth of a CA key' ceremony
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 root-g9
    [ "$(count_on_hsms root-g9 privkey)" = '0 0 0' ] || fail 'a CA key was born without a ceremony'
    ends 1 "$Q" request show "$ID"
    says ceremony
}

case_no_rule_allows() {
    ends 1 generate EC:secp384r1 other-1
    says 'unknown PKCS11 error (0x200)'
    [ "$(count_on_hsms other-1 privkey)" = '0 0 0' ] || fail 'a key was born that no rule allows'
    must "$Q" log show --type refused
    says other-1
}

case_session_key_under_quorum() {
    # Approved or not, a governed key is born on the token or not at all.
    ends 1 p11 --keypairgen --key-type EC:secp384r1 --label root-g9
    [ "$(count_on_hsms root-g9 privkey)" = '0 0 0' ] || fail 'a key without approval'
}

cases
