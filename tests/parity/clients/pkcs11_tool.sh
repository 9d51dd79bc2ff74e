#!/bin/bash
# pkcs11-tool of OpenSC.
. tests/parity/client.sh

message() {
    echo 'a message of some length, longer than a block of anything' >"$W/message"
    openssl dgst -sha256 -binary "$W/message" >"$W/digest"
    openssl ecparam -genkey -name prime256v1 -noout | openssl pkcs8 -topk8 -nocrypt -outform DER >"$W/key.der"
    openssl pkey -inform DER -in "$W/key.der" -pubout -outform DER >"$W/pub.der"
    openssl req -x509 -new -key "$W/key.der" -keyform DER -subj /CN=parity -days 10 -outform DER -out "$W/cert.der"
    head -c 32 /dev/urandom >"$W/secret"
}

message
try user --list-mechanisms
# Before there is a second key: it tests those that are found first.
try user --keypairgen --key-type rsa:2048 --label rsa --id 03 --usage-sign --usage-decrypt
try user --test
try user --keypairgen --key-type EC:prime256v1 --label ec --id 01
try user --keypairgen --key-type EC:secp384r1 --label derive --id 02 --usage-derive
try user --keypairgen --key-type rsa:2048 --label no-id
try user --keypairgen --key-type EC:prime256v1 --id 05
try user --keypairgen --key-type EC:prime256v1 --label ec --id 01
try user --keypairgen --key-type EC:nonsense --label bad --id 06
try user --keypairgen --key-type rsa:17 --label bad --id 06
try p11 --keypairgen --key-type EC:prime256v1 --label nobody --id 07
try user --keygen --key-type AES:32 --label aes --id 08
try user --keygen --key-type AES:16 --label aes-closed --id 09 --sensitive --private
try user --keygen --key-type AES:17 --label bad --id 0a
try user --keygen --key-type GENERIC:32 --label hmac --id 0b --extractable
try user --keypairgen --key-type EC:prime256v1 --label open --id 0c --extractable
try user --list-objects
try p11 --list-objects
for type in cert:cert.der pubkey:pub.der privkey:key.der data:message secrkey:secret; do
    try user --write-object "$W/${type#*:}" --type "${type%:*}" --label "in-${type%:*}" --id 22 --key-type AES:32
done
try user --list-objects
for id in 01 02 22; do
    silent user --sign --mechanism ECDSA --id $id --input-file "$W/digest" --output-file "$W/sig-$id"
    silent user --verify --mechanism ECDSA --id $id --input-file "$W/digest" --signature-file "$W/sig-$id"
    silent user --verify --mechanism ECDSA --id $id --input-file "$W/message" --signature-file "$W/sig-$id"
done
for mechanism in RSA-PKCS SHA256-RSA-PKCS RSA-PKCS-PSS SHA384-RSA-PKCS-PSS RSA-X-509 ECDSA NOTHING; do
    silent user --sign --mechanism $mechanism --id 03 --input-file "$W/digest" --output-file "$W/sig"
    silent user --verify --mechanism $mechanism --id 03 --input-file "$W/digest" --signature-file "$W/sig"
done
for mechanism in RSA-PKCS RSA-PKCS-OAEP; do
    try user --encrypt --mechanism $mechanism --id 03 --input-file "$W/digest" --output-file "$W/out-$mechanism"
    try user --decrypt --mechanism $mechanism --id 03 --input-file "$W/out-$mechanism" --output-file "$W/back"
done
cmp "$W/digest" "$W/back" && echo the same
try user --encrypt --mechanism AES-CBC-PAD --iv 00000000000000000000000000000000 --id 08 --input-file "$W/message" \
    --output-file "$W/out"
try user --decrypt --mechanism AES-CBC-PAD --iv 00000000000000000000000000000000 --id 08 --input-file "$W/out" \
    --output-file "$W/back"
cmp "$W/message" "$W/back" && echo the same
silent user --derive --mechanism ECDH1-DERIVE --id 02 --input-file "$W/pub.der" --output-file "$W/derived"
try user --sign --mechanism SHA256-HMAC --id 0b --input-file "$W/message" --output-file "$W/sig"
try user --hash --mechanism SHA256 --input-file "$W/message" --output-file "$W/hash"
cmp "$W/hash" "$W/digest" && echo the same
silent p11 --generate-random 64
for type in cert pubkey privkey data secrkey; do
    silent user --read-object --type $type --id 22 --label "in-$type" --output-file "$W/read"
done
try user --read-object --type privkey --id 01
try user --set-id 33 --type privkey --id 01
try user --delete-object --type privkey --label no-id
try user --delete-object --type pubkey --label in-pubkey
try user --delete-object --type data --label in-data
try user --delete-object --type secrkey --label aes
try user --delete-object --type privkey --label absent
try user --list-objects
try p11 --login --pin wrong-pin --list-objects
try user --change-pin --new-pin 11112222
try p11 --login --pin 11112222 --change-pin --new-pin "$PIN"
try p11 --login --login-type so --so-pin "$SO_PIN" --init-pin --new-pin "$PIN"
try user --list-objects
try p11 --init-token --label root --so-pin "$SO_PIN"
try p11 --login --login-type so --so-pin "$SO_PIN" --init-pin --new-pin "$PIN"
try user --list-objects
