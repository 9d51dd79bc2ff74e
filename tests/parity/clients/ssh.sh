#!/bin/bash
# ssh-keygen -D and ssh-agent of OpenSSH.
. tests/parity/client.sh
silent user --keypairgen --key-type EC:prime256v1 --label ec --id 01
silent user --keypairgen --key-type rsa:2048 --label rsa --id 02
# The PIN, for whoever asks.
printf '#!/bin/sh\necho %s\n' "$PIN" >"$W/askpass"
chmod 700 "$W/askpass"
export SSH_ASKPASS=$W/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=none

ssh-keygen -D "$MODULE" >"$W/keys" 2>"$W/noise"
echo "= $?"
cut -d' ' -f1,3- "$W/keys"
eval "$(ssh-agent -s -a "$W/agent" -P "$(dirname "$(realpath "$MODULE")")/*,$MODULE")" >"$W/noise"
silent ssh-add -s "$MODULE"
ssh-add -L >"$W/agent-keys"
echo "= $?"
cut -d' ' -f1 "$W/agent-keys"
cmp <(cut -d' ' -f2 "$W/keys" | sort) <(cut -d' ' -f2 "$W/agent-keys" | sort) && echo the same
echo 'a message' >"$W/message"
while read -r line; do
    echo "$line" >"$W/one.pub"
    echo "somebody $line" >"$W/allowed"
    rm -f "$W/message.sig"
    silent ssh-keygen -Y sign -f "$W/one.pub" -n file "$W/message"
    ssh-keygen -Y verify -f "$W/allowed" -I somebody -n file -s "$W/message.sig" <"$W/message" >"$W/noise" 2>&1
    echo "= $?"
done <"$W/agent-keys"
silent ssh-add -T "$W/one.pub"
silent ssh-add -e "$MODULE"
silent ssh-add -L
kill "$SSH_AGENT_PID"
