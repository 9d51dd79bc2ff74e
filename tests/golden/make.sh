#!/bin/bash
# Makes three transcripts of one estate, with what came into the record after tests/golden/2: N while a key is provisional, N + 1
# when all is over, N + 2 of the log of a site that is elsewhere; and beside each what both verifiers say of it. They are made
# once and never changed (what the verifiers say may one day be worded otherwise); later ones are made by a later form of this.
#   tests/golden/make.sh N
# withheld confidential bodies, a vendor's attestation with extensions, a birth that nobody approves, an approval that is
# renewed, a provisional key and its own certificate, receipts by hand, a transport key renewed, a key brought to a further
# site, a drill by files, an end by a courier, a suspension, a promotion, a site that retires.
set -euo pipefail
cd "$(dirname "$0")/../.."
first=${1:?the number of the first of the two}
export LC_ALL=C TREE=build WORK=build/golden
umask 022
rm -rf "$WORK"
mkdir -p "$WORK"
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
# shellcheck source=tests/integration/vendor.sh
. tests/integration/vendor.sh

golden_policy() {
    policy_travelling '  - {id: birth of a free key, when: {operation: generate, token: root, label: "^free-"}, allow: true}
  - id: end of a key
    when: {operation: destroy, token: root, label: "^tw-", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}}'
    sed -i '/^  - id: birth of a key that may travel$/,/extractable/ {
            s/organisations: 2/&, within: 1 hour/
            s/prove: signature/&, deferred: 1 hour/ }
        /^  - id: birth of a CA key$/,/extractable/ s/prove: signature/&, deferred: 1 hour, spares: 0, provisional-use: [self-sign], hardware: attested/' \
        "$D/policy.yaml"
    listed glasgow
}

golden_sites() {
    local site
    must "$Q" init --environment test
    asks "$Q" policy adopt "$D/policy.yaml"
    approve "$ID" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
    for site in slough cardiff; do
        asks "$Q" enrol "$site"
        approve "$ID" authority-1 authority-2
        must "$Q" enrol "$site"
    done
    estate_trust
}

# A key that will travel, whose first approval is renewed; and one that nobody approves.
golden_keys() {
    asks generate EC:prime256v1 tw-1 --id 0101
    approve "$ID" custodian-1
    must "$Q" approve "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --yes --again
    approve "$ID" custodian-2 custodian-3
    must generate EC:prime256v1 tw-1 --id 0101
    must generate EC:prime256v1 free-1 --id 0f0e
}

golden_far() {
    must "$Q" policy export glasgow "$D/policy.message"
    ends 1 far "$Q" introduce "$D/policy.message" --out "$D/introduction.json"
    far_approve authority-1 authority-2
    must far "$Q" introduce "$D/policy.message" --out "$D/introduction.json"
    attested "$D/introduction.json" glasgow
    must far "$Q" introduce "$D/policy.message" --out "$D/introduction.json" --attestation "$V/glasgow.bundle"
    asks "$Q" enrol glasgow --carried "$D/introduction.json"
    approve "$ID" authority-1 authority-2
    must "$Q" enrol glasgow --carried "$D/introduction.json"
}

golden_script() { # then the steps between entering and attesting
    printf '%s\n' 'ceremony: A key and its certificate' 'id: root-oca-key-generation' 'roles:' \
        '  administrator: {of: ceremony-administrator}' '  custodian: {of: key-custodian, at-least: 3}' 'acts:' \
        '  - act: All of it' '    steps:' '      - {step: Enter., by: administrator, do: enter}' \
        '      - {step: Enter., by: each custodian, do: enter}' \
        '      - {step: Note., by: administrator, do: record, with: {guest: ., box: "^[0-9]+$"}, confidential: {guest: personal}}'
    printf '      - {step: It., %s}\n' "$@" 'by: administrator, do: attest, with: {statement: I was here.}' 'by: administrator, do: close'
}

