#!/bin/bash
# The log's head on the HSMs: a home that goes back, or lives twice, is noticed, and only people can settle it.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

# The heads on one HSM, past the module, one file each: site. Their count is in COUNT.
COUNT=0
heads() {
    local label
    label="quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
    COUNT=$(count_listed "label: +'$label'" direct "$1" --type data)
    direct "$1" --read-object --type data --label "$label" --output-file "$D/head-$1" >/dev/null 2>&1 || true
}

one_head_each() {
    local site
    for site in $SITES; do
        heads "$site"
        [ "$COUNT" = 1 ] || fail "$COUNT heads at $site"
        [ "$(sed -n 2p "$D/head-$site")" -le "$(sed -n 2p "$D/estate/log/checkpoint")" ] || fail "a head ahead of the log"
        cp "$D/head-$site" "$D/old"
        must "$Q" log check
    done
}

drop_head() {
    must direct "$1" --delete-object --type data --label "quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
}

# What is no longer so until people say so: a birth, with the approvals that it needs, is refused with this text.
birth_refused() {
    local label=$1 entries
    shift
    asks generate EC:secp384r1 "$label"
    approve "$ID" custodian-1 custodian-2 custodian-3
    entries=$(grep -c '"type":"intent"' "$D/estate/log/entries")
    ends 1 generate EC:secp384r1 "$label"
    [ "$entries" = "$(grep -c '"type":"intent"' "$D/estate/log/entries")" ] || fail 'an intent was written'
    grep -F "$1" "$D/estate/log/entries" | grep -q '"type":"refused"' || fail "the log does not say \"$1\""
    [ "$(count_on_hsms "$label" privkey)" = '0 0 0' ] || fail 'a key is there'
}

readopt() {
    ends 1 "$Q" readopt
    says "$@"
    approve "$(estate_newest)" authority-1 authority-2
    must "$Q" readopt
    says 'readopted' "$@"
    must "$Q" readopt
    says 'as it should be'
}

case_on_every_hsm_and_renewed() {
    local site before
    one_head_each
    [ "$(grep -c '"type":"head"' "$D/estate/log/entries")" = 3 ] || fail 'the log does not say where its head lies'
    before=$(cat "$D/head-slough" "$D/head-cardiff" "$D/head-glasgow")
    born EC:secp384r1 app-1
    one_head_each
    for site in $SITES; do
        [ "$(sed -n 2p "$D/head-$site")" -ge "$(grep -n '"type":"born"' "$D/estate/log/entries" | cut -d: -f1)" ] ||
            fail "the head at $site is from before the birth"
    done
    [ "$before" != "$(cat "$D/head-slough" "$D/head-cardiff" "$D/head-glasgow")" ] || fail 'no head was renewed'
    must "$Q" inventory
    matches 'own +data +quorate:head:'
}

# Nothing of it is shown to an application, and none can be made by one.
case_hidden() {
    must p11 --list-objects
    ! grep -q quorate <<<"$OUT" || fail 'an application sees the head'
    echo rubbish >"$D/rubbish"
    ends 1 p11 --write-object "$D/rubbish" --type data --label "quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
}

case_missing() {
    drop_head cardiff
    birth_refused app-1 'root at cardiff: the log'"'"'s head on the HSM is missing'
    ends 1 "$Q" inventory
    matches 'missing +data'
    readopt 'root at cardiff: missing'
    must generate EC:secp384r1 app-1
    one_head_each
    drop_head cardiff # what was settled once is not settled for ever
    birth_refused app-2 'missing'
}

# The whole home is put back, key and all: the HSMs remember.
case_an_older_home() {
    cp -a "$D/estate" "$D/older"
    born EC:secp384r1 app-1
    rm -rf "$D/estate"
    mv "$D/older" "$D/estate"
    birth_refused app-2 'is newer than the log'
    readopt 'root at slough: newer' 'root at cardiff: newer' 'root at glasgow: newer'
    must "$Q" log check
    ends 1 "$Q" inventory # the key that this log never knew
    matches 'unknown +private-key +app-1'
    must generate EC:secp384r1 app-2
    one_head_each
    must "$Q" log show
    says 'root at slough newer'
}

# Two homes that go on from one: the second one to come has another log at the first one's size.
case_a_second_home() {
    cp -a "$D/estate" "$D/second"
    born EC:secp384r1 app-1
    rm -rf "$D/estate"
    mv "$D/second" "$D/estate"
    while [ "$(sed -n 2p "$D/estate/log/checkpoint")" -le "$(sed -n 2p "$D/head-slough" 2>/dev/null || echo 200)" ]; do
        heads slough
        asks generate EC:secp384r1 "app-$RANDOM$RANDOM"
    done
    birth_refused app-2 'differs from the log'
    readopt 'root at slough: differs'
    must generate EC:secp384r1 app-2
}

# What a death between making the new head and deleting the old one leaves.
case_two_heads() {
    local label site
    one_head_each
    label="quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
    born EC:secp384r1 app-1
    for site in $SITES; do
        must direct "$site" --write-object "$D/old" --type data --label "$label"
    done
    born EC:secp384r1 app-2
    one_head_each
    must "$Q" inventory
}

# Who can write to the HSM but has no log key cannot put a head there that passes.
case_rubbish() {
    local label
    label="quorate:head:$(head -n 1 "$D/estate/log/checkpoint")"
    head -c 9000 /dev/zero >"$D/long"
    sed 's/^— .*/— x AAAA/' "$D/estate/log/checkpoint" >"$D/unsigned"
    must direct slough --write-object "$D/unsigned" --type data --label "$label"
    must direct glasgow --write-object "$D/long" --type data --label "$label"
    birth_refused app-1 'differs from the log'
    readopt 'root at slough: differs' 'root at glasgow: differs'
    must generate EC:secp384r1 app-1
    one_head_each
}

# Without people it goes on being refused.
case_people_are_asked() {
    drop_head slough
    ends 1 "$Q" readopt
    ends 1 "$Q" readopt --json
    ends 1 "$Q" settle
    birth_refused app-1 'missing'
    one_head=$(direct slough --list-objects --type data)
    ! grep -q quorate:head <<<"$one_head" || fail 'a head was put there without anybody'
}

# An HSM that does not answer is passed over: nobody works with it.
case_one_is_away() {
    local away
    drop_head glasgow
    away=$(grep -l "root-glasgow" -r "$D/tokens" | head -n 1 | xargs dirname)
    mv "$away" "$D/away"
    must "$Q" readopt
    must "$Q" settle
    mv "$D/away" "$away"
    ends 1 "$Q" readopt
    says 'root at glasgow: missing'
}

cases
