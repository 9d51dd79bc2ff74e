#!/bin/bash
# What the layer costs (`make bench`): an HSM behind this module, behind p11-kit-proxy and behind pkcs11-spy, each against
# the bare one in the same process and in turn (bare, layer, layer, bare), for where a process has its memory alone makes
# 1 to 2 % of a signature; all of it ROUNDS times, and signatures on SoftHSM MORE times. Prints, for every row, the median
# nanoseconds a call, the throughput as a part of the bare one's and what this module adds; then how two threads do
# against one, and the instructions that a call adds on the mock HSM, which answers at once, and to a signature on
# SoftHSM. Nanoseconds are processor time, which other programs on the machine disturb least; two threads are shown by
# the clock too, which says something only where both processors are free.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset PKCS11_MODULE_PATH OPENSSL_CONF QUORATE_BINDINGS SOFTHSM2_CONF
export LC_ALL=C
umask 022

ROUNDS=${ROUNDS:-3}
MORE=${MORE:-20}
MS=${MS:-4}
TREE=$(pwd)/build
D=$TREE/bench-estate
BENCH=$TREE/tests/bench
OURS=$TREE/quorate-pkcs11.so
MOCK=$TREE/mock-hsm.so
LIBRARIES=$(dirname "$(gcc -print-file-name=p11-kit-proxy.so)")
LAYERS="ours proxy spy"
# shellcheck source=tests/parity/estate.sh
. tests/parity/estate.sh

# A second estate's bindings would need a second start: the one estate changes its HSM.
bind_to() {
    printf 'home: estate\npolicy: policy.yaml\ntokens:\n  root:\n    here: {module: %s, serial: "%s", pin: "file:pins/root-here"}\n' \
        "$1" "$2" >"$D/bindings.yaml"
}

# $1: hsm, $2: layer; then count with its arguments, or time [ROW]. SoftHSM's token is called root in every layer; the
# mock's is mock-0 below.
bench() {
    local hsm=$1 layer=$2 module=$SOFTHSM label=root pin=$PARITY_PIN
    shift 2
    if [ "$hsm" = mock ]; then
        module=$MOCK label=mock-0 pin=1234
    fi
    [ "$1" = count ] || set -- time "$MS" "$module" "$label" "${@:2}"
    case $layer in
    ours) [ "$hsm" = mock ] && label=root; set -- "$OURS" "$label" "$pin" "$@" ;;
    proxy) set -- "$LIBRARIES/p11-kit-proxy.so" "$label" "$pin" "$@" ;;
    spy) set -- "$LIBRARIES/pkcs11/pkcs11-spy.so" "$label" "$pin" "$@" ;;
    *) set -- "$module" "$label" "$pin" "$@" ;;
    esac
    # p11-kit reads no configuration of the user's where the user is root.
    local as=
    if [ "$layer" = proxy ] && [ "$hsm" = mock ] && [ "$(id -u)" = 0 ]; then
        as="setpriv --reuid=65534 --regid=65534 --clear-groups"
    fi
    HOME=$D/home PKCS11SPY=$module PKCS11SPY_OUTPUT=/dev/null $as ${COUNTING:-} "$BENCH" "$@"
}

# Instructions of one call: what $4 more calls add. The start of two processes is never the same to the instruction.
instructions() {
    local hsm=$1 layer=$2 row=$3 n few many
    for n in 100 $((100 + $4)); do
        COUNTING="valgrind --tool=callgrind --callgrind-out-file=/dev/null" \
            bench "$hsm" "$layer" count "$row" "$n" 2>"$D/callgrind.log"
        few=${many:-}
        many=$(awk '/Collected/ { print $NF }' "$D/callgrind.log")
    done
    echo $(((many - few) / $4))
}

parity_estate >"$D.log" 2>&1 || { cat "$D.log"; exit 1; }
mkdir -p "$D/home/.config/pkcs11/modules"
echo "module: $MOCK" >"$D/home/.config/pkcs11/modules/mock.module"
serial=$(estate_serial root)
bench softhsm ours count random-32 1 >"$D.log" # the keys, born where the log sees it

: >"$D/times"
for ((round = 0; round < ROUNDS; round++)); do
    for hsm in softhsm mock; do
        if [ "$hsm" = mock ]; then bind_to "$MOCK" MOCK0; else bind_to "$SOFTHSM" "$serial"; fi
        for layer in $LAYERS; do
            bench "$hsm" "$layer" time | sed "s/^/$hsm $layer /" >>"$D/times"
        done
    done
