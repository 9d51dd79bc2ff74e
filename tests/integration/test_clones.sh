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
    # The flags are words.
    # shellcheck disable=SC2046
    gcc -Wall -Wextra -Werror -o "$D/clone" tests/integration/clone.c "$SOFTHSM" \
        -Wl,-rpath,"$(dirname "$SOFTHSM")" $(pkg-config --cflags p11-kit-1)
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
    must p11 --list-objects --type privkey
    ! grep -q app-1 <<<"$OUT" || fail 'a provisional key is shown'
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

# A key that exists is cloned to a site that came later, under its own CKA_ID; what is there instead of it is undone.
case_brought_to_a_new_site() {
    policy_first '  - id: birth of a key
    when: {operation: generate, token: root, label: "^cl-"}
    require:
      quorum: {of: key-custodian, at-least: 3}
      replicas: {at-least: 1, prove: signature}
      extractable: closed
      transport: {allow: [oaep-sha1]}
  - {id: its way, when: {operation: replicate, token: root, label: "^cl-"}, require: {quorum: {of: authority, at-least: 2}, transport: {allow: [oaep-sha1]}}}'
    SITES='slough cardiff' prepare_clones
    asks generate EC:secp384r1 cl-1 --id 6162
    approve "$ID" custodian-1 custodian-2 custodian-3
    ends 1 generate EC:secp384r1 cl-1 --id 6162
    settle_says 'the key is not there yet'
    key_read
    bring cardiff
    must generate EC:secp384r1 cl-1 --id 6162
    asks "$Q" enrol glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" enrol glasgow
    asks "$Q" replicate root cl-1 glasgow
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" replicate root cl-1 glasgow
    says 'cl-1 of root at glasgow: provisional' 'clone CKA_ID 6162 from slough to glasgow with acme'
    OUT=$(p11 --list-objects --type privkey)
    says cl-1
    # Another key in its place.
    must direct glasgow --keypairgen --key-type EC:secp384r1 --label cl-1 --id 6162
    ends 1 "$Q" replicate root cl-1 glasgow
    says 'rolled back'
    [ "$(count_on_hsms cl-1 privkey)" = '1 1 0' ] || fail "private keys: $(count_on_hsms cl-1 privkey)"
    must "$Q" inventory
    # The step of a ceremony waits for it.
    short_ceremony root-oca-key-generation '{}' 'Bring it, do: replicate, with: {token: root, label: cl-1, site: glasgow}' \
        'Drill, do: drill, with: {token: root, site: glasgow}'
    opening_approved "$D/short.yaml"
    asks short_holds
    approve "$ID" authority-1 authority-2
    ends 1 short_holds
    says 'clone CKA_ID 6162 from slough to glasgow with acme'
    ends 1 short_holds
    says 'the key is not there yet'
    key_read
    bring glasgow
    must short_holds
    must "$Q" replicate root cl-1 glasgow
    says 'held already'
    [ "$(count_on_hsms cl-1 privkey)" = '1 1 1' ] || fail "private keys: $(count_on_hsms cl-1 privkey)"
    one_key cl-1
    must "$Q" inventory
    says 'Everything is as the log says.'
    transcript_holds $CEREMONY
    says 'key cl-1 came to glasgow by the tools of acme'
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
