#!/bin/bash
# HSMs that give no private key out: people bring it to the other sites by the vendor's own tools, and the replicas answer.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare
export SHIM=sealed

# From a bare estate to three such HSMs, enrolled, of which two are cloned to.
prepare_clones() {
    gcc -Wall -Wextra -Werror -o "$D/clone" tests/integration/clone.c "$SOFTHSM" -Wl,-rpath,"$(dirname "$SOFTHSM")" $(pkg-config --cflags p11-kit-1)
    sed -i -e "s|module: [^,]*,|module: $(cd "$TREE" && pwd)/shim-hsm.so,|" \
        -e '/^    \(cardiff\|glasgow\):/ s/}$/, cloned: acme}/' "$D/bindings.yaml"
    sed -i -e 's/prove: signature/&, deferred: 1 hour/' -e 's/allow: \[oaep-sha1\]/allow: [cloned]/' \
        -e 's/^    expires: 3 seconds$/    expires: 1 hour/' "$D/policy.yaml"
    prepare_ready >/dev/null 2>&1
}

# $1: site; the key is the one that the last command spoke of.
bring() {
    "$D/clone" root-slough "$(pin slough)" "root-$1" "$(pin "$1")" "$KEY"
}

key_read() {
    KEY=$(grep -oE 'clone CKA_ID [0-9a-f]+' <<<"$OUT" | head -n 1 | cut -d' ' -f3)
    [ -n "$KEY" ] || fail 'no CKA_ID was named'
}

# What the module told its caller; pkcs11-tool shows no more than a number.
settle_says() {
    must "$Q" settle
    says "$@"
}

# The call that is made again gets its key.
case_brought() {
    prepare_clones
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 app-1
    must "$Q" status
    matches 'provisional +intent .*app-1.* receipt awaited from cardiff, glasgow until'
    ! p11 --list-objects --type privkey | grep -q app-1 || fail 'a provisional key is shown'
    settle_says 'the key is not there yet' 'from slough to cardiff with acme' 'from slough to glasgow with acme'
    key_read
    ends 1 generate EC:secp384r1 app-1
    # One that is awaited keeps no other from being asked for.
    asks generate EC:secp256r1 app-2
    small_ceremony before host 'is provisional until' '!acme'
    bring cardiff
    bring glasgow
    must "$Q" inventory
    says provisional
    must generate EC:secp384r1 app-1
    OUT=$(p11 --list-objects --type privkey)
    says app-1
    must "$Q" inventory
    says 'Everything is as the log says.'
    must "$Q" drill root cardiff
    small_ceremony after host '!is provisional' acme
}

# What SoftHSM wraps for nobody comes to sites that are cloned to, is drilled there and signs; both verifiers read the record.
case_ed25519() {
    sed -i 's/types: \[EC:P-256, EC:P-384, EC:P-521, /&EC:Ed25519, /' "$D/policy.yaml"
    prepare_clones
    asks generate EC:edwards25519 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:edwards25519 app-1
    settle_says 'the key is not there yet'
    key_read
    bring cardiff
    bring glasgow
    must "$Q" settle
    must "$Q" drill root cardiff
    must "$Q" drill root glasgow
    must "$Q" inventory
    says 'Everything is as the log says.'
    must "$Q" log show --type born --json
    says '"EC:Ed25519"' '"sites":["slough","cardiff","glasgow"]'
    echo "a message" >"$D/message"
    must p11 --sign --mechanism EDDSA --label app-1 --input-file "$D/message" --output-file "$D/signature"
    p11tool --export "pkcs11:token=root-cardiff;object=app-1;type=public" >"$D/app-1.pub"
    must openssl pkeyutl -verify -rawin -pubin -inkey "$D/app-1.pub" -in "$D/message" -sigfile "$D/signature"
    short_ceremony root-oca-key-generation '{}' 'Make another, do: generate-key-pair, with: {token: root, label: app-2, type: "EC:Ed25519"}' \
        'Drill, do: drill, with: {token: root, site: glasgow}'
    opening_approved "$D/short.yaml"
    asks short_holds
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 short_holds
    key_read
    bring cardiff
    bring glasgow
    must short_holds
    must "$Q" log show --type born --json
    [ "$(grep -c '"EC:Ed25519"' <<<"$OUT")" = 2 ] || fail 'the step made no key of Ed25519'
    transcript_holds $CEREMONY
    local forgery
    for forgery in 'a receipt of another site' 'a drilled key that did not sign this' 'a drilled key that only says so'; do
        must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" \
            --kinds births,drills --only "$forgery"
        says '1 changes in all'
    done
}

# In a ceremony the step waits for the people who bring the key.
case_in_a_ceremony() {
    prepare_clones
    answers -e 's/"3.2": .*//'
    opening_approved $SCRIPT
    ends 1 holds $SCRIPT
    says 'clone CKA_ID' 'from slough to glasgow with acme'
    key_read
    ends 1 holds $SCRIPT
    says 'the key is not there yet'
    bring cardiff
    ends 1 holds $SCRIPT
    says 'from slough to glasgow with acme'
    bring glasgow
    must holds $SCRIPT
    transcript_holds $CEREMONY
    says 'came to glasgow by the tools of acme'
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --only 'an offer'
    # A birth that does not say that it was provisional: not with everybody's help either.
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --estate "$D" --quorate "$Q" \
        --kinds deferred
    says '9 changes in all'
}

cases
