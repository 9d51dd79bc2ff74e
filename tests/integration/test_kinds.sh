#!/bin/bash
# Other kinds of keys.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

aes() {
    p11 --keygen --key-type AES:32 --label app-aes "$@"
}

case_rsa_3072() {
    born rsa:3072 app-rsa
    [ "$(count_on_hsms app-rsa privkey)" = '1 1 1' ] || fail "RSA keys: $(count_on_hsms app-rsa privkey)"
    one_key app-rsa
}

case_rsa_2048_is_not_allowed() {
    ends 1 generate rsa:2048 app-weak
    approve_if_any custodian-1 custodian-2 custodian-3
    ends 1 generate rsa:2048 app-weak
    [ "$(count_on_hsms app-weak privkey)" = '0 0 0' ] || fail 'a key of a type that the rule does not list'
}

approve_if_any() {
    ID=$(estate_newest)
    local person
    for person in "$@"; do
        "$Q" approve "$ID" --as "$person" --key "$(cat "$D/people/$person.uri")" --yes || true
    done
}

case_ec_p256() {
    born EC:prime256v1 app-p256
    [ "$(count_on_hsms app-p256 privkey)" = '1 1 1' ] || fail "P-256 keys: $(count_on_hsms app-p256 privkey)"
    one_key app-p256
}

# SoftHSM makes such keys and wraps none: it is asked, the birth is rolled back, and the reason names curve and site.
case_ed25519_is_refused_by_name() {
    sed -i 's/types: \[EC:P-256, EC:P-384, EC:P-521, /&EC:Ed25519, /;s/^version: 1$/version: 2/' "$D/policy.yaml"
    asks "$Q" policy adopt "$D/policy.yaml"
    approve "$ID" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    asks generate EC:edwards25519 app-ed
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:edwards25519 app-ed
    must "$Q" log show --type rolled-back
    matches 'the key of Ed25519 did not come to (cardiff|glasgow): '
    says 'choose P-256'
    [ "$(count_on_hsms app-ed privkey)" = '0 0 0' ] || fail 'something of it was left'
    must "$Q" inventory
    born EC:prime256v1 app-p256
}

case_aes_256() {
    local site
    asks aes --sensitive --private
    says 'unknown PKCS11 error (0x200)'
    approve "$ID" custodian-1 custodian-2 custodian-3
    must aes --sensitive --private
    [ "$(count_on_hsms app-aes secrkey)" = '1 1 1' ] || fail "secret keys: $(count_on_hsms app-aes secrkey)"
    for site in $SITES; do
        OUT=$(direct "$site" --list-objects --type secrkey | grep -A 4 -E 'label: +app-aes$')
        matches 'Access: +sensitive'
        ! sed 's/never extractable//' <<<"$OUT" | grep -q extractable || fail "extractable in $site"
    done
}

case_aes_not_sensitive_is_refused_by_name() {
    local before
    before=$(ls "$D/estate/requests")
    ends 1 aes
    [ "$(ls "$D/estate/requests")" = "$before" ] || fail 'a template that cannot be approved left a request'
    must "$Q" log show --type refused
    says CKA_SENSITIVE
    ends 1 aes --sensitive
    must "$Q" log show --type refused
    says CKA_PRIVATE
    [ "$(count_on_hsms app-aes secrkey)" = '0 0 0' ] || fail 'a secret key that is not sensitive'
}

cases
