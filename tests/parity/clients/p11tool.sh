#!/bin/bash
# p11tool and certtool of GnuTLS.
. tests/parity/client.sh
export GNUTLS_PIN=$PIN GNUTLS_SO_PIN=$SO_PIN
printf 'cn = parity\nca\nexpiration_days = 10\nserial = 7\n' >"$W/template"

tool() {
    p11tool --provider "$MODULE" --batch "$@"
}

try tool --list-mechanisms pkcs11:token=root
silent tool --login --generate-privkey=ecdsa --curve=secp256r1 --label ec --id 01 pkcs11:token=root
silent tool --login --generate-privkey=rsa --bits=2048 --label rsa --id 02 pkcs11:token=root
silent tool --login --generate-privkey=ecdsa --curve=secp384r1 --label anyid pkcs11:token=root
silent tool --login --generate-privkey=ed25519 --label ed --id 04 pkcs11:token=root
try tool --login --list-privkeys pkcs11:token=root
try tool --login --list-keys pkcs11:token=root
silent tool --login --export-pubkey 'pkcs11:token=root;object=ec;type=private'
silent tool --login --test-sign 'pkcs11:token=root;object=ec;type=private'
silent tool --login --test-sign 'pkcs11:token=root;object=rsa;type=private'
silent tool --login --test-sign 'pkcs11:token=root;object=absent;type=private'
for key in ec rsa; do
    silent certtool --provider "$MODULE" --generate-self-signed --template "$W/template" --outfile "$W/$key.pem" \
        --load-privkey "pkcs11:token=root;object=$key;type=private;pin-value=$PIN" \
        --load-pubkey "pkcs11:token=root;object=$key;type=public;pin-value=$PIN"
    silent certtool --verify --load-ca-certificate "$W/$key.pem" --infile "$W/$key.pem"
    silent certtool --provider "$MODULE" --generate-request --template "$W/template" --outfile "$W/$key.csr" \
        --load-privkey "pkcs11:token=root;object=$key;type=private;pin-value=$PIN" \
        --load-pubkey "pkcs11:token=root;object=$key;type=public;pin-value=$PIN"
    silent tool --login --write --load-certificate "$W/$key.pem" --label "$key" --id 0a pkcs11:token=root
done
openssl genrsa -traditional -out "$W/soft.pem" 2048 2>"$W/noise"
silent tool --login --write --load-privkey "$W/soft.pem" --label soft --id 0b pkcs11:token=root
silent tool --login --write --secret-key=00112233445566778899aabbccddeeff --label secret --id 0c pkcs11:token=root
silent tool --login --write --load-certificate "$W/ec.pem" --label trusted --mark-trusted pkcs11:token=root
silent tool --so-login --write --load-certificate "$W/ec.pem" --label trusted --mark-trusted pkcs11:token=root
try tool --login --set-label=renamed 'pkcs11:token=root;object=soft;type=private'
try tool --login --set-id=0d 'pkcs11:token=root;object=renamed;type=private'
try tool --login --list-all pkcs11:token=root
try tool --list-all pkcs11:token=root
silent tool --login --export-chain 'pkcs11:token=root;object=ec;type=cert'
silent tool --login --delete 'pkcs11:token=root;object=renamed;type=private'
silent tool --login --delete 'pkcs11:token=root;object=ec;type=cert'
try tool --login --list-all pkcs11:token=root
silent tool --generate-random=32 pkcs11:token=root
silent tool --initialize-pin --set-pin="$PIN" pkcs11:token=root
silent tool --login --list-privkeys pkcs11:token=root
