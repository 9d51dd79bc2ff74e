#include "ceremony/tool.h"

#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, false, NULL                                                                                        \
    }

static const struct option none[] = {END};

static const struct option init_options[] = {
    {"environment", "E", false, "production, test or rehearsal; fixed for ever"},
    {"origin", "O", false, "the log's name; made from policy, environment and chance where left out"},
    END,
};

static const struct option explain_options[] = {
    {"policy", "FILE", false, "judge by this file instead of the policy in force"},
    {"token", "T", false, "the logical token"},
    {"label", "L", false, "the object's label"},
    {"type", "TYPE", false, "EC:P-256, EC:P-384, EC:P-521, EC:Ed25519, RSA:BITS or AES:BITS"},
    {"usage", "LIST", false, "sign, decrypt, derive, wrap; with commas between"},
    {"class", "C", false, "private-key (where left out), secret-key, public-key, certificate or data"},
    {"script", "S", false, "as if a ceremony of this script stood at this operation"},
    {"approve", "PERSON[@TIME]", true, "as if this person had approved"},
    {"reject", "PERSON[@TIME]", true, "as if this person had rejected"},
    {"at", "TIME", false, "as if it were this time; now where left out"},
    {"succession", NULL, false, "of adopt-policy: judged by the succession quorum"},
    END,
};

