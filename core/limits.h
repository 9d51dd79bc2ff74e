#ifndef QUORATE_CORE_LIMITS_H
#define QUORATE_CORE_LIMITS_H

/* Every limit of the project stands here. */

#define LIMIT_DOCUMENT (1024u * 1024u)          /* bytes: policy, bindings, script, trust file */
#define LIMIT_REQUEST 65535u                    /* bytes: canonical request */
#define LIMIT_ENTRY 65535u                      /* bytes: one log entry without its newline */
#define LIMIT_CONFIDENTIAL (LIMIT_ENTRY + 128u) /* bytes: the body of a confidential entry with its salt */
#define LIMIT_TAIL (1024u * 1024u)              /* bytes: what a crash may leave behind the signed log entries */
#define LIMIT_SIGNATURE 65535u                  /* bytes: one CMS approval */
#define LIMIT_TRANSPORT_BITS 3072               /* of the RSA key that offers are wrapped for, at least */
#define LIMIT_CERTIFICATE 16384u                /* bytes: one certificate, DER or PEM */
#define LIMIT_CHAIN 8u                          /* certificates of one key, up to its vendor's root */
#define LIMIT_ATTESTATION 12288u                /* bytes: their DER together: two such lists fit into an entry */
#define LIMIT_ROOTS 16u                         /* vendors' roots that a policy lists for one site */
#define LIMIT_EXTENSIONS 16u                    /* of a vendor's certificates that a policy gives values for */
#define LIMIT_MIRRORS 4                         /* of one home */
#define LIMIT_MIRRORED (64u * 1024u * 1024u)    /* bytes: one file of a home but its entries */
#define LIMIT_HEADS 8u                          /* the log's heads on one HSM, those that a crash left included */
#define LIMIT_HEAD_LOOKS 25u                    /* looks for it where it is not as it should be, 20 ms apart */
#define LIMIT_SHELF_LOOKS 3u                    /* looks at an HSM that is not as the log says, 50 ms apart */
#define LIMIT_NOTE 65535u                       /* bytes: one signed note */
#define LIMIT_PROOF (128u * 1024u)              /* bytes: one tlog-proof with its checkpoint */
#define LIMIT_OFFER (256u * 1024u)              /* bytes: one offer with its proofs and approvals */
#define LIMIT_DRILL (16u * 1024u * 1024u)       /* bytes: one site's answer to a drill */
#define LIMIT_DRILL_KEYS 4096u                  /* keys of one token at one site that a drill proves */
#define LIMIT_INQUIRY (14u * 86400u)            /* seconds: a question that files carry may be answered */
#define LIMIT_YAML_DEPTH 24                     /* nesting of a YAML or JSON document */
#define LIMIT_YAML_NODES 200000                 /* nodes in one YAML or JSON document */
#define LIMIT_APPROVALS 256                     /* approval and rejection files beside one request */
#define LIMIT_PENDING 4096                      /* requests that wait in one home, with one more of an application */
#define LIMIT_TEMPLATE 64                       /* attributes in one governed template */
#define LIMIT_ATTRIBUTE 8192                    /* bytes: one attribute value in a governed template */
#define LIMIT_LABEL 255                         /* bytes: a label */
#define LIMIT_LOWER_MODULES 16u                 /* different HSM modules in one process */
#define LIMIT_FINDINGS 32u                      /* wrong attempts that a process logs in one go */
#define LIMIT_REMOTE_MODULES 8u                 /* of them, those that talk to a peer */
#define LIMIT_NAME 64                           /* bytes: ids of people, sites, tokens */
#define LIMIT_TOKENS 64                         /* logical tokens in one estate */
#define LIMIT_SITES 16                          /* sites of one logical token */
#define LIMIT_SPARES 8                          /* offers of one birth to a carried site beyond the one */
#define LIMIT_SPARES_USUAL 1                    /* where a rule does not say */
#define LIMIT_PIN 256                           /* bytes */
#define LIMIT_BLOB 16384                        /* bytes: one wrapped key */
#define LIMIT_ARTIFACT (16u * 1024u * 1024u)    /* bytes: one artifact of a ceremony */
#define LIMIT_OBJECTS 65536u                    /* objects on one HSM that an inventory lists */
#define LIMIT_LISTED 16384u                     /* of them, where a site that is elsewhere lists them */
#define LIMIT_CLOCK 900                         /* seconds between the clocks of the host and of a site */
#define LIMIT_COSIGNERS 64                      /* cosigners and groups of them in one policy */
#define LIMIT_MESSAGE (64u * 1024u * 1024u)     /* bytes: one message to a site, all in it */
#define LIMIT_HEADER (16u * 1024u * 1024u)      /* bytes: its first line, with the documents */
#define LIMIT_ANSWER (8u * 1024u * 1024u)       /* bytes: what a site answers */
#define LIMIT_SNAPSHOT (512u * 1024u * 1024u)   /* bytes: the state of a home, cached */
#define SNAPSHOT_EVERY 256u  /* entries that are folded at an opening before a snapshot is worth it */
#define SNAPSHOT_SHARE 4096u /* bytes of a snapshot for each entry more */
#define LIMIT_TRANSCRIPT (1024u * 1024u * 1024u) /* bytes: all entries of one transcript */
#define LIMIT_WAIT 30u                           /* seconds: a site's answer, where the policy names no other time */
#define LIMIT_WAIT_MOST 86400u                   /* seconds: what a policy may allow a site */
#define LIMIT_STACK (1024u * 1024u)              /* bytes: of a thread that visits a site */
#define LIMIT_PEOPLE 1000u                       /* people that a quorum may ask for */
#define LIMIT_USES 1000000u                      /* uses that a rule may grant at once */
#define LIMIT_LEASES 64u                         /* grants of uses in number that a process holds */
#define LIMIT_EXPRESSION 255                     /* bytes: a label's regular expression */
#define LIMIT_REPEATS 4096                       /* product of all {…} bounds of one: what regcomp unrolls */
#define LIMIT_EXPIRES_USUAL 86400                /* seconds: a request lives, where the rule does not say */
#define LIMIT_ATTRIBUTES 1024u                   /* attributes in a template that goes down as it came */
#define LIMIT_KEY_FILE 65536u                    /* bytes: a person's key, PEM or its URI */
#define LIMIT_TYPED 4096u                        /* bytes: what people type for a key or a reason */
#define LIMIT_SAID 1024u                         /* bytes: what people answer at a step */
#define LIMIT_STEPS 2000                         /* of a script, expanded */
#define LIMIT_STEP_TEXT 8192u                    /* bytes: one text of a script */
#define LIMIT_STEP_MINUTES 1440                  /* that a step is planned for */
#define LIMIT_ROOM_CLOCK 60                      /* seconds between a clock on the wall and the record */
#define LIMIT_STAMP_CLOCK 60                     /* seconds that a time stamping authority's clock may be behind */
#define LIMIT_CHILD_OUTPUT 65536u                /* bytes: what a process with somebody's card says */
#define LIMIT_KERNEL_TEXT 65536u                 /* bytes: a file of the kernel's */
#define LIMIT_SLOTS 64                           /* slots of the module that a ceremony looks at */
#define LIMIT_ENTRY_TEXT (4u * 65536u)           /* bytes: one entry in a line, its characters replaced */
#define LIMIT_PACK (2u * 1024u * 1024u * 1024u - 1u) /* bytes: a transcript as one file */
#define LIMIT_CONNECTIONS 64u                        /* to a cosigner, at a time */
#define LIMIT_CONNECTION 30u                         /* seconds: one of them */
#define LIMIT_HTTP 30L                               /* seconds: one question over HTTP */
#define OUTPUT_MAX (64u * 1024u * 1024u)             /* bytes: what one command says */

#endif
