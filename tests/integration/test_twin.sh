#!/bin/bash
# Two estates alike: the same people with the same cards, the same policy to the byte. What was approved for one is nothing to
# the other.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

FROM=bare

# Does it in the other estate, in a folder beside.
twin() {
    local here=$D rc=0
    D=$here-twin
    # shellcheck source=/dev/null
    . "$D/env.sh"
    "$@" || rc=$?
    D=$here
    # shellcheck source=/dev/null
    . "$D/env.sh"
    return $rc
}

twins_make() {
    local here=$D
    prepare_ready
    D=$here-twin
    rm -rf "$D"
    estate_copy "$WORK/bare"
    prepare_ready
    D=$here
    # shellcheck source=/dev/null
    . "$D/env.sh"
    cmp "$D/policy.yaml" "$D-twin/policy.yaml" || fail 'the policies are not alike'
    ! cmp -s "$D/estate/log/entries" "$D-twin/estate/log/entries" || fail 'the estates are one'
}

refused_birth() {
    local before
    before=$(on_hsms)
    ends 1 generate EC:secp384r1 "$1"
    [ "$(on_hsms)" = "$before" ] || fail 'something is on the HSMs after a refusal'
}

case_with_the_approvals_of_a_twin() {
    local person theirs ours
    twins_make
    twin asks generate EC:secp384r1 app-1
    theirs=$ID
    twin approve "$theirs" custodian-1 custodian-2 custodian-3
    asks generate EC:secp384r1 app-1
    ours=$ID
    [ "$ours" != "$theirs" ] || fail 'the requests are one'
    # Taken in by its officer: refused by name.
    for person in custodian-1 custodian-2 custodian-3; do
        ends 1 "$Q" approve "$ours" --as "$person" --import "$D-twin/estate/requests/$theirs/$person.p7s"
        cp "$D-twin/estate/requests/$theirs/$person.p7s" "$D/estate/requests/$ours/"
    done
    # Put beside the request, it is a finding and no vote.
    refused_birth app-1
    ends 1 "$Q" request show "$ours"
    says custodian-1.p7s
    # With the request that it is for: no request of this log.
    cp -a "$D-twin/estate/requests/$theirs" "$D/estate/requests/"
    refused_birth app-1
    ends 2 "$Q" approve "$theirs" --as custodian-4 --key "$(cat "$D/people/custodian-4.uri")" --yes
    # Nor in the place of its own.
    mv "$D/estate/requests/$ours/request.json" "$D/request.json"
    cp "$D-twin/estate/requests/$theirs/request.json" "$D/estate/requests/$ours/"
    refused_birth app-1
    mv "$D/request.json" "$D/estate/requests/$ours/"
    must "$Q" log show --type approval
    [ "$(grep -c custodian- <<<"$OUT")" = 0 ] || fail 'an approval of the twin stands in the log'
    # There it holds.
    twin must generate EC:secp384r1 app-1
    rm -rf "$D-twin"
}

cases
