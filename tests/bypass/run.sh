#!/bin/bash
# Ways round the module (tests/bypass), in one process and across the boundary of docs/BOUNDARY.md: each prints the table
# of operations and ways. TREE: build, or build/asan or build/tsan, where it is tried in one process alone. Prints "ok NAME" or "FAIL NAME"; the rest lies in build/ways-round.
set -uo pipefail
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C TREE=${TREE:-build}
export WORK=$PWD/$TREE/ways-round
rm -rf "$WORK"
mkdir -p "$WORK"
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/boundary.sh
. tests/integration/boundary.sh

# The rules of the attempts before those of the demonstration.
test_policy() {
    RULES='  - id: birth of a governed key
    when: {operation: generate, label: "^gov-", class: private-key}
    require:
      quorum: {of: key-custodian, at-least: 2}
      replicas: {at-least: 2, prove: signature}
      extractable: closed
      transport: {allow: [oaep-sha1]}
  - id: use of a governed key
    when: {operation: use, label: "^gov-", class: private-key}
    require: {quorum: {of: key-custodian, at-least: 2}}
  - {id: free keys, when: {operation: [generate, use, modify], object: token, label: "^free-"}, allow: true}' awk '
        { print }
        /^rules:$/ { print ENVIRON["RULES"] }' demo/policy.yaml | sed '/^  - id: custodian-6/d'
}
PEOPLE=${PEOPLE/ custodian-6/}

# What people do, as a command for the program: people ACT [TYPE TEXT].
people_make() {
    local as=$1
    cat >"$2" <<END
#!/bin/bash
set -e
. $D/env.sh
quorate() { $as $Q "\$@"; }
newest() { $as ls -t $D/estate/requests | head -n 1; }
vote() { quorate approve "\$1" --as "\$2" --key "\$($as cat $D/people/\$2.uri)" --yes; }
twice() { ! quorate "\$@" || return 0; vote "\$(newest)" authority-1; quorate "\$@" || { vote "\$(newest)" authority-2; quorate "\$@"; }; }
case \$1 in
approve) id=\$(newest); vote "\$id" custodian-1; vote "\$id" custodian-2 ;;
suspend) twice suspend token:root --reason attempt ;;
resume) twice resume token:root ;;
logged) quorate log show --json --type "\$2" | grep -qF -- "\$3" ;;
check) quorate log check ;;
*) exit 2 ;;
esac
END
    chmod 755 "$2"
}

report() {
    local name=$1 rc=0
    shift
    "$@" >"$WORK/$name.log" 2>&1 || rc=$?
    sed -n "s#^\(ok  \|FAIL\) \(.*\)#\1 bypass ${TREE#build/} $name: \2#p" "$WORK/$name.log"
    grep -E -A 20 '^(WARNING: ThreadSanitizer|==[0-9]+==ERROR: AddressSanitizer)' "$WORK/$name.log" | sed 's/^/     /'
    [ "$rc" = 0 ] || grep -q '^FAIL' "$WORK/$name.log" || echo "FAIL bypass $name ended with $rc ($WORK/$name.log)"
    grep '^SKIPPED' "$WORK/$name.log" || true
}

in_process() (
    set -e
    D=$WORK/in-process
    estate_copy "$WORK/ready"
    people_make "" "$D/people.sh"
    # Built like the module, it needs no sanitizer put before it.
    ASAN_OPTIONS=detect_leaks=0 "$TREE/bypass" "$MODULE" in-process "$D/people.sh" "$(pin slough)"
)

across() (
    set -e
    boundary_up "$WORK/ready"
    people_make "setpriv --reuid=$KEEPER --regid=$KEEPER --clear-groups env HOME=$P/none QUORATE_BINDINGS=$D/bindings.yaml SOFTHSM2_CONF=$D/softhsm2.conf" "$WORK/people.sh"
    sed -i "s#$Q#$P/bin/quorate#" "$WORK/people.sh"
    # As root, for the sake of people's acts; what the program does itself goes through the socket.
    P11_KIT_SERVER_ADDRESS="unix:path=$P/run/socket" "$TREE/bypass" "$CLIENT" across "$WORK/people.sh" ''
)

(
    set -e
    D=$WORK/ready
    prepare_bare
    prepare_ready
) >"$WORK/prepare.log" 2>&1 || {
    echo 'FAIL making an estate for the bypass table'
    tail -n 20 "$WORK/prepare.log" | sed 's/^/     /'
    exit 1
}
report in-process in_process
if [ "$TREE" != build ]; then
    : # p11-kit's server is not built with a sanitizer
elif [ "$(id -u)" = 0 ]; then
    report across across
elif [ "${CI:-}" = true ]; then
    echo 'FAIL bypass across: needs root, to make two users'
else
    echo 'SKIPPED: bypass across: needs root, to make two users'
fi
