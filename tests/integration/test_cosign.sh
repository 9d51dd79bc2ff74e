#!/bin/bash
# Cosigners: over HTTP and by files, before a key is used and before a ceremony closes; and that both verifiers ask.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/ceremony.sh
. tests/integration/ceremony.sh
FROM=bare

# At the port it had before, where it had one.
serve_one() {
    local port=${URL##*:}
    "$Q" cosign serve "$D/one" --listen "127.0.0.1:${port%/}" >"$D/one.out" 2>"$D/one.err" &
    SERVER=$!
    trap 'kill "$SERVER" 2>/dev/null || true' EXIT
    until grep -q listening "$D/one.out"; do
        kill -0 "$SERVER" || fail 'the server ended'
        sleep 0.05
    done
}
URL=:0

# Two cosigners, one at an address and one reached by files, in the policy of a new estate. The server is ended with the
# case.
cosigned_estate() {
    must "$Q" cosign init "$D/one" --name one.example/cosigner
    must "$Q" cosign init "$D/two" --name two.example/cosigner
    serve_one
    URL=$(sed -n 's/^ *listening *//p' "$D/one.out")
    COSIGNERS="cosigners:
  policy:
    - witness one $(cat "$D/one/vkey") $URL
    - witness two $(cat "$D/two/vkey")
    - group both all one two
    - quorum ${1:-both}
  close: ${2:-true}" USE='  - id: use of a key that is cosigned
    when: {operation: use, token: root, label: "^app-cosigned", class: private-key}
    require: {cosigned: true}' awk '
        /^rules:/ { print ENVIRON["COSIGNERS"] }
        /^  - id: use of a CA key$/ { print ENVIRON["USE"] }
        { print }' "$D/template.yaml" >"$D/template.new"
    mv "$D/template.new" "$D/template.yaml"
    estate_policy "$D/template.yaml"
    prepare_ready
    must "$Q" cosign trust "$D/one" "$(cat "$D/estate/log/vkey")"
    must "$Q" cosign trust "$D/two" "$(cat "$D/estate/log/vkey")"
}

# Both have signed the log as it is.
collected() {
    ends 1 "$Q" cosign collect
    says two.request 'carry'
    must "$Q" cosign file "$D/two" "$D/estate/cosign/two.request" "$D/estate/cosign/two.cosignature"
    must "$Q" cosign collect
    says '2 cosigners'
}

case_use_waits_for_cosigners() {
    cosigned_estate
    born EC:secp256r1 app-cosigned
    openssl dgst -sha256 -binary -out "$D/message" demo/policy.yaml
    local id
    id=$(p11 --list-objects --type privkey | sed -n 's/^ *ID: *//p' | head -n 1)
    # Not before the birth is cosigned.
    ends 1 p11 --sign --mechanism ECDSA --id "$id" --input-file "$D/message" --output-file "$D/sig"
    collected
    must p11 --sign --mechanism ECDSA --id "$id" --input-file "$D/message" --output-file "$D/sig"
    must "$Q" log check
    [ "$(find "$D/estate/cosign" -type f | wc -l)" = 0 ] || fail 'the files of the round are still there'
    # Asked again: one remembers what it signed, and is asked from there.
    collected
}

# Nobody signs for a home that was restored from an old copy and then went another way.
case_a_restored_home() {
    cosigned_estate
    cp -a "$D/estate" "$D/old"
    asks generate EC:secp256r1 app-1
    collected
    rm -rf "$D/estate"
    mv "$D/old" "$D/estate"
    asks generate EC:secp256r1 app-2
    ends 1 "$Q" cosign collect
    says 'somebody forks the log'
    ends 1 "$Q" cosign file "$D/two" "$D/estate/cosign/two.request" "$D/answer"
    says 'not cosigned (409)'
}

case_a_ceremony_closes_cosigned() {
    cosigned_estate
    estate_trust
    mkdir "$D/scripts"
    cp -r ceremonies/profiles "$D/scripts/"
    cp ceremonies/root-oca-key-generation.yaml "$D/scripts/"
    estate_answers demo/ceremony.answers.yaml.in
    local ceremony=("$Q" run "$D/scripts/root-oca-key-generation.yaml" --answers "$D/ceremony.answers.yaml")
    ends 1 client "${ceremony[@]}"
    approve "$(estate_newest)" authority-1 authority-2
    ends 1 client "${ceremony[@]}"
    says 'wants the record cosigned before the ceremony closes'
    collected
    must client "${ceremony[@]}"
    says closed
    must "$Q" transcript root-oca-key-generation-1 "$D/transcript"
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    says cosigners
    must python3 tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    says cosigned
    packed
    stamped
}

# The step of a ceremony asks by itself whom it can reach.
case_the_step_collects() {
    cosigned_estate one checkpoint
    estate_trust
    short_ceremony short '{}' 'Have the record cosigned, do: cosign'
    opening_approved "$D/short.yaml"
    must short_holds
    # The closing checkpoint too, which the policy asks for.
    [ "$(grep -c '"type":"cosigned"' "$D/estate/log/entries")" = 2 ] || fail 'the closing checkpoint is not cosigned'
    must "$Q" transcript short-1 "$D/transcript"
    [ -f "$D/transcript/cosignatures" ] || fail 'the transcript has no cosignatures'
    must "$Q" verify "$D/transcript" --trust "$D/trust.yaml"
    matches '^proven +cosigners'
    must python3 tests/verify.py "$D/transcript" --trust "$D/trust.yaml"
    says cosigned 'the closing checkpoint was cosigned by 1'
    closing_altered "$D/transcript"
    # One that cannot be reached when it closes is carried to; there is no transcript before.
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null || true
    short_ceremony shorter '{}'
    opening_approved "$D/short.yaml"
    ends 1 short_holds
    serve_one
    must "$Q" cosign collect
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null || true
    must short_holds
    says closed 'quorate cosign collect --ceremony shorter-1'
    ends 1 "$Q" transcript shorter-1 "$D/early"
    says 'wants the closing checkpoint'
    [ ! -e "$D/early" ] || fail 'something was written'
    serve_one
    must "$Q" cosign collect --ceremony shorter-1
    must "$Q" transcript shorter-1 "$D/late"
    must "$Q" verify "$D/late" --trust "$D/trust.yaml"
    must python3 tests/verify.py "$D/late" --trust "$D/trust.yaml"
    # Once it has signed something later it never signs this again.
    must "$Q" cosign collect
    ends 1 "$Q" cosign collect --ceremony shorter-1
    ends 1 "$Q" cosign collect --ceremony nobody-1
    says 'is not closed'
}

# Cosignatures over the closing checkpoint: none, one twice, one that is over another checkpoint, one of nobody.
closing_altered() {
    local line
    line=$(cat "$1/cosignatures")
    cp -r "$1" "$D/bare"
    rm "$D/bare/cosignatures"
    both_refuse "$D/bare" "$D/trust.yaml" cosigners
    printf '%s\n%s\n' "$line" "$line" >"$D/bare/cosignatures"
    both_refuse "$D/bare" "$D/trust.yaml" cosigners
    grep -o '— one.example[^"]*' "$1/entries" | head -n 1 >"$D/bare/cosignatures"
    both_refuse "$D/bare" "$D/trust.yaml" cosigners
    printf '%s\n' "${line/one.example/two.example}" >"$D/bare/cosignatures"
    both_refuse "$D/bare" "$D/trust.yaml" cosigners
    printf '%s' "$line" >"$D/bare/cosignatures"
    both_refuse "$D/bare" "$D/trust.yaml" cosigners
}

# One file, the same whenever and wherever it is made.
packed() {
    local id=root-oca-key-generation-1
    must "$Q" transcript "$id" "$D/again" --tar "$D/one.tar"
    touch -d 2001-01-01 "$D"/again/*
    must "$Q" transcript "$id" "$D/elsewhere" --tar "$D/two.tar"
    cmp "$D/one.tar" "$D/two.tar" || fail 'two archives of one ceremony differ'
    mkdir "$D/unpacked"
    must tar -x -f "$D/one.tar" -C "$D/unpacked"
    diff -r "$D/again" "$D/unpacked" || fail 'the archive holds something else'
    must "$Q" verify "$D/unpacked" --trust "$D/trust.yaml"
}

# Brought back after the close, over the closing checkpoint only, and believed only from an authority that is trusted.
stamped() {
    local id=root-oca-key-generation-1 token says_none
    authority tsa
    authority stranger
    says_none=$("$Q" verify "$D/transcript" --trust "$D/trust.yaml")
    grep -q 'no timestamp of an authority' <<<"$says_none" || fail 'times are not called attested'
    must "$Q" timestamp query "$id" "$D/query.tsq"
    must stamp tsa "$D/query.tsq" "$D/response.tsr"
    openssl ts -query -digest "$(sha256sum <"$D/policy.yaml" | cut -d' ' -f1)" -sha256 -cert -out "$D/other.tsq"
    must stamp tsa "$D/other.tsq" "$D/other.tsr"
    ends 1 "$Q" timestamp add "$id" "$D/other.tsr"
    says 'not over this checkpoint'
    must "$Q" timestamp add "$id" "$D/response.tsr"
    must "$Q" transcript "$id" "$D/stamped"
    must openssl ts -verify -data "$D/stamped/checkpoint" -in "$D"/stamped/timestamps/*.tsr -CAfile "$D/tsa.pem"
    # Without an authority in the trust file it is a word among others.
    must "$Q" verify "$D/stamped" --trust "$D/trust.yaml"
    says 'names no authority'
    (cat "$D/trust.yaml" && echo 'timestamp-authorities: tsa.pem') >"$D/stamp-trust.yaml"
    must "$Q" verify "$D/stamped" --trust "$D/stamp-trust.yaml"
    matches '^proven +timestamp'
    must python3 tests/verify.py "$D/stamped" --trust "$D/stamp-trust.yaml"
    says 'an authority saw the closing checkpoint'
    # Another authority's, one that is over something else, and one with a byte changed.
    sed 's/tsa.pem/stranger.pem/' "$D/stamp-trust.yaml" >"$D/stranger-trust.yaml"
    both_refuse "$D/stamped" "$D/stranger-trust.yaml" timestamp
    cp -r "$D/stamped" "$D/swapped"
    rm "$D"/swapped/timestamps/*
    cp "$D/other.tsr" "$D/swapped/timestamps/$(sha256sum <"$D/other.tsr" | cut -d' ' -f1).tsr"
    both_refuse "$D/swapped" "$D/stamp-trust.yaml" timestamp
    cp -r "$D/stamped" "$D/flipped"
    token=$(echo "$D"/flipped/timestamps/*.tsr)
    printf '\x00' | dd of="$token" bs=1 seek=200 conv=notrunc 2>/dev/null
    both_refuse "$D/flipped" "$D/stamp-trust.yaml" timestamp
}

both_refuse() { # transcript, trust, claim
    ends 1 "$Q" verify "$1" --trust "$2"
    matches "^fails +$3"
    ends 1 python3 tests/verify.py "$1" --trust "$2"
    says FAILS
}

cases
