#!/bin/bash
# A born key is used by clients that nobody here wrote; what no rule allows is refused to them.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

case_a_born_key_signs() {
    born EC:secp384r1 app-1
    local id uri
    p11tool --export 'pkcs11:token=root-slough;object=app-1;type=public' >"$D/app-1.pub" 2>/dev/null
    echo 'a message' >"$D/message"

    must p11 --list-objects --type privkey
    says app-1
    id=$(sed -n 's/^ *ID: *//p' <<<"$OUT")
    openssl dgst -sha384 -binary "$D/message" >"$D/digest"
    must p11 --sign --mechanism ECDSA --id "$id" --signature-format openssl --input-file "$D/digest" \
        --output-file "$D/signature"
    must openssl pkeyutl -verify -pubin -inkey "$D/app-1.pub" -in "$D/digest" -sigfile "$D/signature"

    uri="pkcs11:token=root;object=app-1;type=private?pin-value=$(pin slough)"
    must through_engine dgst -sha384 -engine pkcs11 -keyform engine -sign "$uri" -out "$D/signature" "$D/message"
    must openssl dgst -sha384 -verify "$D/app-1.pub" -signature "$D/signature" "$D/message"
    says 'Verified OK'

    gcc -Wall -Wextra -Werror -o "$D/libp11_sign" tests/integration/libp11_sign.c -lp11 -lcrypto
    must client "$D/libp11_sign" "$MODULE" root app-1 "$D/pins/root-slough"
    says 'signed and verified'
}

# Quorate's own keys, and one that somebody put on the HSM behind its back.
case_only_born_keys_are_seen() {
    direct slough --keypairgen --key-type EC:secp384r1 --label app-stranger --id 77
    must p11 --list-objects --type privkey
    ! grep -qE 'app-stranger|quorate' <<<"$OUT" || fail 'shows what was never born here'
    openssl dgst -sha384 -binary <<<x >"$D/digest"
    ends 1 p11 --sign --mechanism ECDSA --id 77 --input-file "$D/digest" --output-file "$D/signature"
    [ ! -s "$D/signature" ] || fail 'a key that was never born signs'
}

case_a_born_key_is_not_destroyed() {
    born EC:secp384r1 app-1
    ends 1 p11 --delete-object --type privkey --label app-1
    [ "$(count_on_hsms app-1 privkey)" = '1 1 1' ] || fail 'a key was destroyed though no rule allows it'
}

case_keys_are_not_imported() {
    openssl ecparam -genkey -name secp384r1 -noout | openssl pkcs8 -topk8 -nocrypt -outform DER >"$D/key.der"
    ends 1 p11 --write-object "$D/key.der" --type privkey --label app-import
    [ "$(count_on_hsms app-import privkey)" = '0 0 0' ] || fail 'a key was imported though no rule allows it'
}

case_the_pin_stays() {
    ends 1 p11 --change-pin --new-pin 99999999
    direct slough --list-objects >/dev/null || fail 'the PIN was changed though no rule allows it'
}

case_the_token_is_not_initialised() {
    ends 1 client pkcs11-tool --module "$MODULE" --slot-index 0 --init-token --label root --so-pin 12345678
    direct slough --list-objects >/dev/null || fail 'the token was initialised though no rule allows it'
}

case_certificates_and_data_come_and_go() {
    openssl x509 -in "$D/people/auditor.pem" -outform DER -out "$D/certificate.der"
    must p11 --write-object "$D/certificate.der" --type cert --label app-cert --id 0102
    must p11 --list-objects --type cert
    says app-cert
    must p11 --delete-object --type cert --label app-cert
    must p11 --list-objects --type cert
    ! grep -q app-cert <<<"$OUT" || fail 'a certificate stays that was deleted'
}

cases
