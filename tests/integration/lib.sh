# For the integration tests: each file test_*.sh sources this, defines functions case_NAME and ends with `cases`. Every
# case runs in a shell of its own with `set -e`, in a copy of a prepared estate ($D), from the top of the source tree.
#   TREE   build or build/asan      WORK   where the estates of this run lie (tests/integration/run.sh sets both)
# shellcheck shell=bash

set -uo pipefail
Q=$TREE/quorate
MODULE=$(cd "$TREE" && pwd)/quorate-pkcs11.so
OUT= # what the last command said
# shellcheck source=demo/estate.sh
. demo/estate.sh

run() {
    eval "$1"
}

# One more than the demonstration has: somebody whose time is over; and custodian-4's key is a PEM file, not a card.
PEOPLE+=" custodian-6"
test_policy() {
    local leaver brief
    leaver='  - {id: custodian-6, name: Key Custodian Six, organisation: Service Provider, roles: [key-custodian],
     fingerprint: "sha256:@custodian-6@", from: 2024-01-01, until: 2024-06-01}'
    brief='  - id: birth of a brief key
    when: {operation: generate, token: root, label: "^app-brief", class: private-key}
    require:
      quorum: {of: key-custodian, at-least: 3, organisations: 2, reject-at: 2}
      replicas: {at-least: 2, prove: signature}
      extractable: closed
      transport: {allow: [oaep-sha1]}
    expires: 3 seconds'
    LEAVER=$leaver BRIEF=$brief awk '
        /^  - id: witness-1$/ { print ENVIRON["LEAVER"] }
        /^  - id: birth of an application key pair$/ { print ENVIRON["BRIEF"] }
        { print }' demo/policy.yaml
}

# $1: rules that come before all others of the policy.
policy_first() {
    RULES=$1 awk '{ print } /^rules:$/ { print ENVIRON["RULES"] }' "$D/policy.yaml" >"$D/policy.new"
    mv "$D/policy.new" "$D/policy.yaml"
}

# Keys tw-… are born so that they can be brought to further sites, for the primary's security officer is known. $1: more rules.
policy_travelling() {
    policy_first '  - id: birth of a key that may travel
    when: {operation: generate, token: root, label: "^tw-"}
    require:
      quorum: {of: key-custodian, at-least: 3, organisations: 2}
      replicas: {at-least: 1, prove: signature}
      extractable: trusted-wrap-only
      transport: {allow: [oaep-sha1]}
  - id: how it travels
    when: {operation: replicate, token: root, label: "^tw-"}
    require: {quorum: {of: authority, at-least: 2}, transport: {allow: [oaep-sha1]}}
'"$1"
    (umask 077; echo 12345678 >"$D/pins/officer")
    sed -i.plain '/slough:.*module/s/}$/, so-pin: "file:pins\/officer"}/' "$D/bindings.yaml"
}

# HSMs, cards, policy and bindings; no estate yet.
prepare_bare() {
    estate_clear
    estate_hsms
    estate_people
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 -subj /CN=custodian-4 \
        -keyout "$D/people/custodian-4.key" -out "$D/people/custodian-4.pem"
    echo "$D/people/custodian-4.key" >"$D/people/custodian-4.uri"
    test_policy >"$D/template.yaml"
    estate_policy "$D/template.yaml"
    estate_bindings
}

# From there to three enrolled sites.
prepare_ready() {
    "$Q" init --environment test
    policy_adopted
    local site
    for site in $SITES; do
        site_enrolled "$site"
    done
}

# Makes $D from the prepared estate $1.
estate_copy() {
    cp -a "$1" "$D"
    local where
    where=$(cd "$D" && pwd)
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$where" >"$D/softhsm2.conf"
    printf 'export QUORATE_BINDINGS=%q\nexport SOFTHSM2_CONF=%q\n' "$where/bindings.yaml" "$where/softhsm2.conf" >"$D/env.sh"
    # shellcheck source=/dev/null
    . "$D/env.sh"
    echo "$D/people/custodian-4.key" >"$D/people/custodian-4.uri"
}

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    [ -z "$OUT" ] || printf -- '-- the last command said:\n%s\n' "$OUT" >&2
    exit 1
}

# Runs a command that must end well; what it says is in OUT.
must() {
    local rc=0
    OUT=$("$@" 2>&1) || rc=$?
    [ "$rc" = 0 ] || fail "ended with $rc: $*"
}

# $1: the exit status wanted; then the command.
ends() {
    local want=$1 rc=0
    shift
    OUT=$("$@" 2>&1) || rc=$?
    [ "$rc" = "$want" ] || fail "ended with $rc instead of $want: $*"
}

# The last command said each of these.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" <<<"$OUT" || fail "did not say \"$text\""
    done
}

