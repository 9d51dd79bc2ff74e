#include "tests/bypass/bypass.h"

#include <stdio.h>
#include <string.h>

/* Which attempt stands in which cell. A cell without one has a reason; every operation and way has either. */

#define OPERATIONS                                                                                                     \
    OPERATION(GENERATE, "generate")                                                                                    \
    OPERATION(IMPORT, "import")                                                                                        \
    OPERATION(UNWRAP, "unwrap")                                                                                        \
    OPERATION(DERIVE, "derive")                                                                                        \
    OPERATION(COPY, "copy")                                                                                            \
    OPERATION(MODIFY, "modify")                                                                                        \
    OPERATION(WRAP, "wrap")                                                                                            \
    OPERATION(DESTROY, "destroy")                                                                                      \
    OPERATION(SIGN, "sign")                                                                                            \
    OPERATION(OTHER_USE, "decrypt and the like")                                                                       \
    OPERATION(INITIALISE, "initialise, PINs")                                                                          \
    OPERATION(STATE, "saved state")

enum operation {
#define OPERATION(id, name) id,
    OPERATIONS
#undef OPERATION
        OPERATION_COUNT
};
static const char *const operation_names[] = {
#define OPERATION(id, name) name,
    OPERATIONS
#undef OPERATION
};

#define ALL ((1u << OPERATION_COUNT) - 1)
#define OF(id) (1u << (id))
#define MAKERS (OF(GENERATE) | OF(IMPORT) | OF(UNWRAP) | OF(DERIVE) | OF(COPY))
#define USES (OF(SIGN) | OF(OTHER_USE))

/* The first filling of a way that has the operation fills the cell. `test`: an attempt here, or "FILE:NAME" of a test
 * elsewhere; NULL: `reason` says why there is none. */
struct filling {
    unsigned operations;
    const char *test, *reason;
};
struct way {
    const char *name;
    struct filling fillings[8];
};

static const struct way ways[] = {
    {"hostile template",
     {{OF(GENERATE), "generate_from_a_hostile_template", NULL},
      {OF(IMPORT), "import_to_the_token", NULL},
      {OF(UNWRAP), "unwrap_to_the_token", NULL},
      {OF(DERIVE), "derive_to_the_token", NULL},
      {OF(COPY), "copy_to_the_token_and_elsewhere", NULL},
      {OF(MODIFY), "change_what_a_key_is", NULL},
      {ALL, NULL, "takes no template"}}},
    {"usages left out",
     {{OF(GENERATE), "tests/unit/test_module_template.c:what_pkcs11_tool_sends_is_completed", NULL},
      {ALL, NULL,
       "only a birth under a quorum has its usages completed; elsewhere what is not plainly allowed is refused"}}},
    {"two names, renamed later",
     {{OF(GENERATE), "generate_under_two_names", NULL},
      {OF(COPY), "copy_to_the_token_and_elsewhere", NULL},
      {OF(MODIFY), "change_what_a_key_is", NULL},
      {OF(IMPORT), "import_to_the_token", NULL},
      {OF(UNWRAP), "unwrap_to_the_token", NULL},
      {OF(DERIVE), "derive_to_the_token", NULL},
      {ALL, NULL, "gives no names"}}},
    {"template changed meanwhile",
     {{OF(GENERATE), "generate_while_the_template_changes", NULL},
      {MAKERS | OF(MODIFY), "tests/unit/test_module_template.c:a_copy_is_a_copy", NULL},
      {ALL, NULL, "takes no template"}}},
    {"list of each interface", {{ALL, "lists_of_every_interface", NULL}}},
    {"session object to the token",
     {{OF(COPY) | OF(GENERATE), "copy_to_the_token_and_elsewhere", NULL},
      {OF(MODIFY), "change_what_a_key_is", NULL},
      {OF(IMPORT) | OF(UNWRAP) | OF(DERIVE), "copy_to_the_token_and_elsewhere", NULL},
      {ALL, NULL, "makes no object"}}},
    {"guessed handles",
     {{OF(WRAP) | OF(COPY) | OF(SIGN) | OF(DESTROY), "guess_handles", NULL},
      {OF(MODIFY) | OF(DERIVE) | OF(UNWRAP) | OF(OTHER_USE) | OF(STATE),
       "tests/unit/test_module_handles.c:an_old_handle_stays_invalid", NULL},
      {ALL, NULL, "names no object"}}},
    {"handles of a birth",
     {{OF(GENERATE) | OF(WRAP) | OF(COPY) | OF(SIGN), "guess_handles_during_a_birth", NULL},
      {OF(GENERATE) | OF(IMPORT) | OF(INITIALISE), NULL, "names no object"},
      {ALL, NULL, "asks its question under the lock that a birth holds, and the birth's handles are in no table"}}},
    {"under a known key",
     {{OF(WRAP), "wrap_under_a_key_that_the_caller_knows", NULL},
      {OF(UNWRAP), "unwrap_to_the_token", NULL},
      {ALL, NULL, "takes no wrapping key"}}},
    {"decryption as signature",
     {{USES, "sign_by_other_means", NULL}, {ALL, NULL, "gives out nothing that verifies as a signature"}}},
    {"message by message (3.0)",
     {{OF(SIGN), "tests/unit/test_module_messages.c:one_approval_is_one_message", NULL},
      {OF(OTHER_USE), "tests/unit/test_module_messages_sealed.c:what_comes_with_a_message_is_approved_with_it", NULL},
      {ALL, NULL, "has no message functions"}}},
    {"begun by one function, ended by another",
     {{OF(SIGN), "tests/unit/test_module_messages.c:the_function_is_part_of_the_approval", NULL},
      {OF(OTHER_USE), "tests/unit/test_module_messages_sealed.c:a_message_in_parts_is_the_same_message", NULL},
      {ALL, NULL, "is one call"}}},
    {"base key leaks", {{OF(DERIVE), "derive_what_gives_the_base_away", NULL}, {ALL, NULL, "has no base key"}}},
    {"begun before a suspend",
     {{OF(SIGN), "finish_after_a_suspend", NULL},
      {OF(OTHER_USE) | OF(GENERATE), "begin_while_suspended", NULL},
      {OF(STATE), "save_and_restore_an_operation", NULL},
      {ALL, NULL, "is one call: judged and done at once"}}},
    {"suspended elsewhere",
     {{USES, "a_suspension_reaches_other_processes", NULL},
      {OF(GENERATE), "begin_while_suspended", NULL},
      {OF(STATE), NULL, "refused whoever approves"},
      {ALL, NULL, "asks at a gate, which has looked at the log 200 ms before at most"}}},
    {"another digest, one other bit",
     {{OF(SIGN), "sign_another_digest_than_approved", NULL},
      {ALL, "tests/unit/test_estate_asking.c:an_altered_request_is_refused", NULL}}},
    {"approval replayed",
     {{OF(SIGN), "sign_twice_with_one_approval", NULL},
      {OF(GENERATE), "tests/integration/test_log.sh:case_one_request_is_spent_once", NULL},
      {OF(STATE), NULL, "refused whoever approves"},
      {ALL, "tests/unit/test_estate_asking.c:a_quorum_leads_to_an_intent_once", NULL}}},
    {"moved to a twin or another origin",
     {{OF(STATE), NULL, "refused whoever approves"},
      {ALL, "tests/integration/test_twin.sh:case_with_the_approvals_of_a_twin", NULL}}},
    {"PEM swapped",
     {{OF(STATE), NULL, "refused whoever approves"},
      {ALL, "tests/integration/test_approvals.sh:case_with_a_swapped_certificate", NULL}}},
    {"oracle by drills",
     {{OF(SIGN), "tests/unit/test_depth_enrol.c:site_keys_do_one_thing", NULL},
      {ALL, NULL, "drills and challenges sign, under a prefix of their own, and do nothing else"}}},
    {"login of another session",
     {{USES, "use_after_another_session_logged_out", NULL},
      {ALL, NULL,
       "PKCS#11 has one login for all sessions of a process; who is logged out has no handle of a private object"}}},
    {"close, logout in a birth",
     {{OF(GENERATE), "close_during_a_birth", NULL},
      {ALL, NULL, "is one call to the HSM, and leaves nothing half done"}}},
    {"forked child", {{ALL, "use_in_a_forked_child", NULL}}},
    {"locks of dead parents",
     {{OF(GENERATE), "tests/unit/test_core_file.c:test_lock_outlives_a_child", NULL},
      {ALL, NULL, "only births hold a lock of their own"}}},
    {"second copy of the module", {{ALL, "a_second_copy_under_another_name", NULL}}},
    {"lying HSM", {{ALL, "tests/unit/test_mock_lies.c:lies_about_where_a_key_is", NULL}}},
};
enum { WAY_COUNT = sizeof(ways) / sizeof(*ways) };

