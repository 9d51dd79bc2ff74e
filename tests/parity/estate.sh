# Two HSMs alike, each with a token "root": one that clients use directly, one behind an estate whose policy allows
# everything. Sourced, with TREE and D set.
# shellcheck shell=bash

Q=$TREE/quorate
SITES=here
PEOPLE="authority-1 authority-2"
PARITY_PIN=1234567890
PARITY_SO_PIN=87654321
# shellcheck source=demo/estate.sh
. demo/estate.sh

parity_person() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 -subj "/CN=$1" \
        -keyout "$D/people/$1.key" -out "$D/people/$1.pem"
    echo "$D/people/$1.key" >"$D/people/$1.uri"
}

run() {
    eval "$1"
}

# $1: the folder of tokens, with a configuration of its own beside it.
parity_token() {
    mkdir -p "$D/$1"
    printf 'directories.tokendir = %s/%s\nobjectstore.backend = file\nlog.level = ERROR\n' "$(cd "$D" && pwd)" "$1" \
        >"$D/$1.conf"
    SOFTHSM2_CONF=$D/$1.conf softhsm2-util --init-token --free --label root --so-pin $PARITY_SO_PIN --pin $PARITY_PIN
}

parity_estate() {
    rm -rf "$D"
    mkdir -p "$D/pins" "$D/people"
    parity_token bare
    parity_token below
    (umask 077 && echo $PARITY_PIN >"$D/pins/root-here")
    export QUORATE_BINDINGS=$D/bindings.yaml SOFTHSM2_CONF=$D/below.conf
    local id
    for id in $PEOPLE; do
        parity_person "$id"
    done
    estate_policy tests/parity/policy.yaml
    printf 'home: estate\npolicy: policy.yaml\ntokens:\n  root:\n    here: {module: %s, serial: "%s", pin: "file:pins/root-here"}\n' \
        "$SOFTHSM" "$(estate_serial root)" >"$D/bindings.yaml"
    "$Q" init --environment test
    ! "$Q" policy adopt "$D/policy.yaml" || return 1
    estate_approve "$(estate_newest)" authority-1 authority-2
    "$Q" policy adopt "$D/policy.yaml"
}