done
bind_to "$SOFTHSM" "$serial"
for ((round = 0; round < MORE; round++)); do
    for layer in $LAYERS; do
        for row in sign-ecdsa-p256 sign-rsa-2048; do
            bench softhsm "$layer" time "$row" | sed "s/^/softhsm $layer /" >>"$D/times"
        done
    done
done

: >"$D/instructions"
for layer in bare ours proxy; do
    echo "softhsm $layer sign-ecdsa-p256 $(instructions softhsm "$layer" sign-ecdsa-p256 2000)" >>"$D/instructions"
done
bind_to "$MOCK" MOCK0
for row in random-32 digest-update get-attribute sign-ecdsa-p256; do
    for layer in bare ours proxy; do
        echo "mock $layer $row $(instructions mock "$layer" "$row" 100000)" >>"$D/instructions"
    done
done

"$TREE/tests/bench-lease" >"$D/lease"

awk '
function median(key,    n, i, j, list, t) {
    n = split(times[key], list, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] + 0 > list[j] + 0; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
function twice(prefix, layer, row) {
    return median(prefix " " layer " " row " 1") / median(prefix " " layer " " row " 2")
}
FILENAME ~ /lease$/ { plain = $1; lease = $2; next }
FILENAME ~ /instructions$/ { count[$2 " " $1 " " $3] = $4; if ($2 == "bare") counted[++c] = $1 " " $3; next }
{
    key = $3 " " $4
    times["clock " $1 " " $2 " " key] = times["clock " $1 " " $2 " " key] " " $6
    times[$1 " " $2 " " key] = times[$1 " " $2 " " key] " " $8
    times["ratio " $1 " " $2 " " key] = times["ratio " $1 " " $2 " " key] " " $9
    times["added " $1 " " $2 " " key] = times["added " $1 " " $2 " " key] " " $10
    if ($2 == "ours") {
        times["clock " $1 " bare " key] = times["clock " $1 " bare " key] " " $5
        times[$1 " bare " key] = times[$1 " bare " key] " " $7
        if (!($1 " " key in seen)) { seen[$1 " " key] = 1; order[++o] = $1 " " key }
    }
}
END {
    printf "%-8s %-16s %7s %10s %10s %10s %10s %10s %11s %9s %9s\n", "HSM", "row", "threads", "bare ns", "ours ns", "proxy ns",
        "spy ns", "ours/bare", "proxy/bare", "spy/bare", "added ns"
    for (i = 1; i <= o; i++) {
        split(order[i], k, " ")
        key = k[2] " " k[3]
        printf "%-8s %-16s %7d %10.1f %10.1f %10.1f %10.1f %10.3f %11.3f %9.3f %9.1f\n", k[1], k[2], k[3],
            median(k[1] " bare " key), median(k[1] " ours " key), median(k[1] " proxy " key), median(k[1] " spy " key),
            median("ratio " k[1] " ours " key), median("ratio " k[1] " proxy " key), median("ratio " k[1] " spy " key),
            median("added " k[1] " ours " key)
    }
    print "\nThroughput of two threads as a multiple of one, by processor time (by the clock); ours as a part of bare:"
    for (i = 1; i <= o; i++) {
        split(order[i], k, " ")
        if (k[3] == 2)
            printf "%-8s %-16s bare %.2f (%.2f), ours %.2f (%.2f), ours/bare %.3f (%.3f)\n", k[1], k[2],
                twice(k[1], "bare", k[2]), twice("clock " k[1], "bare", k[2]),
                twice(k[1], "ours", k[2]), twice("clock " k[1], "ours", k[2]),
                twice(k[1], "ours", k[2]) / twice(k[1], "bare", k[2]),
                twice("clock " k[1], "ours", k[2]) / twice("clock " k[1], "bare", k[2])
    }
    print "\nInstructions that a call adds:"
    for (i = 1; i <= c; i++) {
        split(counted[i], k, " ")
        bare = count["bare " counted[i]]
        printf "%-8s %-16s ours %d, proxy %d (bare %d, ours/bare %.4f)\n", k[1], k[2], count["ours " counted[i]] - bare,
            count["proxy " counted[i]] - bare, bare, bare / count["ours " counted[i]]
    }
    printf "\nA use on a lease, mock HSM: %.1f ns, %.1f more than a signature that is plainly allowed\n", lease, lease - plain
}' "$D/lease" "$D/times" "$D/instructions"