static const struct filling *cell(const struct way *w, unsigned operation)
{
    for (size_t i = 0; i < sizeof(w->fillings) / sizeof(*w->fillings) && w->fillings[i].operations; i++)
        if (w->fillings[i].operations & OF(operation))
            return &w->fillings[i];
    return NULL;
}

/* "FILE:NAME": the file, seen from the top of the source tree, has that name. */
static bool elsewhere(const char *test)
{
    char path[256], line[1024];
    const char *colon = strchr(test, ':');
    bool there = false;
    FILE *file;

    if (!colon || (size_t)(colon - test) >= sizeof(path))
        return false;
    memcpy(path, test, (size_t)(colon - test));
    path[colon - test] = '\0';
    file = fopen(path, "r");
    while (file && !there && fgets(line, sizeof(line), file))
        there = strstr(line, colon + 1) != NULL;
    if (file)
        fclose(file);
    return there;
}

static bool cell_print(const struct way *w, unsigned operation, bool (*held)(const char *attempt))
{
    const struct filling *f = cell(w, operation);
    bool good = f && (f->reason || (strchr(f->test, ':') ? elsewhere(f->test) : held(f->test)));

    printf("  %-34s %-22s %s%s\n", w->name, operation_names[operation], good ? "" : "EMPTY OR ROUND: ",
           !f          ? "nothing"
           : f->reason ? f->reason
                       : f->test);
    return good;
}

bool table_print(bool (*held)(const char *attempt))
{
    bool good = true;

    printf("\n  %-34s %-22s %s\n", "way round", "operation", "refused by this test, or why there is none");
    for (size_t i = 0; i < WAY_COUNT; i++)
        for (unsigned o = 0; o < OPERATION_COUNT; o++)
            good = cell_print(&ways[i], o, held) && good;
    printf("\n%s table of %d ways round and %d operations\n", good ? "ok  " : "FAIL", WAY_COUNT, OPERATION_COUNT);
    return good;
}
