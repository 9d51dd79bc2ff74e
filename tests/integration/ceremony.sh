# For the tests of ceremonies and transcripts, beside lib.sh: a ceremony from its answers to its transcript.
# shellcheck shell=bash

SCRIPT=ceremonies/root-oca-key-generation.yaml
CEREMONY=root-oca-key-generation-1

# The demonstration's answers for four custodians, of whom one rejects; what is said there besides: a wrong entry and its
# retry, and a deviation. Arguments: sed's, for something else.
answers() {
    estate_answers demo/ceremony.answers.yaml.in
    sed -i -e 's/custodian: \[custodian-1, custodian-2, custodian-3\]/custodian: [custodian-1, custodian-2, custodian-3, custodian-4]/' \
        -e 's!^  custodian-3: people.*!&\n  custodian-4: people/custodian-4.key!' \
        -e 's/^answers:$/&\n  "3.2": {reject: custodian-3, reason: the words differ on my device}/' \
        "$@" "$D/ceremony.answers.yaml"
}

# The script with a drill of each site once the key is born.
drilling_script() {
    cp -r ceremonies/profiles "$D/profiles"
    awk '/^  - act: Issue the certificate$/ {
            print "      - step: Drill the HSM of {hsm}.\n        for-each: hsm in [slough, cardiff, glasgow]"
            print "        by: administrator\n        do: drill\n        with: {token: \"{token}\", site: \"{hsm}\"}\n" }
        { print }' $SCRIPT >"$D/drilling.yaml"
}

# $1: the script.
holds() {
    "$Q" run "$1" --answers "$D/ceremony.answers.yaml"
}

# Its opening asked for, and approved.
opening_approved() {
    asks holds "$1"
    approve "$ID" authority-1 authority-2
}

# Both verifiers agree that it holds. $1: the ceremony.
transcript_holds() {
    estate_trust
    must "$Q" transcript "$1" "$D/transcript"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    says 'The transcript holds.'
    must tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
}
