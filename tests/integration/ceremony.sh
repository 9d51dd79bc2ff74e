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

# One of an administrator alone, who enters, does these steps and closes, as $D/short.yaml. $1: its id; $2: the answers; then a step
# each: "WHAT, do: ACTION, with: …".
short_ceremony() {
    local id=$1
    printf '%s\n' 'people: {administrator: administrator}' 'keys: {administrator: people/administrator.uri}' \
        "answers: $2" >"$D/ceremony.answers.yaml"
    shift 2
    printf '%s\n' 'ceremony: A short one' "id: $id" 'roles: {administrator: {of: ceremony-administrator}}' 'acts:' \
        '  - act: All of it' '    steps:' >"$D/short.yaml"
    printf '      - {by: administrator, step: %s}\n' 'Enter, do: enter' "$@" 'Close, do: close' >>"$D/short.yaml"
}
short_holds() {
    holds "$D/short.yaml"
}

# For stamps of time: an authority of the test's own, and its answer to a query.
authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1" \
        -addext extendedKeyUsage=critical,timeStamping -keyout "$D/$1.key" -out "$D/$1.pem" 2>"$D/$1.err"
    printf '01\n' >"$D/$1.serial"
    printf '[tsa]\nserial=%s\ncrypto_device=builtin\ndigests=sha256\ndefault_policy=1.2.3.4\nsigner_digest=sha256\n' \
        "$D/$1.serial" >"$D/$1.cnf"
}
stamp() { # name, query, response
    openssl ts -reply -config "$D/$1.cnf" -section tsa -queryfile "$2" -signer "$D/$1.pem" -inkey "$D/$1.key" -out "$3"
}

# A short ceremony closes the record, both verifiers read it, and every forgery of these kinds is refused. $1: the kinds; then
# answers and steps as short_ceremony has them.
recorded() {
    local kinds=$1
    shift
    [ $# -gt 0 ] || set -- '{}'
    short_ceremony root-oca-key-generation "$@"
    opening_approved "$D/short.yaml"
    must short_holds
    transcript_holds $CEREMONY
    must tests/tamper.py "$D/transcript" --trust "$D/trust.yaml" --log-key "$D/estate/log/key" --quorate "$Q" --kinds "$kinds"
    printf '%s\n' "$OUT"
}
