#!/bin/bash
# Policies and bindings that are not well formed: file, line and column, exit 2, nothing touched. And wrong usage.
# shellcheck source=tests/integration/lib.sh
FROM=bare
. tests/integration/lib.sh

# $1: a sed script that spoils the policy; then what must be said.
spoiled_policy() {
    sed "$1" "$D/policy.yaml" >"$D/spoiled.yaml"
    shift
    ! cmp -s "$D/policy.yaml" "$D/spoiled.yaml" || fail 'the policy was not spoiled'
    ends 2 "$Q" policy check "$D/spoiled.yaml"
    matches 'spoiled\.yaml:[0-9]+:[0-9]+: '
    says "$@"
}

case_policies() {
    local line
    must "$Q" policy check "$D/policy.yaml"
    spoiled_policy '/^version:/d' version
    spoiled_policy 's/^version: 1/version: 0/' 'out of range'
    spoiled_policy 's/^version: 1/version: one/' one
    spoiled_policy 's/^quorate: 1/quorate: 2/' quorate
    spoiled_policy 's/^semantics: 1/semantics: 9/' semantics
    spoiled_policy 's/^otherwise: deny/otherwise: allow/' otherwise
    spoiled_policy 's/^otherwise: deny/otherwize: deny/' otherwize otherwise
    spoiled_policy 's/^name: demo/name: demo\nname: demo/' name
    spoiled_policy '0,/roles: \[key-custodian\]/s//roles: []/' 'not empty'
    spoiled_policy 's/id: custodian-2$/id: custodian-1/' custodian-1
    spoiled_policy '0,/fingerprint: sha256:./s//fingerprint: sha256:/' SHA-256
    spoiled_policy '0,/from: 2024-01-01/s//from: 2024-13-01/' 2024-13-01
    spoiled_policy 's/replicas: \[cardiff, glasgow\]/replicas: [cardiff, leeds]/' leeds
    spoiled_policy 's/at-least: 3, organisations: 2, within/at-least: 0, organisations: 2, within/' 0
    spoiled_policy 's/"^(root|oca)-"/"^(root|oca-"/' 'regular expression'
    spoiled_policy 's/operation: suspend/operation: suspence/' suspence
    spoiled_policy 's/within: 15 minutes/within: 15 parsecs/' parsecs
    spoiled_policy 's/^name: demo/name: \&a demo/' anchor
    spoiled_policy 's/^name: demo/name: !!str demo/' tag
    # The line is the right one.
    line=$(grep -n '^semantics:' "$D/policy.yaml" | cut -d: -f1)
    spoiled_policy 's/^semantics: 1/semantics: 9/' "spoiled.yaml:$line:"
}

# Well formed, but it would lock everybody out.
case_policies_that_brick() {
    sed '/^succession/d' "$D/policy.yaml" >"$D/spoiled.yaml"
    ends 1 "$Q" policy check "$D/spoiled.yaml"
    says succession
    sed 's/\[adopt-policy, /[/' "$D/policy.yaml" >"$D/spoiled.yaml"
    ends 1 "$Q" policy check "$D/spoiled.yaml"
    says adopt-policy
    # Neither can become the first policy.
    cp "$D/spoiled.yaml" "$D/policy.yaml"
    if "$Q" init --environment test; then
        ends 1 "$Q" policy adopt "$D/policy.yaml"
        [ -z "$(ls "$D/estate/requests")" ] || fail 'a policy that cannot be changed again waits for approval'
    fi
}

case_two_people_with_one_certificate() {
    local one two
    one=$(openssl x509 -in "$D/people/custodian-1.pem" -outform DER | sha256sum | cut -d' ' -f1)
    two=$(openssl x509 -in "$D/people/custodian-2.pem" -outform DER | sha256sum | cut -d' ' -f1)
    spoiled_policy "s/$two/$one/" custodian-1 custodian-2
}

# $1: a sed script that spoils the bindings; then what must be said.
spoiled_bindings() {
    sed "$1" "$D/bindings.yaml" >"$D/spoiled.yaml"
    shift
    ! cmp -s "$D/bindings.yaml" "$D/spoiled.yaml" || fail 'the bindings were not spoiled'
    ends 2 "$Q" init --environment test --bindings "$D/spoiled.yaml"
    matches 'spoiled\.yaml:[0-9]+:[0-9]+: '
    says "$@"
    [ ! -e "$D/estate" ] || fail 'a home was made in spite of that'
}

case_bindings() {
    spoiled_bindings '/^home:/d' home
    spoiled_bindings 's/^home:/hone:/' hone home
    spoiled_bindings 's/^home: estate/home: estate\nhome: estate/' home
    spoiled_bindings 's/^policy:.*/policy: [a, b]/' list
    spoiled_bindings '/^ *glasgow/s/serial: "[0-9a-f]*", //' serial
    spoiled_bindings '/^ *glasgow/s/pin: "file:/pin: "fire:/' file:PATH
    spoiled_bindings '/^ *glasgow/s/module: [^,]*/module: 7, nodule: 8/' nodule
    spoiled_bindings '/^tokens:/,$d' tokens
}

case_bindings_that_others_may_write() {
    chmod 666 "$D/bindings.yaml"
    ends 1 "$Q" init --environment test
    says bindings.yaml
    [ ! -e "$D/estate" ] || fail 'a home was made in spite of that'
}

case_usage() {
    ends 2 "$Q" nonsense
    ends 2 "$Q" init
    ends 2 "$Q" init --environment moonbase
    says production test rehearsal
    ends 2 "$Q" policy check
    ends 2 "$Q" policy check "$D/absent.yaml"
    says absent.yaml
    ends 2 "$Q" approve
    must "$Q" --help
    must "$Q" policy explain --help
    [ ! -e "$D/estate" ] || fail 'a home was made in spite of that'
}

case_no_estate_yet() {
    local command
    # Those that ask the module too say what it could not read, not what PKCS#11 calls it.
    for command in status inventory drill settle; do
        ends 2 "$Q" $command
        says 'quorate init'
        ends 2 "$Q" $command --bindings "$D/none.yaml"
        says "$D/none.yaml"
    done
    ! generate EC:secp384r1 app-1 >/dev/null 2>&1 || fail 'a birth without an estate'
}

case_the_environment_is_for_ever() {
    must "$Q" init --environment test
    ! "$Q" init --environment production >/dev/null 2>&1 || fail 'a second genesis'
    must "$Q" log show --type genesis
    says test
}

case_explain() {
    must "$Q" policy explain generate --policy "$D/policy.yaml" --token root --label app-1 --type EC:P-384 --usage sign \
        --class private-key --approve custodian-1 --approve custodian-2 --approve custodian-3
    says allow 'policy.yaml:'
    ends 1 "$Q" policy explain generate --policy "$D/policy.yaml" --token root --label app-1 --type EC:P-384 \
        --usage sign --class private-key --approve custodian-1 --approve custodian-3 --approve custodian-5
    says organisation
    ends 1 "$Q" policy explain generate --policy "$D/policy.yaml" --token root --label root-g9 --type EC:P-384 \
        --usage sign --class private-key --approve custodian-1 --approve custodian-2 --approve custodian-3
    says ceremony
    ends 1 "$Q" policy explain destroy --policy "$D/policy.yaml" --token root --label app-1 --class private-key
    says otherwise
}

# Whatever stands in a policy, emptied: it never means anyone.
case_nothing_means_anyone() {
    must tests/empties.py --quorate "$Q"
    says ', 0 not answered'
}

cases
