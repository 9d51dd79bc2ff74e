#!/bin/bash
# openssl with libp11's engine.
. tests/parity/client.sh
export PKCS11_MODULE_PATH=$MODULE
silent user --keypairgen --key-type EC:prime256v1 --label ec --id 01
silent user --keypairgen --key-type rsa:2048 --label rsa --id 02
echo 'a message' >"$W/message"

for key in ec rsa; do
    uri="pkcs11:token=root;object=$key;type=private?pin-value=$PIN"
    silent openssl dgst -engine pkcs11 -keyform engine -sha256 -sign "$uri" -out "$W/sig" "$W/message"
    silent openssl pkey -engine pkcs11 -inform engine -in "$uri" -pubout -out "$W/$key.pub"
    try openssl dgst -sha256 -verify "$W/$key.pub" -signature "$W/sig" "$W/message"
    silent openssl req -engine pkcs11 -keyform engine -new -x509 -key "$uri" -sha256 -subj "/CN=$key" -out "$W/$key.pem"
    silent openssl verify -CAfile "$W/$key.pem" "$W/$key.pem"
    silent openssl cms -sign -binary -engine pkcs11 -keyform engine -inkey "$uri" -signer "$W/$key.pem" -in "$W/message" \
        -outform DER -out "$W/cms"
    silent openssl cms -verify -binary -inform DER -in "$W/cms" -CAfile "$W/$key.pem" -purpose any
done
uri="pkcs11:token=root;object=rsa;type=private?pin-value=$PIN"
silent openssl dgst -engine pkcs11 -keyform engine -sha256 -sigopt rsa_padding_mode:pss -sign "$uri" -out "$W/sig" "$W/message"
silent openssl pkeyutl -encrypt -pubin -inkey "$W/rsa.pub" -in "$W/message" -out "$W/encrypted"
try openssl pkeyutl -decrypt -engine pkcs11 -keyform engine -inkey "$uri" -in "$W/encrypted"
# SoftHSM by itself dies as the program ends here; through the module it does not. That it fails is compared.
if ! openssl dgst -engine pkcs11 -keyform engine -sha256 "$W/message" \
    -sign "pkcs11:token=root;object=absent;type=private?pin-value=$PIN" >"$W/noise" 2>&1; then
    echo 'refused'
fi
silent openssl dgst -engine pkcs11 -keyform engine -sha256 -out "$W/sig" "$W/message" \
    -sign 'pkcs11:token=root;object=ec;type=private?pin-value=wrong-pin'
silent openssl rand -engine pkcs11 -hex 16
