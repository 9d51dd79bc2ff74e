#!/bin/bash
# The main job, seen once from end to end: an estate of three HSMs is started, a key is born on all of them after three
# people of two organisations approved it, and a key ceremony is run and verified. Prints every command that it runs. What it makes stays in build/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PKCS11_MODULE_PATH OPENSSL_CONF # a setting of the caller's must not redirect the cards
export LC_ALL=C
umask 022

# Two of these at once would pull the tokens from under each other.
mkdir -p build
exec 9>build/demo.lock
flock 9

D=build/demo
Q=build/quorate
MODULE=build/quorate-pkcs11.so

step() {
    printf '\n== %s\n' "$1"
}

say() {
    printf '%s\n' "$*" | fold -s -w 110 | sed 's/ *$//'
}

# Prints a command as a reader may repeat it.
show() {
    printf '\n%s\n' "$1" | sed '2s/^/  $ /; 3,$s/^/    /'
}

# Runs one command text after printing it. $2: `quiet`, its output is shown only where it fails; `brief`, what it says
# beside its result is not.
run() {
    local out rc=0
    show "$1"
    case ${2:-} in
    quiet)
        out=$(eval "$1" 2>&1) || rc=$?
        [ "$rc" = 0 ] || printf '%s\n' "$out"
        ;;
    brief)
        eval "$1" 2>"$D/stderr" | sed 's/^/    /' || rc=$?
        [ "$rc" = 0 ] || cat "$D/stderr"
        rm -f "$D/stderr"
        ;;
    *) eval "$1" 2>&1 | sed 's/^/    /' || rc=$? ;;
    esac
    if [ "$rc" != 0 ]; then
        printf '\nThe demonstration stops here: that command ended with %s.\n' "$rc" >&2
        exit 1
    fi
}

# Runs a command that must end with a refusal.
refused() {
    local rc=0
    show "$1"
    eval "$1" 2>&1 | sed 's/^/    /' || rc=$?
    if [ "$rc" = 0 ]; then
        printf '\nThe demonstration stops here: that command should have been refused.\n' >&2
        exit 1
    fi
}

# shellcheck source=demo/estate.sh
. demo/estate.sh

if ! p11-kit list-modules 2>/dev/null | grep -q '^softhsm2:'; then
    echo 'p11-kit does not know SoftHSM, which plays the smartcards here: the Debian package softhsm2 brings' >&2
    echo '/usr/share/p11-kit/modules/softhsm2.module. Run "make deps", then try again.' >&2
    exit 2
fi

step 'Three HSMs and twelve smartcards'
say 'All of them are SoftHSM tokens below build/demo/tokens. Commands here run from the top of the source tree.'
estate_clear
run ". $D/env.sh"
estate_hsms
estate_people

step 'The policy, and how the HSMs are reached'
say "The policy is demo/policy.yaml with the fingerprints of the twelve certificates filled in. The bindings name the" \
    "HSMs by serial number."
estate_policy demo/policy.yaml
estate_bindings
run "cat $D/bindings.yaml"
run "$Q policy check $D/policy.yaml"

step 'The estate starts: its log, and a policy that two of the authority approve'
run "$Q init --environment rehearsal"
say 'An auditor who sees this takes two things home: the log key, and the digest of the first policy.'
estate_trust
refused "$Q policy adopt $D/policy.yaml"
APPROVING=brief estate_approve "$(estate_newest)" authority-1 authority-2
run "$Q policy adopt $D/policy.yaml"

step 'The three sites are enrolled: each HSM makes its transport and identity keys'
for site in $SITES; do
    refused "$Q enrol $site"
    APPROVING=brief estate_approve "$(estate_newest)" authority-1 authority-3
    run "$Q enrol $site"
done

step 'An application asks for a key, and is refused'
say '0x200 is CKR_FUNCTION_REJECTED. Nothing has happened on any HSM; a request waits for people.'
birth="pkcs11-tool --module $MODULE --token-label root --login --pin \"\$(cat $D/pins/root-slough)\" \\
    --keypairgen --key-type EC:secp384r1 --label app-1"
refused "$birth"
request=$(estate_newest)
run "$Q request list"
refused "$Q request show ${request:0:16}"

step 'Three custodians of two organisations approve'
say 'Each sees what they approve, and the id of the request as words, to compare with a second device.'
estate_approve "$request" custodian-1
APPROVING=brief estate_approve "$request" custodian-2 custodian-3

step 'The same command again: the key is born'
run "$birth"

step 'One key, three HSMs'
say 'What the three HSMs hold, asked directly, without Quorate; and a signature by each, which the one public key verifies.'
for site in $SITES; do
    run "pkcs11-tool --module $SOFTHSM --token-label root-$site --login --pin \"\$(cat $D/pins/root-$site)\" \\
    --list-objects --type privkey | grep -A 3 app-1"
done
run "p11tool --export \"pkcs11:token=root-slough;object=app-1;type=public\" >$D/app-1.pub"
run "echo 'a message' >$D/message"
for site in $SITES; do
    run "openssl dgst -sha384 -engine pkcs11 -keyform engine \\
    -sign \"pkcs11:token=root-$site;object=app-1;type=private?pin-value=\$(cat $D/pins/root-$site)\" \\
    -out $D/$site.sig $D/message" quiet
    run "openssl dgst -sha384 -verify $D/app-1.pub -signature $D/$site.sig $D/message"
done

step 'What the record says'
run "$Q status"
run "$Q log check"

step 'A key ceremony: the Root CA key, its certificate, and the record'
say 'root-g1 is born only in an open ceremony. The authority approves the opening: this script, these people. Here the' \
    'answers come from a file; without --answers the same script asks at the terminal (never a file in production).'
estate_answers demo/ceremony.answers.yaml.in
ceremony="$Q run ceremonies/root-oca-key-generation.yaml --answers $D/ceremony.answers.yaml"
refused "$ceremony"
APPROVING=brief estate_approve "$(estate_newest)" authority-1 authority-2
run "$ceremony"

step 'Somebody who was not in the room verifies it'
run "$Q transcript root-oca-key-generation-1 $D/transcript"
run "$Q verify $D/transcript --trust $D/trust.yaml"

cat <<END

Done. Look around:

  . $D/env.sh
  $Q log show                              every entry of the record
  $Q request show ${request:0:12}             the request, who approved it, and by which rule
  $Q policy explain --help                 what would happen if
  less $D/policy.yaml                       people, sites and rules
  $Q script print ceremonies/root-oca-key-generation.yaml
                                                      the ceremony's script, as it is printed and initialled
  ls $D/transcript                          what the auditor was given
END
