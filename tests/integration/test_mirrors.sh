#!/bin/bash
# A home on several media: every durable write reaches all of them, or work stops and nothing is lost.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

M= # the mirror
with_mirror() {
    M=$(cd "$D" && pwd)/stick/estate
    mkdir -p "$D/stick"
    sed -i "1i home-mirrors: [$M]" "$D/bindings.yaml"
}

# An estate that has had its mirror for a while.
mirrored() {
    with_mirror
    mkdir "$M"
    must "$Q" settle --new-mirror
    level
}

# Both hold the same, locks and caches apart.
level() {
    diff -r -x public -x edge -x places -x lock -x '*.lock' "$D/estate" "$M" || fail 'home and mirror differ'
    must "$Q" status --offline
    matches "level +$M"
}

# No new line in the log, and none that nobody acknowledged is believed.
no_growth() {
    local before after
    before=$(sed -n 2p "$D/estate/log/checkpoint")
    "$@"
    after=$(sed -n 2p "$D/estate/log/checkpoint")
    [ "$before" = "$after" ] || fail "the log grew from $before to $after"
}

case_from_the_first_day() {
    (
        D=$D/fresh
        mkdir "$D" && cp "$D/../policy.yaml" "$D" && cp -r "$D/../people" "$D"
        sed "1i home-mirrors: [./a, ./b]" "$D/../bindings.yaml" >"$D/bindings.yaml"
        export QUORATE_BINDINGS=$D/bindings.yaml
        must "$Q" init --environment test
        ends 1 "$Q" policy adopt "$D/policy.yaml"
        for M in "$D/a" "$D/b"; do
            diff -r -x public -x edge -x places -x lock -x '*.lock' "$D/estate" "$M" || fail "$M differs"
        done
        cmp "$D/estate/log/key" "$D/a/log/key"
        [ "$(stat -c %a "$D/a/log/key")" = 600 ] || fail 'others may read the log key on a mirror'
    )
}

case_everything_reaches_it() {
    mirrored
    born EC:secp384r1 app-1
    level
    must "$Q" log check
    asks generate EC:secp384r1 app-2
    must "$Q" reject "$ID" --as custodian-1 --key "$(cat "$D/people/custodian-1.uri")" --reason 'not today' --yes
    level
}

case_pulled_out_and_put_back() {
    mirrored
    asks generate EC:secp384r1 app-1
    approve "$ID" custodian-1 custodian-2 custodian-3
    mv "$M" "$D/pocket"
    refused() {
        ends 1 generate EC:secp384r1 app-1
        ends 2 "$Q" approve "$ID" --as custodian-4 --key "$(cat "$D/people/custodian-4.uri")" --yes
        says "$M" 'Put its medium back'
    }
    no_growth refused
    [ "$(count_on_hsms app-1 privkey)" = '0 0 0' ] || fail 'a key was made'
    must "$Q" status --offline
    matches "not there +$M"
    matches "the mirror $M is not there +quorate settle"
    must "$Q" log check # whoever only reads goes on
    mv "$D/pocket" "$M"
    must generate EC:secp384r1 app-1
    level
    must "$Q" log check
}

# A mount point whose stick is gone is an empty folder: nothing may be written into it.
case_the_mount_point_is_empty() {
    mirrored
    mv "$M" "$D/pocket"
    mkdir "$M"
    no_growth ends 1 generate EC:secp384r1 app-1
    [ -z "$(ls -A "$M")" ] || fail 'something was written where no medium is'
    ends 2 "$Q" settle
    says 'Put its medium back'
    rmdir "$M"
    mv "$D/pocket" "$M"
    asks generate EC:secp384r1 app-1
    level
}

case_a_new_one() {
    with_mirror
    ends 2 "$Q" settle # not there, and nobody said that it is new
    mkdir "$M"
    ends 2 "$Q" settle
    must "$Q" settle --new-mirror
    level
    born EC:secp384r1 app-1
    level
}

# Behind by a whole birth, as after a death between home and mirror, and with a tail that was never acknowledged.
case_left_behind() {
    mirrored
    cp -a "$M" "$D/behind"
    born EC:secp384r1 app-1
    rm -rf "$M"
    mv "$D/behind" "$M"
    printf '{"body":{},"torn' >>"$M/log/entries"
    echo old >"$M/offers/$(printf '%064d' 0).json"
    must "$Q" status --offline
    matches "behind +$M"
    asks generate EC:secp384r1 app-2
    level
}

# A byte gone bad on the mirror is found by settle, which compares all of them.
case_damaged() {
    mirrored
    printf 'X' | dd of="$M/log/entries" bs=1 seek=100 conv=notrunc status=none
    printf 'X' | dd of="$M/log/key" bs=1 seek=40 conv=notrunc status=none
    must "$Q" settle
    level
}

# A death after the home had its new log key, and before the mirror had: another file of the same length in the place of the first.
case_a_key_that_was_changed() {
    mirrored
    cp -p "$M/log/key" "$D/first-key"
    asks "$Q" log change-key
    approve "$ID" authority-1 authority-2
    must "$Q" log change-key
    level
    cp -p "$D/first-key" "$M/log/key"
    asks generate EC:secp384r1 app-1
    level
}

# A link that leads back is no second copy.
case_the_home_by_another_name() {
    with_mirror
    rmdir "$D/stick"
    ln -s "$(cd "$D" && pwd)" "$D/stick"
    ends 1 "$Q" settle
    says "$M" 'the same place as'
    rm "$D/stick"
    ln -s "$(cd "$D" && pwd)/estate" "$D/stick"
    mkdir "$D/estate/estate"
    ends 1 "$Q" settle --new-mirror
    says "$M" 'the same place as'
    no_growth ends 1 generate EC:secp384r1 app-1
    # Nor are two mirrors one.
    rm "$D/stick"
    rmdir "$D/estate/estate"
    mkdir -p "$D/one/estate"
    ln -s one "$D/two"
    sed -i "s|^home-mirrors:.*|home-mirrors: [./one/estate, ./two/estate]|" "$D/bindings.yaml"
    ends 1 "$Q" settle --new-mirror
    says two/estate 'the same place as'
}

# The mirror of another estate, or of this one's other life, is left alone.
case_another_log() {
    mirrored
    cp -a "$D/estate" "$D/older"
    cp -a "$M" "$D/older-mirror"
    born EC:secp384r1 app-1
    rm -rf "$D/estate"
    cp -a "$D/older" "$D/estate"
    find "$M" -type f -exec sha256sum {} + >"$D/sums"
    ends 1 generate EC:secp384r1 app-2
    ends 1 "$Q" settle
    says "$M" 'another log'
    must "$Q" status --offline
    matches "another log +$M"
    sha256sum --quiet -c "$D/sums" || fail 'the mirror was changed'
    # The mirror is the truth here: it takes the home's place.
    rm -rf "$D/estate"
    sed -i -e '/^home-mirrors:/d' -e "s|^home:.*|home: $M|" "$D/bindings.yaml"
    must "$Q" log check
    must "$Q" inventory
    sed -i "s|^home:.*|home: ./estate|" "$D/bindings.yaml"
    cp -a "$M" "$D/estate"
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    must generate EC:secp384r1 app-2
}

# There, but it takes nothing: as if full, or worn out.
case_takes_nothing() {
    mirrored
    mv "$M/requests" "$D/requests"
    echo >"$M/requests"
    full() {
        ends 1 generate EC:secp384r1 app-1
        ends 1 "$Q" settle
        says "$M"
    }
    no_growth full
    rm "$M/requests"
    mv "$D/requests" "$M/requests"
    born EC:secp384r1 app-1
    level
}

cases
