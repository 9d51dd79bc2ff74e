#include "ceremony/closing.h"

#include "core/limits.h"

/* Whether the policy that was in force at that size wants the checkpoint of it cosigned. */
static enum outcome wanted(const struct estate *e, uint64_t size, bool *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *policy = NULL;
    struct digest digest;
    bool found = false;
    enum outcome o = OK;

    for (uint64_t seq = size; o == OK && !found && seq-- > 0;) {
        struct entry entry = {.json = NULL};

        o = log_entry(e->log, seq, &entry, f);
        if (o == OK && entry.type == ENTRY_POLICY) {
            found = true;
            o = json_want_digest(entry.body, "digest", &digest, f);
        }
        entry_clear(&entry);
    }
    if (o == OK && found)
        o = estate_kept(e, "policies", ".yaml", &digest, &bytes, f);
    if (o == OK && found)
        o = policy_parse("policy", buf_span(&bytes), &policy, f);
    if (o == OK)
        *ret = policy != NULL && policy->cosigners.closing;
    policy_free(policy);
    buf_free(&bytes);
    return o;
}

static void lines_put(const struct entry *e, uint64_t size, struct buf *ret)
{
    json_t *line = NULL;
    size_t index = 0;

    if (e->type != ENTRY_COSIGNED || (uint64_t)json_integer_value(json_object_get(e->body, "size")) != size)
        return;
    json_array_foreach(json_object_get(e->body, "cosignatures"), index, line)
        buf_putf(ret, "%s\n", json_string_value(line));
}

enum outcome closing_cosignatures(const struct estate *e, const char *ceremony, uint64_t size, struct buf *ret,
                                  struct fault *f)
{
    bool asked = false;
    enum outcome o = OK;

    for (uint64_t seq = size; o == OK && ret->len == 0 && seq < log_size(e->log); seq++) {
        struct entry entry = {.json = NULL};

        o = log_entry(e->log, seq, &entry, f);
        if (o == OK)
            lines_put(&entry, size, ret);
        entry_clear(&entry);
    }
    if (o == OK && ret->failed)
        o = fault_memory(f);
    if (o == OK && ret->len == 0)
        o = wanted(e, size, &asked, f);
    if (o == OK && asked)
        o = fault_set(f, E_PENDING,
                      "the policy wants the closing checkpoint of %s cosigned before there is a transcript: quorate "
                      "cosign collect --ceremony %s",
                      ceremony, ceremony);
    return o;
}
