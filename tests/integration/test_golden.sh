#!/bin/bash
# Transcripts of earlier days verify for ever, by both verifiers, and go on being refused when they are altered.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

case_old_transcripts_hold() {
    local old
    for old in tests/golden/*/; do
        must "$Q" verify "$old/transcript" --trust "$old/trust.yaml"
        [ ! -e "$old/first.txt" ] || must diff "$old/first.txt" - <<<"$OUT"
        must python3 tests/verify.py "$old/transcript" --trust "$old/trust.yaml"
        [ ! -e "$old/second.txt" ] || must diff "$old/second.txt" - <<<"$OUT"
    done
}

# The second one has a log key that was changed, cosigners (of its closing checkpoint too), a time stamp, and a withheld class.
case_what_the_second_has() {
    local old=tests/golden/2
    must "$Q" verify $old/transcript --trust $old/trust.yaml
    matches '^proven +cosigners .*the closing checkpoint, by 2'
    matches '^proven +timestamp '
    says 'personal: 7 withheld' 'custody: 6 shown' 'not verifiable here: the attestation of witness-1 is withheld'
    grep -q '"type":"log-key"' $old/transcript/entries || fail 'the key was never changed'
    must python3 tests/verify.py $old/transcript --trust $old/trust.yaml
    says 'closing checkpoint was cosigned by 2' 'an authority saw the closing checkpoint' 'class personal: not verifiable here'
    local name
    for name in cosignatures checkpoint "confidential/*.json"; do
        cp -r $old "$D/less"
        # A pattern of the transcript's own names.
        # shellcheck disable=SC2086
        (cd "$D/less/transcript" && set -- $name && rm "$1")
        ends 1 "$Q" verify "$D/less/transcript" --trust "$D/less/trust.yaml"
        ends 1 python3 tests/verify.py "$D/less/transcript" --trust "$D/less/trust.yaml"
        rm -rf "$D/less"
    done
}

# The third was closed while a key was provisional, the fourth when its life was over, the fifth is of a site elsewhere.
case_what_the_others_have() {
    local part
    for part in '"plain":"true"' '"later":[' '"renews":' '"attestation":{"identity"' '"awaits":' '"type":"provisional"' '"type":"replicated"' \
        '"type":"transport-renewed"' '"type":"drill"' '"type":"destroyed"' '"type":"promoted"' '"type":"site-retired"' '"type":"suspended"'; do
        grep -qF -- "$part" tests/golden/4/transcript/entries || fail "the fourth has no $part"
    done
    grep -q '"value":"[0-9a-f]*"},.*"type":"used"}$' tests/golden/4/transcript/entries || fail 'the fourth has no value of what was signed'
    grep -q attested-with tests/golden/4/transcript/policies/*.yaml || fail 'its policy wants nothing of its vendors'
    for part in introduced site-keys taken settled; do
        grep -qF "\"type\":\"$part\"" tests/golden/5/transcript/entries || fail "the fifth has no $part"
    done
    must cmp tests/golden/3/trust.yaml tests/golden/4/trust.yaml
    cmp -n "$(wc -c <tests/golden/3/transcript/entries)" tests/golden/3/transcript/entries tests/golden/4/transcript/entries ||
        fail 'they are not of one log'
    grep -q 'is unreleased: its key "root-g1" is provisional until' tests/golden/3/first.txt || fail 'the third is not of that moment'
    grep -q 'is released: its key "root-g1" was born' tests/golden/4/first.txt || fail 'the fourth is not of that moment'
}

case_an_altered_old_transcript() {
    cp -r tests/golden/1 "$D/old"
    sed -i '5s/"time":"20/"time":"21/' "$D/old/transcript/entries"
    ends 1 "$Q" verify "$D/old/transcript" --trust "$D/old/trust.yaml"
}

cases
