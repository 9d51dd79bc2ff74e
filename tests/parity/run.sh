#!/bin/bash
# Parity: each client does the same on SoftHSM and through the module under a policy that allows everything, and must
# see the same. Prints "ok NAME" or "FAIL NAME" with the difference for each client; what is left lies in
# build/parity. Arguments: clients (files of tests/parity/clients) to run instead of all.
set -uo pipefail
cd "$(dirname "$0")/../.."
umask 022
export PATH=$PATH:/usr/sbin
export LC_ALL=C TREE=${TREE:-build} OPENSSL_CONF=/dev/null
WORK=$PWD/$TREE/parity
SANITIZER=
case $TREE in
*/asan) SANITIZER="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)" ;;
*/tsan) SANITIZER=$(gcc -print-file-name=libtsan.so) ;;
esac
rm -rf "$WORK"
mkdir -p "$WORK"

# What may differ: a handle that stands for no key (the specification's code is given: SoftHSM has another); where things are, numbers of slots and serials, what is random, and the order in which an HSM finds
# objects (SoftHSM's is that of addresses). Within one command's output, a line and those indented below it go together.
same() {
    local ordered=
    [[ $1 != *.py-* ]] || ordered=1 # these tell everything by themselves, in the program's order
    sed -E -e "s#$2#W#g; s#$3#MODULE#g; /Segmentation fault/d" \
        -e 's/[0-9a-fA-F]{16,}/HEX/g; s/([0-9a-f]{2}:){7,}[0-9a-f]{2}/HEX/g; s/(%[0-9A-F]{2}){8,}/HEX/g' \
        -e 's/serial=[^;]*/serial=S/g; s/([Ss]lot ID )0x[0-9a-f]+/\1N/g; s/^(Using slot|Slot) .*/\1/; s/^(Data object|Object) [0-9]+:?/\1/' \
        -e '/^sign dead/s/OBJECT_HANDLE/KEY_HANDLE/' -e 's/^(\t?Expires|Valid).*/\1/; s/^< ?[0-9]+>/<>/' "$1" |
        awk -v ordered="$ordered" 'function out() { if (block != "") print n "\t" block; block = "" }
             ordered { print NR "\t" $0; next }
             /^[$=] / { out(); n++; print n "\t" $0; n++; next }
             /^[ \t]/ { block = block "\r" $0; next }
             { out(); block = $0 }
             END { out() }' | sort -s -t "$(printf '\t')" -k1,1n -k2 | cut -f2- | tr '\r' '\n'
}

# $1: the client's file, $2: bare or through. In a shell of its own.
client() (
    export D=$WORK/$1-$2 PIN=$PARITY_PIN SO_PIN=$PARITY_SO_PIN
    cp -a "$WORK/estate" "$D"
    mkdir "$D/work"
    export W=$D/work HOME=$D/work QUORATE_BINDINGS=$D/bindings.yaml
    local which=below
    export MODULE=$PWD/$TREE/quorate-pkcs11.so
    [ "$2" = through ] || which=bare MODULE=$SOFTHSM
    printf 'directories.tokendir = %s/%s\nobjectstore.backend = file\nlog.level = ERROR\n' "$D" $which >"$D/softhsm2.conf"
    export SOFTHSM2_CONF=$D/softhsm2.conf
    # They have it both times: one ends early by it. They leave memory and threads to the process's end.
    export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_thread_leaks=0
    case $1 in
    *.py) LD_PRELOAD=$SANITIZER /usr/bin/python3 "tests/parity/clients/$1" ;;
    *) bash "tests/parity/clients/$1" ;;
    esac >"$D.out" 2>&1 </dev/null
    same "$D.out" "$D" "$MODULE" >"$D.same"
)

parity() {
    client "$1" bare
    client "$1" through
    if [ "$(wc -l <"$WORK/$1-bare.same")" -gt 10 ] && diff -u "$WORK/$1-bare.same" "$WORK/$1-through.same" >"$WORK/$1.diff"; then
        echo "ok   parity ${TREE#build/} of $1"
        rm -rf "$WORK/$1"-*
    else
        echo "FAIL parity ${TREE#build/} of $1 (what is left lies in $WORK)"
        head -n 40 "$WORK/$1.diff" | sed 's/^/     /'
    fi
}

(
    set -e
    D=$WORK/estate
    # shellcheck source=tests/parity/estate.sh
    . tests/parity/estate.sh
    parity_estate
) >"$WORK/prepare.log" 2>&1 </dev/null
if [ $? != 0 ]; then
    echo 'FAIL making the estate for parity'
    tail -n 20 "$WORK/prepare.log" | sed 's/^/     /'
    exit
fi
SOFTHSM=/usr/lib/softhsm/libsofthsm2.so
PARITY_PIN=1234567890
PARITY_SO_PIN=87654321
if [ $# = 0 ]; then
    set -- tests/parity/clients/*
    # GnuTLS's p11-kit does not come to its exit's end under the address sanitizer, whatever module it has loaded;
    # ssh-agent, being another group's program, is not given it; Python does not start with the thread sanitizer.
    # shellcheck disable=SC2046
    [ "$TREE" = build ] || set -- $(printf '%s\n' "$@" | grep -v -e keymgr -e p11tool -e ssh)
    # shellcheck disable=SC2046
    [ "$TREE" != build/tsan ] || set -- $(printf '%s\n' "$@" | grep -v '\.py$')
fi
export -f same client parity
export WORK SANITIZER SOFTHSM PARITY_PIN PARITY_SO_PIN
printf '%s\n' "${@##*/}" | xargs -P "$(nproc)" -I @ bash -c 'parity @'
