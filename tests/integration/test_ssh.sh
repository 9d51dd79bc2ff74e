#!/bin/bash
# A site at the other end of a wire: sshd in a network namespace of its own, behind a veth link; the courier is ssh.
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
# shellcheck source=tests/integration/far.sh
. tests/integration/far.sh
FROM=bare
NET=q$$ # of the namespace and the link, whose two addresses nobody else has either
WIRE=10.213.$(($$ / 64 % 256)).
HERE=$WIRE$(($$ % 64 * 4 + 1))
THERE=$WIRE$(($$ % 64 * 4 + 2))

wire_cut() {
    [ ! -s "$D/sshd.pid" ] || kill "$(cat "$D/sshd.pid")" 2>/dev/null || true
    ip netns del "$NET" 2>/dev/null || true
    ip link del "$NET"h 2>/dev/null || true
}

# The site's machine: its address, and sshd with a host key of its own, which runs what came with one user key and nothing else.
wire_make() {
    local place
    place=$(cd "$D" && pwd)
    ip netns add "$NET"
    ip link add "$NET"h type veth peer name "$NET"f netns "$NET"
    ip addr add $HERE/30 dev "$NET"h
    ip link set "$NET"h up
    ip -n "$NET" addr add $THERE/30 dev "$NET"f
    ip -n "$NET" link set "$NET"f up
    ssh-keygen -q -t ed25519 -N '' -f "$D/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$D/user_key"
    echo "restrict,command=\"$place/courier\" $(cat "$D/user_key.pub")" >"$D/authorized"
    echo "$THERE $(cut -d' ' -f1,2 "$D/host_key.pub")" >"$D/known"
    printf '%s\n' "ListenAddress $THERE" "HostKey $place/host_key" "PidFile $place/sshd.pid" \
        "AuthorizedKeysFile $place/authorized" 'StrictModes no' 'UsePAM no' 'PasswordAuthentication no' \
        'PermitRootLogin forced-commands-only' >"$D/sshd_config"
    mkdir -p /run/sshd
    must ip netns exec "$NET" /usr/sbin/sshd -f "$place/sshd_config" -E "$place/sshd.log"
    far_bound "{courier: [/usr/bin/ssh, -F, none, -o, BatchMode=yes, -o, UserKnownHostsFile=$place/known, -o, \
ConnectTimeout=5, -i, $place/user_key, root@$THERE, accept]}"
}

case_over_the_wire() {
    sed -i 's/{id: glasgow, /{id: glasgow, answer-within: 20 seconds, /' "$D/policy.yaml"
    far_hsm
    trap wire_cut EXIT
    wire_make
    local site
    must "$Q" init --environment test
    policy_adopted
    for site in slough cardiff; do
        site_enrolled "$site"
    done
    far_introduce
    site_enrolled glasgow
    born EC:secp384r1 app-1
    must far "$Q" log show --type settled
    says born
    # The link is down: no birth begins. It is back: the same request is carried out.
    asks generate EC:secp384r1 app-2
    approve "$ID" custodian-1 custodian-2 custodian-3
    ip link set "$NET"h down
    ends 1 generate EC:secp384r1 app-2
    must "$Q" log show --type refused
    says 'site glasgow is not ready'
    ip link set "$NET"h up
    must generate EC:secp384r1 app-2
    must "$Q" settle
    says 'Nothing was left half done'
}

if [ "$(id -u)" != 0 ] || [ ! -x /usr/sbin/sshd ] || ! command -v ssh >/dev/null || ! ip netns add "$NET" 2>/dev/null; then
    echo 'SKIPPED: needs root, sshd and network namespaces, to put a site at the other end of a link'
    exit
fi
ip netns del "$NET"
cases
