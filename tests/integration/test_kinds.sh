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
