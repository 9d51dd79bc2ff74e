#!/bin/bash
# A ceremony is rehearsed, then run: what differs is listed, and only what may.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
FROM=bare

# An estate of this environment in $D, its ceremony held, its transcript in $1.
held() { # transcript, environment
    rm -rf "$D/estate"
    eval "$(declare -f prepare_ready | sed "s/--environment [a-z]*/--environment $2/")"
    prepare_ready
    estate_trust
    cp "$D/trust.yaml" "$1-trust.yaml"
    estate_answers demo/ceremony.answers.yaml.in
    sed -i "s/SLO-2/SLO-$3/" "$D/ceremony.answers.yaml"
    ends 1 client "$Q" run ceremonies/root-oca-key-generation.yaml --answers "$D/ceremony.answers.yaml"
    approve "$(estate_newest)" authority-1 authority-2
    must client "$Q" run ceremonies/root-oca-key-generation.yaml --answers "$D/ceremony.answers.yaml"
    must "$Q" transcript root-oca-key-generation-1 "$1"
}

compare() { # real, rehearsal
    "$Q" verify "$1" --trust "$1-trust.yaml" --rehearsal "$2" --rehearsal-trust "$2-trust.yaml"
}

case_what_differs() {
    held "$D/rehearsed" rehearsal 2
    # Another home on the same HSMs: what the rehearsal left on them goes first.
    local site
    for site in $SITES; do
        must softhsm2-util --delete-token --token "root-$site"
        must softhsm2-util --init-token --free --label "root-$site" --pin "$(pin "$site")" --so-pin 12345678
    done
    estate_bindings
    held "$D/real" test 3
    must compare "$D/real" "$D/rehearsed"
    matches '^proven +rehearsal'
    says 'differs from the rehearsal: environment: test' 'differs from the rehearsal: serial of the HSM of slough' \
        'differs from the rehearsal: bindings' 'SLO-3, rehearsed with SLO-2'
    # A run is no rehearsal of itself, nor the rehearsal of a rehearsal; nor does one that was altered count.
    ends 1 compare "$D/real" "$D/real"
    says 'environment is test'
    ends 1 compare "$D/rehearsed" "$D/rehearsed"
    echo >>"$D/rehearsed/checkpoint"
    ends 1 compare "$D/real" "$D/rehearsed"
    says 'only two transcripts that hold can be compared'
}

cases
