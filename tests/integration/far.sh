# For tests of a site that is elsewhere: the HSM of glasgow lies in a SoftHSM of its own, with a home and a policy of its
# own in $D/far; what the host's people approve there, they do with their own cards. Sourced after lib.sh.
# shellcheck shell=bash

# A command at the far end: its own HSM, its own bindings.
far() {
    SOFTHSM2_CONF=$FAR/softhsm2.conf QUORATE_BINDINGS=$FAR/bindings.yaml "$@"
}

# The far end's folder and SoftHSM's configuration, after $D was copied.
far_place() {
    FAR=$(cd "$D" && pwd)/far
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$FAR" >"$FAR/softhsm2.conf"
    courier_write
}

# What the host's courier runs: as `ssh hsm@glasgow quorate accept` would.
courier_write() {
    cat >"$D/courier" <<COURIER
#!/bin/sh
export SOFTHSM2_CONF=$FAR/softhsm2.conf
exec $(cd "$(dirname "$Q")" && pwd)/quorate accept --bindings $FAR/bindings.yaml
COURIER
    chmod 700 "$D/courier"
}

# An HSM of its own and bindings; no home yet.
far_hsm() {
    mkdir -p "$D/far/tokens"
    far_place
    far softhsm2-util --init-token --free --label root-glasgow --so-pin 12345678 --pin "$(pin glasgow)"
    cp "$D/pins/root-glasgow" "$FAR/pin"
    {
        printf 'home: home\npolicy: policy.yaml\ntokens:\n  root:\n'
        printf '    glasgow: {module: %s, serial: "%s", pin: "file:pin"}\n' "$SOFTHSM" "$(far estate_serial root-glasgow)"
    } >"$FAR/bindings.yaml"
}

# $1: how the host reaches glasgow, as the bindings say it.
far_bound() {
    sed -i "s|^    glasgow:.*|    glasgow: $1|" "$D/bindings.yaml"
}

# Approvals in the far home, by people whose cards are at the host.
far_approve() {
    local id person
    # shellcheck disable=SC2012
    id=$(ls -t "$FAR/home/requests" | head -n 1)
    for person in "$@"; do
        QUORATE_BINDINGS=$FAR/bindings.yaml must "$Q" approve "$id" --as "$person" \
            --key "$(cat "$D/people/$person.uri")" --yes
    done
}

# The host's log goes there, people approve there, the HSM makes its keys.
far_introduce() {
    must "$Q" policy export glasgow "$D/policy.message"
    ends 1 far "$Q" introduce "$D/policy.message" --out "$D/introduction.json"
    far_approve authority-1 authority-2
    must far "$Q" introduce "$D/policy.message" --out "$D/introduction.json"
    [ "$(grep -c '^  log key' <<<"$OUT")" = 1 ] || fail 'what people compare is not said once'
}

far_enrol() {
    site_enrolled glasgow --carried "$D/introduction.json"
}

# Births of application keys may wait for receipts: an hour, those of brief keys some seconds.
far_policy() {
    sed -i '/^  - id: birth of an application key pair$/,/extractable/ s/prove: signature/&, deferred: 1 hour/
        /^  - id: birth of a brief key$/,/extractable/ s/prove: signature/&, deferred: 8 seconds, spares: 3/
        s/^    expires: 3 seconds$/    expires: 1 hour/' "$D/policy.yaml"
}

# What of glasgow's HSM fits: expression, type.
far_listed() {
    count_listed "$1" far direct glasgow --type "$2"
}

# How many private keys of this label glasgow's HSM holds.
far_keys() {
    far_listed "^ *label: +$1$" privkey
}

# "slough cardiff glasgow", as count_on_hsms has it: label, type.
count_with_far() {
    local site counts=
    for site in slough cardiff; do
        counts+=" $(count_listed "^ *label: +$1$" direct "$site" --type "$2")"
    done
    counts+=" $(far_listed "^ *label: +$1$" "$2")"
    echo "${counts# }"
}

# From a bare estate to three enrolled sites, glasgow being elsewhere. $1 as for far_bound; LATER: glasgow is enrolled later.
prepare_far() {
    local site
    far_hsm
    far_bound "$1"
    far_policy
    must "$Q" init --environment test
    policy_adopted
    for site in slough cardiff; do
        site_enrolled "$site"
    done
    [ -z "${LATER:-}" ] || return 0
    far_introduce
    far_enrol
}

# A ceremony of four steps, to have a transcript of a record; one is confidential, and the far end follows all the same. $1: its
# id; run at the host or the far end. People, cards and answers are those of $D.
small_script() {
    cat >"$D/$1.yaml" <<SCRIPT
ceremony: A small ceremony
id: $1
roles:
  administrator: {of: ceremony-administrator}
acts:
  - act: All of it
    steps:
      - {step: Enter., by: administrator, do: enter}
      - {step: Note., by: administrator, do: record, with: {guest: .}, confidential: personal}
      - {step: Sign., by: administrator, do: attest, with: {statement: I was here.}}
      - {step: Close., by: administrator, do: close}
SCRIPT
    printf 'people:\n  administrator: administrator\nkeys:\n  administrator: people/administrator.uri\nanswers: {"1.2": {guest: Mallory}}\n' \
        >"$D/small.answers.yaml"
}

# $1: its id; $2: where; then what the verifiers must say of the record, and (with a `!`) must not. Both hold it.
small_ceremony() {
    local id=$1 home=$D/estate bindings=$D/bindings.yaml text request
    [ "$2" = host ] || { home=$FAR/home bindings=$FAR/bindings.yaml; }
    shift 2
    small_script "$id"
    QUORATE_BINDINGS=$bindings ends 1 "$Q" run "$D/$id.yaml" --answers "$D/small.answers.yaml"
    # shellcheck disable=SC2012
    request=$(ls -t "$home/requests" | head -n 1)
    for text in authority-1 authority-2; do
        QUORATE_BINDINGS=$bindings must "$Q" approve "$request" --as "$text" --key "$(cat "$D/people/$text.uri")" --yes
    done
    QUORATE_BINDINGS=$bindings must "$Q" run "$D/$id.yaml" --answers "$D/small.answers.yaml"
    printf 'log-key: "%s"\npolicy: "sha256:%s"\n' "$(cat "$home/log/vkey")" "$(sha256sum <"$D/policy.yaml" | cut -d' ' -f1)" \
        >"$D/$id.trust.yaml"
    QUORATE_BINDINGS=$bindings must "$Q" transcript "$id-1" "$D/$id"
    must "$Q" verify "$D/$id" --trust "$D/$id.trust.yaml"
    small_says "$@"
    must tests/verify.py "$D/$id" --trust "$D/$id.trust.yaml"
    small_says "$@"
}

small_says() {
    local text
    for text in "$@"; do
        case $text in
        !*) ! grep -qF -- "${text#!}" <<<"$OUT" || fail "said \"${text#!}\"" ;;
        *) says "$text" ;;
        esac
    done
}
