# How the demonstration's estate is made, for demo/run.sh and the integration tests. Sourced, with these set:
#   D   where the estate goes: a path without blanks        Q   the quorate program
# and with `run COMMAND`, which runs one command text (and, in the demonstration, prints it first).
# shellcheck shell=bash

SOFTHSM=/usr/lib/softhsm/libsofthsm2.so
SITES="slough cardiff glasgow"
CARD_PIN=123456
PEOPLE="custodian-1 custodian-2 custodian-3 custodian-4 custodian-5 witness-1 witness-2
        authority-1 authority-2 authority-3 administrator auditor"

# Wipes D and makes SoftHSM's configuration and env.sh; exports what env.sh does.
estate_clear() {
    rm -rf "$D"
    mkdir -p "$D/tokens" "$D/pins" "$D/people"
    local where
    where=$(cd "$D" && pwd)
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$where" >"$D/softhsm2.conf"
    printf 'export QUORATE_BINDINGS=%q\nexport SOFTHSM2_CONF=%q\n' "$where/bindings.yaml" "$where/softhsm2.conf" >"$D/env.sh"
    # shellcheck source=/dev/null
    . "$D/env.sh"
}

# The HSMs of the three sites, each with a PIN of its own.
estate_hsms() {
    run "for site in $(echo $SITES); do
    (umask 077; shuf -n 1 -i 1000000000-9999999999 --random-source=/dev/urandom >$D/pins/root-\$site)
    softhsm2-util --init-token --free --label root-\$site --so-pin 12345678 --pin \$(cat $D/pins/root-\$site)
done"
}

# A smartcard for each person: a key that never leaves it, a certificate made with it, and its URI.
estate_people() {
    run "for id in $(echo $PEOPLE); do
    softhsm2-util --init-token --free --label \$id --so-pin 12345678 --pin $CARD_PIN
    pkcs11-tool --module $SOFTHSM --token-label \$id --login --pin $CARD_PIN \\
        --keypairgen --key-type EC:prime256v1 --usage-sign --label \$id --id 01
    echo \"pkcs11:token=\$id;object=\$id;type=private?pin-value=$CARD_PIN\" >$D/people/\$id.uri
    openssl req -x509 -engine pkcs11 -keyform engine -key \"\$(cat $D/people/\$id.uri)\" \\
        -sha256 -days 3650 -subj \"/CN=\$id\" -out $D/people/\$id.pem
done" quiet
}

# The serial number of a token: bindings name HSMs by nothing else.
estate_serial() {
    softhsm2-util --show-slots | awk -v label="$1" '/Serial number:/ { s = $3 } /Label:/ && $2 == label { print s }'
}

# policy.yaml: the template with every person's fingerprint in its place. $1: the template.
estate_policy() {
    local id script=
    for id in $PEOPLE; do
        script+="s/@$id@/$(openssl x509 -in "$D/people/$id.pem" -outform DER | sha256sum | cut -d' ' -f1)/;"
    done
    sed "$script" "$1" >"$D/policy.yaml"
}

estate_bindings() {
    local site
    {
        echo 'home: estate'
        echo 'policy: policy.yaml'
        echo 'tokens:'
        echo '  root:'
        for site in $SITES; do
            printf '    %s: {module: %s, serial: "%s", pin: "file:pins/root-%s"}\n' \
                "$site" "$SOFTHSM" "$(estate_serial "root-$site")" "$site"
        done
    } >"$D/bindings.yaml"
}

# The id of the request that was left last.
estate_newest() {
    # Names are hex digits; the order wanted is that of their times.
    # shellcheck disable=SC2012
    ls -t "$D/estate/requests" | head -n 1
}

# $1: id of the request; then the people. APPROVING: how `run` shows it.
estate_approve() {
    local id=$1 person
    shift
    for person in "$@"; do
        run "$Q approve ${id:0:16} --as $person --key \"\$(cat $D/people/$person.uri)\" --yes" "${APPROVING:-}"
    done
}

# What an auditor who saw the estate start takes home.
estate_trust() {
    run "{
    echo \"log-key: \\\"\$(cat $D/estate/log/vkey)\\\"\"
    echo \"policy: \\\"sha256:\$(sha256sum <$D/policy.yaml | cut -d' ' -f1)\\\"\"
} >$D/trust.yaml"
}

# What the people of the ceremony say and do, and the exhibits that they bring. $1: the template.
estate_answers() {
    local site script="" exhibit
    for site in $SITES; do
        script+="s/@serial-$site@/$(estate_serial "root-$site")/;"
    done
    sed "$script" "$1" >"$D/ceremony.answers.yaml"
    mkdir -p "$D/exhibits"
    for exhibit in camera-1 camera-2 photographs initialled-pages; do
        echo "What $exhibit shows would be here." >"$D/exhibits/$exhibit"
    done
}
