#include "estate/follower.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/serving.h"
#include "policy/signature.h"

void follower_clear(struct follower *w)
{
    free(w->roots);
    policy_free(w->first);
    strings_free(&w->used);
    *w = (struct follower){0};
}

static enum outcome document(struct follower *w, const char *name, struct buf *ret, struct fault *f)
{
    char *path = NULL;
    enum outcome result = w->message != NULL ? message_file(w->message, name, ret, f) : E_ABSENT;

    if (result == OK && !strings_have(&w->used, name) && !strings_add(&w->used, name))
        return fault_memory(f);
    if (result != E_ABSENT)
        return result;
    path = estate_path(w->copy, NULL, name);
    result = path != NULL ? file_read(path, false, ret, f) : fault_memory(f);
    if (result == E_ABSENT)
        result = fault_set(f, E_REFUSED, "the message does not bring %s", name);
    free(path);
    return result;
}

enum outcome follower_named(struct follower *w, const char *folder, const struct digest *digest, const char *suffix,
                            struct buf *ret, struct fault *f)
{
    struct digest found;
    char name[96];
    enum outcome result = OK;

    snprintf(name, sizeof name, "%s/%s%s", folder, digest_hex(digest).hex, suffix);
    result = document(w, name, ret, f);
    if (result == OK && (!digest_one(&found, buf_span(ret)) || !digest_equal(&found, digest)))
        result = fault_set(f, E_REFUSED, "%s of the message has another digest than its name", name);
    return result;
}

enum outcome follower_beside(struct follower *w, const struct digest *request, const char *person, const char *suffix,
                             struct buf *ret, struct fault *f)
{
    char name[64 + LIMIT_NAME + 96];

    if (strlen(person) > LIMIT_NAME)
        return fault_set(f, E_REFUSED, "an entry names nobody");
    snprintf(name, sizeof name, "requests/%s/%s%s", digest_hex(request).hex, person, suffix);
    return document(w, name, ret, f);
}

/* The certificates of its people are there, and no two have one key. */
static enum outcome roster_read(struct follower *w, const struct policy *p, struct fault *f)
{
    struct buf *ders = calloc(p->person_count + 1, sizeof *ders);
    struct span *spans = calloc(p->person_count + 1, sizeof *spans);
    enum outcome result = ders != NULL && spans != NULL ? OK : fault_memory(f);

    for (size_t i = 0; result == OK && i < p->person_count; i++) {
        ders[i] = BUF(LIMIT_CERTIFICATE);
        result = follower_named(w, "people", &p->people[i].fingerprint, ".der", &ders[i], f);
        spans[i] = buf_span(&ders[i]);
    }
    if (result == OK)
        result = roster_check(p, spans, f);
    for (size_t i = 0; ders != NULL && i < p->person_count; i++)
        buf_free(&ders[i]);
    free(ders);
    free(spans);
    return result;
}

static enum outcome policy_read(struct follower *w, const struct digest *digest, struct policy **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *policy = NULL;
    char name[80];
    enum outcome result = follower_named(w, "policies", digest, ".yaml", &bytes, f);

    snprintf(name, sizeof name, "%.12s.yaml", digest_hex(digest).hex);
    if (result == OK)
        result = policy_parse(name, buf_span(&bytes), &policy, f);
    if (result == OK)
        result = roster_read(w, policy, f);
    if (result == OK) {
        *ret = policy;
        policy = NULL; /* taken by the caller */
    }
    policy_free(policy);
    buf_free(&bytes);
    return result;
}

enum outcome follower_policy(struct follower *w, const struct policy **ret, struct fault *f)
{
    struct estate *e = w->copy;
    struct policy *policy = NULL;
    enum outcome result = OK;

    if (e->state.policy_version == 0) {
        if (w->first == NULL)
            result = policy_read(w, &e->state.genesis_policy, &w->first, f);
        if (result == OK)
            *ret = w->first;
        return result;
    }
    if (e->policy == NULL || !digest_equal(&e->policy->digest, &e->state.policy)) {
        result = policy_read(w, &e->state.policy, &policy, f);
        if (result != OK)
            return result;
        policy_free(e->policy);
        e->policy = policy;
    }
    promotions_apply(e->policy, &e->state);
    *ret = e->policy;
    return OK;
}

/* The root before this entry; room grows by doubling. */
static enum outcome root_keep(struct follower *w, const struct entry *e, struct fault *f)
{
    if (w->edge.size == w->capacity) {
        size_t capacity = w->capacity != 0 ? 2 * w->capacity : 256;
        struct digest *grown = reallocarray(w->roots, capacity, sizeof *grown);

        if (grown == NULL)
            return fault_memory(f);
        w->roots = grown;
        w->capacity = capacity;
    }
    merkle_root(&w->edge, &w->roots[w->edge.size]);
    merkle_push(&w->edge, &e->leaf);
    return OK;
}

enum outcome follower_visit(void *context, const struct entry *e, struct fault *f)
{
    struct follower *w = context;
    const struct policy *policy = NULL;
    enum outcome result = root_keep(w, e, f);

    if (result == OK && e->seq >= w->known && follower_judge(w, e, f) != OK)
        result =
            fault_context(f, "entry %llu of the host's log (%s)", (unsigned long long)e->seq, entry_type_name(e->type));
    if (result == OK)
        result = state_apply(&w->copy->state, e, f);
    /* Read now, so that the message's file is kept. */
    if (result == OK && e->seq >= w->known && e->type == ENTRY_POLICY)
        result = follower_policy(w, &policy, f);
    return result;
}