golden_ceremony() { # number, what the transcript is called; then the steps
    local number=$1 name=$2
    shift 2
    golden_script "$@" >"$D/golden.yaml"
    {
        printf 'people: {administrator: administrator, custodian: [custodian-1, custodian-2, custodian-3]}\nkeys:\n'
        printf '  %s: people/%s.uri\n' administrator administrator custodian-1 custodian-1 custodian-2 custodian-2 \
            custodian-3 custodian-3
        printf 'answers:\n  "1.3": {guest: Mallory, box: "7"}\n'
    } >"$D/ceremony.answers.yaml"
    opening_approved "$D/golden.yaml"
    must holds "$D/golden.yaml"
    must "$Q" transcript "root-oca-key-generation-$number" "$name/transcript" --withhold personal
    cp "$D/trust.yaml" "$name/trust.yaml"
}

# Files for glasgow, of these kinds, and the answers back.
carried() {
    local kind
    rm -rf "$D/out"
    must "$Q" offer export glasgow "$D/out"
    for kind in "$@"; do
        must far "$Q" accept "$(find "$D/out" -name "$kind-*.message" | sort | head -n 1)" --out "$D/$kind"
        must "$Q" receipt import "$D/$kind"
    done
}

golden_life() {
    carried offer
    carried born
    asks "$Q" replicate root tw-1 glasgow
    approve "$ID" authority-1 authority-2
    ends 1 "$Q" replicate root tw-1 glasgow
    carried offer
    carried born
    ends 1 "$Q" drill root glasgow
    carried drill
    far_bound "{courier: [$PWD/$D/courier]}"
    asks p11 --delete-object --type privkey --id 0101
    approve "$ID" custodian-1 custodian-2
    must p11 --delete-object --type privkey --id 0101
    must "$Q" settle
    asks "$Q" suspend token:root --reason 'A test.'
    approve "$ID" authority-1
    must "$Q" suspend token:root --reason 'A test.'
    asks "$Q" resume token:root
    approve "$ID" authority-1 authority-2
    must "$Q" resume token:root
    asks "$Q" promote root cardiff
    approve "$ID" authority-1 authority-2
    must "$Q" promote root cardiff
    asks "$Q" retire root glasgow
    approve "$ID" authority-1 authority-2
    must "$Q" retire root glasgow
    says retired
    far_bound '{carried: true}' # no path of the machine that made it
}

# What the site has of all that, in its own words.
golden_there() { # what the transcript is called
    small_ceremony there far
    QUORATE_BINDINGS=$FAR/bindings.yaml must "$Q" transcript there-1 "$1/transcript"
    cp "$D/there.trust.yaml" "$1/trust.yaml"
}

golden_kept() { # what the transcript is called
    [ ! -e "tests/golden/$1" ] || fail "tests/golden/$1 is there: what is golden is never changed"
    "$Q" verify "$WORK/$1/transcript" --trust "$WORK/$1/trust.yaml" >"$WORK/$1/first.txt"
    tests/verify.py "$WORK/$1/transcript" --trust "$WORK/$1/trust.yaml" >"$WORK/$1/second.txt"
    cp -r "$WORK/$1" tests/golden/
    du -sh "tests/golden/$1"
}

D=$WORK/estate
mkdir "$WORK/$first" "$WORK/$((first + 1))" "$WORK/$((first + 2))"
{
    prepare_bare
    cp -r ceremonies/profiles "$D/"
    far_hsm
    far_bound '{carried: true}'
    authorities
    golden_policy
    golden_sites
    golden_keys
    golden_far
    golden_ceremony 1 "$WORK/$first" 'by: 3 custodian, do: approve, for: key' \
        'by: administrator, do: generate-key-pair, saves: key, with: {token: root, label: root-g1, type: "EC:P-256"}' \
        'by: 3 custodian, do: approve, for: signed' \
        'by: administrator, do: issue-certificate, saves: signed, with: {token: root, label: root-g1, profile: root-oca}'
    golden_life
    golden_ceremony 2 "$WORK/$((first + 1))" 'by: administrator, do: drill, with: {token: root, site: slough}'
    golden_there "$WORK/$((first + 2))"
} >"$WORK/log" 2>&1
for name in "$first" "$((first + 1))" "$((first + 2))"; do
    golden_kept "$name"
done