static const struct option adopt_options[] = {
    {"succession", NULL, false, "judged by the succession quorum: the usual one is lost for good"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option enrol_options[] = {
    {"token", "T", false, "the logical token; may be left out where there is only one"},
    {"attestation", "FILE", false, "the vendor's certificates of the HSM's keys, PEM, the policy's root too"},
    {"elsewhere", "LAT,LON", false, "the HSM is not at its site now but at these coordinates"},
    {"carried", "FILE", false, "of a site that is elsewhere: the introduction that `quorate introduce` wrote there"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option policy_export_options[] = {
    {"token", "T", false, "the logical token; may be left out where there is only one"},
    {"from", "N", false, "begin with this entry: the site has the ones before; 0 where left out"},
    END,
};

static const struct option introduce_options[] = {
    {"attestation", "FILE", false, "the vendor's certificates of the HSM's keys, PEM, the policy's root too"},
    {"out", "FILE", false, "where the introduction goes; introduction.json where left out"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option accept_options[] = {
    {"out", "FILE", false, "where the answer goes; standard output where left out"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option module_options[] = {
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option move_options[] = {
    {"bag", "NUMBER", false, "the bag that it is sealed in"},
    {"carrier", "TEXT", false, "who carries it"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option arrive_options[] = {
    {"bag", "NUMBER", false, "the bag that it came in, its seal whole"},
    {"received-by", "PERSON", false, "who received it"},
    {"safe", "NAME", false, "the safe that it lies in"},
    {"elsewhere", "LAT,LON", false, "not at its site but at these coordinates"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option offer_export_options[] = {
    {"token", "T", false, "the logical token; may be left out where there is only one"},
    {"from", "N", false, "begin the log with this entry: the site has the ones before; 0 where left out"},
    END,
};

static const struct option settle_options[] = {
    {"new-mirror", NULL, false, "fill the mirrors of the home that are there and empty"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option suspend_options[] = {
    {"reason", "TEXT", false, "why; it is signed and logged"},
    END,
};

static const struct option status_options[] = {
    {"offline", NULL, false, "do not ask the HSMs what answers now"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option list_options[] = {
    {"all", NULL, false, "those that are spent, rejected, void or expired as well"},
    END,
};

static const struct option export_options[] = {
    {"to", "FOLDER", false, "where request and certificates go; it is made, or must be empty"},
    END,
};

static const struct option approve_options[] = {
    {"file", "FILE", false, "approve this request.json, away from the estate; the approval goes beside it"},
    {"import", "FILE", false, "take in the approval that was signed elsewhere"},
    {"again", NULL, false, "renew the person's approval, which may be too old for the rule's within"},
    {"as", "PERSON", false, "who approves: an id of the roster"},
    {"key", "KEY", false, "a PEM file, or a pkcs11: URI (RFC 7512) of a card's key"},
    {"certificate", "FILE", false, "the person's certificate; from the roster where left out"},
    {"card-module", "FILE", false, "the card's PKCS#11 module; p11-kit's where left out"},
    {"yes", NULL, false, "do not ask before signing"},
    END,
};

static const struct option reject_options[] = {
    {"file", "FILE", false, "reject this request.json, away from the estate; the rejection goes beside it"},
    {"import", "FILE", false, "take in the rejection that was signed elsewhere: PERSON.reject.p7s"},
    {"as", "PERSON", false, "who rejects: an id of the roster"},
    {"key", "KEY", false, "a PEM file, or a pkcs11: URI (RFC 7512) of a card's key"},
    {"reason", "TEXT", false, "why; it is signed and logged"},
    {"certificate", "FILE", false, "the person's certificate; from the roster where left out"},
    {"card-module", "FILE", false, "the card's PKCS#11 module; p11-kit's where left out"},
    {"yes", NULL, false, "do not ask before signing"},
    END,
};

static const struct option log_show_options[] = {
    {"from", "N", false, "begin at the entry with this number"},
    {"type", "T", false, "entries of this type only"},
    END,
};

static const struct option log_publish_options[] = {
    {"all", NULL, false, "make every file of the folder anew"},
    END,
};

static const struct option log_prove_options[] = {
    {"entry", "FILE", false, "put the entry's bytes there as well"},
    END,
};

static const struct option log_check_proof_options[] = {
    {"log-key", "VKEY", false, "the log's verifier key: `log/vkey` of its home, or what trust.yaml says"},
    END,
};

static const struct option run_options[] = {
    {"people", "FILE", false, "who fills which role; asked for where left out"},
    {"answers", "FILE", false, "run unattended, with people, keys and answers from this file; not in production"},
    {"module", "FILE", false, "the module to work through; quorate-pkcs11.so beside this program where left out"},
    END,
};

static const struct option attest_options[] = {
    {"as", "PERSON", false, "who attests: an id of the roster"},
    {"key", "KEY", false, "a PEM file, or a pkcs11: URI (RFC 7512) of a card's key"},
    {"out", "FILE", false, "where the signature goes"},
    {"card-module", "FILE", false, "the card's PKCS#11 module; p11-kit's where left out"},
    {"yes", NULL, false, "do not ask before signing"},
    END,
};

static const struct option cosign_collect_options[] = {
    {"ceremony", "ID", false, "over the checkpoint with which this ceremony closed, instead of the newest"},
    END,
};

static const struct option cosign_init_options[] = {
    {"name", "NAME", false, "the cosigner's name, such as cosigner.example/one"},
    END,
};

static const struct option cosign_serve_options[] = {
    {"listen", "[ADDRESS:]PORT", false, "where to listen; 127.0.0.1:8420 where left out, port 0 is any"},
    END,
};

static const struct option transcript_options[] = {
    {"tar", "FILE", false, "the folder as one file too, the same bytes wherever it is made"},
    {"withhold", "CLASS", true, "leave out the bodies that policy or script put into this class of confidentiality"},
    END,
};

static const struct option verify_options[] = {
    {"trust", "FILE", false, "what the auditor brings: the log's verifier key and the first policy's digest"},
    {"rehearsal", "OTHER", false, "the transcript of the rehearsal: list what differs, and fail where it may not"},
    {"rehearsal-trust", "FILE", false, "the trust file of the rehearsal's estate"},
    END,
};

const struct command commands[] = {
    {"init", "", 0, 0, true, "Make an estate: its home, its log key and the log's first entry",
     "The home and the first policy are the ones that the bindings name. The estate is named by the hash of its\n"
     "first entry, which holds environment, origin, log key and the policy's digest.",
     init_options, run_init},
    {"policy", "", 0, 0, false, "Read, ask and adopt policies", "", none, NULL},
    {"policy check", "FILE", 1, 1, true, "Say what is wrong with a policy, and what its people and sites cannot meet",
     "Holds when the document is well formed and each of its quorums can be met today. A rule that is one loss\n"
     "away from failing is named, but holds.",
     none, run_policy_check},
    {"policy explain", "OPERATION", 1, 1, true, "Say what the policy would answer, and why",
     "Nothing is asked for and nothing is written. Sites count as the log knows them; without an estate as\n"
     "declared, enrolled and at home.",
     explain_options, run_policy_explain},
    {"policy adopt", "FILE", 1, 1, true, "Put a policy in force, once enough people have approved it",
     "The first time this leaves a request and says for whom it waits; the same command again, when they have\n"
     "approved, writes the policy into the log. The first policy is judged by its own adopt-policy rule, each\n"
     "later one by the policy before. The people's certificates are read from beside the file.",
     adopt_options, run_policy_adopt},
    {"policy export", "SITE FILE", 2, 2, true, "Put the policy and the log into a message to a site that is elsewhere",
     "There `quorate introduce FILE` begins with it, or `quorate accept FILE` brings the site up to date. Nothing in "
     "it\n"
     "is secret. Estate and log key are shown as words, to compare with what the site shows.",
     policy_export_options, run_policy_export},
    {"introduce", "FILE", 1, 1, true, "At a site that is elsewhere: pin the estate, its log key and its policy",
     "FILE is what `quorate policy export` made at the host. A home of the site's own is made, and a request is left "
     "that\n"
     "the policy's own adopt-policy rule judges; the same command again, when enough people have approved it here, "
     "lets\n"
     "the HSM make its keys and writes the introduction for `quorate enrol` at the host. With --attestation the "
     "vendor's\n"
     "certificates of these keys travel in it.",
     introduce_options, run_introduce},
    {"accept", "[FILE]", 0, 1, false, "At a site that is elsewhere: judge one message of the host, and answer it",
     "Reads the message from FILE or standard input and writes the answer. The site judges by itself: the host's log "
     "under\n"
     "the key that was pinned, policy, request and approvals. A refusal is an answer too; it is then said on standard\n"
     "error as well, and the exit status is 1. The same message may be given again after a death.",
     accept_options, run_accept},
    {"enrol", "SITE", 1, 1, true, "Pin a site's HSM in the log",
     "The HSM makes its transport and identity keys and a request is left; the same command again, when enough\n"
     "people have approved, lets the HSM answer a challenge and pins it. With --attestation the vendor's\n"
     "certificates stand in the request; the keys are there after the first time, for the HSM to attest.",
     enrol_options, run_enrol},
    {"offer", "", 0, 0, false, "Bring keys to sites that files are carried to, and what else they are to get", "", none,
     NULL},
    {"offer export", "SITE DIR", 2, 2, true, "Write what people are to carry to a site",
     "Each offer that is not answered yet is a file of its own, the spare ones too; so is what tells the site that a\n"
     "key was born, that one is to be destroyed, and what `quorate drill` and `quorate inventory` ask of it. What is\n"
     "in them is of use to that site's HSM alone.",
     offer_export_options, run_offer_export},
    {"receipt", "", 0, 0, false, "Take in what comes back from such sites", "", none, NULL},
    {"receipt import", "FILE", 1, 1, true, "Take in a site's answer that people carried back",
     "The last receipt that a provisional key waits for completes its birth; what answers a drill is logged, what\n"
     "answers an inventory compared with the log. Exits 1 where something in it is not as it should be.",
     module_options, run_receipt_import},
    {"status", "", 0, 0, true, "Show the estate: policy, sites, keys, what waits, what falls due",
     "Reads the log, and asks the HSMs what answers now unless --offline.", status_options, run_status},
    {"request", "", 0, 0, false, "Look at what waits for people", "", none, NULL},
    {"request list", "", 0, 0, true, "List pending requests and whom they wait for", "One line a request.",
     list_options, run_request_list},
    {"request show", "ID", 1, 1, true, "Show one request: what is asked, which rule, who voted, what is missing",
     "ID is the request's id, or at least its first six digits.", none, run_request_show},
    {"request export", "ID", 1, 1, false, "Put a request into a folder, for people who are elsewhere",
     "The folder holds request.json and the certificates of the roster. There `quorate approve --file` (or `reject`)\n"
     "signs; here `quorate approve ID --import` takes it in. Nothing in it is secret.",
     export_options, run_request_export},
    {"approve", "[ID]", 0, 1, true, "Approve a request with one's card",
     "Shows what is approved and the id as words, to compare with a second device, then signs the request.\n"
     "Where the estate is elsewhere, --file takes the place of ID.\n"
     "On a terminal it asks first. A card's PIN comes from the URI or is asked for; a wrong one is not tried twice.",
     approve_options, run_approve},
    {"reject", "[ID]", 0, 1, true, "Reject a request with one's card",
     "A signed rejection outweighs the same person's approval, and closes the request where the rule says so.\n"
     "Where the estate is elsewhere, --file takes the place of ID.",
     reject_options, run_reject},
    {"suspend", "SCOPE", 1, 1, true, "Stop governed work in the estate, on a token or with a key",
     "SCOPE is estate, token:ID or key:LABEL@TOKEN. Leaves a request; the same command again, when enough people have\n"
     "approved, stops that work in every process of this host within a second, signatures that have begun included.",
     suspend_options, run_suspend},
    {"resume", "SCOPE", 1, 1, true, "Let suspended work go on, once enough people have approved it",
     "SCOPE is exactly the one that was suspended.", none, run_resume},
    {"settle", "", 0, 0, true, "Finish or roll back what a crash left half done",
     "Touches only what no running process holds. Also brings the mirrors of the home level, byte for byte, and "
     "renews\n"
     "the log's head on the HSMs.",
     settle_options, run_settle},
    {"readopt", "", 0, 0, true, "Take the log up again where an HSM remembers another one, once enough people agree",
     "Lists HSMs whose copy of the log's head is missing, newer than the log or differs from it: until people have\n"
     "settled it nothing governed works there. What was found stands in the log for ever.",
     module_options, run_readopt},
    {"inventory", "[TOKEN] [SITE]", 0, 2, true, "Compare every object on every HSM with the log, both ways",
     "Exits 1 where a key lies on an HSM that the log does not know, a key of the log is gone, a birth left\n"
     "something, or an HSM that is bound as a module or reached by a courier does not answer. A site behind a\n"
     "courier lists what lies on its HSM by itself, and signs that. One that files are carried to is asked for\n"
     "where it is named: its answer is compared when it is imported. Changes nothing.",
     module_options, run_inventory},
    {"move", "TOKEN SITE", 2, 2, true, "Say that an HSM leaves where it is, sealed",
     "From now on it counts nowhere, until `quorate arrive` says where it is and it has answered a challenge there.",
     move_options, run_move},
    {"arrive", "TOKEN SITE", 2, 2, true, "Say where an HSM that left has arrived, and let it answer there",
     "It must be in the bag that it left in, and answer with the identity key that was pinned at its enrolment.",
     arrive_options, run_arrive},
    {"retire", "TOKEN SITE", 2, 2, true, "End a site, once enough people have approved it",
     "The first time this leaves a request; the same command again, when they have approved, lets every other site of "
     "the\n"
     "token prove every key that it holds. Only then does the site count no more. Its replicas are destroyed, now or, "
     "where\n"
     "its HSM is not there, by `quorate settle`; until then `quorate status` lists them.",
     module_options, run_retire},
    {"replicate", "TOKEN KEY SITE", 3, 3, true, "Bring a key to a site, once enough people have approved it",
     "KEY is the label of a key that was born under `extractable: trusted-wrap-only`. The first time this leaves a "
     "request; the\n"
     "same command again, when they have approved, wraps the key at the primary for that site alone, which takes it in "
     "and\n"
     "proves that it holds it. Where the site holds it already nothing is done.",
     module_options, run_replicate},
    {"promote", "TOKEN SITE", 2, 2, true, "Make a replica site the primary, once enough people have approved it",
     "The first time this leaves a request; the same command again, when they have approved, writes the entry. The "
     "site\n"
     "must answer; the old primary need not, and is a replica from then on. Says which keys the site does not hold.",
     module_options, run_promote},
    {"drill", "[TOKEN] [SITE]", 0, 2, true, "Let every replica of every key prove itself again",
     "Each enrolled site signs with each key that it holds, and answers for all with its identity key; the log says\n"
     "what was proven. Rules with `fresh:` count from the last drill in which nothing failed. A site that files are\n"
     "carried to is asked by a file (`quorate offer export`). Exits 1 where something failed, or is awaited.",
     module_options, run_drill},
    {"log", "", 0, 0, false, "Read and verify the log", "", none, NULL},
    {"log show", "", 0, 0, true, "Show the log's entries, one line each",
     "With --json each entry's exact bytes, and of a confidential one its body besides.", log_show_options,
     run_log_show},
    {"log check", "", 0, 0, true, "Verify the whole log: signature, tree and every entry",
     "Prints size and root, for comparison with a checkpoint kept elsewhere.", none, run_log_check},
    {"log publish", "", 0, 0, false, "Bring the log's public folder up to date (C2SP tlog-tiles)",
     "Any static HTTP server may serve home/log/public as it is. Every command that wrote does this when it ends;\n"
     "where an application keeps the module loaded for days, run it from a timer.",
     log_publish_options, run_log_publish},
    {"log prove", "SEQ", 1, 1, false, "Prove that one entry stands in the log (C2SP tlog-proof)",
     "Writes the proof, with the checkpoint that it leads to. Who has the entry's bytes and the verifier key needs\n"
     "nothing else.",
     log_prove_options, run_log_prove},
    {"log check-proof", "PROOF ENTRY", 2, 2, false, "Verify a proof of one entry; needs no estate",
     "ENTRY is a file with the entry's exact bytes, without a newline.", log_check_proof_options, run_log_check_proof},
    {"log change-key", "", 0, 0, true, "Sign the log with a new key, once enough people have approved it",
     "The first time this makes the key and leaves a request; the same command again, when they have approved,\n"
     "writes the entry that puts the key in force. The old key signs that entry and nothing after it.",
     none, run_log_change_key},
    {"log new-home", "ORIGIN FILE", 2, 2, false, "At the machine that a home is to move to: make its log key",
     "Writes the secret key to FILE and prints the verifier key, for `quorate log move` at the old machine. Needs no\n"
     "estate.",
     none, run_log_new_home},
    {"log move", "VERIFIER-KEY", 1, 1, true,
     "Close this home: its log goes on elsewhere, once enough people have approved it",
     "The first time this leaves a request; the same command again, when they have approved, writes the last entry\n"
     "that this home will ever have. Then copy the home to the other machine, with the key of `quorate log new-home` "
     "as\n"
     "log/key.new.",
     none, run_log_move},
    {"script", "", 0, 0, false, "Check and print ceremony scripts", "", none, NULL},
    {"script check", "FILE", 1, 1, true, "Say what is wrong with a script, or what it holds",
     "Counts acts, steps and minutes. Nothing is asked for and nothing is written.", none, run_script_check},
    {"script print", "FILE", 1, 1, false, "The script for paper, with room for times, initials and answers",
     "What is followed in the room on paper while the same file runs.", none, run_script_print},
    {"run", "SCRIPT", 1, 1, false, "Run a ceremony: open it, do its steps in order, close it",
     "Opening waits for people, as the policy says; the same command again goes on, and after a break or a crash it\n"
     "goes on exactly where the ceremony stood.",
     run_options, run_run},
    {"attest", "DOCUMENT", 1, 1, false, "Sign an attestation of a ceremony with one's card",
     "Shows checkpoint, statement and deviations, then signs. The runner calls it for each participant.",
     attest_options, run_attest},
    {"cosign", "", 0, 0, false, "Have the log signed by programs elsewhere, or be one of them", "", none, NULL},
    {"cosign collect", "", 0, 0, false, "Ask the policy's cosigners to sign the log as it is now",
     "Those with an address are asked there; for the others home/cosign/NAME.request is written, and what they "
     "answered\n"
     "is read from home/cosign/NAME.cosignature. When the policy's quorum has signed, the log says so.",
     cosign_collect_options, run_cosign_collect},
    {"cosign init", "DIR", 1, 1, false, "Make a cosigner: its key and its memory, in a folder of its own",
     "Belongs on another machine than the log, with other people.", cosign_init_options, run_cosign_init},
    {"cosign trust", "DIR LOG-KEY", 2, 2, false, "Let a cosigner take in a log, or one more key of it",
     "LOG-KEY is the log's verifier key, as `quorate init` shows it.", none, run_cosign_trust},
    {"cosign file", "DIR REQUEST ANSWER", 3, 3, false, "Cosign a checkpoint that was carried here in a file",
     "Signs only what extends the log that was signed before. ANSWER is carried back.", none, run_cosign_file},
    {"cosign serve", "DIR", 1, 1, false, "Cosign over HTTP, as C2SP tlog-witness says",
     "POST /add-checkpoint, until it is interrupted. TLS is for a proxy before it.", cosign_serve_options,
     run_cosign_serve},
    {"timestamp", "", 0, 0, false, "Have an authority say when a ceremony's record was closed", "", none, NULL},
    {"timestamp query", "CEREMONY OUT", 2, 2, false, "Make the query (RFC 3161) over a ceremony's closing checkpoint",
     "OUT is sent to a time stamping authority, by whatever way there is.", none, run_timestamp_query},
    {"timestamp add", "CEREMONY RESPONSE", 2, 2, false, "Take in what the authority answered",
     "Transcripts written from now on hold it. Who signed it is for the auditor's trust file to say.", none,
     run_timestamp_add},
    {"transcript", "CEREMONY DIR", 2, 2, false, "Put everything that an absent auditor needs into one folder",
     "The ceremony must be closed. DIR is made, or must be empty.", transcript_options, run_transcript},
    {"verify", "DIR", 1, 1, true, "Verify a transcript, knowing only what the trust file says",
     "States what is proven (mathematics and pinned keys) and what is attested (somebody's recorded word). One\n"
     "statement that fails, and the transcript does not hold.",
     verify_options, run_verify},
    {NULL, NULL, 0, 0, false, NULL, NULL, NULL, NULL},
};