# ... by an extended regular expression.
matches() {
    grep -qE -- "$1" <<<"$OUT" || fail "did not say anything like \"$1\""
}

# A program that was not built with the sanitizers, with the module inside.
client() {
    if [[ $TREE == */asan ]]; then
        LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 "$@"
    else
        "$@"
    fi
}

pin() {
    cat "$D/pins/root-$1"
}

# pkcs11-tool through the module, logged in.
p11() {
    client pkcs11-tool --module "$MODULE" --token-label root --login --pin "$(pin slough)" "$@"
}

# pkcs11-tool straight on a site's HSM.
direct() {
    local site=$1
    shift
    pkcs11-tool --module "$SOFTHSM" --token-label "root-$site" --login --pin "$(pin "$site")" "$@"
}

# openssl with the engine, on the module. pkcs11-tool's refusals are in OUT.
through_engine() {
    PKCS11_MODULE_PATH="$MODULE" client openssl "$@"
}

# Asks for a birth that must be refused and leave one new request; its id is in ID.
ID=
asks() {
    local before
    before=$(ls "$D/estate/requests" 2>/dev/null || true)
    ends 1 "$@"
    ID=$(comm -13 <(echo "$before") <(ls "$D/estate/requests"))
    [[ $ID =~ ^[0-9a-f]{64}$ ]] || fail "left \"$ID\" instead of one request: $*"
}

# $1: id of the request, then the people; each approval must be taken.
approve() {
    local id=$1 person
    shift
    for person in "$@"; do
        must "$Q" approve "$id" --as "$person" --key "$(cat "$D/people/$person.uri")" --yes
    done
}

# The policy in $D comes into force, as the authorities agree.
policy_adopted() {
    ends 1 "$Q" policy adopt "$D/policy.yaml"
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" policy adopt "$D/policy.yaml"
}

# A site is enrolled, as they agree: the site, more of the command's words.
site_enrolled() {
    ends 1 "$Q" enrol "$@"
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" enrol "$@"
}

generate() { # type, label, more
    local type=$1 label=$2
    shift 2
    p11 --keypairgen --key-type "$type" --label "$label" "$@"
}

# A key pair is born: type, label.
born() {
    asks generate "$@"
    approve "$ID" custodian-1 custodian-2 custodian-3
    must generate "$@"
}

# What lies on all three HSMs, the public objects included: to be equal before and after a refusal.
on_hsms() {
    local site
    for site in $SITES; do
        direct "$site" --list-objects
    done
}

# How many lines of what pkcs11-tool lists fit: expression, then the command. It says nothing where the listing itself fails.
count_listed() {
    local expression=$1 list
    shift
    list=$("$@" --list-objects 2>/dev/null) || fail "there is no listing: $*"
    grep -cE -- "$expression" <<<"$list" || true
}

# How many objects of this label the three HSMs hold, "slough cardiff glasgow": label, type.
count_on_hsms() {
    local site counts=
    for site in $SITES; do
        counts+=" $(count_listed "^ *label: +$1$" direct "$site" --type "$2")"
    done
    echo "${counts# }"
}

# A signature by each HSM's key verifies with the public key that the primary shows: label, openssl's extra arguments.
one_key() {
    local label=$1 site
    shift
    echo "the same message" >"$D/message"
    p11tool --export "pkcs11:token=root-slough;object=$label;type=public" >"$D/$label.pub" 2>/dev/null
    grep -q 'BEGIN PUBLIC KEY' "$D/$label.pub" || fail "no public key of $label on the primary"
    for site in $SITES; do
        must openssl dgst -sha256 -engine pkcs11 -keyform engine "$@" -out "$D/$site.sig" \
            -sign "pkcs11:token=root-$site;object=$label;type=private?pin-value=$(pin "$site")" "$D/message"
        must openssl dgst -sha256 "$@" -verify "$D/$label.pub" -signature "$D/$site.sig" "$D/message"
        says 'Verified OK'
    done
}

# Ends the shell: with 3 where a case failed, which run.sh tells from a file that broke off.
cases() {
    local name rc status=0
    for name in $(compgen -A function case_); do
        D=$WORK/${0##*/}-$name
        D=${D/.sh-case_/-}
        rm -rf "$D"
        (
            set -e
            estate_copy "$WORK/${FROM:-ready}"
            "$name"
        ) >"$D.log" 2>&1 </dev/null
        rc=$?
        if [ "$rc" = 0 ]; then
            echo "ok   ${D#build/}"
            rm -rf "$D" "$D.log"
        else
            status=3
            printf 'FAIL %s (what is left lies in %s)\n%s\n' "${D#build/}" "$D" \
                "$( (sed -n '/^FAILED: /,$p' "$D.log" | head -n 40 | grep . || tail -n 25 "$D.log") | sed 's/^/     /')"
        fi
    done
    exit "$status"
}
