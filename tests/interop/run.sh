#!/bin/bash
# make check-interop: an estate's log and approvals by other people's programs alone: Go's packages for notes and transparency
# logs; openssl and a shell. Prints "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C TREE=build WORK=build/interop
umask 022
passed=0
failed=0
rm -rf "$WORK"
mkdir -p "$WORK"

check() { # name; then the command
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "ok   $name: $(tail -n 1 <<<"$out")"
        passed=$((passed + 1))
    else
        printf 'FAIL %s\n%s\n' "$name" "$out"
        failed=$((failed + 1))
    fi
}

fails() { # what must not hold
    ! "$@"
}

# The estate of the integration tests, and a request with approvals in it.
estate() (
    # shellcheck source=tests/integration/lib.sh
    . tests/integration/lib.sh
    set -e
    D=$WORK/bare
    prepare_bare
    D=$WORK/ready
    estate_copy "$WORK/bare"
    prepare_ready
    asks "$Q" log change-key
    echo "$ID" >"$WORK/request"
    approve "$ID" authority-1 authority-2
    "$Q" log publish
    "$Q" log prove 3 --entry "$WORK/entry" >"$WORK/proof"
)

# The tree by shell: RFC 6962 over the lines, with openssl for each hash.
leaf() {
    { printf '\0'; printf '%s' "$1"; } | openssl dgst -sha256 -binary | od -An -v -tx1 | tr -d ' \n'
}
node() {
    printf '01%s%s' "$1" "$2" | xxd -r -p | openssl dgst -sha256 -binary | od -An -v -tx1 | tr -d ' \n'
}
root_of() { # leaves, in hex
    local -a level=("$@") next
    local i
    while [ "${#level[@]}" -gt 1 ]; do
        next=()
        for ((i = 0; i + 1 < ${#level[@]}; i += 2)); do
            next+=("$(node "${level[i]}" "${level[i + 1]}")")
        done
        ((${#level[@]} % 2 == 0)) || next+=("${level[-1]}")
        level=("${next[@]}")
    done
    echo "${level[0]}"
}

# A checkpoint by shell: vkey, note, entries. The text is what comes before the empty line.
checkpoint_by_shell() {
    local vkey=$1 note=$2 entries=$3 leaves=() line
    printf '302a300506032b6570032100%s' "$(cut -d+ -f3- <<<"$vkey" | base64 -d | tail -c 32 | od -An -v -tx1 | tr -d ' \n')" |
        xxd -r -p >"$WORK/key.der" || return 1
    sed '/^$/,$d' "$note" >"$WORK/text"
    sed -n '/^$/,$p' "$note" | sed -n 2p | cut -d' ' -f3 | base64 -d | tail -c 64 >"$WORK/signature"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$WORK/key.der" -rawin -in "$WORK/text" -sigfile "$WORK/signature" ||
        return 1
    while IFS= read -r line; do
        leaves+=("$(leaf "$line")")
    done <"$entries"
    [ "${#leaves[@]}" = "$(sed -n 2p "$note")" ] || return 1
    [ "$(root_of "${leaves[@]}" | xxd -r -p | base64)" = "$(sed -n 3p "$note")" ] || return 1
    echo "signature, size and root by openssl and a shell"
}

approval_by_openssl() { # person
    openssl cms -verify -binary -inform DER -in "$WORK/ready/estate/requests/$(cat "$WORK/request")/$1.p7s" \
        -content "$WORK/ready/estate/requests/$(cat "$WORK/request")/request.json" \
        -certfile "$WORK/ready/people/$1.pem" -noverify -out /dev/null
}

# Our query, answered and the answer verified by openssl: over a checkpoint of the log, as a closed ceremony leaves it.
timestamp_by_openssl() {
    local T=$WORK/tsa over
    mkdir -p "$T" "$WORK/ready/estate/ceremonies/closed"
    cp "$LOG/checkpoint" "$WORK/ready/estate/ceremonies/closed/checkpoint"
    build/quorate timestamp query closed "$T/query.tsq" --bindings "$WORK/ready/bindings.yaml" || return 1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=tsa \
        -addext extendedKeyUsage=critical,timeStamping -keyout "$T/tsa.key" -out "$T/tsa.pem" || return 1
    printf '01\n' >"$T/serial"
    printf '[tsa]\nserial=%s\ncrypto_device=builtin\ndigests=sha256\ndefault_policy=1.2.3.4\nsigner_digest=sha256\n' \
        "$T/serial" >"$T/tsa.cnf"
    openssl ts -reply -config "$T/tsa.cnf" -section tsa -queryfile "$T/query.tsq" -signer "$T/tsa.pem" -inkey "$T/tsa.key" \
        -out "$T/response.tsr" || return 1
    build/quorate timestamp add closed "$T/response.tsr" --bindings "$WORK/ready/bindings.yaml" || return 1
    for over in "-queryfile $T/query.tsq" "-data $WORK/ready/estate/ceremonies/closed/checkpoint"; do
        # An option and its file.
        # shellcheck disable=SC2086
        openssl ts -verify $over -in "$WORK"/ready/estate/timestamps/*.tsr -CAfile "$T/tsa.pem" >/dev/null || return 1
    done
    openssl ts -verify -data "$LOG/checkpoint" -in "$WORK"/ready/estate/timestamps/*.tsr -CAfile "$T/tsa.pem" &&
        return 1 # the log went on since
    echo 'query, response and time stamp'
}

golden_approvals() {
    local p7s over count=0
    for p7s in tests/golden/*/transcript/requests/*/*.p7s; do
        [[ $p7s == *.reject.p7s ]] && continue
        over=${p7s%/*}/request.json
        if [[ $p7s =~ /([0-9a-f]{64})/[^/]+\.([0-9a-f]{64})\.p7s$ ]]; then # renews the approval of that digest
            over=$WORK/renewal
            printf '{"renews":"%s","request":"%s","type":"quorate/renewal/v1"}' "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" >"$over"
        fi
        openssl cms -verify -binary -inform DER -in "$p7s" -content "$over" -noverify -out /dev/null 2>/dev/null || return 1
        count=$((count + 1))
    done
    [ "$count" -gt 0 ] && echo "$count approvals"
}

build_go() {
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$PWD/$WORK/cache" GOFLAGS="" go build -o "$WORK/log" tests/interop/log.go
}

if ! estate >"$WORK/estate.log" 2>&1 </dev/null; then
    echo 'FAIL making an estate'
    tail -n 20 "$WORK/estate.log"
    exit 1
fi
LOG=$WORK/ready/estate/log
check "Go's packages are there" build_go
check "Go: notes, tiles, entries, proofs" "$WORK/log" "$(cat "$LOG/vkey")" "$LOG/public" "$WORK/proof" "$WORK/entry"
sed 's/a/b/' "$WORK/entry" >"$WORK/other"
check "a log of three levels of tiles is made" build/tests/bench-log "$WORK/large" make 66000
check "Go: its tiles" "$WORK/log" "$(cat "$WORK/large/vkey")" "$WORK/large/public"
check "Go: another entry does not hold" fails "$WORK/log" "$(cat "$LOG/vkey")" "$LOG/public" "$WORK/proof" "$WORK/other"
check "openssl: the checkpoint" checkpoint_by_shell "$(cat "$LOG/vkey")" "$LOG/checkpoint" "$LOG/entries"
check "openssl: an approval" approval_by_openssl authority-1
for old in tests/golden/*/; do
    # The trusted key, or the one that the last log-key entry before the last entry put in its place.
    vkey=$({
        sed -n 's/^log-key: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$old/trust.yaml"
        head -n -1 "$old/transcript/entries" | sed -n 's/^.*"log-key":"\([^"]*\)".*"type":"log-key"}$/\1/p'
    } | tail -n 1)
    check "openssl: checkpoint of $old" checkpoint_by_shell "$vkey" "$old/transcript/checkpoint" "$old/transcript/entries"
done
check "openssl: approvals of the golden transcripts" golden_approvals
check "openssl: a time stamp" timestamp_by_openssl
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
