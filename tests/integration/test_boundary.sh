#!/bin/bash
# The module behind `p11-kit server` under a uid of its own, as docs/BOUNDARY.md has it: an application of another uid
# reaches neither home nor tokens nor PINs, and works all the same.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# shellcheck source=tests/integration/boundary.sh
. tests/integration/boundary.sh

the_caller_reaches_nothing() {
    local path
    for path in bindings.yaml policy.yaml estate/log/entries estate/log/key pins/root-slough tokens softhsm2.conf; do
        refused caller cat "$D/$path"
        says 'Permission denied'
    done
    refused caller ls "$D"
    refused caller touch "$D/estate/requests/x" "$P/run/x"
    # The HSM's own module, and ours inside the application's process.
    OUT=$(caller pkcs11-tool --module "$SOFTHSM" --list-token-slots 2>&1) || true
    ! grep -q root-slough <<<"$OUT" || fail 'the application reaches the token past the module'
    refused caller pkcs11-tool --module "$P/bin/quorate-pkcs11.so" --list-token-slots
    refused caller "$P/bin/quorate" status --offline
    # Neither environment nor memory of the process that has the PINs.
    refused caller cat "/proc/$SERVER/environ"
    refused caller kill -0 "$SERVER"
}

a_key_is_born_and_used() {
    local id
    must through --list-token-slots
    says 'PIN pad present'
    refused through --login --keypairgen --key-type EC:secp256r1 --label app-1
    id=$(estate_newest)
    # One custodian is elsewhere, under another uid; the others come to the module's host.
    must keeper "$P/bin/quorate" request export "$id" --to "$P/run/out"
    cp -r "$P/run/out" "$P/caller/out"
    cp "$D/people/custodian-4.key" "$P/caller/"
    chown -R "$CALLER:" "$P/caller"
    must caller env -u QUORATE_BINDINGS -u SOFTHSM2_CONF "$P/bin/quorate" approve --file "$P/caller/out/request.json" \
        --as custodian-4 --key "$P/caller/custodian-4.key" --yes
    cp "$P/caller/out/custodian-4.p7s" "$P/run/"
    must keeper "$P/bin/quorate" approve "$id" --as custodian-4 --import "$P/run/custodian-4.p7s"
    for person in custodian-1 custodian-3; do
        refused through --login --keypairgen --key-type EC:secp256r1 --label app-1
        must keeper "$P/bin/quorate" approve "$id" --as "$person" --key "$(cat "$D/people/$person.uri")" --yes
    done
    must through --login --keypairgen --key-type EC:secp256r1 --label app-1
    must through --login --list-objects --type privkey
    says app-1
    id=$(sed -n 's/^ *ID: *//p' <<<"$OUT")

    # No PIN or any PIN: the module has its own.
    openssl dgst -sha256 -binary <<<message >"$P/caller/digest"
    chmod 644 "$P/caller/digest"
    must through --login --sign --mechanism ECDSA --signature-format openssl --id "$id" \
        --input-file "$P/caller/digest" --output-file "$P/caller/signature"
    must through --login --pin 'whatever' --sign --mechanism ECDSA --signature-format openssl --id "$id" \
        --input-file "$P/caller/digest" --output-file "$P/caller/signature-2"
    must through --read-object --type pubkey --id "$id" --output-file "$P/caller/public"
    must openssl pkeyutl -verify -pubin -keyform DER -inkey "$P/caller/public" -in "$P/caller/digest" \
        -sigfile "$P/caller/signature"
    must openssl pkeyutl -verify -pubin -keyform DER -inkey "$P/caller/public" -in "$P/caller/digest" \
        -sigfile "$P/caller/signature-2"
}

# What no rule allows is refused here as in one process, and the log says so.
the_policy_holds() {
    refused through --login --keypairgen --key-type EC:secp256r1 --label stray-1
    must keeper "$P/bin/quorate" log show --type refused
    says stray-1
    refused through --login --delete-object --type privkey --label app-1
    refused through --login --keypairgen --key-type EC:secp384r1 --label root-1 # only in a ceremony
    refused through --login --login-type so --so-pin 12345678 --init-pin --new-pin 1111
    refused through --login --change-pin --pin "$(cat "$D/pins/root-slough")" --new-pin 111111
    must keeper "$P/bin/quorate" log check
    must through --login --list-objects --type privkey
    says app-1
}

case_an_application_of_another_uid() {
    if [ "$(id -u)" != 0 ]; then
        [ "${CI:-}" != true ] || fail 'needs root, to make two users'
        echo 'SKIPPED: needs root, to make two users'
        return
    fi
    rm -rf "$D"
    boundary_up "$WORK/ready"
    the_caller_reaches_nothing
    a_key_is_born_and_used
    the_policy_holds
}

cases
