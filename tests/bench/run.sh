#!/bin/bash
# What the layer costs (`make bench`): an HSM bare, behind this module, behind p11-kit-proxy and behind pkcs11-spy, each in
# turn and all of it ROUNDS times. Prints, for every row, the median nanoseconds a call, this module's throughput as a part
# of the bare one and what is added; then how two threads do against one, and the instructions that a call adds on the mock
# HSM, which answers at once. Nanoseconds are processor time, which other programs on the machine disturb least; two
# threads are shown by the clock too, which says something only where both processors are free.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset PKCS11_MODULE_PATH OPENSSL_CONF QUORATE_BINDINGS SOFTHSM2_CONF
export LC_ALL=C
umask 022

ROUNDS=${ROUNDS:-5}
MS=${MS:-10}
TREE=$(pwd)/build
D=$TREE/bench-estate
BENCH=$TREE/tests/bench
OURS=$TREE/quorate-pkcs11.so
MOCK=$TREE/mock-hsm.so
LIBRARIES=$(dirname "$(gcc -print-file-name=p11-kit-proxy.so)")
LAYERS="bare ours proxy spy"
# shellcheck source=tests/parity/estate.sh
. tests/parity/estate.sh

# A second estate's bindings would need a second start: the one estate changes its HSM.
bind_to() {
    printf 'home: estate\npolicy: policy.yaml\ntokens:\n  root:\n    here: {module: %s, serial: "%s", pin: "file:pins/root-here"}\n' \
        "$1" "$2" >"$D/bindings.yaml"
}

# $1: hsm, $2: layer; then what bench is to do. SoftHSM's token is called root in every layer; the mock's is mock-0 below.
bench() {
    local hsm=$1 layer=$2 module=$SOFTHSM label=root pin=$PARITY_PIN
    shift 2
    if [ "$hsm" = mock ]; then
        module=$MOCK label=mock-0 pin=1234
    fi
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

# Instructions of one call: what 100000 more calls add. The start of two processes is never the same to the instruction.
instructions() {
    local hsm=$1 layer=$2 row=$3 n few many
    for n in 1000 101000; do
        COUNTING="valgrind --tool=callgrind --callgrind-out-file=/dev/null" \
            bench "$hsm" "$layer" count "$row" "$n" 2>"$D/callgrind.log"
        few=${many:-}
        many=$(awk '/Collected/ { print $NF }' "$D/callgrind.log")
    done
    echo $(((many - few) / 100000))
}

parity_estate >"$D.log" 2>&1 || { cat "$D.log"; exit 1; }
mkdir -p "$D/home/.config/pkcs11/modules"
echo "module: $MOCK" >"$D/home/.config/pkcs11/modules/mock.module"
serial=$(estate_serial root)
bench softhsm ours time 1 >"$D.log" # the keys, born where the log sees it

: >"$D/times"
for ((round = 0; round < ROUNDS; round++)); do
    for hsm in softhsm mock; do
        if [ "$hsm" = mock ]; then bind_to "$MOCK" MOCK0; else bind_to "$SOFTHSM" "$serial"; fi
        for layer in $LAYERS; do
            bench "$hsm" "$layer" time "$MS" | sed "s/^/$hsm $layer /" >>"$D/times"
        done
    done
done

bind_to "$MOCK" MOCK0
: >"$D/instructions"
for row in random-32 digest-update get-attribute sign-ecdsa-p256; do
    for layer in bare ours proxy; do
        echo "$layer $row $(instructions mock "$layer" "$row")" >>"$D/instructions"
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
FILENAME ~ /instructions$/ { count[$1 " " $2] = $3; if ($1 == "bare") counted[++c] = $2; next }
{
    key = $1 " " $2 " " $3 " " $4
    times["clock " key] = times["clock " key] " " $5
    times[key] = times[key] " " $6
    if ($2 == "bare" && !($1 " " $3 " " $4 in seen)) { seen[$1 " " $3 " " $4] = 1; order[++o] = $1 " " $3 " " $4 }
}
END {
    printf "%-8s %-16s %7s %10s %10s %10s %10s %10s %9s\n", "HSM", "row", "threads", "bare ns", "ours ns", "proxy ns",
        "spy ns", "ours/bare", "added ns"
    for (i = 1; i <= o; i++) {
        split(order[i], k, " ")
        bare = median(k[1] " bare " k[2] " " k[3]); ours = median(k[1] " ours " k[2] " " k[3])
        printf "%-8s %-16s %7d %10.1f %10.1f %10.1f %10.1f %10.3f %9.1f\n", k[1], k[2], k[3], bare, ours,
            median(k[1] " proxy " k[2] " " k[3]), median(k[1] " spy " k[2] " " k[3]), bare / ours, ours - bare
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
    print "\nInstructions a call adds on the mock HSM:"
    for (i = 1; i <= c; i++) {
        row = counted[i]; bare = count["bare " row]
        printf "%-16s ours %d, proxy %d (bare %d)\n", row, count["ours " row] - bare, count["proxy " row] - bare, bare
    }
    printf "\nA use on a lease, mock HSM: %.1f ns, %.1f more than a signature that is plainly allowed\n", lease, lease - plain
}' "$D/lease" "$D/times" "$D/instructions"
