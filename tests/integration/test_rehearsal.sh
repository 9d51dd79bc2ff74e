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
    "$Q" verify "$1" --trust "$1-trust.yaml" --rehearsal "$2" --rehearsal-trust "$2-trust.yaml" "${@:3}"
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

# Papers only, so that no HSM is asked. $1: the transcript, $2: environment; then sed's for the policy and for the script.
paper() {
    local program=${PROGRAM:-$Q}
    rm -rf "$D/estate"
    sed -e "${3:-}" "$D/template.yaml" >"$D/this.yaml"
    estate_policy "$D/this.yaml"
    must "$Q" init --environment "$2"
    policy_adopted
    estate_trust
    cp "$D/trust.yaml" "$1-trust.yaml"
    cat >"$D/paper.yaml" <<'END'
ceremony: Papers
id: papers
roles:
  administrator: {of: ceremony-administrator}
  witness: {of: witness}
acts:
  - act: Papers
    steps:
      - {step: Enter, by: administrator, do: enter}
      - {step: Enter, by: witness, do: enter}
      - {step: Note, by: witness, do: record, with: {what: "^[a-z]+$", who: "^[a-z]+$"}, confidential: {who: personal}}
      - {step: Close, by: administrator, do: close}
END
    sed -i -e "${4:-}" "$D/paper.yaml"
    printf '%s\n' "people: {administrator: administrator, witness: ${WITNESS:-witness-1}}" 'answers:' \
        "  \"1.3\": {what: ${SAID:-same}, who: ${WHO:-same}}" >"$D/paper.answers.yaml"
    ends 1 "$program" run "$D/paper.yaml" --answers "$D/paper.answers.yaml"
    approve "$(estate_newest)" authority-1 authority-2
    must "$program" run "$D/paper.yaml" --answers "$D/paper.answers.yaml"
    must "$Q" transcript papers-1 "$1"
    must "$Q" verify "$1" --trust "$1-trust.yaml"
}

not_rehearsed() { # transcript, what
    ends 1 compare "$1" "$D/rehearsed"
    matches '^fails +rehearsal'
    says "was not rehearsed like this: $2"
    ends 1 compare "$1" "$D/rehearsed" --json
    says "\"not-rehearsed\":[\"$2" '"holds":"false"'
}

case_what_may_not_differ() {
    paper "$D/rehearsed" rehearsal
    SAID=other WHO=somebody paper "$D/real" test
    must compare "$D/real" "$D/rehearsed"
    says 'answer what at step 1.3: other, rehearsed with same' 'answer who at step 1.3: somebody, rehearsed with same'
    must compare "$D/real" "$D/rehearsed" --json
    says '"differences":["environment: test"' '"not-rehearsed":[]' '"holds":"true"'
    # What is withheld cannot be compared, and is not passed over in silence.
    must "$Q" transcript papers-1 "$D/real-some" --withhold personal
    cp "$D/real-trust.yaml" "$D/real-some-trust.yaml"
    must compare "$D/real-some" "$D/rehearsed"
    says 'not verifiable here: 1 bodies of the run and 0 of the rehearsal are withheld'
    grep -q 'answer who' <<<"$OUT" && fail 'what is withheld is told'
    # A rule of the policy, a step of the script, somebody in a role, the program.
    paper "$D/run-policy" test 's/apart-km: 100/apart-km: 10/'
    not_rehearsed "$D/run-policy" 'policy demo'
    paper "$D/run-script" test '' 's/step: Note/step: Write/'
    not_rehearsed "$D/run-script" 'script papers'
    WITNESS=witness-2 paper "$D/run-people" test
    not_rehearsed "$D/run-people" 'roles of papers-1'
    mkdir "$D/bin"
    cp "$Q" "$MODULE" "$D/bin/"
    printf '\n' >>"$D/bin/quorate"
    PROGRAM=$D/bin/quorate paper "$D/run-program" test
    not_rehearsed "$D/run-program" 'the program quorate'
}

# Of a transcript that is small. EVERY: how many bytes are flipped; `every`: each of them.
case_a_byte_flipped() {
    paper "$D/small" rehearsal
    must tests/tamper.py "$D/small" --trust "$D/small-trust.yaml" --quorate "$Q" --flips "${EVERY:-50}" --only ', byte '
    says 'changes in all'
    printf '%s\n' "$OUT"
}

cases
